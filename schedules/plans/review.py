"""A lesson plan's way from draft to approval, and what lets a lecture go live. Pure.

Four eyes: nobody approves or waives what is their own. An approval holds for the very files that were
looked at, for the topic and the lecturer they were looked at for; anything else afterwards ends it.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from core.errors import N_, Conflict, Invalid, NotAllowed
from core.permissions import Role, any_may

State = Literal["draft", "submitted", "approved", "returned"]
StepKind = Literal["upload", "remove", "submit", "withdraw", "approve", "return", "reopen", "comment"]

WORDS_MAX = 4000  # characters of a comment or a reason
FILES_MAX = 20


@dataclass(frozen=True)
class Person:
    """Who acts."""

    id: str
    roles: frozenset[Role]


@dataclass(frozen=True)
class Subject:
    """What a plan is for: an approval says nothing about another topic or another lecturer."""

    topic_id: str
    lecturer_id: str


@dataclass(frozen=True)
class Material:
    """A file of a version.  sha256: of its bytes, hex; added_by: who uploaded it, in whichever version."""

    name: str
    sha256: str
    added_by: str


@dataclass(frozen=True)
class Review:
    """Where a plan stands.

    files: of the newest version, in order; hands: who made or submitted that version.
    approved_version, approved_digest: of the last approval, also when it no longer holds.
    """

    subject: Subject
    state: State = "draft"
    version: int = 0
    files: tuple[Material, ...] = ()
    hands: frozenset[str] = frozenset()
    approved_version: int | None = None
    approved_digest: str | None = None

    @property
    def digest(self) -> str:
        """Return the digest of the newest version and of what it is for."""
        return digest(self.subject, self.files)

    @property
    def authors(self) -> frozenset[str]:
        """Return whose work the newest version is."""
        return self.hands | {file.added_by for file in self.files} | {self.subject.lecturer_id}


def digest(subject: Subject, files: Iterable[Material]) -> str:
    """Return one SHA-256 in hex over a topic, a lecturer, and files with their order and names."""
    facts = [subject.topic_id, subject.lecturer_id, [[file.name, file.sha256] for file in files]]
    return hashlib.sha256(json.dumps(facts, ensure_ascii=True).encode()).hexdigest()


# ---- who may do what ---------------------------------------------------------------------------


def may_edit(review: Review, who: Person) -> bool:
    """Return whether somebody may upload, remove, submit and withdraw: the lecturer themselves, or an organiser."""
    if not any_may(who.roles, "plan.upload"):
        return False
    return who.id == review.subject.lecturer_id or "organiser" in who.roles


def may_review(review: Review, who: Person) -> bool:
    """Return whether somebody may approve, return and waive: an organiser or an admin, never an author."""
    return any_may(who.roles, "plan.review") and who.id not in review.authors


def may_comment(review: Review, who: Person) -> bool:
    """Return whether somebody may add words: whoever works on the plan or reviews it."""
    return may_edit(review, who) or any_may(who.roles, "plan.review")


def check_edit(review: Review, who: Person) -> None:
    """Raise NotAllowed unless `may_edit`."""
    if not may_edit(review, who):
        raise NotAllowed("plan.not_yours", N_("Only the lecturer of this lecture or an organiser may do this."))


def check_comment(review: Review, who: Person) -> None:
    """Raise NotAllowed unless `may_comment`."""
    if not may_comment(review, who):
        raise NotAllowed("plan.not_yours", N_("Only the lecturer of this lecture or an organiser may do this."))


def check_reviewer(who: Person) -> None:
    """Raise NotAllowed unless somebody reviews lesson plans at all."""
    if not any_may(who.roles, "plan.review"):
        raise NotAllowed("plan.no_reviewer", N_("Only an organiser or an administrator may do this."))


def check_review(review: Review, who: Person) -> None:
    """Raise NotAllowed unless `may_review`."""
    check_reviewer(who)
    if who.id in review.authors:
        raise NotAllowed(
            "plan.own", N_("This lesson plan is your own work. Somebody else has to approve it or waive it.")
        )


# ---- steps -------------------------------------------------------------------------------------


def change(review: Review, who: Person, files: tuple[Material, ...]) -> Review:
    """Return the review after its files became others: a new version, in draft.

    Raises NotAllowed; Conflict while somebody reviews the plan; Invalid for too many files.
    """
    check_edit(review, who)
    check_changeable(review)
    if len(files) > FILES_MAX:
        raise Invalid("plan.too_many", N_("A lesson plan has at most %(most)s files."), most=FILES_MAX)
    return replace(review, state="draft", version=review.version + 1, files=files, hands=frozenset({who.id}))


def check_changeable(review: Review) -> None:
    """Raise Conflict while a plan is being reviewed: what a reviewer looks at stays as it is."""
    if review.state == "submitted":
        raise Conflict(
            "plan.under_review", N_("The lesson plan is being reviewed. Withdraw it first, then change its files.")
        )


def submit(review: Review, who: Person) -> Review:
    """Return the review waiting for a reviewer.  Raises NotAllowed; Conflict without files or at the wrong time."""
    check_edit(review, who)
    if not review.files:
        raise Conflict("plan.empty", N_("Upload at least one file before you submit the lesson plan."))
    if review.state == "submitted":
        raise Conflict("plan.submitted_already", N_("The lesson plan waits for a reviewer already."))
    if review.state == "approved":
        raise Conflict("plan.approved_already", N_("The lesson plan is approved already."))
    return replace(review, state="submitted", hands=review.hands | {who.id})


def withdraw(review: Review, who: Person) -> Review:
    """Return the review as a draft again.  Raises NotAllowed; Conflict unless it was submitted."""
    check_edit(review, who)
    _must_be_submitted(review)
    return replace(review, state="draft")


def approve(review: Review, who: Person, version: int) -> Review:
    """Return the review approved.

    version: the one that the reviewer has looked at.  Raises NotAllowed; Conflict unless it was submitted and
    is still this version.
    """
    check_review(review, who)
    _must_be_submitted(review)
    _must_be_seen(review, version)
    return replace(review, state="approved", approved_version=review.version, approved_digest=review.digest)


def return_(review: Review, who: Person, version: int, words: str) -> Review:
    """Return the review given back to its authors; `words` say what is missing.

    Raises NotAllowed; Conflict as `approve`; Invalid without words.
    """
    check_review(review, who)
    _must_be_submitted(review)
    _must_be_seen(review, version)
    checked_words(words, "plan.no_words", N_("Please say what has to be changed."))
    return replace(review, state="returned")


def reopen(review: Review, subject: Subject) -> Review:
    """Return the review for another topic or lecturer: what was submitted or approved is a draft again."""
    state: State = "draft" if review.state in ("submitted", "approved") and subject != review.subject else review.state
    return replace(review, subject=subject, state=state)


def settled(review: Review) -> Review:
    """Return the review as what it amounts to: an approval that no longer holds is a draft."""
    return replace(review, state="draft") if review.state == "approved" and not holds(review) else review


def checked_words(words: str, code: str, missing: str) -> str:
    """Return words without space around them.  Raises Invalid, with `code` and `missing` when there are none."""
    words = words.strip()
    if not words:
        raise Invalid(code, missing)
    if len(words) > WORDS_MAX:
        raise Invalid("plan.long_words", N_("Please write at most %(most)s characters."), most=WORDS_MAX)
    return words


def _must_be_submitted(review: Review) -> None:
    if review.state != "submitted":
        raise Conflict("plan.not_submitted", N_("The lesson plan does not wait for review now."))


def _must_be_seen(review: Review, version: int) -> None:
    if version != review.version:
        raise Conflict(
            "plan.changed_meanwhile",
            N_("The lesson plan has changed since you opened this page. Look at the new version first."),
        )


# ---- the gate ----------------------------------------------------------------------------------


def holds(review: Review) -> bool:
    """Return whether a plan is approved, as it is now and for what the lecture is now."""
    return (
        review.state == "approved"
        and bool(review.files)
        and review.approved_version == review.version
        and review.approved_digest == review.digest
    )


def may_go_live(review: Review | None, waived: bool) -> bool:
    """Return whether a lecture may go live: its plan's approval holds, or a waiver is in force."""
    return waived or (review is not None and holds(review))
