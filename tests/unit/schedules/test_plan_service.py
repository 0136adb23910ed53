import io
from datetime import timedelta

import pytest

from core.bus import EventBus
from core.errors import AppError, Conflict, Invalid, NotAllowed, NotFound
from schedules.demo import make_demo
from schedules.events import LectureChanged
from schedules.plans.demo import give_plans
from schedules.plans.events import ConversionWanted, PlanChanged
from schedules.plans.file_store import FileStore
from schedules.plans.plan_service import PlanService
from schedules.service import ScheduleService
from tests.builders import make_school, make_user
from tests.unit.schedules.plan_files import office, pdf


class House:
    """A school with one planned lecture, and everything that was told on the bus."""

    def __init__(self, db, clock, folder):
        self.bus, self.clock = EventBus(), clock
        self.schedules = ScheduleService(db, self.bus, clock)
        self.school = make_school(self.schedules)
        self.plans = PlanService(db, self.bus, clock, FileStore(folder))
        self.bus.subscribe(LectureChanged, self.plans.lecture_changed)
        self.told = []
        for kind in (PlanChanged, ConversionWanted):
            self.bus.subscribe(kind, self.told.append)
        self.lecture = self.school.lecture(clock.now() + timedelta(days=1)).id
        self.l, self.o, self.a = self.school.lecturer.id, self.school.organiser.id, self.school.admin.id

    def keep(self, content=None, name="Bài giảng.pdf"):
        return self.plans.store.keep(io.BytesIO(content or pdf()), name)

    def upload(self, content=None, name="Bài giảng.pdf", by=None):
        return self.plans.upload(self.lecture, [self.keep(content, name)], by or self.l)

    def approved(self):
        self.upload()
        view = self.plans.submit(self.lecture, self.l)
        return self.plans.approve(self.lecture, self.o, view.version, "Tốt.")

    def refused(self, kind, code, act, *args):
        with pytest.raises(kind) as error:
            act(self.lecture, *args)
        assert error.value.code == code
        assert error.value.message % error.value.params


@pytest.fixture
def house(any_db, clock, tmp_path):
    return House(any_db, clock, tmp_path / "plans")


def test_a_lecture_has_an_empty_draft_before_anybody_uploads(house):
    view = house.plans.plan(house.lecture)
    assert (view.state, view.version, view.files, view.may_go_live) == ("draft", 0, (), False)
    assert house.plans.history(house.lecture) == []
    with pytest.raises(NotFound):
        house.plans.plan("lec_unknown")


def test_from_upload_to_approval_with_every_step_in_the_history(house):
    house.clock.advance(minutes=5)
    view = house.approved()
    assert (
        view.may_go_live
        and view.approved_by == house.o
        and view.approved_at == house.clock.now() + timedelta(microseconds=2)
    )
    house.plans.check_may_go_live(house.lecture)
    steps = house.plans.history(house.lecture)
    assert [(s.action, s.state, s.version, s.words, s.by) for s in steps] == [
        ("approve", "approved", 1, "Tốt.", house.o),
        ("submit", "submitted", 1, "", house.l),
        ("upload", "draft", 1, "Bài giảng.pdf", house.l),
    ]
    assert house.told == [
        PlanChanged(house.lecture, "upload", "draft", house.l),
        PlanChanged(house.lecture, "submit", "submitted", house.l),
        PlanChanged(house.lecture, "approve", "approved", house.o),
    ]


def test_a_new_version_takes_along_what_did_not_change(house):
    house.upload(pdf(1), "a.pdf")
    house.upload(pdf(2), "b.pdf", by=house.o)
    view = house.upload(pdf(3), "A.PDF")
    assert [(f.name, f.pages, f.added_by, f.version) for f in view.files] == [
        ("A.PDF", 3, house.l, 3),
        ("b.pdf", 2, house.o, 3),
    ]
    house.refused(Conflict, "plan.same_file", house.plans.upload, [house.keep(pdf(2), "b.pdf")], house.l)
    view = house.plans.remove(house.lecture, view.files[0].id, house.l)
    assert [f.name for f in view.files] == ["b.pdf"]
    versions = house.plans.versions(house.lecture)
    assert {n: [f.name for f in files] for n, files in versions.items()} == {
        4: ["b.pdf"], 3: ["A.PDF", "b.pdf"], 2: ["a.pdf", "b.pdf"], 1: ["a.pdf"],
    }  # fmt: skip
    old = versions[1][0]
    assert house.plans.file(house.lecture, old.id) == old
    house.refused(NotFound, "plan.file_unknown", house.plans.remove, old.id, house.l)
    house.refused(NotFound, "plan.file_unknown", house.plans.file, "pf_unknown")
    other = house.school.lecture(house.clock.now() + timedelta(days=2)).id
    with pytest.raises(NotFound):
        house.plans.file(other, old.id)


