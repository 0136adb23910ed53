"""The journal: numbered without a gap, one writer at a time, every later change is found."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from core.db import Database
from core.journal import GENESIS, Behind, Journal, JournalRow, canonical, chain_hash

LECTURE, OTHER = "lec_1", "lec_2"
AT_MS = 1_772_413_200_000


def filled(db: Database, length: int = 5, lecture: str = LECTURE) -> Journal:
    journal = Journal(db)
    for number in range(length):
        journal.append(lecture, number, AT_MS + number, [("people.counted", {"point": "bp_a", "people": number})])
    return journal


def change(db: Database, number: int, **values: object) -> None:
    with db.transaction() as session:
        where = (JournalRow.lecture_id == LECTURE, JournalRow.seq == number)
        session.execute(update(JournalRow).where(*where).values(**values))


def test_entries_are_numbered_from_one_and_read_back_in_order(any_db: Database) -> None:
    journal = Journal(any_db)
    first = journal.append(LECTURE, 0, AT_MS, [("a", {"x": 1}), ("b", {"chữ": "đỏ"})])
    second = journal.append(LECTURE, 2, AT_MS + 5, [("c", {})])
    assert [entry.seq for entry in first + second] == [1, 2, 3]
    assert journal.read(LECTURE) == first + second
    assert journal.read(LECTURE, 2) == second
    assert journal.read(LECTURE, 99) == journal.read(OTHER) == []


def test_each_lecture_has_a_chain_of_its_own(any_db: Database) -> None:
    journal = filled(any_db, 3)
    filled(any_db, 2, OTHER)
    assert journal.lectures() == [LECTURE, OTHER]
    assert (journal.head(LECTURE)[0], journal.head(OTHER)[0], journal.head("lec_3")) == (3, 2, (0, GENESIS))
    assert journal.verify(LECTURE) is None
    assert journal.verify(OTHER) is None
    assert journal.verify("lec_3") is None


def test_a_lecture_is_found_by_what_its_journal_lacks(any_db: Database) -> None:
    journal = filled(any_db, 2)
    filled(any_db, 2, OTHER).append(OTHER, 2, AT_MS, [("lecture.ended", {})])
    assert journal.lectures_without("lecture.ended") == [LECTURE]
    assert journal.lectures_without("people.counted") == []


def test_a_lecture_is_found_by_what_happened_lately(any_db: Database) -> None:
    journal = filled(any_db, 2)
    journal.append(LECTURE, 2, AT_MS, [("lecture.ended", {})])
    filled(any_db, 2, OTHER).append(OTHER, 2, AT_MS - 5, [("lecture.ended", {})])
    assert journal.lectures_with("lecture.ended", AT_MS) == [LECTURE]
    assert journal.lectures_with("lecture.ended", AT_MS - 5) == [LECTURE, OTHER]


def test_who_has_not_read_the_last_entry_is_behind_and_writes_nothing(any_db: Database) -> None:
    one, two = filled(any_db, 2), Journal(any_db)
    two.append(LECTURE, 2, AT_MS, [("two", {})])
    for seen in (0, 2, 4):
        with pytest.raises(Behind) as refused:
            one.append(LECTURE, seen, AT_MS, [("one", {}), ("one", {})])
        assert refused.value.code == "journal.behind"
    assert [entry.type for entry in one.read(LECTURE, 2)] == ["two"]
    assert one.append(LECTURE, 3, AT_MS, [("one", {})])[0].seq == 4
    assert one.verify(LECTURE) is None


def test_a_batch_is_written_whole_or_not_at_all(any_db: Database) -> None:
    journal = filled(any_db, 1)

    def unwritable() -> object:
        yield ("a", {})
        yield ("b", {"at": object()})  # not JSON

    with pytest.raises(TypeError):
        journal.append(LECTURE, 1, AT_MS, unwritable())  # type: ignore[arg-type]
    assert journal.head(LECTURE)[0] == 1


@pytest.mark.parametrize(
    "tamper",
    [
        lambda db: change(db, 3, body='{"people":99,"point":"bp_a"}'),
        lambda db: change(db, 3, at_ms=AT_MS + 60_000),
        lambda db: change(db, 3, type="floor.granted"),
        lambda db: change(db, 3, hash="f" * 64),
    ],
)
def test_an_edited_row_is_found(any_db: Database, tamper: Callable[[Database], None]) -> None:
    journal = filled(any_db)
    tamper(any_db)
    fault = journal.verify(LECTURE)
    assert fault is not None
    assert (fault.lecture_id, fault.seq, fault.reason) == (LECTURE, 3, "was changed after it was written")


def test_an_edited_row_whose_hash_was_made_to_fit_breaks_the_row_after_it(any_db: Database) -> None:
    journal = filled(any_db)
    with any_db.reading() as session:
        row = session.get_one(JournalRow, (LECTURE, 3))
    body = canonical({"point": "bp_a", "people": 99})
    change(any_db, 3, body=body, hash=chain_hash(row.prev_hash, LECTURE, 3, row.at_ms, row.type, body))
    fault = journal.verify(LECTURE)
    assert fault is not None
    assert (fault.seq, fault.reason) == (4, "does not follow from the row before it")


@pytest.mark.parametrize("seq", [1, 3])
def test_a_deleted_row_is_found(any_db: Database, seq: int) -> None:
    journal = filled(any_db)
    with any_db.transaction() as session:
        session.execute(delete(JournalRow).where(JournalRow.seq == seq))
    fault = journal.verify(LECTURE)
    assert fault is not None
    assert (fault.seq, fault.reason) == (seq, f"row {seq} is missing")


def test_a_row_put_in_another_place_is_found(any_db: Database) -> None:
    journal = filled(any_db)
    change(any_db, 2, seq=92)
    change(any_db, 3, seq=2)
    change(any_db, 92, seq=3)
    fault = journal.verify(LECTURE)
    assert fault is not None
    assert fault.seq == 2


def test_a_cut_tail_is_seen_by_the_head_that_was_printed(any_db: Database) -> None:
    journal = filled(any_db)
    printed = journal.head(LECTURE)
    with any_db.transaction() as session:
        session.execute(delete(JournalRow).where(JournalRow.seq >= 4))
    assert journal.verify(LECTURE) is None, "the chain alone cannot tell"
    assert journal.head(LECTURE) != printed


def test_a_row_carries_the_hash_of_the_row_before_it(any_db: Database) -> None:
    filled(any_db, 3)
    with any_db.reading() as session:
        rows = list(session.scalars(select(JournalRow).order_by(JournalRow.seq)))
    assert [row.prev_hash for row in rows] == [GENESIS, rows[0].hash, rows[1].hash]


words = st.text(max_size=6)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,  # as journals have them: shallow
)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(words, json_values, max_size=4))
def test_one_value_has_one_text_whatever_the_order_of_its_keys(body: dict[str, object]) -> None:
    turned = dict(reversed(list(body.items())))
    assert canonical(body) == canonical(turned)
    assert "\n" not in canonical(body), "the fields of a hash are separated by line ends"
