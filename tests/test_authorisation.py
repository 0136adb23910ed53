"""Who may do what: one row for every route and every socket event, and really asked for by everybody.

A route or an event without a row fails: whoever adds one has to say here whom it is for. The tables
are written by hand on purpose; they do not read `core.permissions`.
"""

import io
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask

from app.auth import DEVICE_COOKIE
from app.tokens import sign
from app.wiring import Wiring
from rooms.events import RoomRole
from schedules.plans.demo import small_pdf
from schedules.plans.records import YearDraft
from signaling.messages import REQUESTS
from tests.builders import PASSWORD, School, make_point, make_school, make_user
from tests.fakes import FakeClock

EVERYBODY = frozenset(
    {
        "anonymous",
        "learner",
        "outsider",  # a learner of an organisation that has no part in the lecture, not enrolled
        "operator",  # of a point that takes part
        "other_operator",  # of a point that does not
        "lecturer",
        "other_lecturer",
        "organiser",
        "admin",
        "observer",
        "device",  # of a point that takes part
        "other_device",  # of a point that does not
        "revoked_device",
    }
)
DEVICES = frozenset({"device", "other_device", "revoked_device"})
SIGNED_IN = EVERYBODY - DEVICES - {"anonymous"}
PLANNERS = frozenset({"organiser", "admin"})
ADMIN = frozenset({"admin"})
HERE = PLANNERS | {"operator"}  # look after the point that takes part
WATCHERS = PLANNERS | {"lecturer", "observer"}
TOOK_PART = SIGNED_IN - {"outsider", "other_operator"}  # enrolled, or of an organisation that took part


@dataclass(frozen=True)
class Row:
    """A request and who gets an answer to it; everybody else is refused."""

    method: str
    rule: str
    allowed: frozenset[str]
    path: str = ""  # the rule, filled in; {lecture}, {point}, {course} and the like are replaced
    data: dict[str, Any] | None = None
    json: dict[str, Any] | None = None
    also: tuple[int, ...] = ()  # statuses that are an answer here though they look like an error
    headers: dict[str, str] | None = None
    hidden: bool = False  # refused as if it did not exist


def get(rule: str, allowed: frozenset[str], path: str = "", also: tuple[int, ...] = ()) -> Row:
    return Row("GET", rule, allowed, path, also=also)


def post(rule: str, allowed: frozenset[str], path: str = "", **more: Any) -> Row:
    return Row("POST", rule, allowed, path, **({"data": {}} | more))


AUTHORS = frozenset({"lecturer", "organiser"})  # of a lesson plan
PLAN = "/lectures/<lecture_id>/plan"
PLAN_STEP = f"{PLAN}/<any(submit, withdraw, approve, return, comment, waive, unwaive):step>"
STREAM = "/<any(whip, whep):kind>/<lecture_id>"
IMPORT = "/registry/import/<any(organisations, points, equipment, people):kind>"
CALENDAR = "/calendars/<any(lecture, point, lecturer, course, organisation, person):kind>/<of_id>"

