"""`make bench-booking`: random bookings from eight processes, and a year's check of 64 points.

Prints one JSON object for each database as the last lines; ratios and counts are of one run. Exits with 1
when anything was allocated twice, booked in part, or decided otherwise than the oracle does.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bench.booking.load import agreement_in_step, agreement_of_storm, partial_bookings, standing, storm
from bench.booking.oracle import double_allocations
from bench.booking.world import FIRST_DAY, World, make_world, open_service
from schedules.records import SeriesDraft
from schedules.service import ScheduleService

YEAR_POINTS, WEEKS, GROUPS = 64, 52, 8
POINTS = 24
IN_STEP = 10  # one of so many attempts is made in step with the oracle


def run(url: str, attempts: int, processes: int) -> dict[str, Any]:
    """Return the figures of one database."""
    world = make_world(url, POINTS)
    began = time.perf_counter()
    logs = storm(url, world, processes, attempts)
    storm_s = time.perf_counter() - began
    right, total = agreement_of_storm(logs, world)
    partial = partial_bookings(url, world, logs)
    doubles = double_allocations(standing(logs).values(), world.standing)
    accepted = sum(len(plans) for log in logs for plans in log.versions.values())
    world = make_world(url, POINTS)
    more, asked = agreement_in_step(url, world, max(1, attempts // IN_STEP))
    took = sorted(ms for log in logs for ms in log.took_ms)
    return {
        "database": "sqlite" if url.startswith("sqlite") else "postgresql",
        "attempts": len(took),
        "processes": processes,
        "accepted": accepted,
        "overtaken": sum(log.overtaken for log in logs),
        "double_allocations": doubles,
        "partial_bookings": partial,
        "oracle_agreement": (right + more) / (total + asked),
        **year(url),
        "booking_p50_ms": round(statistics.median(took), 1),
        "booking_p95_ms": round(took[int(len(took) * 0.95)], 1),
        "bookings_per_s": round(len(took) / storm_s),
    }


def year(url: str) -> dict[str, Any]:
    """Return how long it takes to check a weekly class of all 64 points against a year that is full."""
    world = make_world(url, YEAR_POINTS)
    db, service = open_service(url)
    lectures = fill_year(service, world)
    draft = replace(
        world.draft(world.wish(random.Random(1), 7)),
        main_point_id=world.points[0],
        point_ids=world.points[1:],
        equipment=(),
        operators=(),
        lecturer_id=world.lecturers[-1],
        setup_min=30,
        teardown_min=15,
    )
    free_at = FIRST_DAY + timedelta(hours=18)  # after the last one of every day
    draft = replace(draft, starts_at=free_at, ends_at=free_at + timedelta(hours=2))
    took = []
    for _ in range(7):
        began = time.perf_counter()
        drafts, clashes = service.check_series(SeriesDraft(draft, "weekly", count=WEEKS))
        took.append((time.perf_counter() - began) * 1000)
        if len(drafts) != WEEKS or clashes:
            raise AssertionError("the year's check found something in its way")
    taken = replace(draft, starts_at=free_at - timedelta(hours=9), ends_at=free_at - timedelta(hours=8))
    _, clashes = service.check_series(SeriesDraft(taken, "weekly", count=WEEKS))
    if len(clashes) < WEEKS * GROUPS:
        raise AssertionError("the year's check saw too little in its way")
    db.engine.dispose()
    return {"year_lectures": lectures, "year_check_ms": round(statistics.median(took), 1)}


def fill_year(service: ScheduleService, world: World) -> int:
    """Plan three classes a week for each of eight groups of eight points, for a year.  Returns how many that are."""
    planned = 0
    size = len(world.points) // GROUPS
    for group in range(GROUPS):
        points = world.points[group * size : (group + 1) * size]
        wish = world.wish(random.Random(group), 1)
        for hour in (8, 10, 14):  # half past is over by then
            start = hour * 60
            of_group = replace(
                wish, points=points, lecturer=world.lecturers[group], equipment=(), operators=(), setup=15, teardown=0,
                start=start, end=start + 90,
            )  # fmt: skip
            series = SeriesDraft(world.draft(of_group), "weekly", weekdays=tuple(range(6)), count=WEEKS * 3)
            planned += len(service.create_series(series, world.organiser))
    return planned


def main() -> int:
    """Run on SQLite, and on PostgreSQL where TEST_DATABASE_URL names a server.  Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=8)
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        urls = [f"sqlite:///{folder}/bench.sqlite3"]
        if server := os.environ.get("TEST_DATABASE_URL"):
            urls.append(server)
        for url in urls:
            results.append(run(url, options.attempts, options.processes))
    for result in results:
        print(json.dumps(result))
    good = all(r["double_allocations"] == r["partial_bookings"] == 0 and r["oracle_agreement"] == 1 for r in results)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
