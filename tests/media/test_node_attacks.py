"""Attacks on a real node, each with its figure; after and during each of them the class goes on."""

import asyncio
import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from media import rtcp
from media.dtls import Dtls
from media.tcp import FIRST_CHECK_S
from tests.fuzz.corpus import joined
from tests.media.conftest import ROOM, ROOT, TOKEN, NodeProcess
from tests.media.light import H264_KEY, LightPeer

GOOD, BAD, WATCHER, BAD_WATCHER = "usr_good", "usr_bad", "bp_watcher", "bp_bad"
SLOTS = {"stage": f"{GOOD}/camera", "audio-0": f"{GOOD}/mic", "guest": f"{BAD}/camera"}
ALERT = bytes.fromhex("15fefd000000000000000000020228")  # fatal handshake_failure, in the clear
LOSS_MAX = 0.02
QUEUE_MB = 4  # what a viewer that takes nothing may cost: 256 kB of queue, and what Python does not give back
CAMERA = 21
TICKS = os.sysconf("SC_CLK_TCK")


def run(story: Callable[[], Any]) -> Any:
    return asyncio.run(asyncio.wait_for(story(), 90))


class Attack:
    """One `tests.media.attacker` process."""

    def __init__(self, what: str, *arguments: object, fds: tuple[int, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.media.attacker", what, *map(str, arguments)],
            cwd=ROOT, stdout=subprocess.PIPE, pass_fds=fds, text=True,
        )  # fmt: skip

    async def end(self) -> dict[str, Any]:
        out, _ = await asyncio.to_thread(self.process.communicate, timeout=60)
        said: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
        return said


class Lecture:
    """A node with a lecturer and a viewer who behave, and what they cost."""

    def __init__(self, node: NodeProcess, folder: Path, record: Callable[[str, object], None], name: str) -> None:
        self.node, self.folder, self._record, self._name = node, folder, record, name
        self.frame = 0

    async def begin(self) -> "Lecture":
        self.node.plan(1, SLOTS, [GOOD, BAD])
        self.good = await LightPeer(self.node, GOOD).publish()
        self.watcher = await LightPeer(self.node, WATCHER).watch(["stage", "guest", "audio-0"])
        await self.teach(0.4)
        return self

    async def teach(self, seconds: float) -> float:
        """Send 50 packets a second; returns the share that the viewer did not get."""
        before = self.got
        start, self.frame = self.frame, await self.good.stream(seconds, start=self.frame)
        await asyncio.sleep(0.3)
        return 1 - (self.got - before) / (2 * (self.frame - start))

    @property
    def got(self) -> int:
        stage = [p for p in self.watcher.rtp if p[1] & 0x7F == 111 or p[8:12] == self.stage]
        return len(stage)

    @property
    def stage(self) -> bytes:
        return next((p[8:12] for p in self.watcher.rtp if p[1] & 0x7F == 96), b"")

    def datagrams(self, name: str, parts: list[bytes]) -> Path:
        path = self.folder / name
        path.write_bytes(joined(parts))
        return path

    def figure(self, **values: object) -> None:
        """Keep what was measured: in the report, and on the screen with -s."""
        for name, value in values.items():
            self._record(name, value)
        print(json.dumps({"attack": self._name, **values}))

    @property
    def cpu_s(self) -> float:
        stat = Path(f"/proc/{self.node.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / TICKS

    @property
    def rss_mb(self) -> float:
        text = Path(f"/proc/{self.node.process.pid}/status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0]) / 1024

    @property
    def fds(self) -> int:
        return len(os.listdir(f"/proc/{self.node.process.pid}/fd"))

    def end(self) -> None:
        self.good.close()
        self.watcher.close()


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """One node, which must outlive all the attacks."""
    process = NodeProcess(tmp_path_factory.mktemp("attacked"))
    yield process
    assert process.process.poll() is None, "the node has ended"
    process.stop()


@pytest.fixture
def lecture(
    attacked: NodeProcess, tmp_path: Path, record_property: Any, request: pytest.FixtureRequest
) -> Iterator[Lecture]:
    yield Lecture(attacked, tmp_path, record_property, request.node.name)
    attacked.ok("DELETE", f"/rooms/{ROOM}")


def hello() -> bytes:
    """The first flight of a real DTLS client, first datagram."""

    async def story() -> bytes:
        from media.dtls import Identity

        flight: list[bytes] = []
        client = Dtls(Identity(), bytes(32), flight.append, lambda: None, lambda reason: None, server=False)
        client.start()
        client.close()
        return flight[0]

    return asyncio.run(story())


def video(seq: int, payload: bytes, ssrc: int = CAMERA) -> bytes:
    return struct.pack("!BBHLL", 0x80, 0xE0, seq & 0xFFFF, seq * 900 & 0xFFFFFFFF, ssrc) + payload


def test_joins_succeed_while_strangers_flood_with_hellos(lecture: Lecture) -> None:
    first = hello()

    async def story() -> tuple[list[float], float, dict[str, Any]]:
        await lecture.begin()
        file = lecture.datagrams("hellos", [first, ALERT, b"\x16" + os.urandom(200), first[:60]])
        attack = Attack("blast", "--port", lecture.node.media_port, "--file", file, "--sources", 50, "--seconds", 3)
        await asyncio.sleep(0.7)
        took = []
        for i in range(10):
            started = time.monotonic()
            peer = await LightPeer(lecture.node, f"bp_{i}").watch(["stage", "audio-0"])
            took.append(time.monotonic() - started)
            peer.close()
        loss = await lecture.teach(1.0)
        said = await attack.end()
        lecture.end()
        return took, loss, said

    took, loss, said = run(story)
    lecture.figure(joins=len(took), slowest_join_ms=round(max(took) * 1000), loss=round(loss, 4), hellos=said["sent"])
    assert len(took) == 10 and loss <= LOSS_MAX


def test_hellos_and_alerts_from_a_participants_own_address_change_nothing(lecture: Lecture) -> None:
    first = hello()

    async def story() -> tuple[float, dict[str, Any], int]:
        await lecture.begin()
        bad = await LightPeer(lecture.node, BAD).publish()
        file = lecture.datagrams("hellos", [first, ALERT, b"\x16" + os.urandom(1000), b"\x14\xfe\xfd" + bytes(12)])
        attack = Attack("blast", "--port", lecture.node.media_port, "--file", file, "--fd", bad.socket.fileno(),
                        "--seconds", 2.5, "--rate", 20_000, fds=(bad.socket.fileno(),))  # fmt: skip
        await asyncio.sleep(0.5)
        loss = await lecture.teach(1.8)
        said = await attack.end()
        await asyncio.sleep(0.3)  # what the kernel still has of it, and the leg's budget
        before = len(lecture.watcher.rtp)
        for i in range(10):
            bad.send_media(CAMERA, i, i * 3600, H264_KEY)
        await asyncio.sleep(0.3)
        after = len(lecture.watcher.rtp) - before
        bad.close()
        lecture.end()
        return loss, said, after

    loss, said, after = run(story)
    lecture.figure(loss=round(loss, 4), datagrams=said["sent"], media_of_the_flooded_leg=after)
    assert loss <= LOSS_MAX
    assert after == 10, "even the leg whose address was used is still up"


def test_a_forged_hello_before_the_real_one_costs_at_most_that_join(lecture: Lecture) -> None:
    """An attacker on the path may forge a participant's address between the check and the hello."""
    first = hello()

    async def story() -> tuple[int, float]:
        await lecture.begin()
        joined_count = 0
        for i in range(3):
            peer = LightPeer(lecture.node, f"bp_{i}")
            start = peer.send

            def send(data: bytes, peer: LightPeer = peer, start: Any = start) -> None:
                if data[0] == 22 and not getattr(peer, "raced", False):
                    peer.raced = True  # type: ignore[attr-defined]
                    for forged in (first, ALERT):
                        start(forged)
                start(data)

            peer.send = send  # type: ignore[method-assign]
            try:
                await asyncio.wait_for(peer.watch(["stage"]), 1.5)
                joined_count += 1
            except TimeoutError:
                pass
            peer.close()
        loss = await lecture.teach(1.0)
        lecture.end()
        return joined_count, loss

    count, loss = run(story)
    lecture.figure(joined_despite_the_forgery=count, of=3, loss=round(loss, 4))
    assert loss <= LOSS_MAX


def test_media_sent_to_guessed_addresses_reaches_nobody(lecture: Lecture) -> None:
    async def story() -> tuple[float, dict[str, Any], int]:
        await lecture.begin()
        plain = [video(5000 + i, H264_KEY) for i in range(50)] + [rtcp.pli(CAMERA), rtcp.nack(CAMERA, [1, 2, 3])]
        file = lecture.datagrams("plain", plain + [os.urandom(1) + os.urandom(300) for _ in range(20)])
        attack = Attack("blast", "--port", lecture.node.media_port, "--file", file, "--sources", 2000, "--rate", 20_000,
                        "--seconds", 2)  # fmt: skip
        await asyncio.sleep(0.5)
        loss = await lecture.teach(1.2)
        said = await attack.end()
        injected = sum(p[2:4] >= b"\x13" and H264_KEY in p and p[8:12] != lecture.stage for p in lecture.watcher.rtp)
        lecture.end()
        return loss, said, injected

    loss, said, injected = run(story)
    lecture.figure(loss=round(loss, 4), datagrams=said["sent"], injected=injected)
    assert injected == 0 and -0.001 <= loss <= LOSS_MAX


def test_replayed_and_cut_media_reaches_nobody(lecture: Lecture) -> None:
    async def story() -> tuple[float, dict[str, Any], int, float]:
        await lecture.begin()
        bad = await LightPeer(lecture.node, BAD).publish()
        once = [bad.send_media(CAMERA, i, i * 3600, H264_KEY) for i in range(40)]
        await asyncio.sleep(0.3)
        before = len(lecture.watcher.rtp)
        worse = once + [p[: 12 + i] for i, p in enumerate(once)] + [p[:-1] + bytes((p[-1] ^ 1,)) for p in once]
        attack = Attack("blast", "--port", lecture.node.media_port, "--file", lecture.datagrams("old", worse),
                        "--fd", bad.socket.fileno(), "--rate", 20_000, "--seconds", 2, fds=(bad.socket.fileno(),))  # fmt: skip
        cpu = lecture.cpu_s
        await asyncio.sleep(0.5)
        loss = await lecture.teach(1.2)
        said = await attack.end()
        cpu = lecture.cpu_s - cpu
        injected = len(lecture.watcher.rtp) - before - 2 * 30
        bad.close()
        lecture.end()
        return loss, said, injected, cpu

    loss, said, injected, cpu = run(story)
    lecture.figure(
        loss=round(loss, 4), datagrams=said["sent"], injected=injected, us_each=round(cpu / said["sent"] * 1e6, 1)
    )
    assert injected <= 0 and loss <= LOSS_MAX


def test_a_flood_of_feedback_is_not_answered_in_kind(lecture: Lecture) -> None:
    """A viewer asks for everything again, and for key frames, thousands of times a second."""

    async def story() -> tuple[float, dict[str, Any], float, int]:
        await lecture.begin()
        bad = await LightPeer(lecture.node, BAD_WATCHER).watch(["stage"])
        await lecture.teach(1.0)
        assert bad.dtls is not None
        newest = max(int.from_bytes(p[2:4], "big") for p in bad.rtp)
        ssrc = int.from_bytes(lecture.stage, "big")
        nack = struct.pack("!BBHLL", 0x81, 205, 292, 1, ssrc) + struct.pack("!HH", (newest - 16) & 0xFFFF, 0xFFFF) * 290
        flood = [bad.dtls.outbound.protect_rtcp(one) for _ in range(1000) for one in (nack, rtcp.pli(ssrc))]
        sent_before, plis_before = len(bad.rtp), len(lecture.good.rtcp)
        attack = Attack("blast", "--port", lecture.node.media_port, "--file", lecture.datagrams("flood", flood), "--once",
                        "--fd", bad.socket.fileno(), "--rate", 1000, "--seconds", 5, fds=(bad.socket.fileno(),))  # fmt: skip
        await asyncio.sleep(0.5)
        loss = await lecture.teach(1.5)
        said = await attack.end()
        await asyncio.sleep(0.3)
        answered = sum(map(len, bad.rtp[sent_before:])) / sum(map(len, flood))
        plis = sum(isinstance(r, rtcp.KeyFrameRequest) for d in lecture.good.rtcp[plis_before:] for r in rtcp.walk(d))
        bad.close()
        lecture.end()
        return loss, said, answered, plis

    loss, said, answered, plis = run(story)
    lecture.figure(
        loss=round(loss, 4), packets=said["sent"], bytes_back_per_byte=round(answered, 2), key_frame_requests=plis
    )
    assert loss <= LOSS_MAX
    assert answered <= 2.0, "no more comes back than was sent, by and large"
    assert plis <= 25, "key frames are asked of a publisher at most every 0.3 s"


def test_a_burst_of_one_publisher_at_line_rate_leaves_the_others_alone(lecture: Lecture) -> None:
    async def story() -> tuple[float, dict[str, Any], float]:
        await lecture.begin()
        bad = await LightPeer(lecture.node, BAD).publish()
        assert bad.dtls is not None
        bad.send_media(CAMERA, 0, 0, H264_KEY)
        await asyncio.sleep(0.1)
        many = [bad.dtls.outbound.protect(video(1 + i, b"\x61" + bytes(1000))) for i in range(60_000)]
        attack = Attack("blast", "--port", lecture.node.media_port, "--file", lecture.datagrams("burst", many), "--once",
                        "--fd", bad.socket.fileno(), "--seconds", 4, fds=(bad.socket.fileno(),))  # fmt: skip
        loss = await lecture.teach(1.5)
        said = await attack.end()
        after = await lecture.teach(1.0)
        bad.close()
        lecture.end()
        return loss, said, after

    loss, said, after = run(story)
    lecture.figure(loss=round(loss, 4), packets=said["sent"], seconds=said["seconds"], loss_after=round(after, 4))
    assert loss <= LOSS_MAX and after == 0


@pytest.mark.parametrize("hosts", [1, 200])
def test_checks_with_a_known_name_and_a_wrong_password_cost_little(lecture: Lecture, hosts: int) -> None:
    async def story() -> tuple[float, dict[str, Any], float]:
        await lecture.begin()
        forged = [lecture.good.check(pwd="wrong" * 5) for _ in range(100)]
        attack = Attack("blast", "--port", lecture.node.media_port, "--file", lecture.datagrams("forged", forged),
                        "--sources", hosts, "--hosts", 1, "--rate", 20_000, "--seconds", 2)  # fmt: skip
        cpu = lecture.cpu_s
        await asyncio.sleep(0.5)
        loss = await lecture.teach(1.2)
        said = await attack.end()
        cpu = lecture.cpu_s - cpu
        lecture.end()
        return loss, said, cpu

    loss, said, cpu = run(story)
    lecture.figure(loss=round(loss, 4), checks=said["sent"], hosts=hosts, us_each=round(cpu / said["sent"] * 1e6, 1))
    assert loss <= LOSS_MAX


@pytest.mark.parametrize(
    ("say", "step"),
    [("", 1), ("0040" + "00" * 64, 1), ("ffff" + "00" * 200, 202), ("0000" * 2000, 4000)],
    ids=["silent", "one byte at a time", "impossible length", "empty frames"],
)
def test_ten_thousand_connections_of_strangers_do_not_shut_the_door(lecture: Lecture, say: str, step: int) -> None:
    """From 100 addresses; while they stand, a participant joins over TCP; in the end the node has let them all go."""
    count = 10_000 if not say else 2_000

    async def story() -> tuple[float, float, dict[str, Any], int, float]:
        await lecture.begin()
        fds, rss = lecture.fds, lecture.rss_mb
        attack = Attack("connect", "--port", lecture.node.media_port, "--connections", count, "--hosts", 100,
                        "--say", say or "", "--step", step, "--seconds", FIRST_CHECK_S + 7)  # fmt: skip
        await asyncio.sleep(0.5)
        started = time.monotonic()
        peer = await LightPeer(lecture.node, "bp_tcp", tcp=True).watch(["stage", "audio-0"])
        took = time.monotonic() - started
        loss = await lecture.teach(1.2)
        heard = len(peer.rtp)
        peer.close()
        said = await attack.end()
        await asyncio.sleep(0.5)
        left, grown = lecture.fds - fds, lecture.rss_mb - rss
        assert heard >= 50
        lecture.end()
        return loss, took, said, left, grown

    loss, took, said, left, grown = run(story)
    lecture.figure(loss=round(loss, 4), join_ms=round(took * 1000), fds_left=left, rss_mb=round(grown, 1), **said)
    assert said["opened"] == count and said["left"] == 0, "who shows no valid check is let go after five seconds"
    assert left <= 2 and loss <= LOSS_MAX and took < 5


def test_a_tcp_viewer_that_stops_reading_costs_a_bounded_queue(lecture: Lecture) -> None:
    async def story() -> tuple[float, float]:
        await lecture.begin()
        slow = await LightPeer(lecture.node, BAD_WATCHER, tcp=True).watch(["stage", "guest", "audio-0"])
        asyncio.get_running_loop().remove_reader(slow.socket)
        rss = lecture.rss_mb
        heavy = await LightPeer(lecture.node, BAD).publish()
        loss = asyncio.create_task(lecture.teach(4.5))
        for i in range(6000):  # 6.6 MB, which an unbounded queue would keep
            heavy.send_media(CAMERA, i, i // 8 * 3600, H264_KEY if i == 0 else b"\x61" + bytes(1100))
            if i % 8 == 0:
                await asyncio.sleep(0.005)
        lost = await loss
        grown = lecture.rss_mb - rss
        asyncio.get_running_loop().add_reader(slow.socket, slow._read)
        slow.close()
        heavy.close()
        lecture.end()
        return lost, grown

    loss, grown = run(story)
    lecture.figure(loss=round(loss, 4), rss_growth_mb=round(grown, 1))
    assert grown <= QUEUE_MB and loss <= LOSS_MAX


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_a_viewer_that_is_stopped_costs_no_memory(lecture: Lecture, tcp: bool) -> None:
    async def story() -> tuple[float, float]:
        await lecture.begin()
        viewer = Attack("watch", "--state", lecture.node.state_file, "--token", TOKEN, "--peer", BAD_WATCHER,
                        "--seconds", 60, *(["--tcp"] if tcp else []))  # fmt: skip
        assert viewer.process.stdout is not None
        assert (await asyncio.to_thread(viewer.process.stdout.readline)).strip() == "watching"
        heavy = await LightPeer(lecture.node, BAD).publish()
        rss = lecture.rss_mb
        viewer.process.send_signal(signal.SIGSTOP)
        loss = asyncio.create_task(lecture.teach(4.5))
        for i in range(6000):  # 6.6 MB, which an unbounded queue would keep
            heavy.send_media(CAMERA, i, i // 8 * 3600, H264_KEY if i == 0 else b"\x61" + bytes(1100))
            if i % 8 == 0:
                await asyncio.sleep(0.005)
        lost = await loss
        grown = lecture.rss_mb - rss
        viewer.process.kill()
        await asyncio.to_thread(viewer.process.communicate)
        heavy.close()
        lecture.end()
        return lost, grown

    loss, grown = run(story)
    lecture.figure(loss=round(loss, 4), rss_growth_mb=round(grown, 1))
    assert grown <= QUEUE_MB and loss <= LOSS_MAX


def test_a_leg_that_breaks_off_without_a_goodbye_is_freed_by_itself(lecture: Lecture) -> None:
    """A TCP viewer whose connection is reset leaves at once; the room's status says so."""

    async def story() -> tuple[list[str], list[str]]:
        await lecture.begin()
        gone = await LightPeer(lecture.node, BAD_WATCHER, tcp=True).watch(["stage"])
        before = lecture.node.plan(1, SLOTS, [GOOD, BAD])["peers"]
        asyncio.get_running_loop().remove_reader(gone.socket)
        gone.socket.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER 0: reset, not FIN
        gone.socket.close()
        await asyncio.sleep(0.5)
        after = lecture.node.plan(1, SLOTS, [GOOD, BAD])["peers"]
        lecture.end()
        return before, after

    before, after = run(story)
    assert BAD_WATCHER in before and BAD_WATCHER not in after
    assert ROOM


def test_a_publisher_has_a_queue_of_its_own_that_goes_with_it(lecture: Lecture) -> None:
    async def story() -> tuple[int, int, int, int]:
        await lecture.begin()
        before = lecture.fds
        bad = await LightPeer(lecture.node, BAD).publish()
        with_one = lecture.fds
        viewer = await LightPeer(lecture.node, "bp_viewer").watch(["stage"])
        with_viewer = lecture.fds
        bad.close()
        viewer.close()
        deadline = time.monotonic() + 10
        while lecture.fds > before and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        after = lecture.fds
        lecture.end()
        return before, with_one, with_viewer, after

    before, with_one, with_viewer, after = run(story)
    assert (with_one, with_viewer, after) == (before + 1, before + 1, before)
