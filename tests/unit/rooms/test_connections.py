"""Lost connections, connections elsewhere, and restarts of the whole service."""

import pytest
from sqlalchemy import text

from core.clock import to_ms
from core.errors import Conflict
from rooms.encoder import may_publish
from tests.unit.rooms.house import GRACE_S, House, kinds
from tests.unit.rooms.stories import (
    DONG_HA,
    LECTURE,
    LECTURER,
    TAM_DUONG,
)


def test_a_reconnect_within_the_grace_says_nothing(house: House) -> None:
    house.live(DONG_HA)
    before = house.state
    house.rooms.disconnected(LECTURE, DONG_HA, f"sid-{DONG_HA}")
    house.clock.advance(GRACE_S - 0.001)
    house.rooms.sweep()
    assert house.rooms.join(LECTURE, DONG_HA, "point", "sid-new").replaced_connection is None
    house.clock.advance(GRACE_S)
    assert house.rooms.sweep() == []
    assert house.state == before


def test_who_does_not_come_back_has_left_when_last_seen_and_loses_the_floor(house: House) -> None:
    house.live(DONG_HA)
    house.rooms.grant_floor(LECTURE, LECTURER, "lecturer", DONG_HA)
    seen = house.clock.advance(5)
    house.rooms.disconnected(LECTURE, DONG_HA, f"sid-{DONG_HA}")
    house.clock.advance(GRACE_S)
    released, left = house.rooms.sweep()
    assert released.body == {"participant": DONG_HA, "by": None, "reason": "left"}
    assert left.body == {"participant": DONG_HA, "reason": "lost", "since_ms": to_ms(seen)}
    assert house.rooms.sweep() == []
    assert house.come(DONG_HA).kinds[-1] == "participant.joined"


def test_the_same_participant_elsewhere_takes_the_place(house: House) -> None:
    house.live(DONG_HA)
    assert house.rooms.join(LECTURE, DONG_HA, "point", "sid-other").replaced_connection == f"sid-{DONG_HA}"
    house.rooms.disconnected(LECTURE, DONG_HA, f"sid-{DONG_HA}")
    house.clock.advance(60)
    assert house.rooms.sweep() == []
    assert DONG_HA in house.state.present


def test_a_join_tells_the_state_it_has_made(house: House) -> None:
    house.open()
    result = house.rooms.join(LECTURE, DONG_HA, "point", "sid")
    assert result.state == house.state
    assert result.state.present[DONG_HA].role == "point"


def test_a_restarted_service_goes_on_where_the_last_one_was_killed(house: House) -> None:
    house.live(DONG_HA, TAM_DUONG)
    house.rooms.grant_floor(LECTURE, LECTURER, "lecturer", DONG_HA)
    poll = house.ask()
    after = House(house.db, house.clock)
    after.rooms.resume()
    assert after.state == house.state
    assert after.rooms.active() == [LECTURE]
    after.rooms.tally(poll, [1, 0], 1)
    after.rooms.join(LECTURE, LECTURER, "lecturer", "new-1")
    after.rooms.join(LECTURE, DONG_HA, "point", "new-2")
    assert after.kinds == ["poll.tallied"], "who is back was never away"


def test_after_a_restart_who_stays_away_is_let_go_and_nobody_before(house: House) -> None:
    house.live(DONG_HA, TAM_DUONG)
    after = House(house.db, house.clock)
    after.rooms.resume()
    back = to_ms(house.clock.now())
    house.clock.advance(GRACE_S)
    after.rooms.join(LECTURE, LECTURER, "lecturer", "new-1")
    after.rooms.join(LECTURE, DONG_HA, "point", "new-2")
    assert after.rooms.sweep() == []
    house.clock.advance(GRACE_S)
    (left,) = after.rooms.sweep()
    assert left.body == {"participant": TAM_DUONG, "reason": "lost", "since_ms": back}


def test_a_point_is_here_as_long_as_its_page_or_its_encoder_is(house: House) -> None:
    house.live(DONG_HA)
    house.rooms.start_encoder(LECTURE, DONG_HA, "whip-1")
    assert house.state.encoders == (DONG_HA,)
    house.rooms.disconnected(LECTURE, DONG_HA, f"sid-{DONG_HA}")
    house.clock.advance(2 * GRACE_S)
    assert house.rooms.sweep() == [], "the encoder is still here"
    assert house.rooms.join(LECTURE, DONG_HA, "point", "sid-2").replaced_connection is None
    assert kinds(house.rooms.stop_encoder(LECTURE, DONG_HA, "whip-1", "left")) == ["encoder.stopped"]
    house.clock.advance(2 * GRACE_S)
    assert house.rooms.sweep() == [], "its page is"
    house.rooms.disconnected(LECTURE, DONG_HA, "sid-2")
    house.clock.advance(GRACE_S)
    assert kinds(house.rooms.sweep()) == ["participant.left"]


def test_an_encoder_brings_its_point_in_and_takes_it_with_it(house: House) -> None:
    house.live()
    assert DONG_HA in house.rooms.start_encoder(LECTURE, DONG_HA, "whip-1").present
    assert house.kinds[-2:] == ["participant.joined", "encoder.started"]
    house.rooms.start_encoder(LECTURE, DONG_HA, "whip-2")
    assert house.kinds[-1] == "encoder.started", "one that comes back was not away"
    assert house.rooms.stop_encoder(LECTURE, DONG_HA, "whip-1", "lost") == [], "that one was replaced"
    house.rooms.stop_encoder(LECTURE, DONG_HA, "whip-2", "lost")
    house.clock.advance(GRACE_S)
    house.rooms.sweep()
    assert (DONG_HA in house.state.present, house.state.encoders) == (False, ())


def test_after_a_restart_an_encoder_that_is_gone_is_noted_without_its_connection(house: House) -> None:
    house.live(DONG_HA).rooms.start_encoder(LECTURE, DONG_HA, "whip-1")
    after = House(house.db, house.clock)
    after.rooms.resume()
    assert after.state.encoders == (DONG_HA,)
    with pytest.raises(Conflict, match="encoder_active"):
        may_publish(after.state, DONG_HA)
    may_publish(after.state, TAM_DUONG)
    assert kinds(after.rooms.stop_encoder(LECTURE, DONG_HA, None, "lost")) == ["encoder.stopped"]
    may_publish(after.state, DONG_HA)


def test_an_ended_class_is_not_taken_up_again(house: House) -> None:
    house.live(DONG_HA).rooms.end(LECTURE, LECTURER, "lecturer")
    after = House(house.db, house.clock)
    after.rooms.resume()
    house.clock.advance(3600)
    assert (after.rooms.sweep(), after.rooms.active(), after.state.phase) == ([], [], "ended")


def test_a_sweep_that_cannot_be_journalled_is_made_up_for_by_the_next(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.live(DONG_HA)
    house.rooms.disconnected(LECTURE, DONG_HA, f"sid-{DONG_HA}")
    house.clock.advance(GRACE_S)
    with house.db.transaction() as session:
        session.execute(text("ALTER TABLE journal RENAME TO gone"))
    assert house.rooms.sweep() == []
    assert "participant not let go" in caplog.text
    with house.db.transaction() as session:
        session.execute(text("ALTER TABLE gone RENAME TO journal"))
    assert kinds(house.rooms.sweep()) == ["participant.left"]
