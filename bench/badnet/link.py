"""A bad line between two network namespaces, made by whoever needs one and gone with them.

The kernels this runs on have no netem, so a process of ours (`bench.badnet.relay`) is the line.
It needs root and /dev/net/tun; without them `Link` raises a RuntimeError that says so.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.badnet import relay

ROOT = Path(__file__).resolve().parents[2]
ANSWER_S = 10.0


class Namespace:
    """One side of a link."""

    def __init__(self, descriptor: int, address: str) -> None:
        """descriptor: of the network namespace; address: its end of the line, IPv4."""
        self.descriptor = descriptor
        self.address = address

    @property
    def path(self) -> str:
        """Return the file that stands for the namespace, for nsenter."""
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Put the calling thread inside: sockets it opens and processes it starts meanwhile belong there for good."""
        outside = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
        try:
            relay.call("setns", self.descriptor, relay.CLONE_NEWNET)
            yield
        finally:
            relay.call("setns", outside, relay.CLONE_NEWNET)
            os.close(outside)

    def run(self, *command: str) -> str:
        """Run a command inside to its end.  Returns its output, raises CalledProcessError."""
        with self.entered():
            return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout

    def program(self, path: Path, executable: str) -> Path:
        """Write a script that runs an executable inside, for those who start programs by name.  path: where to."""
        path.write_text(f'#!/bin/sh\nexec nsenter --net={self.path} -- {executable} "$@"\n')
        path.chmod(0o755)
        return path


class Link:
    """The line: `near` is where the server is, `far` where the bad network begins."""

    def __init__(self, seed: int = 1, limit_s: float = 300.0) -> None:
        """Make it, without any impairment yet.

        seed: of the loss pattern; limit_s: seconds after which it ends by itself.
        Raises RuntimeError where namespaces and TUN devices cannot be made.
        """
        if os.geteuid() != 0 or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            raise RuntimeError(
                "The bad-network laboratory makes network namespaces joined by TUN devices: "
                "it needs root and a usable /dev/net/tun (in a container: --cap-add NET_ADMIN --device /dev/net/tun)."
            )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.badnet.relay", "--seed", str(seed), "--limit-s", str(limit_s)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._spaces: list[int] = []
        try:
            made = self._answer()
            for side in ("near", "far"):
                self._spaces.append(os.open(f"/proc/{made['pid']}/fd/{made[side]}", os.O_RDONLY))
        except BaseException:
            self.close()
            raise
        self.near = Namespace(self._spaces[0], relay.NEAR)
        self.far = Namespace(self._spaces[1], relay.FAR)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], ANSWER_S)
        line = self._process.stdout.readline() if ready else b""
        answer: dict[str, Any] = json.loads(line) if line else {"error": "it does not answer; its time is over?"}
        if "error" in answer:
            raise RuntimeError(f"the bad line: {answer['error']}")
        return answer

    def set(
        self,
        both: dict[str, Any] | None = None,
        *,
        down: dict[str, Any] | None = None,
        up: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Change conditions at once; what is not named stays.

        both, down, up: fields of `bench.badnet.pipe.Conditions`; down is towards the far side.
        Returns both directions' conditions and counters, `{"down": {…}, "up": {…}}`.
        """
        order = {"down": {**(both or {}), **(down or {})}, "up": {**(both or {}), **(up or {})}}
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise RuntimeError("the bad line is gone; its time is over?") from error
        return self._answer()

    def state(self) -> dict[str, Any]:
        """Return conditions and counters; the longest queue starts anew."""
        return self.set()

    def close(self) -> None:
        """End it; the namespaces go with the last process inside."""
        for descriptor in self._spaces:
            os.close(descriptor)
        self._spaces = []
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        self._process.stdout.close()

    def __enter__(self) -> "Link":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
