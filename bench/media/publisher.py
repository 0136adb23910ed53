"""A publisher without a browser: the packets of `traffic`, on time, with sender reports."""

import asyncio
import time

from bench.media.light import Peer
from bench.media.traffic import AUDIO_SSRC, PACKETS, PERIOD_S, VIDEO_SSRC, Stream
from media.rtcp import SenderReport, sender_report

REPORT_S = 1.0


class Publisher:
    """Feeds one publishing leg."""

    def __init__(self, peer: Peer) -> None:
        """Take a leg that is up, or about to be."""
        self.peer = peer
        self.stream = Stream()
        self.restart = False  # set it for a key frame: the period begins again with its next packet
        self.key_frames = 0
        self.sent_at: dict[int, float] = {}  # packet number -> seconds since 1970

    async def run(self, seconds: float) -> None:
        """Send for `seconds`, beginning with a key frame."""
        stream, loop = self.stream, asyncio.get_running_loop()
        stream.sent += -stream.sent % PACKETS
        first_s = stream.due_s
        start, report_at = loop.time() - first_s, 0.0
        while stream.due_s - first_s < seconds:
            wait_s = start + stream.due_s - loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if self.restart and stream.sent % PACKETS:
                before = stream.due_s
                stream.sent += -stream.sent % PACKETS
                start -= stream.due_s - before
                first_s += stream.due_s - before
            self.restart = False
            self.key_frames += stream.sent % PACKETS == 0
            if loop.time() > report_at:
                report_at = loop.time() + REPORT_S
                self._report()
            self._send()

    def _send(self) -> None:
        number = self.stream.sent
        assert self.peer.dtls is not None
        protected = self.peer.dtls.outbound.protect(self.stream.next())
        self.sent_at[number] = time.time()
        self.peer.send(protected)

    def _report(self) -> None:
        now, at_s = time.time(), self.stream.sent / PACKETS * PERIOD_S
        for ssrc, hertz in ((VIDEO_SSRC, 90_000), (AUDIO_SSRC, 48_000)):
            report = SenderReport(ssrc, now, int(at_s * hertz))
            self.peer.send_rtcp(sender_report(ssrc, report, self.stream.sent, 0))
