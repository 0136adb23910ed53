"""Many processes book at random; one more does the same in step with the oracle; what is stored is looked through."""

import random
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from sqlalchemy import select

from bench.booking.instead import agree
from bench.booking.oracle import Oracle, Wish, clash, double_allocations, needs
from bench.booking.world import World, minute, open_service
from core.errors import Unavailable
from schedules.conflicts import BookingClash
from schedules.models import Booking, Lecture

DAYS = 240  # as long a time as lets about half of the wishes through
BUSY_TRIES = 50  # what a person does who is told that the server is busy


@dataclass
class Log:
    """What one process did."""

    took_ms: list[float] = field(default_factory=list)
    versions: dict[str, list[Wish]] = field(default_factory=dict)  # lecture -> every plan it ever had
    now: dict[str, Wish] = field(default_factory=dict)  # lecture -> its plan at the end
    refusals: list[tuple[str, Wish, tuple[str, ...]]] = field(default_factory=list)  # lecture or "", wish, holders


def work(url: str, world: World, seed: int, attempts: int) -> Log:
    """Book, move and cancel at random; 85, 8 and 7 of a hundred."""
    rng, log = random.Random(seed), Log()
    db, service = open_service(url)
    for _ in range(attempts):
        dice, mine = rng.random(), list(log.now)
        began = time.perf_counter()
        if dice < 0.07 and mine:
            lecture = rng.choice(mine)
            _until_not_busy(lambda lecture=lecture: service.cancel_lecture(lecture, world.organiser))
            del log.now[lecture]
        else:
            lecture = rng.choice(mine) if dice < 0.15 and mine else ""
            wish = log.now[lecture].moved(15 * rng.randint(-200, 200)) if lecture else world.wish(rng, DAYS)
            _book(service, world, log, lecture, wish)
        log.took_ms.append((time.perf_counter() - began) * 1000)
    db.engine.dispose()
    return log


def _book(service, world: World, log: Log, lecture: str, wish: Wish) -> None:  # type: ignore[no-untyped-def]
    draft = world.draft(wish)
    try:
        if lecture:
            _until_not_busy(lambda: service.update_lecture(lecture, draft, world.organiser))
        else:
            lecture = _until_not_busy(lambda: service.create_lecture(draft, world.organiser)).id
    except BookingClash as refused:
        log.refusals.append((lecture, wish, tuple(c.holder_id for c in refused.clashes)))
    else:
        log.versions.setdefault(lecture, []).append(wish)
        log.now[lecture] = wish


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


def agreement_of_storm(logs: Iterable[Log], world: World) -> tuple[int, int]:
    """Return (decisions that the oracle finds right, decisions).

    In what order the processes came is not known. A refusal is right when each holder it names had, at
    some time, a plan that clashes; acceptances are right when no two of the plans that stand clash.
    """
    logs = list(logs)
    versions = {lecture: plans for log in logs for lecture, plans in log.versions.items()}
    right = total = 0
    for log in logs:
        for lecture, wish, holders in log.refusals:
            total += 1
            right += bool(holders) and all(
                holder != lecture and any(clash(wish, plan, world.standing) for plan in versions.get(holder, ()))
                for holder in holders
            )
    standing = [wish for log in logs for wish in log.now.values()]
    accepted = sum(len(plans) for plans in versions.values())
    doubles = double_allocations(standing, world.standing)
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
        expected, before = oracle.fits(wish, ignoring=lecture), len(log.refusals)
        log.now = dict(oracle.accepted)
        _book(service, world, log, lecture, wish)
        right += expected is (len(log.refusals) == before)
        oracle.accepted = dict(log.now)
        if len(log.refusals) > before:
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
    wanted = {lecture: needs(wish, world.standing) for log in logs for lecture, wish in log.now.items()}
    wrong = sum(held.get(lecture) != needed for lecture, needed in wanted.items())
    return wrong + len(held.keys() - wanted.keys()) + len(planned ^ wanted.keys())
