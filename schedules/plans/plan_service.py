"""Lesson plans against the database: files with their versions, steps of review, waivers, and the gate."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.bus import EventBus
from core.clock import Clock
from core.db import Database
from core.errors import N_, Conflict, NotFound
from core.ids import new_id
from core.permissions import Role
from schedules.directory_service import found
from schedules.events import LectureChanged
from schedules.models import Lecture, User
from schedules.plans import review as rules
from schedules.plans.events import ConversionWanted, PlanChanged
from schedules.plans.file_store import FileStore, Kept
from schedules.plans.files import Kind
from schedules.plans.models import LessonPlan, PlanFile, PlanStep, Waiver
from schedules.plans.records import Desk, DeskLine, FileView, PlanView, StepView, WaiverView
from schedules.plans.review import Material, Person, Review, State, Subject

AHEAD = timedelta(days=14)  # lectures within this are on a reviewer's desk when their plan is missing
MAKES_A_VERSION = ("upload", "remove")

NOT_READY: dict[State, str] = {
    "draft": N_(
        "The class cannot go live: its lesson plan has not been submitted for review. "
        "Submit it on the lecture's page, or ask an organiser for a waiver."
    ),
    "submitted": N_(
        "The class cannot go live: its lesson plan waits for review. Ask an organiser to approve it or to waive it."
    ),
    "returned": N_(
        "The class cannot go live: its lesson plan was returned for changes. "
        "Change and submit it again, or ask an organiser for a waiver."
    ),
}
NOTHING_UPLOADED = N_(
    "The class cannot go live: it has no lesson plan. "
    "Upload one on the lecture's page and have it approved, or ask an organiser for a waiver."
)


class PlanService:
    """What is taught in a lecture, whether somebody has looked at it, and whether the class may go live.

    `by` is the id of the person who acts; their roles are read in the same transaction.  All methods raise
    NotFound for an unknown lecture, and what the step of `review` that they name raises.
    """

    def __init__(self, db: Database, bus: EventBus, clock: Clock, store: FileStore) -> None:
        """Use `db` for every transaction, tell `bus` what happened; `store` has the bytes."""
        self._db, self._bus, self._clock = db, bus, clock
        self.store = store

    # ---- reading ----

    def plan(self, lecture_id: str) -> PlanView:
        """Return a lecture's plan, an empty draft when there is none."""
        with self._db.reading() as s:
            return self._view(s, found(s, Lecture, lecture_id))

    def history(self, lecture_id: str) -> list[StepView]:
        """Return every step of a lecture's plan, the last one first."""
        mine = select(PlanStep).join(LessonPlan, LessonPlan.id == PlanStep.plan_id)
        with self._db.reading() as s:
            found(s, Lecture, lecture_id)
            rows = s.scalars(mine.where(LessonPlan.lecture_id == lecture_id).order_by(PlanStep.at, PlanStep.version))
            steps = [
                StepView(row.action, cast(State, row.state), row.version, row.words, row.by, row.at) for row in rows
            ]
        return steps[::-1]

    def versions(self, lecture_id: str) -> dict[int, tuple[FileView, ...]]:
        """Return the files of every version of a plan, the newest version first."""
        query = select(PlanFile).join(LessonPlan, LessonPlan.id == PlanFile.plan_id)
        query = query.where(LessonPlan.lecture_id == lecture_id).order_by(PlanFile.version.desc(), PlanFile.position)
        versions: dict[int, tuple[FileView, ...]] = {}
        with self._db.reading() as s:
            for row in s.scalars(query):
                versions[row.version] = (*versions.get(row.version, ()), _file_view(row))
        return versions

    def file(self, lecture_id: str, file_id: str) -> FileView:
        """Return a file of any version of a lecture's plan.  Raises NotFound."""
        with self._db.reading() as s:
            row = s.get(PlanFile, file_id)
            plan = s.get(LessonPlan, row.plan_id) if row else None
            if row is None or plan is None or plan.lecture_id != lecture_id:
                raise NotFound("plan.file_unknown", N_("There is no such file in this lesson plan."))
            return _file_view(row)

    def desk(self, by: str) -> Desk:
        """Return what waits for review, and the lectures of the next 14 days that could not go live as it is."""
        now = self._clock.now()
        query = select(Lecture).where(Lecture.status.in_(("planned", "open")), Lecture.ends_at > now)
        query = query.outerjoin(LessonPlan, LessonPlan.lecture_id == Lecture.id)
        query = query.where((LessonPlan.state == "submitted") | (Lecture.starts_at <= now + AHEAD))
        with self._db.reading() as s:
            lectures = s.scalars(query.order_by(Lecture.starts_at, Lecture.id)).all()
            views = [(lecture, self._view(s, lecture)) for lecture in lectures]
            people = {lecture.lecturer_id for lecture in lectures}
            names = {i: name for i, name in s.execute(select(User.id, User.name).where(User.id.in_(people)))}
            since = _submitted_at(s, [lecture.id for lecture, view in views if view.state == "submitted"])
        lines = [
            DeskLine(
                lecture_id=lecture.id,
                title=lecture.title,
                lecturer=names[lecture.lecturer_id],
                starts_at=lecture.starts_at,
                state=view.state,
                version=view.version,
                files=len(view.files),
                since=since.get(lecture.id),
                mine=by in view.review.authors,
            )
            for lecture, view in views
            if view.state == "submitted" or not view.may_go_live
        ]
        waiting = tuple(line for line in lines if line.state == "submitted")
        return Desk(waiting, tuple(line for line in lines if line.state != "submitted"))

    # ---- the gate ----

    def may_go_live(self, lecture_id: str) -> bool:
        """Return whether a lecture may go live; see `review.may_go_live`."""
        return self.plan(lecture_id).may_go_live

    def check_may_go_live(self, lecture_id: str) -> None:
        """Raise Conflict plan.not_approved, saying what is missing, unless a lecture may go live."""
        view = self.plan(lecture_id)
        if not view.may_go_live:
            sentence = NOT_READY[view.state] if view.files else NOTHING_UPLOADED
            raise Conflict("plan.not_approved", sentence)

    # ---- the authors' side ----

    def check_may_edit(self, lecture_id: str, by: str) -> None:
        """Raise NotAllowed or Conflict when an upload would be refused: asked before its bytes are taken."""
        with self._db.reading() as s:
            lecture = found(s, Lecture, lecture_id)
            _must_not_be_over(lecture)
            review = _review(s, lecture, _plan_of(s, lecture_id))
            rules.check_edit(review, _person(s, by))
            rules.check_changeable(review)

    def upload(self, lecture_id: str, files: Sequence[Kept], by: str) -> PlanView:
        """Make a new version with these files; one of the same name is replaced, all others are taken along.

        files: as `FileStore.keep` returned them.  Raises Conflict when nothing would change; see `review.change`.
        """
        names = ", ".join(file.name for file in files)
        with self._db.transaction() as s:
            lecture, plan, before = self._to_change(s, lecture_id)
            rows = _rows(s, plan)
            known = {(row.name.casefold(), row.sha256) for row in rows}
            fresh = [file for file in files if (file.name.casefold(), file.sha256) not in known]
            if not fresh:
                raise Conflict("plan.same_file", N_("This very file is in the lesson plan already."))
            specs = _replaced([_copy_of(row) for row in rows], [_new_file(s, f, by, self._clock.now()) for f in fresh])
            after = rules.change(before, _person(s, by), _materials(specs))
            _add_files(s, plan, after.version, specs)
            self._step(s, plan, after, "upload", by, names)
        self._tell(lecture.id, "upload", after, by)
        for spec in specs:
            if not spec.pdf_sha256 and not spec.problem:
                self._bus.publish(ConversionWanted(spec.sha256, cast(Kind, spec.kind)))
        return self.plan(lecture_id)

    def remove(self, lecture_id: str, file_id: str, by: str) -> PlanView:
        """Make a new version without one file.  Raises NotFound unless it is in the newest; see `review.change`."""
        with self._db.transaction() as s:
            _, plan, before = self._to_change(s, lecture_id)
            rows = _rows(s, plan)
            gone = next((row for row in rows if row.id == file_id), None)
            if gone is None:
                raise NotFound("plan.file_unknown", N_("There is no such file in this lesson plan."))
            specs = [_copy_of(row) for row in rows if row is not gone]
            after = rules.change(before, _person(s, by), _materials(specs))
            _add_files(s, plan, after.version, specs)
            self._step(s, plan, after, "remove", by, gone.name)
        self._tell(lecture_id, "remove", after, by)
        return self.plan(lecture_id)

    def submit(self, lecture_id: str, by: str, words: str = "") -> PlanView:
        """Ask for a review; see `review.submit`."""
        return self._take(lecture_id, "submit", by, words, rules.submit)

    def withdraw(self, lecture_id: str, by: str) -> PlanView:
        """Take back what was submitted; see `review.withdraw`."""
        return self._take(lecture_id, "withdraw", by, "", rules.withdraw)

    # ---- the reviewers' side ----

    def approve(self, lecture_id: str, by: str, version: int, words: str = "") -> PlanView:
        """Approve the version that the reviewer has looked at; see `review.approve`."""
        return self._take(lecture_id, "approve", by, words, lambda r, who: rules.approve(r, who, version))

    def return_(self, lecture_id: str, by: str, version: int, words: str) -> PlanView:
        """Give a plan back with what has to be changed; see `review.return_`."""
        return self._take(lecture_id, "return", by, words, lambda r, who: rules.return_(r, who, version, words))

    def comment(self, lecture_id: str, by: str, words: str) -> PlanView:
        """Add words to a plan's history.  Raises NotAllowed unless `review.may_comment`; Invalid without words."""

        def say(review: Review, who: Person) -> Review:
            rules.check_comment(review, who)
            rules.checked_words(words, "plan.no_comment", N_("Please write a comment first."))
            return review

        return self._take(lecture_id, "comment", by, words, say, over=True)

    def waive(self, lecture_id: str, by: str, reason: str) -> PlanView:
        """Let a lecture go live without an approved plan.

        Raises NotAllowed as `review.check_review`; Invalid without a reason; Conflict when one is in force.
        """

        def decide(review: Review, who: Person) -> Review:
            rules.check_review(review, who)
            rules.checked_words(reason, "plan.no_reason", N_("Please say why this lecture needs no lesson plan."))
            return review

        def write(s: Session) -> None:
            if _waiver(s, lecture_id):
                raise Conflict("plan.waived_already", N_("A waiver is in force for this lecture already."))
            now = self._clock.now()
            s.add(Waiver(id=new_id("wai"), lecture_id=lecture_id, reason=reason.strip(), by=by, at=now))

        return self._take(lecture_id, "waive", by, reason, decide, also=write)

    def revoke_waiver(self, lecture_id: str, by: str, words: str = "") -> PlanView:
        """End the waiver that is in force.  Raises NotAllowed for who reviews no plans; Conflict without one."""

        def decide(review: Review, who: Person) -> Review:
            rules.check_reviewer(who)
            return review

        def write(s: Session) -> None:
            waiver = _waiver(s, lecture_id)
            if waiver is None:
                raise Conflict("plan.not_waived", N_("No waiver is in force for this lecture."))
            waiver.revoked_at = self._clock.now()

        return self._take(lecture_id, "unwaive", by, words, decide, also=write)

    # ---- what follows from elsewhere ----

    def lecture_changed(self, event: LectureChanged) -> None:
        """Re-open the plan of a lecture whose topic or lecturer is another now; see `review.reopen`."""
        before, lecture = event.before, event.lecture
        then = Subject(before.topic_id, before.lecturer_id)
        if then == Subject(lecture.topic_id, lecture.lecturer_id):
            return
        with self._db.transaction() as s:
            row = s.get_one(Lecture, lecture.id, with_for_update=True)
            plan = _plan_of(s, lecture.id)
            if plan is None:
                return
            now = _review(s, row, plan)
            after = rules.reopen(replace(now, subject=then, state=cast(State, plan.state)), now.subject)
            if after.state == plan.state:
                return
            self._step(s, plan, after, "reopen", event.by, "")
        self._tell(lecture.id, "reopen", after, event.by)

    def unconverted(self, again: Iterable[str] = ()) -> list[tuple[str, Kind]]:
        """Return (SHA-256, kind) of the files that have no PDF and no problem yet, or one of the problems `again`."""
        query = select(PlanFile.sha256, PlanFile.kind).where(PlanFile.pdf_sha256.is_(None))
        query = query.where(PlanFile.problem.in_(("", *again))).distinct().order_by(PlanFile.sha256)
        with self._db.reading() as s:
            return [(sha256, cast(Kind, kind)) for sha256, kind in s.execute(query)]

    def converted(self, sha256: str, pdf: Kept | None, problem: str = "") -> None:
        """Store what came of a conversion, for every file of that content.

        pdf: as kept; None when there is none, and then problem: the code that says why.
        """
        values = {"pdf_sha256": pdf.sha256 if pdf else None, "pages": pdf.pages if pdf else None, "problem": problem}
        query = update(PlanFile).where(PlanFile.sha256 == sha256, PlanFile.pdf_sha256.is_(None))
        with self._db.transaction() as s:
            s.execute(query.values(**values))

    # ---- inside ----

    def _to_change(self, s: Session, lecture_id: str) -> tuple[Lecture, LessonPlan, Review]:
        """Lock a lecture with its plan, which is made when there is none."""
        lecture = s.get(Lecture, lecture_id, with_for_update=True) or found(s, Lecture, lecture_id)
        _must_not_be_over(lecture)
        plan = _plan_of(s, lecture_id)
        if plan is None:
            plan = LessonPlan(id=new_id("pln"), lecture_id=lecture_id, state="draft", version=0)
            s.add(plan)
            s.flush()
        return lecture, plan, _review(s, lecture, plan)

    def _take(
        self,
        lecture_id: str,
        action: str,
        by: str,
        words: str,
        decide: Callable[[Review, Person], Review],
        also: Callable[[Session], None] | None = None,
        over: bool = False,
    ) -> PlanView:
        """Decide, store and tell one step.  also: what else is written; over: also when the lecture is over."""
        with self._db.transaction() as s:
            lecture = s.get(Lecture, lecture_id, with_for_update=True) or found(s, Lecture, lecture_id)
            if not over:
                _must_not_be_over(lecture)
            plan = _plan_of(s, lecture_id)
            after = decide(_review(s, lecture, plan), _person(s, by))
            if words.strip():
                words = rules.checked_words(words, "", "")
            if also:
                also(s)
            if plan is None:
                plan = LessonPlan(id=new_id("pln"), lecture_id=lecture_id, state=after.state, version=0)
                s.add(plan)
                s.flush()
            self._step(s, plan, after, action, by, words.strip())
        self._tell(lecture_id, action, after, by)
        return self.plan(lecture_id)

    def _step(self, s: Session, plan: LessonPlan, after: Review, action: str, by: str, words: str) -> None:
        now = self._clock.now()
        latest = s.scalar(select(func.max(PlanStep.at)).where(PlanStep.plan_id == plan.id))
        at = max(now, latest + timedelta(microseconds=1)) if latest else now  # two steps are never of one moment
        plan.state, plan.version = after.state, after.version
        if action == "approve":
            plan.approved_version, plan.approved_digest = after.approved_version, after.approved_digest
            plan.approved_by, plan.approved_at = by, at
        s.add(
            PlanStep(
                id=new_id("stp"),
                plan_id=plan.id,
                action=action,
                state=after.state,
                version=after.version,
                words=words,
                by=by,
                at=at,
            )
        )

    def _tell(self, lecture_id: str, action: str, after: Review, by: str) -> None:
        self._bus.publish(PlanChanged(lecture_id, action, after.state, by))

    def _view(self, s: Session, lecture: Lecture) -> PlanView:
        plan, waiver = _plan_of(s, lecture.id), _waiver(s, lecture.id)
        review = _review(s, lecture, plan)
        approved = plan if plan is not None and review.state == "approved" else None
        return PlanView(
            lecture_id=lecture.id,
            review=review,
            files=tuple(_file_view(row) for row in (_rows(s, plan) if plan else ())),
            approved_by=approved.approved_by if approved else None,
            approved_at=approved.approved_at if approved else None,
            waiver=WaiverView(waiver.id, waiver.reason, waiver.by, waiver.at) if waiver else None,
            may_go_live=rules.may_go_live(review, waiver is not None),
        )


