"""The event bus: features meet here, wired together on one page (`app/wiring.py`)."""

import logging
from collections import defaultdict
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)


class EventBus:
    """Synchronous publish and subscribe by the event's class."""

    def __init__(self) -> None:
        """Start with no listener."""
        self._listeners: defaultdict[type, list[Callable[[Any], None]]] = defaultdict(list)

    def subscribe(self, kind: type, listener: Callable[[Any], None]) -> None:
        """Call `listener(event)` for every published instance of `kind` or of a subclass."""
        self._listeners[kind].append(listener)

    def publish(self, event: object) -> None:
        """Tell every listener; one that fails is logged and never stops the others."""
        for kind in type(event).__mro__:
            for listener in self._listeners.get(kind, ()):
                try:
                    listener(event)
                except Exception:
                    log.exception("listener failed", extra={"event_type": type(event).__name__})
