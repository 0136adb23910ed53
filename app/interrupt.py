"""SIGTERM and SIGINT end the main thread of control, whichever green thread they happen to fall into.

Python runs a signal's handler in whatever runs just then. Under green threads that is any of them: an
exception raised there ends that one, and the process goes on as if nobody had asked it to stop.
"""

import signal
from collections.abc import Callable
from types import FrameType

NUMBERS = (signal.SIGTERM, signal.SIGINT)


def end_on_signals(later: Callable[[], object] | None) -> None:
    """Have KeyboardInterrupt raised in the main thread of control when this process is told to stop.

    later: raises it there once the hub of the green threads runs; None where threads are real: Python
    runs handlers in the main one then.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        if later is None:
            raise KeyboardInterrupt
        later()

    for number in NUMBERS:
        signal.signal(number, interrupt)


def ignore_signals() -> None:
    """Let nothing disturb what is being closed: to be told once is enough."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)