ROUTES = [
    # for everybody
    get("/", EVERYBODY),
    get("/kiosk", EVERYBODY),
    get("/kiosk/state", EVERYBODY),
    post("/kiosk/pairing", EVERYBODY, data=None, json={}),
    get("/login", EVERYBODY),
    post("/login", EVERYBODY, also=(429,)),  # a wrong password is an answer, so is "not that often"
    post("/logout", EVERYBODY),
    get("/language/<code>", EVERYBODY, "/language/en"),
    get("/healthz", EVERYBODY),
    get("/readyz", EVERYBODY, also=(503,)),  # no node in these tests
    get("/metrics", frozenset()),  # a token opens it, an account does not: tests/flows/test_metrics.py
    get("/static/<path:filename>", EVERYBODY, "/static/js/state.js"),
    # phones need no account: who sits in the hall may answer
    get("/p/<poll_id>", EVERYBODY, "/p/{poll}"),
    post("/p/<poll_id>", EVERYBODY, "/p/{poll}", data={"choice": "0"}),
    get("/p/<poll_id>/qr.svg", EVERYBODY, "/p/{poll}/qr.svg"),
    # the timetable is for everybody who has an account
    get("/timetable", SIGNED_IN),
    get("/lectures/<lecture_id>", SIGNED_IN, "/lectures/{lecture}"),
    get("/points", SIGNED_IN),
    get("/courses", SIGNED_IN),
    # planning
    post("/courses", PLANNERS),
    get("/lectures/new", PLANNERS),
    post("/lectures/new", PLANNERS),
    get("/lectures/<lecture_id>/edit", PLANNERS, "/lectures/{lecture}/edit"),
    post("/lectures/<lecture_id>/edit", PLANNERS, "/lectures/{lecture}/edit"),
    get("/lectures/<lecture_id>/cancel", PLANNERS, "/lectures/{lecture}/cancel"),
    post("/lectures/<lecture_id>/cancel", PLANNERS, "/lectures/{lecture}/cancel"),
    # a point is looked after by its own operators
    get("/points/<point_id>", HERE, "/points/{point}"),
    post("/points/<point_id>/pairing", HERE, "/points/{point}/pairing", data={"code": "12"}),
    post("/points/<point_id>/devices/<device_id>/revoke", HERE, "/points/{point}/devices/{device}/revoke"),
    # calendars: a secret key opens them, an account does not
    Row("GET", f"{CALENDAR}.ics", frozenset(), "/calendars/lecture/{lecture}.ics?key=guess", hidden=True),
    get(f"{CALENDAR}.ics", EVERYBODY, "/calendars/lecture/{lecture}.ics?key={key}"),
    post(f"{CALENDAR}/renew", PLANNERS, "/calendars/lecture/{lecture}/renew"),
    post(f"{CALENDAR}/renew", HERE, "/calendars/point/{point}/renew"),
    post(f"{CALENDAR}/renew", PLANNERS | {"lecturer"}, "/calendars/lecturer/{lecturer}/renew"),
    # encoders and players: a key opens them, an account does not
    *(
        Row(method, rule, who, path.replace("KIND", kind), headers={"Content-Type": content, "If-Match": "*", **key})
        for kind in ("whip", "whep")
        for method, rule, path, content in (
            ("POST", STREAM, "/KIND/{lecture}", "application/sdp"),
            ("PATCH", f"{STREAM}/<session>", "/KIND/{lecture}/ses_1", "application/trickle-ice-sdpfrag"),
            ("DELETE", f"{STREAM}/<session>", "/KIND/{lecture}/ses_1", "application/sdp"),
        )
        for who, key in ((frozenset[str](), {}), (EVERYBODY, {"Authorization": f"Bearer {{{kind}}}"}))
    ),
    post(
        "/lectures/<lecture_id>/streams",
        PLANNERS,
        "/lectures/{lecture}/streams",
        data={"point": "{point}", "purpose": "ingest"},
    ),
    post("/lectures/<lecture_id>/streams/<token_id>/revoke", PLANNERS, "/lectures/{lecture}/streams/{stream}/revoke"),
    # the class
    get("/lectures/<lecture_id>/console", WATCHERS, "/lectures/{lecture}/console"),
    post(
        "/api/lectures/<lecture_id>/token",
        WATCHERS | {"device"},
        "/api/lectures/{lecture}/token",
        data=None,
        json={},
    ),
    post(
        "/api/lectures/<lecture_id>/token",
        frozenset({"device"}),
        "/api/lectures/{lecture}/token?as=point",
        data=None,
        json={},
    ),
    get("/lectures/<lecture_id>/points/<point_id>", HERE, "/lectures/{lecture}/points/{point}"),
    get("/lectures/<lecture_id>/points/<point_id>/state", HERE, "/lectures/{lecture}/points/{point}/state"),
    post(
        "/lectures/<lecture_id>/points/<point_id>/people",
        HERE,
        "/lectures/{lecture}/points/{point}/people",
        data={"people": "12"},
    ),
    post(
        "/lectures/<lecture_id>/points/<point_id>/hand-count",
        HERE,
        "/lectures/{lecture}/points/{point}/hand-count",
        data={"poll": "{poll}", "hands": ["1", "2"]},
    ),
    # afterwards
    get("/lectures/<lecture_id>/register", WATCHERS | {"operator"}, "/lectures/{lecture}/register"),
    get("/lectures/<lecture_id>/register.csv", WATCHERS | {"operator"}, "/lectures/{lecture}/register.csv"),
    get("/lectures/<lecture_id>/replay", TOOK_PART, "/lectures/{lecture}/replay"),
    get("/lectures/<lecture_id>/replay/position", TOOK_PART, "/lectures/{lecture}/replay/position"),
    Row(
        "PUT",
        "/lectures/<lecture_id>/replay/position",
        TOOK_PART,
        "/lectures/{lecture}/replay/position",
        json={"position_ms": 1000},
    ),
    get("/recordings/<lecture_id>/<path:name>", TOOK_PART, "/recordings/{lecture}/program.m3u8"),
    # moving lectures on the timetable's board
    post("/timetable/check", PLANNERS, data=None, json={"lecture": "lec_none"}),
    post("/timetable/move", PLANNERS, data=None, json={"lecture": "lec_none"}),
    post("/timetable/back", PLANNERS, data=None, json={"lectures": []}),
    # the registry: organisers keep halls and equipment, the tree and accounts are the administrators'
    get("/registry", PLANNERS),
    get("/registry/organisations", PLANNERS),
    get("/registry/organisations/new", ADMIN),
    post("/registry/organisations/new", ADMIN),
    get("/registry/organisations/<org_id>", ADMIN, "/registry/organisations/{org}"),
    post("/registry/organisations/<org_id>", ADMIN, "/registry/organisations/{org}"),
    post("/registry/organisations/<org_id>/abolish", ADMIN, "/registry/organisations/{org}/abolish"),
    get("/registry/points", PLANNERS),
    get("/registry/points/new", PLANNERS),
    post("/registry/points/new", PLANNERS),
    get("/registry/points/<point_id>", PLANNERS, "/registry/points/{point}"),
    post("/registry/points/<point_id>", PLANNERS, "/registry/points/{point}"),
    post("/registry/points/<point_id>/retire", PLANNERS, "/registry/points/{point}/retire"),
    get("/registry/equipment", PLANNERS),
    get("/registry/equipment/new", PLANNERS),
    post("/registry/equipment/new", PLANNERS),
    get("/registry/equipment/<equipment_id>", PLANNERS, "/registry/equipment/{equipment}"),
    post("/registry/equipment/<equipment_id>", PLANNERS, "/registry/equipment/{equipment}"),
    post("/registry/equipment/<equipment_id>/retire", PLANNERS, "/registry/equipment/{equipment}/retire"),
    get("/registry/people", PLANNERS),
    get("/registry/people/new", ADMIN),
    post("/registry/people/new", ADMIN),
    get("/registry/people/<user_id>", ADMIN, "/registry/people/{lecturer}"),
    post("/registry/people/<user_id>", ADMIN, "/registry/people/{lecturer}"),
    post("/registry/people/<user_id>/password", ADMIN, "/registry/people/{lecturer}/password"),
    *(
        row
        for kind, who in (("organisations", ADMIN), ("points", PLANNERS), ("equipment", PLANNERS), ("people", ADMIN))
        for row in (
            get(IMPORT, who, f"/registry/import/{kind}"),
            post(IMPORT, who, f"/registry/import/{kind}"),
            get(f"{IMPORT}/template.<any(xlsx, csv):form>", who, f"/registry/import/{kind}/template.csv"),
        )
    ),
    get("/blocks", PLANNERS),
    post("/blocks", PLANNERS),
    post("/blocks/<block_id>/lift", PLANNERS, "/blocks/{block}/lift"),
    # courses with their people: everybody may read what a course is, those who manage courses see who is in it
    get("/courses/<course_id>", SIGNED_IN, "/courses/{course}"),
    post("/courses/<course_id>/topics", PLANNERS, "/courses/{course}/topics"),
    post("/courses/<course_id>/about", PLANNERS, "/courses/{course}/about"),
    post("/courses/<course_id>/quotas", PLANNERS, "/courses/{course}/quotas", data={"org": "{org}", "seats": "5"}),
    post("/courses/<course_id>/people", PLANNERS, "/courses/{course}/people", data={"who": "hocvien"}),
    get("/courses/<course_id>/people/<user_id>", PLANNERS, "/courses/{course}/people/{learner}"),
    post("/courses/<course_id>/people/<user_id>", PLANNERS, "/courses/{course}/people/{learner}"),
    post(
        "/courses/<course_id>/people/<user_id>/remove",
        PLANNERS,
        "/courses/{course}/people/{learner}/remove",
        also=(404,),  # the first one has taken them off
    ),
    get("/courses/<course_id>/roster.csv", PLANNERS, "/courses/{course}/roster.csv"),
    get("/courses/<course_id>/import", PLANNERS, "/courses/{course}/import"),
    post("/courses/<course_id>/import", PLANNERS, "/courses/{course}/import"),
    post("/courses/<course_id>/import/confirm", PLANNERS, "/courses/{course}/import/confirm"),
    get("/courses/<course_id>/import/problems.csv", PLANNERS, "/courses/{course}/import/problems.csv?key=guess"),
    get(
        "/courses/<course_id>/import/template.<any(xlsx, csv):kind>", PLANNERS, "/courses/{course}/import/template.csv"
    ),
    get("/courses/<course_id>/rules", SIGNED_IN, "/courses/{course}/rules"),
    post("/courses/<course_id>/rules", PLANNERS, "/courses/{course}/rules"),
    post("/courses/<course_id>/rules/accept", frozenset({"learner"}), "/courses/{course}/rules/accept"),
    get("/target-groups", PLANNERS),
    post("/target-groups", PLANNERS),
    post("/target-groups/<group_id>", PLANNERS, "/target-groups/{group}"),
    # one's own calendar is everybody's; those of other bodies are the organisers'
    get("/calendars", SIGNED_IN),
    post("/calendars", PLANNERS),
    post("/calendars/followed/<subscription_id>/refresh", PLANNERS, "/calendars/followed/{followed}/refresh"),
    post(
        "/calendars/followed/<subscription_id>/remove",
        PLANNERS,
        "/calendars/followed/{followed}/remove",
        also=(404,),  # gone after the first
    ),
    # lesson plans, and the plan of the year
    get(PLAN, WATCHERS, "/lectures/{lecture}/plan"),
    get(f"{PLAN}/files/<file_id>", WATCHERS, "/lectures/{lecture}/plan/files/{file}"),
    get(f"{PLAN}/files/<file_id>/pdf", WATCHERS, "/lectures/{lecture}/plan/files/{file}/pdf"),
    post(f"{PLAN}/files", AUTHORS, "/lectures/{lecture}/plan/files"),
    post(f"{PLAN}/files/<file_id>/remove", AUTHORS, "/lectures/{lecture}/plan/files/{file}/remove", also=(404,)),
    *(
        post(PLAN_STEP, who, f"/lectures/{{lecture}}/plan/{step}", data={"version": "1", "words": "Lý do."})
        for who, steps in (
            (AUTHORS, ("submit", "withdraw")),
            (AUTHORS | PLANNERS, ("comment",)),
            (PLANNERS, ("approve", "return", "waive", "unwaive")),
        )
        for step in steps
    ),
    get("/plans", PLANNERS),
    get("/year", WATCHERS | {"other_lecturer"}),
    post("/year", PLANNERS),
    get("/year/<item_id>", PLANNERS, "/year/{item}"),
    post("/year/<item_id>", PLANNERS, "/year/{item}"),
    post("/year/<item_id>/remove", PLANNERS, "/year/{item}/remove", also=(404,)),  # gone after the first
]


