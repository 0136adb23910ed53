"""The process that is the bad line: two network namespaces of its own, a TUN device in each, two pipes between them.

Started by `bench.badnet.link`. The namespaces have no name: they are gone when this process and
those started inside them are gone, however they ended. It ends when its standard input closes or
its time is over. Orders come as JSON lines, `{"down": {"loss": 0.05}, "up": {…}}` (any may be
missing; down: towards the far side), each answered by a JSON line with both directions' state.
"""

import argparse
import ctypes
import fcntl
import json
import os
import select
import struct
import subprocess
import sys
import time

from bench.badnet.pipe import Conditions, Pipe

CLONE_NEWNET = 0x40000000  # linux/sched.h
TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
MTU = 1400
NEAR, FAR = "10.232.7.1", "10.232.7.2"
BURST = 64  # packets read from one side before the other gets its turn
URGENT = -10  # nice value: a measuring device that waits for the processor measures itself

libc = ctypes.CDLL(None, use_errno=True)


def call(function: str, *arguments: int) -> None:
    """Call a function of libc.  Raises OSError when it fails."""
    if getattr(libc, function)(*arguments):
        code = ctypes.get_errno()
        raise OSError(code, f"{function}: {os.strerror(code)}")


def namespace(address: str) -> tuple[int, int]:
    """Make a network namespace with loopback and a TUN device `line` that has the address; this thread is then in it.

    Returns (descriptor of the namespace, of the device).
    """
    call("unshare", CLONE_NEWNET)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"line", IFF_TUN | IFF_NO_PI))
    for words in ("link set lo up", f"addr add {address}/24 dev line", f"link set line mtu {MTU} up",
                  "route add default dev line"):  # fmt: skip
        subprocess.run(["ip", *words.split()], check=True)
    return os.open("/proc/self/ns/net", os.O_RDONLY), device


class Relay:
    """Carries packets between the two sides, and obeys."""

    def __init__(self, near: int, far: int, seed: int, limit_s: float) -> None:
        """near, far: descriptors of the TUN devices; seed: of the pattern; limit_s: seconds to live."""
        self.down = Pipe(Conditions(), seed)  # near to far: what a viewer on the far side receives
        self.up = Pipe(Conditions(), seed + 1)
        self._ways = {near: (self.down, far), far: (self.up, near)}
        self._ends_at = time.monotonic() + limit_s
        self._line = b""

    def run(self) -> None:
        """Carry until told to stop or out of time."""
        while (now := time.monotonic()) < self._ends_at:
            times = [at for pipe, _ in self._ways.values() if (at := pipe.next_at()) is not None]
            ready, _, _ = select.select([*self._ways, 0], [], [], max(0.0, min([*times, now + 1.0]) - now))
            for device in ready:
                if device == 0:
                    if not self._orders():
                        return
                else:
                    self._read(device)
            for pipe, out in self._ways.values():
                for packet in pipe.due(time.monotonic()):
                    try:
                        os.write(out, packet)
                    except OSError:  # the device is down, or its queue is full: so be it, like on a real line
                        continue

    def _read(self, device: int) -> None:
        pipe, _ = self._ways[device]
        for _ in range(BURST):
            try:
                pipe.push(os.read(device, 2048), time.monotonic())
            except OSError:  # nothing more, or the device is down
                return

    def _orders(self) -> bool:
        """Obey what has come; False at the end of the input."""
        data = os.read(0, 65536)
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            try:
                order = json.loads(line)
                for way, values in order.items():
                    {"down": self.down, "up": self.up}[way].change(time.monotonic(), **values)
                say({"down": self.down.state(), "up": self.up.state()})
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                say({"error": f"{type(error).__name__}: {error}"})
        return bool(data)


def say(answer: dict[str, object]) -> None:
    """Write one line to whoever gives the orders."""
    os.write(1, json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Make the line, tell how to get inside, carry."""
    parser = argparse.ArgumentParser(prog="python -m bench.badnet.relay", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit-s", type=float, default=300.0)
    given = parser.parse_args()
    try:
        near_space, near = namespace(NEAR)
        far_space, far = namespace(FAR)
    except (OSError, subprocess.CalledProcessError) as error:
        say({"error": str(error)})
        sys.exit(1)
    os.setpriority(os.PRIO_PROCESS, 0, URGENT)
    say({"pid": os.getpid(), "near": near_space, "far": far_space})
    Relay(near, far, given.seed, given.limit_s).run()


if __name__ == "__main__":
    main()
