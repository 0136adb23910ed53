"""The node and its recorder: what is kept when one of them is killed, and that a replay is always made whole."""

import asyncio
import os
import signal
import subprocess
from pathlib import Path

from tests.media.conftest import ROOM, NodeProcess, wait_for
from tests.media.light import LightPeer

A = "usr_a"
SLOTS = {"stage": f"{A}/camera", "audio-0": f"{A}/mic"}


def segments(node: NodeProcess) -> list[str]:
    folder = node.data_dir / "recordings" / ROOM / "program"
    return sorted(f.name for f in folder.glob("*.m4s")) if folder.is_dir() else []


def playlist(node: NodeProcess) -> str:
    path: Path = node.data_dir / "recordings" / ROOM / "program.m3u8"
    return path.read_text() if path.exists() else ""


def recorder_of(node: NodeProcess) -> int:
    found = subprocess.run(
        ["pgrep", "-f", f"media.recorder --dir {node.data_dir}"], capture_output=True, text=True, check=False
    )
    return int(found.stdout.split()[0]) if found.stdout else 0


def teach(node: NodeProcess, seconds: float) -> None:
    async def story() -> None:
        peer = await LightPeer(node, A).publish()
        await peer.stream(seconds)
        peer.close()

    asyncio.run(asyncio.wait_for(story(), 60))


def test_a_recorder_that_is_killed_starts_again_and_goes_on_in_the_same_recording(node: NodeProcess) -> None:
    node.plan(1, SLOTS, [A], recording=True)
    teach(node, 5)
    before = wait_for(lambda: segments(node), "a first segment")
    first = recorder_of(node)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: recorder_of(node) not in (0, first), "another recorder")
    teach(node, 5)
    wait_for(lambda: len(segments(node)) > len(before), "another segment")
    node.plan(2, {}, [], recording=False)
    wait_for(lambda: "#EXT-X-ENDLIST" in playlist(node), "the end of the playlist")
    assert "#EXT-X-DISCONTINUITY" in playlist(node)
    assert set(before) <= set(segments(node)), "nothing that was kept is lost"
    assert all(name in playlist(node) for name in segments(node))


def test_a_class_that_ends_while_the_node_is_away_has_its_replay_when_the_node_is_back(node: NodeProcess) -> None:
    node.plan(1, SLOTS, [A], recording=True)
    teach(node, 5)
    wait_for(lambda: segments(node), "a first segment")
    recorder = recorder_of(node)
    node.kill()
    wait_for(lambda: recorder_of(node) != recorder, "the orphaned recorder to finish")
    assert "#EXT-X-ENDLIST" not in playlist(node), "the class may go on"
    node.start()
    node.plan(2, {}, [], recording=False)
    wait_for(lambda: "#EXT-X-ENDLIST" in playlist(node), "the end of the playlist")
    assert all(name in playlist(node) for name in segments(node))
