"""The relay: Debian's turnserver with the configuration we render, asked over TLS by a client of our own."""

import contextlib
import re
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.turn import Relay, render
from tests.media.turn_client import TurnClient, TurnServer, client, credentials

pytestmark = pytest.mark.timeout(120)
NODE = "203.0.113.9"  # TEST-NET-3: the media node of these tests; nothing is ever sent there
FORBIDDEN = 403
UNAUTHORISED = 401
QUOTA_REACHED = 486
MAPPED = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.168.0.1", "198.18.0.1", "203.0.113.8", "203.0.113.10",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "8.8.8.8",
]  # fmt: skip
SIX = [
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:0.0.0.0", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::ffff:192.168.0.1", f"::ffff:{NODE}", "::ffff:0:7f00:1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::7f00:1",
    "2002:7f00:1::1", "2002:a00:1::1", "2001::1", "2001:db8::1", "fc00::1", "fd12:3456::1", "fe80::1", "fec0::1",
    "ff02::1", "100::1", "2606:4700::1",
]  # fmt: skip


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TurnServer]:
    assert shutil.which("turnserver"), "coturn is needed: scripts/need.sh coturn"
    server = TurnServer(tmp_path_factory.mktemp("turn"), (NODE,))
    yield server
    server.stop()


def test_fresh_credentials_allocate_and_reach_the_media_node(relay: TurnServer) -> None:
    with client(relay, credentials("bp_a")) as one:
        assert one.allocate() == 0
        assert one.relayed is not None and one.relayed[0] == "127.0.0.1"
        assert one.permit(NODE) == 0
        assert one.bind(NODE, 0x4000) == 0
        assert one.refresh() == 0


def test_wrong_and_expired_credentials_are_refused(relay: TurnServer) -> None:
    name, password = credentials("bp_a")
    expired, theirs = credentials("bp_a", -1), credentials("bp_b")
    longer = f"{int(name.split(':')[0]) + 3600}:bp_a"
    wrong = [(name, "guess"), (name, theirs[1]), (longer, password), expired, ("bp_a", password), ("", "")]
    for who in wrong:
        with client(relay, who) as one:
            assert one.allocate() == UNAUTHORISED, who
            assert one.relayed is None


def test_an_allocation_outlives_its_credentials_but_none_begins_with_them(relay: TurnServer) -> None:
    who = credentials("bp_short", 1)
    with client(relay, who) as one:
        assert one.allocate() == 0
        time.sleep(2.5)
        assert one.refresh() == 0, "a class lasts longer than ten minutes"
        with client(relay, who) as late:
            assert late.allocate() == UNAUTHORISED


def refusals(one: TurnClient, addresses: list[str]) -> dict[str, tuple[int, int]]:
    return {a: (one.permit(a), one.bind(a, 0x4001 + i)) for i, a in enumerate(addresses)}


def test_no_other_ipv4_address_is_reached(relay: TurnServer) -> None:
    with client(relay, credentials("bp_four")) as one:
        assert one.allocate() == 0
        assert refusals(one, MAPPED) == dict.fromkeys(MAPPED, (FORBIDDEN, FORBIDDEN))


def test_no_ipv6_address_is_reached_in_any_notation_of_an_ipv4_one(relay: TurnServer) -> None:
    with client(relay, credentials("bp_six")) as one:
        assert one.allocate(family=6) == 0
        assert one.relayed is not None and one.relayed[0] == "::1"
        assert refusals(one, SIX) == dict.fromkeys(SIX, (FORBIDDEN, FORBIDDEN))


def test_the_list_holds_without_its_last_two_lines(tmp_path: Path) -> None:
    """Each network that design names is denied by a line of its own, not by the catch-all alone."""
    everybody = (
        "denied-peer-ip=0.0.0.0-255.255.255.255\n",
        "denied-peer-ip=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n",
    )
    text = render(Relay("turn.test", ("127.0.0.1",), (NODE,), "c", "k"), "secret")
    for line in everybody:
        assert text.count(line) == 1
        text = text.replace(line, "")
    from ipaddress import ip_address

    ranges = [tuple(map(ip_address, pair)) for pair in re.findall(r"^denied-peer-ip=([^-\s]+)-(\S+)$", text, re.M)]
    public = {"8.8.8.8", "2606:4700::1"}
    for address in [*MAPPED, *SIX]:
        of = ip_address(address)
        denied = any(low.version == of.version and low <= of <= high for low, high in ranges)  # type: ignore[operator]
        assert denied == (address not in public), address


def test_a_participant_has_a_quota_and_the_others_do_not_feel_it(relay: TurnServer) -> None:
    with contextlib.ExitStack() as held:
        codes = []
        for _ in range(1000):
            one = TurnClient(relay, credentials("bp_greedy"))
            codes.append(one.allocate())
            if codes[-1]:
                one.close()
            else:
                held.callback(one.close)
        assert codes.count(0) == 24
        assert codes.count(QUOTA_REACHED) == len(codes) - 24
        with client(relay, credentials("bp_modest")) as other:
            assert other.allocate() == 0
            assert other.permit(NODE) == 0


def test_nothing_but_tls_is_served(relay: TurnServer) -> None:
    with socket.create_connection(("127.0.0.1", relay.port), 5) as plain:
        plain.settimeout(3)
        plain.sendall(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12))
        with contextlib.suppress(TimeoutError, ConnectionError):
            assert plain.recv(100)[:2] != b"\x01\x01", "a STUN answer without TLS"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.connect(("127.0.0.1", relay.port))
        datagrams.settimeout(1)
        with pytest.raises((TimeoutError, ConnectionError)):
            datagrams.send(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12))
            datagrams.recv(100)
    assert relay.listening() == {relay.port}, "no telnet, no web administration"


def test_a_configuration_without_the_nodes_address_or_with_two_lines_in_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="media node"):
        render(Relay("turn.test", ("127.0.0.1",), (), "c", "k"), "secret")
    with pytest.raises(ValueError, match="not a value"):
        render(Relay("turn.test\nallow-loopback-peers", ("127.0.0.1",), (NODE,), "c", "k"), "secret")
    with pytest.raises(ValueError, match="does not appear to be"):
        render(Relay("turn.test", ("127.0.0.1",), ("0.0.0.0-255.255.255.255",), "c", "k"), "secret")