def test_any_change_after_approval_shuts_the_gate(house):
    house.approved()
    view = house.upload(pdf(5))
    assert (view.state, view.version, view.may_go_live, view.approved_by) == ("draft", 2, False, None)
    house.refused(Conflict, "plan.not_approved", house.plans.check_may_go_live)
    view = house.plans.submit(house.lecture, house.l)
    assert house.plans.approve(house.lecture, house.a, view.version).may_go_live


def test_the_same_bytes_uploaded_again_still_need_an_approval(house):
    first = house.approved()
    house.upload(pdf(5))
    view = house.upload(pdf(1))
    assert [f.sha256 for f in view.files] == [f.sha256 for f in first.files]
    assert not view.may_go_live


@pytest.mark.parametrize("changes", ["topic_id", "lecturer_id"])
@pytest.mark.parametrize("heard", [True, False])
def test_another_topic_or_lecturer_opens_the_plan_again(house, changes, heard):
    house.approved()
    if not heard:  # the listener fails, the process dies: the gate does not depend on it
        house.plans.lecture_changed = None
        house.bus._listeners.clear()
    school = house.school
    wish = {"topic_id": school.course.topics[1].id, "lecturer_id": school.other_lecturer.id}
    start = house.clock.now() + timedelta(days=1)
    house.schedules.update_lecture(house.lecture, school.draft(start, **{changes: wish[changes]}), by=house.o)
    view = house.plans.plan(house.lecture)
    assert (view.state, view.may_go_live) == ("draft", False)
    assert (house.plans.history(house.lecture)[0].action == "reopen") == heard
    view = house.plans.submit(house.lecture, wish["lecturer_id"] if changes == "lecturer_id" else house.l)
    assert house.plans.approve(house.lecture, house.a, view.version).may_go_live


def test_another_time_leaves_the_approval(house):
    house.approved()
    later = house.school.draft(house.clock.now() + timedelta(days=3))
    house.schedules.update_lecture(house.lecture, later, by=house.o)
    assert house.plans.may_go_live(house.lecture)


def test_a_waiver_lets_a_lecture_go_live_until_it_is_revoked(house):
    plans = house.plans
    house.refused(NotAllowed, "plan.no_reviewer", plans.waive, house.l, "Vội")
    house.refused(Invalid, "plan.no_reason", plans.waive, house.o, " ")
    view = plans.waive(house.lecture, house.o, " Buổi tọa đàm, không có bài giảng. ")
    assert view.may_go_live and view.waiver.reason == "Buổi tọa đàm, không có bài giảng."
    house.refused(Conflict, "plan.waived_already", plans.waive, house.a, "Vội")
    house.refused(NotAllowed, "plan.no_reviewer", plans.revoke_waiver, house.l)
    assert not plans.revoke_waiver(house.lecture, house.a, "Đã có bài giảng.").may_go_live
    house.refused(Conflict, "plan.not_waived", plans.revoke_waiver, house.a)
    assert [(s.action, s.words) for s in plans.history(house.lecture)] == [
        ("unwaive", "Đã có bài giảng."),
        ("waive", "Buổi tọa đàm, không có bài giảng."),
    ]


def test_nobody_waives_or_approves_their_own(house):
    house.upload(by=house.o)
    view = house.plans.submit(house.lecture, house.o)
    house.refused(NotAllowed, "plan.own", house.plans.approve, house.o, view.version)
    house.refused(NotAllowed, "plan.own", house.plans.waive, house.o, "Vội")
    teaches = make_user(house.schedules, "kiem", house.school.province, "lecturer", "organiser")
    own = house.school.lecture(house.clock.now() + timedelta(days=4), lecturer_id=teaches.id).id
    with pytest.raises(NotAllowed, match=r"plan\.own"):
        house.plans.waive(own, teaches.id, "Vội")


def test_the_gate_says_what_is_missing(house):
    said = set()
    for act in (
        lambda: None,
        house.upload,
        lambda: house.plans.submit(house.lecture, house.l),
        lambda: house.plans.return_(house.lecture, house.o, 1, "Thiếu phần kết."),
    ):
        act()
        with pytest.raises(Conflict, match=r"plan\.not_approved") as error:
            house.plans.check_may_go_live(house.lecture)
        said.add(error.value.message)
    assert len(said) == 4


