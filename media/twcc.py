"""Transport-wide congestion control, receiver's side: tell a publisher when each packet arrived.

With it a browser finds the width of its line in about a second; with a bitrate limit (REMB) alone
it grows by 8 % a second.  Source: draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1.
"""

import struct

from media.rtcp import NODE_SSRC, RTPFB

TICK_S = 0.000_25  # unit of arrival deltas
BASE_TICKS = 256  # deltas per unit of the reference time, 64 ms
WINDOW = 400  # packets reported at once; older ones that are still missing count as lost
SMALL, LARGE = 1, 2  # one and two byte deltas


class ArrivalLog:
    """Arrivals of one publisher's packets since the last feedback."""

    def __init__(self) -> None:
        """Start with nothing received."""
        self._next: int | None = None  # first sequence number of the next feedback, unwrapped
        self._highest = 0
        self._arrived: dict[int, float] = {}
        self._count = 0

    def arrived(self, seq: int, now: float) -> None:
        """Note a packet.  seq: 16-bit transport-wide sequence number; now: seconds, any steady clock."""
        if self._next is None:
            self._next = self._highest = seq
        unwrapped = self._highest + ((seq - self._highest + 0x8000) & 0xFFFF) - 0x8000
        if unwrapped < self._next or unwrapped in self._arrived:
            return  # reported as lost already, or a duplicate
        self._highest = max(self._highest, unwrapped)
        self._arrived[unwrapped] = now

    def feedback(self, ssrc: int) -> bytes | None:
        """Return the RTCP packet about everything since the last one, None when nothing came.

        ssrc: any media source of the publisher.
        """
        if not self._arrived or self._next is None:
            return None
        first = max(self._next, self._highest - WINDOW + 1)
        known = {seq: at for seq, at in self._arrived.items() if seq >= first}
        base = int(min(known.values()) / (TICK_S * BASE_TICKS))
        symbols, deltas, before = [], b"", base * BASE_TICKS
        for seq in range(first, self._highest + 1):
            at = known.get(seq)
            if at is None:
                symbols.append(0)
                continue
            ticks = round(at / TICK_S)
            delta = max(-32_768, min(32_767, ticks - before))
            before += delta
            small = 0 <= delta <= 255
            symbols.append(SMALL if small else LARGE)
            deltas += struct.pack("!B", delta) if small else struct.pack("!h", delta)
        body = struct.pack("!LLHHL", NODE_SSRC, ssrc, first & 0xFFFF, len(symbols),
                           (base & 0xFFFFFF) << 8 | self._count & 0xFF)  # fmt: skip
        body += _chunks(symbols) + deltas
        pad = -len(body) % 4
        if pad:
            body += bytes(pad - 1) + bytes((pad,))
        self._count += 1
        self._next = self._highest + 1
        self._arrived.clear()
        return struct.pack("!BBH", 0x8F | (0x20 if pad else 0), RTPFB, len(body) // 4) + body


def _chunks(symbols: list[int]) -> bytes:
    """Pack packet states: runs of one state, else seven states of two bits each."""
    out, i = b"", 0
    while i < len(symbols):
        run = 1
        while i + run < len(symbols) and symbols[i + run] == symbols[i] and run < 8191:
            run += 1
        if run >= 7 or i + run == len(symbols):
            out += struct.pack("!H", symbols[i] << 13 | run)
            i += run
            continue
        seven = symbols[i : i + 7] + [0] * (7 - len(symbols[i : i + 7]))
        word = 0xC000
        for place, symbol in enumerate(seven):
            word |= symbol << (12 - 2 * place)
        out += struct.pack("!H", word)
        i += 7
    return out
