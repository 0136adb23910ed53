"""The fan-out: what each viewer gets is what was sent, on the fast path and on the slow one."""

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pylibsrtp import Policy, Session

from media import fanout
from media.fanout import FanOut, Target


@dataclass
class Viewer:
    outbound: Any
    target: Target | None
    inbound: Any
    socket: socket.socket
    shift: tuple[int, int] | None = None


class Sockets:
    """One sending socket for each family, as the node has them."""

    def __init__(self) -> None:
        self.of = {}
        for family in (socket.AF_INET, socket.AF_INET6):
            self.of[family] = socket.socket(family, socket.SOCK_DGRAM)
            self.of[family].setblocking(False)


@pytest.fixture
def out() -> Iterator[Sockets]:
    sockets = Sockets()
    yield sockets
    for one in sockets.of.values():
        one.close()


def viewer(out: Sockets, host: str = "127.0.0.1", shift: tuple[int, int] | None = None) -> Viewer:
    key = os.urandom(28)

    def session(direction: int) -> Session:
        return Session(Policy(key=key, ssrc_type=direction, srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_128_GCM))

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_DGRAM)
    listening.bind((host, 0))
    listening.settimeout(2)
    target = Target(listening.getsockname()[:2], out.of[family])
    return Viewer(session(Policy.SSRC_ANY_OUTBOUND), target, session(Policy.SSRC_ANY_INBOUND), listening, shift)


def packet(seq: int, size: int) -> bytes:
    return struct.pack("!BBHLL", 0x80, 96, seq, 90_000, 77) + os.urandom(size)


@pytest.mark.parametrize("fast", [True, False])
def test_every_viewer_reads_every_packet(out: Sockets, fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fast:
        monkeypatch.setattr(fanout, "_self_test", lambda: False)
    viewers = [viewer(out, host) for host in ("127.0.0.1", "127.0.0.1", "::1", "127.0.0.1", "::1")]
    away = Viewer(viewers[0].outbound, None, None, viewers[0].socket)
    sender = FanOut()
    sent = [packet(i, size) for i, size in enumerate((0, 1, 700, 1200, 1300))]
    for one in sent:
        sender.send(one, [*viewers, away])
    for each in viewers:
        assert [each.inbound.unprotect(each.socket.recv(2048)) for _ in sent] == sent
        each.socket.close()
    assert sender.sent == len(sent) * len(viewers) and sender.dropped == 0


@pytest.mark.parametrize("fast", [True, False])
def test_a_viewer_with_a_line_of_its_own_gets_its_own_numbers(
    out: Sockets, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fast:
        monkeypatch.setattr(fanout, "_self_test", lambda: False)
    plain, shifted = viewer(out), viewer(out, shift=(65_530, -90_001))
    sent = packet(10, 50)
    FanOut().send(sent, [shifted, plain])
    assert plain.inbound.unprotect(plain.socket.recv(2048)) == sent
    got = shifted.inbound.unprotect(shifted.socket.recv(2048))
    assert struct.unpack_from("!HL", got, 2) == (4, 2**32 - 1)
    assert got[:2] + got[8:] == sent[:2] + sent[8:]
    for each in (plain, shifted):
        each.socket.close()


def test_more_viewers_than_one_batch_are_all_served(out: Sockets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "BATCH", 4)
    viewers = [viewer(out) for _ in range(10)]
    sender = FanOut()
    sender.send(packet(1, 100), viewers)
    assert sender.sent == 10
    for each in viewers:
        assert each.inbound.unprotect(each.socket.recv(2048))
        each.socket.close()


def test_one_unreachable_viewer_does_not_cost_the_others_their_packet(out: Sockets) -> None:
    near, far = viewer(out), viewer(out)
    far.target = Target(("240.0.0.1", 9), out.of[socket.AF_INET])  # a reserved address: the kernel refuses it
    FanOut().send(packet(1, 100), [far, near])
    assert near.inbound.unprotect(near.socket.recv(2048))
    for each in (near, far):
        each.socket.close()


def test_the_private_names_the_fast_path_needs_are_there() -> None:
    """Fails loudly when an upgrade of pylibsrtp takes them away: the node would still run, but slower."""
    assert fanout._self_test()
