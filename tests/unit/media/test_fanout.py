"""The fan-out: what each viewer gets is what was sent, on the fast path and on the slow one."""

import os
import socket
import struct
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


def viewer() -> Viewer:
    key = os.urandom(28)

    def session(direction: int) -> Session:
        return Session(Policy(key=key, ssrc_type=direction, srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_128_GCM))

    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.1", 0))
    listening.settimeout(2)
    target = Target(listening.getsockname())
    return Viewer(session(Policy.SSRC_ANY_OUTBOUND), target, session(Policy.SSRC_ANY_INBOUND), listening)


def packet(seq: int, size: int) -> bytes:
    return struct.pack("!BBHLL", 0x80, 96, seq, 90_000, 77) + os.urandom(size)


@pytest.mark.parametrize("fast", [True, False])
def test_every_viewer_reads_every_packet(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fast:
        monkeypatch.setattr(fanout, "_self_test", lambda: False)
    viewers = [viewer() for _ in range(5)]
    away = Viewer(viewers[0].outbound, None, None, viewers[0].socket)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.setblocking(False)
        sender = FanOut(out)
        sent = [packet(i, size) for i, size in enumerate((0, 1, 700, 1200, 1300))]
        for one in sent:
            sender.send(one, [*viewers, away])
    for each in viewers:
        assert [each.inbound.unprotect(each.socket.recv(2048)) for _ in sent] == sent
        each.socket.close()
    assert sender.sent == len(sent) * len(viewers) and sender.dropped == 0


def test_more_viewers_than_one_batch_are_all_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "BATCH", 4)
    viewers = [viewer() for _ in range(10)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        sender = FanOut(out)
        sender.send(packet(1, 100), viewers)
    assert sender.sent == 10
    for each in viewers:
        assert each.inbound.unprotect(each.socket.recv(2048))
        each.socket.close()


def test_one_unreachable_viewer_does_not_cost_the_others_their_packet() -> None:
    near = viewer()
    far = viewer()
    far.target = Target(("240.0.0.1", 9))  # a reserved address: the kernel refuses it
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        sender = FanOut(out)
        sender.send(packet(1, 100), [far, near])
    assert near.inbound.unprotect(near.socket.recv(2048))
    for each in (near, far):
        each.socket.close()


def test_the_private_names_the_fast_path_needs_are_there() -> None:
    """Fails loudly when an upgrade of pylibsrtp takes them away: the node would still run, but slower."""
    assert fanout._self_test()
