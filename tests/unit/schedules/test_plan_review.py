from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import AppError, Conflict, Invalid, NotAllowed
from schedules.plans import review as rules
from schedules.plans.review import Material, Person, Review, Subject

LECTURER = Person("usr_l", frozenset({"lecturer"}))
OTHER_LECTURER = Person("usr_m", frozenset({"lecturer"}))
ORGANISER = Person("usr_o", frozenset({"organiser"}))
SECOND = Person("usr_p", frozenset({"organiser"}))
ADMIN = Person("usr_a", frozenset({"admin"}))
LEARNER = Person("usr_h", frozenset({"learner"}))
BOTH = Person("usr_b", frozenset({"lecturer", "organiser"}))
PEOPLE = (LECTURER, OTHER_LECTURER, ORGANISER, SECOND, ADMIN, LEARNER, BOTH)
SUBJECT = Subject("top_1", "usr_l")
SLIDES = Material("Bài giảng.pptx", "1" * 64, "usr_l")
NOTES = Material("Đề cương.pdf", "2" * 64, "usr_o")


def submitted(*files, by=LECTURER):
    return rules.submit(rules.change(Review(SUBJECT), by, files or (SLIDES,)), by)


def test_the_usual_way_ends_in_an_approval_that_opens_the_gate():
    plan = submitted()
    assert not rules.may_go_live(plan, waived=False)
    plan = rules.approve(plan, ORGANISER, plan.version)
    assert rules.may_go_live(plan, waived=False)


@pytest.mark.parametrize("who", PEOPLE, ids=lambda p: p.id)
def test_who_may_put_a_plan_together(who):
    assert rules.may_edit(Review(SUBJECT), who) == (who in (LECTURER, ORGANISER, SECOND, BOTH))


@pytest.mark.parametrize("who", PEOPLE, ids=lambda p: p.id)
def test_who_may_approve_what_the_lecturer_made(who):
    assert rules.may_review(submitted(), who) == (who in (ORGANISER, SECOND, ADMIN, BOTH))


def test_nobody_approves_their_own_work():
    for plan, author in (
        (submitted(by=ORGANISER), ORGANISER),  # made and submitted it
        (submitted(NOTES, by=LECTURER), ORGANISER),  # only one file is theirs, from an earlier version
        (replace(submitted(), subject=Subject("top_1", "usr_b")), BOTH),  # teaches it
        (replace(rules.change(Review(SUBJECT), ORGANISER, (SLIDES,)), state="submitted"), ORGANISER),  # took a file out
    ):
        with pytest.raises(NotAllowed, match=r"plan\.own"):
            rules.approve(plan, author, plan.version)
        assert rules.approve(plan, ADMIN, plan.version).state == "approved"


def test_a_reviewer_decides_on_the_version_they_have_seen_only():
    plan = submitted()
    for decide in (
        lambda: rules.approve(plan, ADMIN, plan.version - 1),
        lambda: rules.return_(plan, ADMIN, plan.version + 1, "Thiếu phần mở đầu."),
    ):
        with pytest.raises(Conflict, match=r"plan\.changed_meanwhile"):
            decide()


def test_a_plan_is_returned_only_with_words_and_can_be_submitted_again():
    plan = submitted()
    with pytest.raises(Invalid, match=r"plan\.no_words"):
        rules.return_(plan, ADMIN, plan.version, "  ")
    plan = rules.return_(plan, ADMIN, plan.version, "Thiếu tài liệu.")
    assert plan.state == "returned"
    assert rules.submit(plan, LECTURER).state == "submitted"


def test_nothing_changes_under_a_reviewers_eyes():
    plan = submitted()
    with pytest.raises(Conflict, match=r"plan\.under_review"):
        rules.change(plan, LECTURER, (SLIDES, NOTES))
    plan = rules.withdraw(plan, LECTURER)
    assert rules.change(plan, LECTURER, (SLIDES, NOTES)).version == plan.version + 1


