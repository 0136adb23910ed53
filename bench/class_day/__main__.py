"""`python -m bench.class_day --points 3`: hold the day; the last line printed is one JSON object."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path

from playwright.sync_api import sync_playwright

from bench.class_day.afterwards import Afterwards
from bench.class_day.day import Day
from bench.class_day.product import ROOT, Product
from bench.class_day.report import Report

OUT = ROOT / "bench" / "out" / "class-day"
FOR_DOCS = ("console-floor", "kiosk-guest", "kiosk-poll", "phone", "timetable", "register", "replay-floor")


def main() -> int:
    """Hold the day.  Returns the exit status: 0 when nothing was missing."""
    parser = argparse.ArgumentParser(prog="python -m bench.class_day", description="Hold one class day for real.")
    parser.add_argument(
        "--points",
        type=int,
        default=3,
        choices=range(2, 17),
        metavar="2..16",
        help="joining halls; two, so that one can see the other",
    )
    parser.add_argument("--out", type=Path, default=OUT, help="folder for screenshots and logs")
    parser.add_argument("--images", type=Path, help="also put the pictures for the documentation into this folder")
    given = parser.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    given.out.mkdir(parents=True)
    report = Report()
    hold(report, given.points, given.out)
    if given.images and report.ok:
        given.images.mkdir(parents=True, exist_ok=True)
        for name in FOR_DOCS:
            shutil.copyfile(given.out / f"{name}.png", given.images / f"{name}.png")
    (given.out / "report.json").write_text(report.as_json())
    print(report.as_json())
    return 0 if report.ok else 1


def hold(report: Report, points: int, out: Path) -> None:
    """Hold the day in an empty folder; whatever happens, leave no process behind."""
    folder = Path(tempfile.mkdtemp(prefix="class-day-"))
    product = Product(folder)
    signal.signal(signal.SIGTERM, lambda number, frame: _leave(product, folder))
    try:
        with sync_playwright() as playwright:
            day = Day(playwright, product, report, out, points)
            try:
                run(day, report)
            except Exception as error:
                if not report.problems:
                    report.problems.append(f"{type(error).__name__}: {error}")
                report.say(traceback.format_exc())
                day.shots_of_all("day")
            finally:
                day.close()
    finally:
        product.stop()
        left = product.processes()
        report.check(not left, f"processes are left over: {left}")
        for log in (folder / "product.log", product.data_dir / "media-node.log"):
            if log.exists():
                shutil.copyfile(log, out / log.name)
        shutil.rmtree(folder, ignore_errors=True)


def _leave(product: Product, folder: Path) -> None:
    """Told to stop in the middle: the browsers end with us, the product must be ended."""
    product.stop()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(128 + signal.SIGTERM)


def run(day: Day, report: Report) -> None:
    """Go through the day's steps; the first that cannot be finished ends it."""
    after = Afterwards(day, report)
    steps = [
        ("the product starts on an empty folder", day.prepare),
        ("the organiser schedules the lecture", day.schedule),
        ("the operators pair their halls", day.pair),
        ("the lecturer goes live", day.go_live),
        ("a hall's page is loaded again", day.reload),
        ("the operators count their people", day.declare_people),
        ("a hall gets the floor and gives it back", day.floor),
        ("another hall gets the floor and it is taken back", day.revoke),
        ("a poll is answered", day.poll),
        ("the media node is killed", day.kill_node),
        ("the web process is killed", day.kill_web),
        ("a learner comes", after.expect),
        ("the lecturer ends the class", day.end),
        ("the replay is watched", after.replay),
        ("a chapter is chosen", after.chapters),
        ("the viewer comes back", after.resume),
        ("the halls know that the class is over", day.after_end),
        ("strangers do not see the replay", after.strangers),
        ("the recording is decoded", after.recording),
        ("the register is read", after.register),
        ("the calendar is read", after.calendar),
        ("the journal is verified", after.journal),
        ("the pages had no faults", after.faults),
    ]
    for name, step in steps:
        with report.step(name):
            step()


if __name__ == "__main__":
    sys.exit(main())
