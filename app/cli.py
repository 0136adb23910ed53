"""Commands for the operator: `python -m app COMMAND`."""

import argparse
import sys
from collections.abc import Callable, Sequence

from app import schema
from app.demo import load_demo, print_logins
from app.keys import turn_secret
from app.services import Services, build
from app.turn import Relay, render
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

    relay = commands.add_parser("turn-config", help="print coturn's configuration (deploy/coturn/turnserver.conf)")
    relay.add_argument("--realm", required=True, help="the relay's name in TURN_URLS")
    relay.add_argument("--listen", required=True, action="append", help="the relay's own address; may be repeated")
    relay.add_argument("--peer", action="append", help="a media node's address; MEDIA_ANNOUNCE when left out")
    relay.add_argument("--cert", required=True, help="PEM file with the certificate chain")
    relay.add_argument("--key", required=True, help="PEM file with its key")
    relay.add_argument("--port", type=int, default=443)
    relay.set_defaults(run=turn_config)

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


def turn_config(services: Services, given: argparse.Namespace) -> int:
    """Print the relay's configuration, with its secret: keep the file readable for coturn only."""
    announced = [address for address in services.config.media_announce if address != "auto"]
    relay = Relay(
        realm=given.realm,
        listen=tuple(given.listen),
        peers=tuple(given.peer or announced),
        cert=given.cert,
        key=given.key,
        port=given.port,
    )
    try:
        print(render(relay, turn_secret(services.config)), end="")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def migration(services: Services, given: argparse.Namespace) -> int:
    """Write the next migration."""
    schema.write_migration(services.db, given.message, given.revision)
    return 0