def test_a_lecture_that_is_over_keeps_its_plan_but_takes_comments(house):
    house.upload()
    house.schedules.cancel_lecture(house.lecture, by=house.o)
    for act, args in (
        (house.plans.submit, (house.l,)),
        (house.plans.check_may_edit, (house.l,)),
        (house.plans.upload, ([house.keep(pdf(9))], house.l)),
        (house.plans.waive, (house.o, "Vội")),
    ):
        house.refused(Conflict, "plan.lecture_over", act, *args)
    house.plans.comment(house.lecture, house.l, "Dùng lại cho lớp sau.")
    house.refused(Invalid, "plan.no_comment", house.plans.comment, house.l, "  ")
    house.refused(NotAllowed, "plan.not_yours", house.plans.comment, house.school.learner.id, "Chào")


def test_a_refused_step_changes_nothing(house):
    house.upload()
    before = (house.plans.plan(house.lecture), house.plans.history(house.lecture))
    for act in (
        lambda: house.plans.approve(house.lecture, house.o, 1),
        lambda: house.plans.upload(house.lecture, [house.keep(pdf(4))], house.a),
        lambda: house.plans.withdraw(house.lecture, house.l),
        lambda: house.plans.submit(house.lecture, house.school.other_lecturer.id),
    ):
        with pytest.raises(AppError):
            act()
    assert (house.plans.plan(house.lecture), house.plans.history(house.lecture)) == before


def test_conversions_are_wanted_once_stored_for_all_and_used_again(house):
    deck = office()
    kept = house.keep(deck, "a.pptx")
    house.plans.upload(house.lecture, [kept], house.l)
    assert house.told[-1] == ConversionWanted(kept.sha256, "pptx")
    assert house.plans.unconverted() == [(kept.sha256, "pptx")]
    house.plans.converted(kept.sha256, None, "plan.no_converter")
    assert house.plans.unconverted() == []
    assert house.plans.plan(house.lecture).files[0].problem == "plan.no_converter"
    assert house.plans.unconverted(again=("plan.no_converter",)) == [(kept.sha256, "pptx")]
    made = house.keep(pdf(3))
    house.plans.converted(kept.sha256, made)
    file = house.plans.plan(house.lecture).files[0]
    assert (file.pdf_sha256, file.pages, file.problem) == (made.sha256, 3, "")
    other = house.school.lecture(house.clock.now() + timedelta(days=2)).id
    house.told.clear()
    view = house.plans.upload(other, [house.keep(deck, "b.pptx")], house.l)
    assert view.files[0].pdf_sha256 == made.sha256
    assert not [event for event in house.told if isinstance(event, ConversionWanted)]


def test_a_conversion_leaves_an_approval_alone(house):
    kept = house.keep(office(), "a.pptx")
    house.plans.upload(house.lecture, [kept], house.l)
    view = house.plans.submit(house.lecture, house.l)
    house.plans.approve(house.lecture, house.o, view.version)
    house.plans.converted(kept.sha256, house.keep())
    assert house.plans.may_go_live(house.lecture)


def test_the_desk_has_what_waits_first_and_what_is_missing(house):
    later = house.school.lecture(house.clock.now() + timedelta(days=30)).id  # far away, but submitted
    far = house.school.lecture(house.clock.now() + timedelta(days=40)).id  # far away
    waived = house.school.lecture(house.clock.now() + timedelta(days=3)).id
    soon = house.school.lecture(house.clock.now() + timedelta(days=4)).id
    for lecture in (later, soon):
        house.plans.upload(lecture, [house.keep()], house.o)
        house.clock.advance(seconds=1)
        house.plans.submit(lecture, house.o)
    house.plans.waive(waived, house.a, "Tọa đàm")
    desk = house.plans.desk(house.o)
    assert [line.lecture_id for line in desk.waiting] == [soon, later]
    assert desk.waiting[0].since == house.clock.now() and desk.waiting[0].mine
    assert not house.plans.desk(house.a).waiting[0].mine
    assert [line.lecture_id for line in desk.missing] == [house.lecture]
    assert far not in {line.lecture_id for line in (*desk.waiting, *desk.missing)}


def test_the_lectures_of_the_demo_can_go_live(any_db, clock, tmp_path):
    schedules = ScheduleService(any_db, EventBus(), clock)
    plans = PlanService(any_db, EventBus(), clock, FileStore(tmp_path))
    make_demo(schedules, lambda password: "hashed", clock.now())
    for _ in range(2):
        lectures = schedules.lectures_between(clock.now(), clock.now() + timedelta(days=7))
        give_plans(plans, schedules, lectures)
        assert [plans.may_go_live(lecture.id) for lecture in lectures] == [True] * 3
    assert plans.plan(lectures[0].id).state == "approved"
