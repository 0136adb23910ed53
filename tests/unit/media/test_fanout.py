"""The fan-out: what each viewer gets is what was sent, on the fast path and on the slow one."""

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pylibsrtp import Error, Policy, Session

from media import fanout, fanout_c
from media.fanout import Audience, FanOut, Target


@cache
def built() -> None:
    """Compile the C code, once for all tests here."""
    fanout_c.build()


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


def outbound(key: bytes) -> Session:
    profile = Policy.SRTP_PROFILE_AEAD_AES_128_GCM
    return Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))


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


@pytest.fixture(params=["c", "binding", "library"])
def sender(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> FanOut:
    """Each way to encrypt: the loop in C, pylibsrtp's binding in place, pylibsrtp's own methods."""
    if request.param == "c":
        built()
    else:
        monkeypatch.setenv("MEDIA_FANOUT", "python")
    if request.param == "library":
        monkeypatch.setattr(fanout, "_self_test", lambda: False)
    made = FanOut()
    assert (made._loop is not None) == (request.param == "c") and made._fast == (request.param != "library")
    return made


def test_every_viewer_reads_every_packet(out: Sockets, sender: FanOut) -> None:
    viewers = [viewer(out, host) for host in ("127.0.0.1", "127.0.0.1", "::1", "127.0.0.1", "::1")]
    away = Viewer(viewers[0].outbound, None, None, viewers[0].socket)
    sent = [packet(i, size) for i, size in enumerate((0, 1, 700, 1200, 1300))]
    audience = Audience([*viewers, away])
    for one in sent:
        sender.send(one, audience)
    for each in viewers:
        assert [each.inbound.unprotect(each.socket.recv(2048)) for _ in sent] == sent
        each.socket.close()
    assert sender.sent == len(sent) * len(viewers) and sender.dropped == 0


def test_a_viewer_with_a_line_of_its_own_gets_its_own_numbers(out: Sockets, sender: FanOut) -> None:
    plain, shifted = viewer(out), viewer(out, shift=(65_530, -90_001))
    sent = packet(10, 50)
    sender.send(sent, Audience([shifted, plain]))
    assert plain.inbound.unprotect(plain.socket.recv(2048)) == sent
    got = shifted.inbound.unprotect(shifted.socket.recv(2048))
    assert struct.unpack_from("!HL", got, 2) == (4, 2**32 - 1)
    assert got[:2] + got[8:] == sent[:2] + sent[8:]
    for each in (plain, shifted):
        each.socket.close()


def test_more_viewers_than_one_batch_are_all_served(
    out: Sockets, sender: FanOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "BATCH", 4)
    viewers = [viewer(out) for _ in range(40)]  # the loop in C takes 16 at once
    sender.send(packet(1, 100), Audience(viewers))
    assert sender.sent == 40
    for each in viewers:
        assert each.inbound.unprotect(each.socket.recv(2048))
        each.socket.close()


def test_one_unreachable_viewer_does_not_cost_the_others_their_packet(out: Sockets, sender: FanOut) -> None:
    near, far = viewer(out), viewer(out)
    far.target = Target(("240.0.0.1", 9), out.of[socket.AF_INET])  # a reserved address: the kernel refuses it
    sender.send(packet(1, 100), Audience([far, near]))
    assert near.inbound.unprotect(near.socket.recv(2048))
    for each in (near, far):
        each.socket.close()


@settings(max_examples=60)
@given(st.data())
def test_the_loop_in_c_and_the_one_in_python_send_the_same_bytes(data: st.DataObject) -> None:
    """Two nodes with the same keys, one with each loop: whatever the packets and shifts are, viewers get the same."""
    built()
    shifts = data.draw(st.lists(st.none() | st.tuples(st.integers(-70_000, 70_000), st.integers(-(2**33), 2**33)),
                                min_size=1, max_size=35))  # fmt: skip
    packets = data.draw(st.lists(st.tuples(st.integers(0, 65_535), st.integers(0, 2**32 - 1), st.binary(max_size=1400)),
                                 min_size=1, max_size=4, unique_by=lambda p: p[0]))  # fmt: skip
    made = [struct.pack("!BBHLL", 0x80, 96, seq, ticks, 77) + body for seq, ticks, body in packets]
    keys = [os.urandom(28) for _ in shifts]
    got = []
    for loop in ("c", "python"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MEDIA_FANOUT", loop)
            sender = FanOut()
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs,
        ):
            ours.setblocking(False)
            theirs.bind(("127.0.0.1", 0))
            theirs.settimeout(2)
            target = Target(theirs.getsockname(), ours)
            viewers = Audience(
                Viewer(outbound(key), target, None, theirs, shift) for key, shift in zip(keys, shifts, strict=True)
            )
            seen = []
            for one in made:
                sender.send(one, viewers)
                seen += [theirs.recv(2048) for _ in range(sender.sent - len(seen))]
            got.append((seen, sender.sent, sender.sent_bytes, sender.dropped))
    assert got[0] == got[1] and got[0][0]


HEADS = st.tuples(
    st.sampled_from([77, 78, 2**32 - 1]),
    st.one_of(st.integers(0, 65_535), st.sampled_from([0, 1, 32_767, 32_768, 32_769, 65_535])),
    st.integers(0, 15),
    st.none() | st.binary(max_size=40),
    st.binary(max_size=60),
)


@settings(max_examples=200)
@given(st.lists(HEADS, max_size=30, unique_by=lambda h: h[:2]), st.binary(min_size=28, max_size=28))
def test_gcm_in_c_encrypts_as_libsrtp_does(heads: list[Any], key: bytes) -> None:
    """Whatever the order of the numbers, contributing sources and extensions are."""
    ours, theirs = gcm(key), outbound(key)
    for ssrc, seq, sources, extension, payload in heads:
        made = struct.pack("!BBHLL", 0x80 | sources | (extension is not None) << 4, 96, seq, 5, ssrc) + bytes(
            4 * sources
        )
        if extension is not None:
            words = extension + bytes(-len(extension) % 4)
            made += struct.pack("!HH", 0xBEDE, len(words) // 4) + words
        try:
            wanted = theirs.protect(made + payload)
        except Error:  # older than its window: libsrtp gives up where we repeat what was sent
            ours.protect(made + payload)
            continue
        assert ours.protect(made + payload) == wanted


def gcm(key: bytes) -> Any:
    built()
    made = FanOut().session(key, outbound(key))
    assert isinstance(made, fanout_c.Gcm)
    return made


def test_gcm_in_c_follows_the_numbers_round_and_a_repeat_from_before(out: Sockets) -> None:
    """70 000 packets to a viewer, one of them again on a way of its own: the far end reads all."""
    key = os.urandom(28)
    profile = Policy.SRTP_PROFILE_AEAD_AES_128_GCM
    policy = Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=profile)
    policy.window_size = 1024
    far, near = Session(policy), gcm(key)
    before = b""
    for i in range(70_000):
        one = packet(i & 0xFFFF, 0)
        if i == 65_530:
            before = one
            continue
        assert far.unprotect(near.protect(one)) == one
        if i == 65_600:
            assert far.unprotect(near.protect(before)) == before


@pytest.mark.parametrize("bad", [b"", bytes(11), b"\x8f" + bytes(40), b"\x90" + bytes(13), b"\x90" + bytes(13) + b"\xff\xff",
                                 bytes(1585)])  # fmt: skip
def test_gcm_in_c_refuses_what_is_no_packet(bad: bytes) -> None:
    with pytest.raises(ValueError, match="not a packet"):
        gcm(os.urandom(28)).protect(bad)


def test_a_packet_goes_out_encrypted_in_c_to_datagrams_and_others_alike(out: Sockets) -> None:
    built()
    sender, key = FanOut(), os.urandom(28)
    one = viewer(out)
    policy = Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_128_GCM)
    one.inbound, one.outbound = Session(policy), sender.session(key, outbound(key))
    for i, viewers in enumerate((Audience([one]), [one], Audience([one]))):  # the loop in C, then Python's
        sent = packet(i, 900)
        sender.send(sent, viewers)
        assert one.inbound.unprotect(one.socket.recv(2048)) == sent
    one.socket.close()


def test_the_private_names_the_fast_path_needs_are_there() -> None:
    """Fails loudly when an upgrade of pylibsrtp takes them away: the node would still run, but slower."""
    assert fanout._self_test()
