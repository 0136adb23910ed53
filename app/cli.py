"""Commands for the operator: `python -m app COMMAND`."""

import argparse
import sys
from collections.abc import Callable, Sequence

from app import schema
from app.demo import load_demo, print_logins
from app.services import Services, build
from core.clock import SystemClock
from core.config import from_environment
from core.journal import Fault


def main(arguments: Sequence[str]) -> int:
    """Run one command.

    arguments: without the program's name.  Returns the exit status: 0 all well, 1 a fault was found.
    """
    parser = argparse.ArgumentParser(prog="python -m app", description="Commands of Điểm Cầu.")
    commands = parser.add_subparsers(dest="command", required=True)

    init = commands.add_parser("init-db", help="bring the database's schema up to date")
    init.add_argument("--demo-when-new", action="store_true", help="fill an empty database with the demo data")
    init.set_defaults(run=init_db)

    commands.add_parser("demo", help="load the demo data, lectures moved to today").set_defaults(run=demo)

    verify = commands.add_parser("verify-journal", help="check the hash chain of one lecture, or of all")
    verify.add_argument("lecture", nargs="?", help="lecture id; all lectures when left out")
    verify.set_defaults(run=verify_journal)

    write = commands.add_parser("migration", help="write the next migration from what the models have become")
    write.add_argument("revision", help="its number, such as 0002")
    write.add_argument("message", help="what it does")
    write.set_defaults(run=migration)

    given = parser.parse_args(arguments)
    run: Callable[[Services, argparse.Namespace], int] = given.run
    return run(build(from_environment(), SystemClock()), given)


def init_db(services: Services, given: argparse.Namespace) -> int:
    """Bring the schema up to date, and make the demo when asked to and the database is empty."""
    schema.upgrade(services.db)
    if given.demo_when_new and not services.schedules.points():
        load_demo(services)
    print_logins(services)
    return 0


def demo(services: Services, given: argparse.Namespace) -> int:
    """Load the demo data."""
    schema.upgrade(services.db)
    load_demo(services)
    print_logins(services)
    return 0


def verify_journal(services: Services, given: argparse.Namespace) -> int:
    """Check the chains and print each lecture's head, or the first fault in it."""
    lectures = [given.lecture] if given.lecture else services.journal.lectures()
    faults = 0
    for lecture in lectures:
        fault = services.journal.verify(lecture) or _empty(services, lecture)
        if fault:
            faults += 1
            print(f"{lecture}: row {fault.seq} {fault.reason}", file=sys.stderr)
        else:
            seq, digest = services.journal.head(lecture)
            print(f"{lecture}: {seq} rows, head {digest}")
    return 1 if faults else 0


def _empty(services: Services, lecture: str) -> Fault | None:
    """Return a fault for a lecture that was named but has no journal: all its rows may be gone."""
    return None if services.journal.head(lecture)[0] else Fault(lecture, 1, "is missing, as are all others")


def migration(services: Services, given: argparse.Namespace) -> int:
    """Write the next migration."""
    schema.write_migration(services.db, given.message, given.revision)
    return 0