class World:
    """A live lecture with an open poll, and a browser for everybody."""

    def __init__(self, app: Flask, clock: FakeClock) -> None:
        self.app = app
        self.wiring: Wiring = app.extensions["wiring"]
        self.services = self.wiring.services
        self.school: School = make_school(self.services.schedules)
        schedules, school = self.services.schedules, self.school
        elsewhere = schedules.add_organisation("Tỉnh Lai Châu")
        make_user(schedules, "nguoingoai", elsewhere, "learner")
        other_operator = make_user(schedules, "phutrach2", elsewhere, "operator")
        self.elsewhere = make_point(schedules, "Tam Đường", elsewhere, other_operator.id)
        self.lecture = school.lecture(clock.now())
        rooms, who = self.services.rooms, self.lecture
        rooms.open(who.id, who.lecturer_id, who.main_point_id, who.point_ids)
        schedules.mark(who.id, "open")
        rooms.join(who.id, who.lecturer_id, "lecturer", "connection-1")
        rooms.start(who.id, who.lecturer_id, "lecturer")
        self.poll = rooms.open_poll(who.id, who.lecturer_id, "lecturer", "Đã rõ chưa?", ["Rõ", "Chưa"])
        self.spare_device, _ = school.paired_device(school.a.id)
        folder = self.services.config.recordings_dir / who.id
        folder.mkdir(parents=True)
        (folder / "program.m3u8").write_text("#EXTM3U\n")
        self.key = schedules.calendar_key("lecture", who.id)
        streams, by = schedules.streams, school.organiser.id
        kept, self.whip = streams.make(who.id, school.a.id, "ingest", by)
        self.whep = streams.make(who.id, school.a.id, "playback", by)[1]
        self.stream = kept.id
        later, zone = clock.now() + timedelta(days=9), str(self.services.config.zone)
        self.block = schedules.bookings.block("point", school.b.id, later, later + timedelta(hours=1), "Sửa", by, zone)
        self.equipment = schedules.equipment()[0].id
        self.group = self.services.rosters.add_target_group("Công chức xã").id
        file = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\nEND:VCALENDAR\r\n"
        self.followed = self.services.subscriptions.subscribe_file("Lịch", "point", school.b.id, file, by).id
        plans, pdf = self.services.plans, io.BytesIO(small_pdf())
        self.file = plans.upload(who.id, [plans.store.keep(pdf, "a.pdf")], who.lecturer_id).files[0].id
        wish = YearDraft(2026, school.province, "Chuyển đổi số", date(2026, 3, 1), date(2026, 6, 30), lectures=4)
        self.item = self.services.years.add(wish, by)

    def browser(self, name: str) -> Any:
        browser = self.app.test_client()
        logins = {
            "learner": "hocvien", "outsider": "nguoingoai", "operator": "phutrach", "other_operator": "phutrach2",
            "lecturer": "giangvien", "other_lecturer": "giangvien2", "organiser": "tochuc", "admin": "quantri",
            "observer": "dusat",
        }  # fmt: skip
        if name in logins:
            answer = browser.post("/login", data={"login": logins[name], "password": PASSWORD})
            assert answer.status_code == 302, name
        elif name in DEVICES:
            point = self.elsewhere if name == "other_device" else self.school.a
            device, token = self.school.paired_device(point.id)
            if name == "revoked_device":
                self.services.schedules.pairing.revoke(device, point.id)
            browser.set_cookie(DEVICE_COOKIE, token)
        return browser

    def fill(self, text: str) -> str:
        return text.format(
            lecture=self.lecture.id,
            point=self.school.a.id,
            device=self.spare_device,
            poll=self.poll,
            key=self.key,
            lecturer=self.school.lecturer.id,
            whip=self.whip,
            whep=self.whep,
            stream=self.stream,
            block=self.block,
            equipment=self.equipment,
            org=self.school.centre,
            course=self.school.course.id,
            learner=self.school.learner.id,
            group=self.group,
            file=self.file,
            item=self.item,
            followed=self.followed,
        )


