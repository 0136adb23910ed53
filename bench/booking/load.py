"""Many processes book at random; one more does the same in step with the oracle; what is stored is looked through."""

import random
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing import get_context

from sqlalchemy import select

from bench.booking.instead import agree
from bench.booking.oracle import Oracle, Wish, clash, double_allocations, needs
from bench.booking.world import FIRST_DAY, World, minute, open_service
from core.errors import Conflict, Unavailable
from schedules.conflicts import BookingClash
from schedules.models import Booking, Lecture
from schedules.records import LectureView
from schedules.service import ScheduleService

DAYS = 240  # as long a time as lets about half of the wishes through
BUSY_DAYS = 3  # what comes first on these, everybody moves and cancels
BUSY_TRIES = 50  # what a person does who is told that the server is busy


@dataclass
class Log:
    """What one process did."""

    took_ms: list[float] = field(default_factory=list)
    versions: dict[str, dict[int, Wish]] = field(default_factory=dict)  # lecture -> its plans by SEQUENCE
    cancelled: dict[str, int] = field(default_factory=dict)  # lecture -> the SEQUENCE with which it was called off
    overtaken: int = 0  # times that somebody else had changed a lecture since it was read
    refusals: list[tuple[str, Wish, tuple[str, ...]]] = field(default_factory=list)  # lecture or "", wish, holders


def work(url: str, world: World, seed: int, attempts: int) -> Log:
    """Book, move and cancel at random, 85, 8 and 7 of a hundred: own lectures, or the one that everybody wants."""
    rng, log = random.Random(seed), Log()
    db, service = open_service(url)
    for _ in range(attempts):
        dice = rng.random()
        known = _planned(service, rng, log) if dice < 0.15 else None
        began = time.perf_counter()
        if known is not None and dice < 0.07:
            _cancel(service, world, log, known)
        elif known is not None:
            wish = world.wish_of(known).moved(15 * rng.randint(-200, 200))
            _book(service, world, log, wish, known.id, known.sequence)
        else:
            _book(service, world, log, world.wish(rng, rng.choice((BUSY_DAYS, DAYS, DAYS))))
        log.took_ms.append((time.perf_counter() - began) * 1000)
    db.engine.dispose()
    return log


def _planned(service: ScheduleService, rng: random.Random, log: Log) -> LectureView | None:
    """Return one of one's own planned lectures, or the earliest of all, as it is now: soon it may be otherwise."""
    if log.versions and rng.random() < 0.5:
        lectures = [service.lecture(rng.choice(list(log.versions)))]
    else:
        lectures = service.lectures_between(FIRST_DAY, FIRST_DAY + timedelta(days=BUSY_DAYS))
    return next((lecture for lecture in lectures if lecture.status == "planned"), None)


def _book(service: ScheduleService, world: World, log: Log, wish: Wish, lecture: str = "", sequence: int = -1) -> str:
    """Book a lecture, or give one the plan after the one of `sequence`.  Returns its id, empty when it was refused."""
    draft = world.draft(wish)
    try:
        if lecture:
            _until_not_busy(lambda: service.update_lecture(lecture, draft, world.organiser, sequence))
        else:
            lecture = _until_not_busy(lambda: service.create_lecture(draft, world.organiser)).id
    except BookingClash as refused:
        log.refusals.append((lecture, wish, tuple(c.holder_id for c in refused.clashes)))
        return ""
    except Conflict:
        log.overtaken += 1
        return ""
    log.versions.setdefault(lecture, {})[sequence + 1] = wish
    return lecture


def _cancel(service: ScheduleService, world: World, log: Log, known: LectureView) -> None:
    try:
        off = _until_not_busy(lambda: service.cancel_lecture(known.id, world.organiser, sequence=known.sequence))
    except Conflict:
        log.overtaken += 1
    else:
        log.cancelled[known.id] = off.sequence  # somebody else may have called it off already, and later


def _until_not_busy(step):  # type: ignore[no-untyped-def]
    for _ in range(BUSY_TRIES):
        try:
            return step()
        except Unavailable:
            continue
    raise Unavailable("database.busy", "The server is very busy. Please try again.")


