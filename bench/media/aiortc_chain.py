"""aiortc's own sender chain to many receivers, as a process: `RTCRtpSender` without its encoder.

Reads one JSON line of receivers, prints one of its own ends, says "ready" when ICE and DTLS are done,
and then for each line with a number of seconds sends the publisher's packets to all and prints how many.
"""

import asyncio
import json
import logging
import sys
from typing import Any

from aiortc import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    RTCIceCandidate,
    RTCIceGatherer,
    RTCIceParameters,
    RTCIceTransport,
    clock,
)
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpSendParameters
from aiortc.rtp import HeaderExtensionsMap, RtpPacket

from bench.media.traffic import AUDIO_TYPE, PACKETS, VIDEO_TYPE, Stream
from media.sdp import ABS_SEND_TIME_URI
from media.slots import ABS_SEND_TIME_ID

log = logging.getLogger(__name__)
HISTORY = 128  # aiortc.rtp.RTP_HISTORY_SIZE


class Sender:
    """What one receiver of the stream has in aiortc: an ICE and a DTLS transport, and the history for NACKs."""

    def __init__(self, certificate: RTCCertificate) -> None:
        self.gatherer = RTCIceGatherer(iceServers=[])
        self.ice = RTCIceTransport(self.gatherer)
        self.ice._connection.ice_controlling = True
        self.dtls = RTCDtlsTransport(self.ice, [certificate])
        self.history: dict[int, RtpPacket] = {}

    async def own(self) -> dict[str, Any]:
        """Return what the receiver must know."""
        await self.gatherer.gather()
        candidate = next(c for c in self.gatherer.getLocalCandidates() if ":" not in c.ip)
        names = self.gatherer.getLocalParameters()
        print_ = next(f for f in self.dtls.getLocalParameters().fingerprints if f.algorithm == "sha-256")
        return {"ufrag": names.usernameFragment, "pwd": names.password, "fingerprint": print_.value,
                "address": candidate.ip, "port": candidate.port}  # fmt: skip

    async def connect(self, receiver: dict[str, Any]) -> None:
        """Connect to a light peer."""
        await self.ice.addRemoteCandidate(
            RTCIceCandidate(component=1, foundation="1", ip=receiver["address"], port=receiver["port"], priority=1,
                            protocol="udp", type="host")
        )  # fmt: skip
        await self.ice.addRemoteCandidate(None)
        await self.ice.start(RTCIceParameters(receiver["ufrag"], receiver["pwd"], iceLite=True))
        print_ = RTCDtlsFingerprint("sha-256", receiver["fingerprint"])
        await self.dtls.start(RTCDtlsParameters([print_]))
        if self.dtls.state != "connected":
            raise ConnectionError(f"DTLS is {self.dtls.state}")


async def send(senders: list[Sender], stream: Stream, seconds: float) -> int:
    """Send the stream to all.  Returns the packets sent, counted once per receiver."""
    extensions = HeaderExtensionsMap()
    wanted = RTCRtpHeaderExtensionParameters(id=ABS_SEND_TIME_ID, uri=ABS_SEND_TIME_URI)
    extensions.configure(RTCRtpSendParameters(headerExtensions=[wanted]))
    stream.sent += -stream.sent % PACKETS
    first, first_s, loop = stream.sent, stream.due_s, asyncio.get_running_loop()
    start = loop.time() - first_s
    while stream.due_s - first_s < seconds:
        await asyncio.sleep(max(0.0, start + stream.due_s - loop.time()))
        data = stream.next()
        kind, marker = data[1] & 0x7F, data[1] >> 7
        assert kind in (AUDIO_TYPE, VIDEO_TYPE)
        seq, timestamp = int.from_bytes(data[2:4], "big"), int.from_bytes(data[4:8], "big")
        ssrc, payload = int.from_bytes(data[8:12], "big"), data[12:]
        for sender in senders:  # the body of RTCRtpSender._run_rtp, once per packet and receiver
            packet = RtpPacket(payload_type=kind, sequence_number=seq, timestamp=timestamp)
            packet.ssrc = ssrc
            packet.payload = payload
            packet.marker = marker
            packet.extensions.abs_send_time = (clock.current_ntp_time() >> 14) & 0x00FFFFFF
            log.debug("> %s", packet)
            sender.history[packet.sequence_number % HISTORY] = packet
            await sender.dtls._send_rtp(packet.serialize(extensions))
    return (stream.sent - first) * len(senders)


async def main() -> None:
    """Follow the lines on standard input."""
    receivers = json.loads(await asyncio.to_thread(sys.stdin.readline))
    certificate = RTCCertificate.generateCertificate()
    senders = [Sender(certificate) for _ in receivers]
    print(json.dumps([await sender.own() for sender in senders]), flush=True)
    for i in range(0, len(senders), 20):
        pairs = zip(senders[i : i + 20], receivers[i : i + 20], strict=True)
        await asyncio.gather(*(sender.connect(receiver) for sender, receiver in pairs))
    print("ready", flush=True)
    stream = Stream()
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(await send(senders, stream, float(line)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