@pytest.fixture
def world(app: Flask, clock: FakeClock) -> World:
    return World(app, clock)


def outcome(answer: Any, row: Row) -> str:
    """Say what became of a request: answered, refused, or an outcome that no row foresees."""
    to_login = answer.status_code == 302 and answer.headers["Location"].startswith("/login")
    if to_login or answer.status_code in (401, 404 if row.hidden else 403):
        return "refused"
    if row.headers is not None and answer.status_code in (400, 404):  # past the key: no offer, no session
        return "answered"
    if answer.status_code in (200, 204, 302, 303, 409, 422, *row.also):
        return "answered"
    return f"status {answer.status_code}"


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: f"{row.method} {row.path or row.rule}")
def test_a_route_answers_those_it_is_for_and_refuses_all_others(row: Row, world: World) -> None:
    wrong = {}
    for name in sorted(EVERYBODY):
        request: dict[str, Any] = {"json": row.json} if row.json is not None else {}
        if row.data is not None:
            request["data"] = {k: world.fill(v) if isinstance(v, str) else v for k, v in row.data.items()}
        if row.headers is not None:
            request["headers"] = {k: world.fill(v) for k, v in row.headers.items()}
            request["data"] = b""
        answer = world.browser(name).open(world.fill(row.path or row.rule), method=row.method, **request)
        expected = "answered" if name in row.allowed else "refused"
        if (was := outcome(answer, row)) != expected:
            wrong[name] = f"{was}, expected {expected}"
        answer.close()
    assert wrong == {}