def storm(url: str, world: World, processes: int, attempts: int) -> list[Log]:
    """Let processes work at the same time; returns what each did."""
    share = attempts // processes
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(work, url, world, seed, share) for seed in range(processes)]
        return [job.result() for job in jobs]


def standing(logs: Iterable[Log]) -> dict[str, Wish]:
    """Return the plans that stand at the end: the last of each lecture that was not called off.

    Raises AssertionError where two changes were both accepted on top of the same plan.
    """
    versions: dict[str, dict[int, Wish]] = {}
    logs = list(logs)
    for log in logs:
        for lecture, plans in log.versions.items():
            if versions.setdefault(lecture, {}).keys() & plans.keys():
                raise AssertionError(f"two changes of {lecture} were accepted at once")
            versions[lecture] |= plans
    for lecture, sequence in {pair for log in logs for pair in log.cancelled.items()}:
        if max(versions[lecture]) >= sequence:
            raise AssertionError(f"{lecture} was changed after it was called off")
        del versions[lecture]
    return {lecture: plans[max(plans)] for lecture, plans in versions.items()}


def agreement_of_storm(logs: Iterable[Log], world: World) -> tuple[int, int]:
    """Return (decisions that the oracle finds right, decisions).

    In what order the processes came is not known. A refusal is right when each holder it names had, at
    some time, a plan that clashes; acceptances are right when no two of the plans that stand clash.
    """
    logs = list(logs)
    versions: dict[str, list[Wish]] = {}
    for log in logs:
        for lecture, plans in log.versions.items():
            versions.setdefault(lecture, []).extend(plans.values())
    right = total = 0
    for log in logs:
        for lecture, wish, holders in log.refusals:
            total += 1
            right += bool(holders) and all(
                holder != lecture and any(clash(wish, plan, world.standing) for plan in versions.get(holder, ()))
                for holder in holders
            )
    accepted = sum(len(plans) for plans in versions.values())
    doubles = double_allocations(standing(logs).values(), world.standing)
    return right + accepted - min(accepted, doubles), total + accepted


def agreement_in_step(url: str, world: World, attempts: int) -> tuple[int, int]:
    """Return (agreeing decisions, decisions) of the engine and the oracle, asked one after the other.

    A refusal is a decision of its own, and what is offered instead is another.
    """
    rng, log, right, asked = random.Random(99), Log(), 0, attempts
    oracle = Oracle(world.standing)
    db, service = open_service(url)
    for _ in range(attempts):
        dice, mine = rng.random(), list(oracle.accepted)
        if dice < 0.1 and mine:
            lecture = rng.choice(mine)
            service.cancel_lecture(lecture, world.organiser)
            del oracle.accepted[lecture]
            right += 1
            continue
        lecture = rng.choice(mine) if dice < 0.25 and mine else ""
        wish = oracle.accepted[lecture].moved(15 * rng.randint(-20, 20)) if lecture else world.wish(rng, DAYS // 8)
        expected = oracle.fits(wish, ignoring=lecture)
        booked = _book(service, world, log, wish, lecture, max(log.versions[lecture]) if lecture else -1)
        right += expected is bool(booked)
        if booked:
            oracle.accepted[booked] = wish
        else:
            draft = world.draft(wish)
            clashes = service.check(draft, lecture or None)
            offers = service.alternatives.offers(draft, clashes, lecture or "lec_new")
            right += agree(offers, oracle, world, wish, lecture, clashes)
            asked += 1
    db.engine.dispose()
    return right, asked


def partial_bookings(url: str, world: World, logs: Iterable[Log]) -> int:
    """Return how many lectures hold anything else than exactly what they need; cancelled ones need nothing."""
    db, _ = open_service(url)
    with db.reading() as s:
        planned = set(s.scalars(select(Lecture.id).where(Lecture.status == "planned")))
        held: dict[str, dict[str, tuple[int, int]]] = {}
        for row in s.scalars(select(Booking)):
            held.setdefault(str(row.lecture_id), {})[row.resource_id] = (minute(row.starts_at), minute(row.ends_at))
    db.engine.dispose()
    wanted = {lecture: needs(wish, world.standing) for lecture, wish in standing(logs).items()}
    wrong = sum(held.get(lecture) != needed for lecture, needed in wanted.items())
    return wrong + len(held.keys() - wanted.keys()) + len(planned ^ wanted.keys())
