"""Decide, journal, publish, with a real journal; polls and their words; the end of a class."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text

from core.errors import NotAllowed, Unavailable
from core.journal import Behind, JournalRow
from rooms.events import RoomChanged
from rooms.models import Poll
from rooms.state import RoomState
from tests.unit.rooms.house import GRACE_S, House, kinds, rebuilt, refusal
from tests.unit.rooms.stories import (
    DONG_HA,
    LECTURE,
    LECTURER,
    OPERATOR,
    ORGANISER,
    TAM_DUONG,
    THAI_THUY,
)

# ---- decide, journal, publish --------------------------------------------------------------


def test_every_entry_is_published_in_order_with_the_state_right_after_it(house: House) -> None:
    house.live(DONG_HA, TAM_DUONG)
    house.rooms.grant_floor(LECTURE, LECTURER, "lecturer", DONG_HA)
    house.rooms.grant_floor(LECTURE, LECTURER, "lecturer", TAM_DUONG)
    assert [change.seq for change in house.published] == list(range(1, len(house.published) + 1))
    assert all(change.state.seq == change.seq for change in house.published)
    passed, granted = house.published[-2:]
    assert (passed.event.type, passed.state.floor.holder) == ("floor.released", None)
    assert (granted.event.type, granted.state.floor.holder) == ("floor.granted", TAM_DUONG)


def test_a_refused_request_leaves_no_trace(house: House) -> None:
    house.live(DONG_HA)
    before = len(house.published)
    assert refusal(lambda: house.rooms.grant_floor(LECTURE, LECTURER, "lecturer", TAM_DUONG)) == "floor.not_in_room"
    with pytest.raises(NotAllowed):
        house.rooms.grant_floor(LECTURE, DONG_HA, "point", DONG_HA)
    assert len(house.rooms.entries(LECTURE)) == len(house.published) == before


def test_what_is_so_already_is_not_journalled_again(house: House) -> None:
    house.live(DONG_HA)
    assert kinds(house.rooms.request_floor(LECTURE, DONG_HA, "point")) == ["floor.requested"]
    assert house.rooms.request_floor(LECTURE, DONG_HA, "point") == []
    assert house.rooms.start(LECTURE, LECTURER, "lecturer") == []
    assert house.open().rooms.recording(LECTURE, True) == []
    assert house.rooms.slot_switched(LECTURE, "tile-0", f"{DONG_HA}/camera", 9) == []


def test_if_the_journal_refuses_nothing_is_said(house: House) -> None:
    house.live(DONG_HA)
    before = list(house.published)
    with house.db.transaction() as session:
        session.execute(text("CREATE TRIGGER full BEFORE INSERT ON journal BEGIN SELECT RAISE(FAIL, 'disk full'); END"))
    with pytest.raises((Unavailable, Behind)):
        house.rooms.request_floor(LECTURE, DONG_HA, "point")
    assert house.published == before
    assert house.state.floor.queue == ()


def test_a_database_that_is_gone_is_said_to_be_unavailable(house: House) -> None:
    house.live(DONG_HA)
    with house.db.transaction() as session:
        session.execute(text("ALTER TABLE journal RENAME TO gone"))
    assert refusal(lambda: house.rooms.request_floor(LECTURE, DONG_HA, "point")) == "journal.unavailable"
    with house.db.transaction() as session:
        session.execute(text("ALTER TABLE gone RENAME TO journal"))
    assert kinds(house.rooms.request_floor(LECTURE, DONG_HA, "point")) == ["floor.requested"]


def test_a_listener_that_fails_vetoes_nothing(house: House, caplog: pytest.LogCaptureFixture) -> None:
    def broken(change: RoomChanged) -> None:
        raise RuntimeError("a listener's own trouble")

    house.bus.subscribe(RoomChanged, broken)
    house.live(DONG_HA)
    assert house.state.phase == "live"
    assert house.kinds[-1] == "recording.started"
    assert "listener failed" in caplog.text


def test_a_listener_may_act_on_the_same_room_and_order_is_kept(house: House) -> None:
    def applaud(change: RoomChanged) -> None:
        if change.event.type == "lecture.started":
            house.rooms.request_floor(LECTURE, DONG_HA, "point")

    seen: list[int] = []
    house.bus.subscribe(RoomChanged, applaud)
    house.bus.subscribe(RoomChanged, lambda change: seen.append(change.seq))
    house.live(DONG_HA)
    assert house.kinds[-3:] == ["lecture.started", "recording.started", "floor.requested"]
    assert seen == list(range(1, len(seen) + 1))


def test_time_in_a_journal_never_goes_back(house: House) -> None:
    house.live(DONG_HA)
    house.clock.advance(-90)
    house.rooms.request_floor(LECTURE, DONG_HA, "point")
    times = [entry.at_ms for entry in house.rooms.entries(LECTURE)]
    assert times == sorted(times)


def test_a_lecture_without_a_journal_is_a_room_that_is_not_open(house: House) -> None:
    assert house.rooms.state("lec_unknown") == RoomState(lecture="lec_unknown")
    assert house.rooms.entries("lec_unknown") == []
    assert house.rooms.active() == []


# ---- the end -------------------------------------------------------------------------------


def test_the_end_is_one_batch_and_everybody_is_out(house: House) -> None:
    house.live(DONG_HA)
    house.rooms.grant_floor(LECTURE, LECTURER, "lecturer", DONG_HA)
    entries = house.rooms.end(LECTURE, LECTURER, "lecturer")
    assert kinds(entries) == ["floor.released", "recording.stopped", "lecture.ended", *["participant.left"] * 2]
    assert {entry.at_ms for entry in entries} == {house.state.ended_ms}
    house.rooms.disconnected(LECTURE, DONG_HA, f"sid-{DONG_HA}")
    assert house.rooms.slot_switched(LECTURE, "stage", None, 0) == []
    assert house.rooms.recording(LECTURE, False) == []
    assert refusal(lambda: house.come(DONG_HA)) == "lecture.ended"
    assert refusal(lambda: house.rooms.request_floor(LECTURE, DONG_HA, "point")) == "lecture.not_live"


def test_the_clock_ends_what_nobody_ended(house: House) -> None:
    house.live(DONG_HA)
    ended = [entry for entry in house.rooms.expire(LECTURE) if entry.type == "lecture.ended"]
    assert [entry.body for entry in ended] == [{"by": None, "reason": "expired"}]
    assert house.rooms.expire(LECTURE) == []
    assert house.rooms.expire("lec_unknown") == []


def test_an_organiser_who_is_not_in_the_room_may_end_the_class(house: House) -> None:
    house.live(DONG_HA)
    assert house.rooms.end(LECTURE, ORGANISER, "organiser")
    assert house.rooms.end(LECTURE, ORGANISER, "organiser") == []


# ---- polls ---------------------------------------------------------------------------------


def test_the_words_of_a_poll_are_in_the_table_and_not_in_the_journal(house: House) -> None:
    poll = house.live().ask("Nguyễn Thị Hạnh giảng có dễ hiểu không?")
    words = house.rooms.labels_of_polls([poll, "pol_unknown"])
    assert list(words) == [poll]
    assert (words[poll].lecture_id, words[poll].options) == (LECTURE, ("Đã rõ", "Chưa rõ"))
    with house.db.reading() as session:
        assert not [row.body for row in session.query(JournalRow) if "Hạnh" in row.body or "rõ" in row.body]


def test_a_poll_s_words_are_there_when_the_class_hears_of_it(house: House) -> None:
    seen = []
    house.live().bus.subscribe(RoomChanged, lambda c: seen.append(house.rooms.labels_of_polls([c.event.poll])))
    poll = house.ask()
    assert list(seen[0]) == [poll]


def test_a_poll_that_is_refused_leaves_no_words(house: House) -> None:
    house.live().ask()
    assert refusal(house.ask) == "poll.already_open"
    assert refusal(lambda: house.rooms.open_poll(LECTURE, LECTURER, "lecturer", " ", ["a", "b"])) == "poll.no_question"
    with house.db.reading() as session:
        assert session.query(Poll).count() == 1


def test_a_closing_poll_takes_its_last_count_from_the_sealed_box(house: House) -> None:
    poll = house.live().ask()
    house.rooms.count_ballots = lambda asked: ([5, 2], 4) if asked == poll else ([0, 0], 0)
    house.rooms.tally(poll, [4, 2], 3)
    (closed,) = house.rooms.close_poll(LECTURE, LECTURER, "lecturer", poll)
    assert closed.body == {"poll": poll, "counts": [5, 2], "phones": 4, "by": LECTURER}
    assert refusal(lambda: house.rooms.close_poll(LECTURE, LECTURER, "lecturer", poll)) == "poll.closed"
    assert refusal(lambda: house.rooms.tally(poll, [9, 9], 9)) == "poll.closed"
    assert refusal(lambda: house.rooms.tally("pol_unknown", [9, 9], 9)) == "poll.unknown"
    with house.db.reading() as session:
        assert session.get_one(Poll, poll).closed_at == house.clock.now()


def test_a_box_is_sealed_only_by_who_may_close_the_poll(house: House) -> None:
    poll = house.live(DONG_HA).ask()
    sealed: list[str] = []

    def seal(asked: str) -> tuple[list[int], int]:
        sealed.append(asked)
        return [0, 0], 0

    house.rooms.count_ballots = seal
    assert refusal(lambda: house.rooms.close_poll(LECTURE, DONG_HA, "point", poll)) == "permission.denied"
    assert refusal(lambda: house.rooms.close_poll(LECTURE, LECTURER, "lecturer", "pol_other")) == "poll.closed"
    assert refusal(lambda: house.rooms.end(LECTURE, DONG_HA, "point")) == "permission.denied"
    assert sealed == []


@pytest.mark.parametrize("answer", [lambda poll: 1 / 0, lambda poll: ([1], 0)])
def test_a_class_ends_even_when_its_poll_cannot_be_counted(
    house: House, answer: Callable[[str], object], caplog: pytest.LogCaptureFixture
) -> None:
    poll = house.live().ask()
    house.rooms.tally(poll, [2, 1], 3)
    house.rooms.count_ballots = answer  # type: ignore[assignment]
    house.rooms.end(LECTURE, LECTURER, "lecturer")
    assert (house.state.phase, house.state.results[0].counts) == ("ended", (2, 1))
    assert "no final count" in caplog.text


# ---- facts ---------------------------------------------------------------------------------


def test_facts_come_into_the_journal(house: House) -> None:
    house.live(DONG_HA)
    house.rooms.count_people(LECTURE, OPERATOR, "operator", THAI_THUY, 31)
    house.rooms.report_point(LECTURE, DONG_HA, "point", "ok", "silent")
    house.rooms.slot_switched(LECTURE, "stage", f"{LECTURER}/camera", 88)
    house.rooms.recording(LECTURE, False)
    house.rooms.recording(LECTURE, True)
    assert house.kinds[-5:] == [
        "people.counted",
        "point.reported",
        "slot.switched",
        "recording.stopped",
        "recording.started",
    ]
    assert house.state == rebuilt(house.db)


@pytest.fixture
def many(house: House) -> Iterator[House]:
    house.live(DONG_HA)
    for number in range(600):
        house.rooms.state(f"lec_{number:03}")
    yield house


def test_asking_for_rooms_that_do_not_exist_drives_out_none_that_is_on(many: House) -> None:
    many.rooms.disconnected(LECTURE, DONG_HA, f"sid-{DONG_HA}")
    many.clock.advance(GRACE_S)
    assert kinds(many.rooms.sweep()) == ["participant.left"]
    assert len(many.rooms._rooms) <= 257