def _plan_of(s: Session, lecture_id: str) -> LessonPlan | None:
    return s.scalar(select(LessonPlan).where(LessonPlan.lecture_id == lecture_id))


def _waiver(s: Session, lecture_id: str) -> Waiver | None:
    query = select(Waiver).where(Waiver.lecture_id == lecture_id, Waiver.revoked_at.is_(None))
    return s.scalar(query.order_by(Waiver.at).limit(1))


def _rows(s: Session, plan: LessonPlan) -> list[PlanFile]:
    query = select(PlanFile).where(PlanFile.plan_id == plan.id, PlanFile.version == plan.version)
    return list(s.scalars(query.order_by(PlanFile.position)))


def _review(s: Session, lecture: Lecture, plan: LessonPlan | None) -> Review:
    """Return where a plan stands; what the lecture is now is part of it."""
    subject = Subject(lecture.topic_id, lecture.lecturer_id)
    if plan is None:
        return Review(subject)
    hands = select(PlanStep.by).where(
        PlanStep.plan_id == plan.id,
        PlanStep.version == plan.version,
        PlanStep.action.in_((*MAKES_A_VERSION, "submit")),
    )
    return rules.settled(
        Review(
            subject=subject,
            state=cast(State, plan.state),
            version=plan.version,
            files=_materials(_rows(s, plan)),
            hands=frozenset(s.scalars(hands)),
            approved_version=plan.approved_version,
            approved_digest=plan.approved_digest,
        )
    )


