"""Old snapshot + events = new snapshot, whatever the events are."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rooms.events import EVENT, RoomEvent
from rooms.fold import fold, fold_all
from rooms.state import RoomState
from tests.unit.rooms.stories import LECTURE, LECTURER, MAIN, POINTS, START_MS, STORIES

Entry = tuple[int, int, RoomEvent]

people = st.sampled_from((LECTURER, MAIN, *POINTS))
points = st.sampled_from((MAIN, *POINTS))
polls = st.sampled_from(("pol_1", "pol_2", "pol_3"))
counts = st.lists(st.integers(0, 500), min_size=2, max_size=4)
device = st.sampled_from(("ok", "missing", "denied", "silent"))
slots = st.sampled_from(("stage", "guest", "screen", "audio-0", "tile-7"))
somebody = st.none() | people


def event(kind: str, **fields: st.SearchStrategy[object]) -> st.SearchStrategy[RoomEvent]:
    return st.fixed_dictionaries({"type": st.just(kind), **fields}).map(EVENT.validate_python)


any_event: st.SearchStrategy[RoomEvent] = st.one_of(
    event("lecture.opened", lecturer=people, main_point=points, points=st.lists(points, max_size=3)),
    event("lecture.started", by=people),
    event("lecture.ended", by=somebody, reason=st.sampled_from(("ended", "expired"))),
    event("participant.joined", participant=people, role=st.sampled_from(("lecturer", "point", "observer"))),
    event(
        "participant.left",
        participant=people,
        reason=st.sampled_from(("left", "lost", "ended")),
        since_ms=st.integers(START_MS, START_MS + 10**7),
    ),
    event("point.reported", point=points, camera=device, microphone=device),
    event("people.counted", point=points, people=st.integers(0, 100_000), by=people),
    event("floor.requested", participant=people),
    event("floor.withdrawn", participant=people, by=somebody),
    event("floor.granted", participant=people, by=people),
    event(
        "floor.released",
        participant=people,
        by=somebody,
        reason=st.sampled_from(("released", "revoked", "passed", "left", "ended")),
    ),
    event(
        "slot.switched",
        slot=slots,
        publication=st.none() | people.map(lambda who: f"{who}/camera"),
        latency_ms=st.integers(0, 9_999),
    ),
    event("poll.opened", poll=polls, options=st.integers(2, 4), by=people),
    event("poll.tallied", poll=polls, counts=counts, phones=st.integers(0, 500)),
    event("poll.closed", poll=polls, counts=counts, phones=st.integers(0, 500), by=somebody),
    event("recording.started"),
    event("recording.stopped"),
)


@st.composite
def journals(draw: st.DrawFn) -> list[Entry]:
    events = draw(st.lists(any_event, min_size=1, max_size=40))
    pauses = draw(st.lists(st.integers(0, 5_000), min_size=len(events), max_size=len(events)))
    at_ms, entries = START_MS, []
    for seq, (pause, what) in enumerate(zip(pauses, events, strict=True), start=1):
        at_ms += pause
        entries.append((seq, at_ms, what))
    return entries


EMPTY = RoomState(lecture=LECTURE)
calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy


@calm
@given(journals())
def test_an_old_snapshot_and_the_events_after_it_give_the_new_snapshot(entries: list[Entry]) -> None:
    whole = fold_all(EMPTY, entries)
    for split in range(len(entries) + 1):
        snapshot = fold_all(EMPTY, entries[:split])
        over_the_wire = RoomState.model_validate_json(json.dumps(snapshot.model_dump(mode="json")))
        assert over_the_wire == snapshot
        assert fold_all(over_the_wire, entries[split:]) == whole


@calm
@given(journals(), st.data())
def test_entries_that_come_again_change_nothing(entries: list[Entry], data: st.DataObject) -> None:
    whole = fold_all(EMPTY, entries)
    again = data.draw(st.lists(st.sampled_from(entries)))
    assert fold_all(whole, again) == whole
    seen = data.draw(st.integers(0, len(entries)))
    assert fold_all(fold_all(EMPTY, entries[:seen]), entries) == whole


@calm
@given(journals())
def test_every_state_makes_sense_whatever_happened(entries: list[Entry]) -> None:
    state = EMPTY
    for seq, at_ms, what in entries:
        before, state = state, fold(state, seq, at_ms, what)
        assert state.seq == seq
        makes_sense(state)
        assert state.results[: len(before.results)] == before.results, "a result is final"
        assert not (before.phase == "ended" and state.phase != "ended"), "a class that is over stays over"


def makes_sense(state: RoomState) -> None:
    waiting = [request.participant for request in state.floor.queue]
    assert len(set(waiting)) == len(waiting), "one hand a participant"
    assert state.floor.holder not in waiting
    assert (state.floor.holder is None) == (state.floor.since_ms is None)
    for poll in (*([state.poll] if state.poll else []), *state.results):
        assert min(poll.counts) >= 0
        assert poll.phones >= 0
    if state.phase == "ended":
        assert state.floor.holder is None
        assert not waiting
        assert state.poll is None
        assert not state.slots
        assert not state.recording


@calm
@given(journals())
def test_a_fold_never_changes_the_state_it_is_given(entries: list[Entry]) -> None:
    state = EMPTY
    for entry in entries:
        kept = state.model_dump_json()
        after = fold(state, *entry)
        assert state.model_dump_json() == kept
        state = after


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_with_an_empty_floor_and_no_open_poll(name: str) -> None:
    story = STORIES[name]()
    makes_sense(story.state)
    assert story.state.phase == "ended"


def test_a_participant_who_joins_again_is_here_since_the_first_time() -> None:
    story = STORIES["contradictions"]()
    states = [state for *_, what, state in story.steps if what.type == "participant.joined"]
    assert [s.present["bp_dongha"].since_ms for s in states] == [START_MS + 1_000] * 2
    assert states[-1].present["bp_dongha"].role == "observer"