def test_what_makes_no_sense_is_refused():
    draft = rules.change(Review(SUBJECT), LECTURER, (SLIDES,))
    approved = rules.approve(submitted(), ADMIN, 1)
    for code, step in (
        ("plan.empty", lambda: rules.submit(Review(SUBJECT), LECTURER)),
        ("plan.submitted_already", lambda: rules.submit(submitted(), LECTURER)),
        ("plan.approved_already", lambda: rules.submit(approved, LECTURER)),
        ("plan.not_submitted", lambda: rules.withdraw(draft, LECTURER)),
        ("plan.not_submitted", lambda: rules.approve(draft, ADMIN, 1)),
        ("plan.not_submitted", lambda: rules.return_(approved, ADMIN, 1, "Sửa lại.")),
        ("plan.too_many", lambda: rules.change(draft, LECTURER, (SLIDES,) * (rules.FILES_MAX + 1))),
        ("plan.long_words", lambda: rules.checked_words("x" * (rules.WORDS_MAX + 1), "", "")),
        ("plan.no_reviewer", lambda: rules.approve(submitted(), OTHER_LECTURER, 1)),
        ("plan.not_yours", lambda: rules.submit(draft, OTHER_LECTURER)),
        ("plan.not_yours", lambda: rules.change(draft, ADMIN, (NOTES,))),
        ("plan.not_yours", lambda: rules.check_comment(draft, LEARNER)),
    ):
        with pytest.raises(AppError) as refused:
            step()
        assert refused.value.code == code


def test_another_topic_or_lecturer_ends_an_approval():
    plan = rules.approve(submitted(), ADMIN, 1)
    for subject in (Subject("top_2", "usr_l"), Subject("top_1", "usr_m")):
        assert rules.reopen(plan, subject).state == "draft"
        unheard = replace(plan, subject=subject)  # nobody told the plan
        assert not rules.may_go_live(unheard, waived=False)
        assert rules.settled(unheard).state == "draft", "so that it can be submitted again"
    assert rules.reopen(plan, SUBJECT) == plan


def test_the_digest_tells_names_order_and_files_apart():
    seen = {
        rules.digest(subject, files)
        for subject in (SUBJECT, Subject("top_2", "usr_l"), Subject("top_1", "usr_m"))
        for files in ((), (SLIDES,), (NOTES,), (SLIDES, NOTES), (NOTES, SLIDES), (replace(SLIDES, name="b.pptx"),))
    }
    assert len(seen) == 18


STEPS = st.tuples(
    st.sampled_from(
        [
            "change",
            "submit",
            "submit",
            "withdraw",
            "approve",
            "approve",
            "return",
            "subject",
            "unheard",
            "waive",
            "unwaive",
        ]
    ),
    st.sampled_from(PEOPLE),
    st.integers(0, 3),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_every_way_to_going_live_passes_an_approval_of_exactly_these_files_or_a_waiver(steps):
    plan, waived = Review(SUBJECT), False
    approvals = []  # (facts approved, who, authors then), kept apart from the code under test
    materials = [SLIDES, NOTES, replace(SLIDES, sha256="3" * 64), Material("c.docx", "4" * 64, "usr_p")]
    for name, who, n in steps:
        try:
            if name == "change":
                added = replace(materials[n], added_by=who.id)
                others = tuple(f for f in plan.files if f.name != added.name)
                plan = rules.change(plan, who, others if n == 3 and others else (*others, added))
            elif name == "submit":
                plan = rules.submit(plan, who)
            elif name == "withdraw":
                plan = rules.withdraw(plan, who)
            elif name == "approve":
                plan = rules.approve(plan, who, plan.version if n else plan.version - 1)
                approvals.append((plan.version, plan.subject, plan.files, who, plan.authors))
            elif name == "return":
                plan = rules.return_(plan, who, plan.version, "Sửa lại.")
            elif name in ("subject", "unheard"):
                subject = Subject(f"top_{n % 2 + 1}", "usr_l" if n < 2 else "usr_b")
                plan = (
                    rules.settled(replace(plan, subject=subject)) if name == "unheard" else rules.reopen(plan, subject)
                )
            else:
                rules.check_review(plan, who)
                waived = name == "waive"
        except AppError:
            continue
        if rules.may_go_live(plan, waived=False):
            version, subject, files, reviewer, authors = approvals[-1]
            assert (version, subject, files) == (plan.version, plan.subject, plan.files)
            assert plan.files and plan.state == "approved"
            assert reviewer.roles & {"organiser", "admin"} and reviewer.id not in authors
            assert reviewer.id != plan.subject.lecturer_id
        assert rules.may_go_live(plan, waived) == (waived or rules.holds(plan))
    assert not rules.may_go_live(None, waived=False)