def test_every_route_has_a_row(app: Flask) -> None:
    routes = {(method, rule.rule) for rule in app.url_map.iter_rules() for method in rule.methods - {"HEAD", "OPTIONS"}}
    assert routes == {(row.method, row.rule) for row in ROUTES}


# ---- sockets -----------------------------------------------------------------------------------

PARTICIPANTS: frozenset[str] = frozenset({"lecturer", "organiser", "observer", "point"})
CHAIRS = frozenset({"lecturer", "organiser"})
POINT = frozenset({"point"})

EVENTS: dict[str, tuple[frozenset[str], dict[str, Any]]] = {
    # type -> (roles that may, a payload)
    "room.join": (PARTICIPANTS, {}),
    "room.snapshot": (PARTICIPANTS, {}),
    "media.ice": (PARTICIPANTS, {}),
    "media.up": (CHAIRS - {"organiser"} | POINT, {"sdp": "this is no session description"}),
    "media.down": (PARTICIPANTS, {}),
    "media.down_answer": (PARTICIPANTS, {"leg": "1", "sdp": "this is no session description"}),
    "media.size": (PARTICIPANTS, {"heights": {"stage": 480}}),
    "media.restart": (CHAIRS - {"organiser"} | POINT, {"leg": "up"}),
    "lecture.start": (CHAIRS - {"organiser"}, {}),
    "lecture.end": (CHAIRS, {}),
    "floor.request": (POINT, {}),
    "floor.withdraw": (CHAIRS | POINT, {}),
    "floor.grant": (CHAIRS, {"participant": "{point}"}),
    "floor.release": (POINT, {}),
    "floor.revoke": (CHAIRS, {}),
    "poll.open": (CHAIRS, {"question": "Được không?", "options": ["Có", "Không"]}),
    "poll.close": (CHAIRS, {"poll": "{poll}"}),
    "point.report": (POINT, {"camera": "ok", "microphone": "ok"}),
}
REFUSALS = ("permission.denied", "room.not_invited", "lecture.not_yours", "token.")


