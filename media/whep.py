"""A player's leg (WHEP): it offers, and receives the program of the room on one audio and one video line.

The payload types and extension ids are the player's, so its packets go out on slots of its own; what
those show follows the floor as the recording does.
**Source:** draft-ietf-wish-whep section 4.2, RFC 3264 section 6.1 (the offerer's payload types).
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from core.errors import N_, Invalid
from media import sdp
from media.downleg import DownLeg
from media.rtp import Incoming
from media.slots import PAYLOAD_TYPES, Slot, Switched
from media.sources import Publication, Source
from media.transport import Port

AUDIO_SSRC, VIDEO_SSRC = 0x20000, 0x20010
EXTENSION_AT = 16  # the one extension's id and length in a slot's packets, after 12 bytes of header and 4 of 0xBEDE
BODY_AT = 20
Choice = Callable[[str], list[Publication]]


class PlayerSlot(Slot):
    """A slot whose packets carry a player's own numbers."""

    def __init__(self, name: str, line: sdp.PlayLine) -> None:
        """Start empty.

        name: of the room's slot it stands for; line: what was agreed with the player.
        """
        super().__init__(name, "audio" if line.section.kind == "audio" else "video", line.ssrc)
        self._types = dict(sdp.numbers(line))
        self._extension = line.section.extensions.get(sdp.ABS_SEND_TIME_URI, 0)

    def takes(self, codec: str) -> bool:
        """Return whether the player can decode this."""
        return PAYLOAD_TYPES[codec] in self._types

    def feed(self, source: Source, packet: Incoming, now: float) -> tuple[bytes | None, Switched | None]:
        """See `Slot.feed`; the packet carries the player's numbers."""
        out, switched = super().feed(source, packet, now)
        return self._translated(out), switched

    def repair(self, seq: int, rtx_seq: int | None, shift: tuple[int, int] | None = None) -> bytes | None:
        """See `Slot.repair`; the packet carries the player's numbers."""
        return self._translated(super().repair(seq, rtx_seq, shift))

    def _translated(self, packet: bytes | None) -> bytes | None:
        if packet is None:
            return None
        out = bytearray(packet)
        out[1] = out[1] & 0x80 | self._types.get(out[1] & 0x7F, 0)
        if 0 < self._extension < 15:
            out[EXTENSION_AT] = self._extension << 4 | out[EXTENSION_AT] & 0x0F
        else:  # the player did not ask for it
            out[0] &= ~0x10
            del out[12:BODY_AT]
        return bytes(out)


class PlayerLeg(DownLeg):
    """What a player sees: the program."""

    kind: Literal["down", "play"] = "play"

    def __init__(
        self, port: Port, peer: str, offer: str, on_state: Callable[[DownLeg, str | None], None], choice: Choice
    ) -> None:
        """Read a player's offer; `answer` is what it must be told.

        choice(kind): the publications the program may show, `audio` or `video`, the first one first;
        on_state(leg, None) when up, (leg, reason) when down.
        Raises Invalid `sdp.sections` for an offer that receives nothing, `sdp.codecs` when nothing can be sent.
        """
        description = sdp.read(offer)
        lines = _lines(description, offer)
        slots = [PlayerSlot("audio-0" if line.section.kind == "audio" else "stage", line) for line in lines]
        super().__init__(port, peer, list(slots), on_state, self._shown)
        self._choice = choice
        self._repairs_apart = any(codec.rtx is not None for line in lines for codec in line.codecs)
        self._answered = True
        self.answer = sdp.answer_play(description, lines, self.transport.credentials)
        self.transport.remote(description.ufrag, description.fingerprint, server=description.setup != "passive")

    def _shown(self, slot: Slot) -> Publication | None:
        """Return what a line shall show: the first of the program that the player can decode."""
        found = [p for p in self._choice(slot.kind) if isinstance(slot, PlayerSlot) and slot.takes(p.codec)]
        return found[0] if found else None

    def arrange(self, now: float) -> None:
        """Point the player's own slots, and then its lines."""
        for view in self.views:
            publication = self._shown(view.slot)
            view.slot.show(publication.pick(None, now, view.slot.current) if publication else None, now)
        super().arrange(now)

    def start(self) -> None:
        """Begin to send."""
        super().start()
        self.arrange(time.time())

    def tick(self, now: float) -> None:
        """See `DownLeg.tick`; nobody else asks again for the key frames of these slots."""
        super().tick(now)
        for view in self.views:
            if view.slot.wanted is not view.slot.current:
                view.slot.retry(now)

    def close(self) -> None:
        """Stop sending, and take the slots off their sources."""
        super().close()
        for view in self.views:
            view.slot.retire()


def _lines(offer: sdp.Description, text: str) -> list[sdp.PlayLine]:
    """Return the lines we send on: the first audio and the first video that the player receives."""
    directions = sdp.directions(text)
    lines: list[sdp.PlayLine] = []
    for section, direction in zip(offer.sections, directions, strict=True):
        taken = section.kind in {line.section.kind for line in lines}
        if taken or section.rejected or direction not in ("recvonly", "sendrecv"):
            continue
        names = ("OPUS",) if section.kind == "audio" else ("H264", "VP8")
        of_each = (replace(section, codecs={t: n for t, n in section.codecs.items() if n == name}) for name in names)
        codecs = tuple(codec for one in of_each if (codec := sdp.choose(one)) is not None)
        if codecs:
            lines.append(sdp.PlayLine(section, codecs, AUDIO_SSRC if section.kind == "audio" else VIDEO_SSRC))
    if not any(direction in ("recvonly", "sendrecv") for direction in directions):
        raise Invalid("sdp.sections", N_("A player's offer receives sound or picture."))
    if not lines:
        raise Invalid("sdp.codecs", N_("This player offers neither H.264 nor VP8 nor Opus."))
    return lines