def _person(s: Session, by: str) -> Person:
    return Person(by, frozenset(cast(list[Role], found(s, User, by).roles)))


def _must_not_be_over(lecture: Lecture) -> None:
    if lecture.status in ("ended", "cancelled"):
        raise Conflict(
            "plan.lecture_over", N_("The lecture is over or was called off; its lesson plan stays as it is.")
        )


def _submitted_at(s: Session, lecture_ids: list[str]) -> dict[str, datetime]:
    query = select(LessonPlan.lecture_id, func.max(PlanStep.at)).join(PlanStep, PlanStep.plan_id == LessonPlan.id)
    query = query.where(LessonPlan.lecture_id.in_(lecture_ids), PlanStep.action == "submit")
    return {lecture_id: at for lecture_id, at in s.execute(query.group_by(LessonPlan.lecture_id))}


# ---- files of a version ----


def _materials(rows: Sequence[PlanFile]) -> tuple[Material, ...]:
    return tuple(Material(row.name, row.sha256, row.added_by) for row in rows)


def _copy_of(row: PlanFile) -> PlanFile:
    same = ("name", "kind", "size", "sha256", "pdf_sha256", "pages", "problem", "added_by", "added_at")
    return PlanFile(**{column: getattr(row, column) for column in same})


def _new_file(s: Session, file: Kept, by: str, now: datetime) -> PlanFile:
    """Return a row for a file; what the same content was converted to before is used again."""
    new = PlanFile(name=file.name, kind=file.kind, size=file.size, sha256=file.sha256, added_by=by, added_at=now)
    new.pdf_sha256, new.pages, new.problem = None, file.pages, ""
    if file.kind == "pdf":
        new.pdf_sha256 = file.sha256
        return new
    query = select(PlanFile).where(PlanFile.sha256 == file.sha256, PlanFile.pdf_sha256.is_not(None)).limit(1)
    if before := s.scalar(query):
        new.pdf_sha256, new.pages = before.pdf_sha256, before.pages
    return new


def _replaced(rows: list[PlanFile], fresh: list[PlanFile]) -> list[PlanFile]:
    """Return rows with the fresh ones in them: in the place of one of the same name, else at the end."""
    by_name = {row.name.casefold(): row for row in rows}
    by_name.update((row.name.casefold(), row) for row in fresh)
    return list(by_name.values())


def _add_files(s: Session, plan: LessonPlan, version: int, rows: list[PlanFile]) -> None:
    for position, row in enumerate(rows):
        row.id, row.plan_id, row.version, row.position = new_id("pf"), plan.id, version, position
        s.add(row)


def _file_view(row: PlanFile) -> FileView:
    return FileView(
        id=row.id,
        version=row.version,
        name=row.name,
        kind=cast(Kind, row.kind),
        size=row.size,
        sha256=row.sha256,
        pdf_sha256=row.pdf_sha256,
        pages=row.pages,
        problem=row.problem,
        added_by=row.added_by,
        added_at=row.added_at,
    )