def socket(world: World, role: RoomRole | None, participant: str = "") -> Any:
    """Connect, and join unless role is None."""
    made = world.wiring.socketio.test_client(world.app, flask_test_client=world.app.test_client())
    if role:
        token = sign(str(world.app.secret_key), world.lecture.id, participant, role)
        ack = made.emit("room.join", {"token": token}, callback=True)
        assert ack["ok"], ack
    return made


def participant_of(world: World, role: str) -> str:
    school = world.school
    own = {"lecturer": school.lecturer, "organiser": school.organiser, "observer": school.observer, "point": school.a}
    return str(own[role].id)


@pytest.mark.parametrize("event", [event for event in EVENTS if event != "room.join"])
def test_a_socket_event_is_taken_from_those_it_is_for_only(
    event: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signaling.media_bridge.READY_S", 0)  # there is no node to wait for
    allowed, payload = EVENTS[event]
    filled = {k: world.fill(v) if isinstance(v, str) else v for k, v in payload.items()}
    sockets = {role: socket(world, role, participant_of(world, role)) for role in sorted(PARTICIPANTS)}  # type: ignore[arg-type]
    wrong = {}
    for role, connected in sockets.items():
        ack = connected.emit(event, filled, callback=True)
        code = "" if ack["ok"] else ack["error"]["code"]
        refused = code.startswith(REFUSALS)
        if refused == (role in allowed) or code in ("internal", "message.invalid", "message.unknown_type"):
            wrong[role] = code or "taken"
    assert wrong == {}


@pytest.mark.parametrize("role", sorted(PARTICIPANTS))
def test_a_receiving_leg_is_restarted_for_everybody_who_may_have_one(role: RoomRole, world: World) -> None:
    ack = socket(world, role, participant_of(world, role)).emit("media.restart", {"leg": "down"}, callback=True)
    assert ack["error"]["code"] == "media.unavailable", "nobody is refused; there is no node in these tests"


@pytest.mark.parametrize("event", [event for event in EVENTS if event != "room.join"])
def test_a_socket_event_is_refused_before_joining(event: str, world: World) -> None:
    filled = {k: world.fill(v) if isinstance(v, str) else v for k, v in EVENTS[event][1].items()}
    ack = socket(world, None).emit(event, filled, callback=True)
    assert ack["error"]["code"] == "room.not_joined"


def test_a_room_is_joined_only_with_a_token_of_ours_for_it(world: World) -> None:
    lecture, secret = world.lecture.id, str(world.app.secret_key)
    wrong = {
        "forged": sign("another secret " * 4, lecture, world.school.lecturer.id, "lecturer"),
        "of a role that is none": sign(secret, lecture, world.school.a.id, "king"),  # type: ignore[arg-type]
        "of a point that has no part": sign(secret, lecture, world.elsewhere.id, "point"),
        "of somebody else's lecturer": sign(secret, lecture, world.school.other_lecturer.id, "lecturer"),
        "no token": "x" * 40,
    }
    for name, token in wrong.items():
        ack = socket(world, None).emit("room.join", {"token": token}, callback=True)
        assert not ack["ok"] and ack["error"]["code"].startswith(REFUSALS), (name, ack)


def test_every_socket_event_has_a_row() -> None:
    assert set(EVENTS) == set(REQUESTS)
