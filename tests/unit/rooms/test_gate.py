import pytest

from core.bus import EventBus
from core.errors import Conflict, NotAllowed
from rooms.service import RoomService


@pytest.fixture
def rooms(db, clock):
    service = RoomService(db, EventBus(), clock)
    service.open("lec_1", "usr_l", "bp_m", ["bp_a"])
    service.join("lec_1", "usr_l", "lecturer", "connection")
    return service


def test_a_class_starts_only_when_it_may(rooms):
    asked = []

    def refuse(lecture):
        asked.append(lecture)
        raise Conflict("plan.not_approved", "No plan.")

    rooms.may_start = refuse
    with pytest.raises(Conflict, match=r"plan\.not_approved"):
        rooms.start("lec_1", "usr_l", "lecturer")
    assert rooms.state("lec_1").phase == "lobby" and asked == ["lec_1"]
    with pytest.raises(NotAllowed):  # a stranger learns nothing of the plan
        rooms.start("lec_1", "bp_a", "point")
    assert asked == ["lec_1"]
    rooms.may_start = asked.append
    assert rooms.start("lec_1", "usr_l", "lecturer")
    rooms.may_start = refuse
    assert rooms.start("lec_1", "usr_l", "lecturer") == [], "what is live stays live"
