"""The floor: builds floor.c with gcc and runs it with the publisher's packets."""

import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from bench.media.processes import set_apart
from bench.media.traffic import PACKETS, PERIOD_S, Stream
from media.slots import ABS_SEND_TIME_ID

SOURCE = Path(__file__).with_name("floor.c")


class Destination(NamedTuple):
    """One viewer of the floor: where it is, and its SRTP master key and salt (28 bytes)."""

    address: str
    port: int
    key: bytes


def build(folder: Path) -> Path:
    """Compile the program into `folder` and return its path.  Raises CalledProcessError."""
    program = folder / "floor"
    subprocess.run(
        ["gcc", "-O2", "-march=native", "-Wall", "-Wextra", "-Werror", "-o", program, SOURCE, "-lcrypto"], check=True
    )
    return program


def packets_file(path: Path) -> None:
    """Write one period of packets as the node forwards them: a 12-byte header and an 8-byte extension block."""
    stream = Stream()
    extension = b"\xbe\xde\x00\x01" + bytes((ABS_SEND_TIME_ID << 4 | 2, 1, 2, 3))
    with path.open("wb") as out:
        out.write(int(PERIOD_S * 1e6).to_bytes(4, "little"))
        for _ in range(PACKETS):
            due_us = int(stream.due_s * 1e6)
            packet = stream.next()
            packet = bytes((packet[0] | 0x10,)) + packet[1:12] + extension + packet[12:]
            out.write(due_us.to_bytes(4, "little") + len(packet).to_bytes(2, "little") + packet)


def run(program: Path, seconds: float, destinations: list[Destination]) -> tuple[int, int, float]:
    """Send for `seconds` to all destinations.

    Returns (packets sent, packets the kernel refused, CPU seconds).  Raises CalledProcessError.
    """
    with tempfile.TemporaryDirectory(prefix="bench-floor-") as folder:
        packets = Path(folder) / "packets"
        packets_file(packets)
        with subprocess.Popen(
            [program, str(seconds), packets], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            set_apart(process.pid)
            given = "".join(f"{d.address} {d.port} {d.key.hex()}\n" for d in destinations)
            said = process.communicate(given, timeout=seconds + 20)[0].split()
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, program)
    return int(said[0]), int(said[1]), int(said[2]) / 1e6
