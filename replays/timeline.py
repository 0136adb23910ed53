"""A class's journal as the replay page is fed it: what every screen was told, in order. Pure."""

import logging
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from core.journal import Entry
from replays.chapters import Moment
from rooms.events import parse

log = logging.getLogger(__name__)


def moments(entries: Iterable[Entry]) -> list[tuple[int, Moment]]:
    """Return (seq, moment) pairs; an entry of a kind that this version does not know is left out."""
    found = []
    for entry in entries:
        try:
            found.append((entry.seq, Moment(entry.at_ms, parse(entry.type, entry.body))))
        except ValidationError:
            log.warning("journal entry not understood", extra={"lecture": entry.lecture_id, "seq": entry.seq})
    return found


def wire(numbered: Iterable[tuple[int, Moment]]) -> list[dict[str, Any]]:
    """Return entries as the page's reducer takes them: seq, at_ms, and the event with its type."""
    return [
        {"seq": seq, "at_ms": moment.at_ms, "event": moment.event.model_dump(mode="json")} for seq, moment in numbered
    ]


def ids_of(numbered: Iterable[tuple[int, Moment]]) -> set[str]:
    """Return every id whose name or words a screen may need."""
    ids: set[str] = set()
    for _, moment in numbered:
        for value in moment.event.body().values():
            values = value if isinstance(value, list) else [value]
            ids.update(part.split("/")[0] for part in values if isinstance(part, str) and "_" in part)
    return ids
