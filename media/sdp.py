"""SDP, exactly as much as two fixed kinds of leg need: read offers and answers, write ours.

Written by hand because library round trips lose lines that matter (rid, simulcast, rtcp-rsize,
extmap directions), and read strictly because the text comes from strangers: anything unexpected
is one error, `sdp.malformed`.
"""

import secrets
from dataclasses import dataclass, field

from core.errors import N_, Invalid
from media.slots import ABS_SEND_TIME_ID, PAYLOAD_TYPES, RTX_TYPES, TRANSPORT_CC_ID, Slot

MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID_URI = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID_URI = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
ABS_SEND_TIME_URI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_CC_URI = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
AUDIO_LEVEL_URI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
UNDERSTOOD = (MID_URI, RID_URI, REPAIRED_RID_URI, ABS_SEND_TIME_URI, TRANSPORT_CC_URI, AUDIO_LEVEL_URI)
VIDEO_FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc")
LAYERS_MAX = 4  # simulcast layers of one camera
OPUS_BPS = 28_000  # speech at full band, and twice; with its headers it takes 54 of a line of 64 kbit/s
H264_FMTP = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
START_KBPS = 1500  # a browser that starts at its own 300 kbit/s needs 20 s to a sharp picture
UDP_PRIORITY = 2_130_706_431  # host, RFC 8445 section 5.1.2.1
# Below UDP, RFC 6544 section 4.2: with equal ones TCP won about one time in five.
TCP_PRIORITY = 1_671_430_143


@dataclass(frozen=True)
class Section:
    """One m-line of somebody's SDP."""

    kind: str  # "audio" or "video"
    mid: str
    payload_types: tuple[int, ...]
    codecs: dict[int, str]  # payload type -> encoding name, upper case
    formats: dict[int, str]  # payload type -> fmtp
    extensions: dict[str, int]
    ssrcs: tuple[int, ...]
    repairs: dict[int, int]  # RTX ssrc -> media ssrc
    rejected: bool
    raw_maps: dict[int, str] = field(default_factory=dict)  # payload type -> "opus/48000/2"
    feedback: dict[str, set[str]] = field(default_factory=dict)  # payload type or * -> kinds of RTCP feedback
    rids: tuple[str, ...] = ()  # names of the simulcast layers it sends


@dataclass(frozen=True)
class Description:
    """Somebody's whole SDP."""

    ufrag: str
    fingerprint: bytes  # SHA-256, 32 bytes
    setup: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Credentials:
    """What identifies our side of a leg."""

    ufrag: str
    pwd: str
    fingerprint: bytes
    addresses: tuple[tuple[str, int], ...]  # announced (ip, port)


@dataclass(frozen=True)
class Codec:
    """What was agreed for one m-line of a publishing leg."""

    name: str  # opus, H264, VP8
    payload_type: int
    rtx: int | None


@dataclass(frozen=True)
class Track:
    """One m-line of a publishing leg that we take."""

    kind: str  # mic, camera, screen
    codec: Codec
    section: Section


def read(text: str) -> Description:
    """Parse an offer or an answer of a browser.

    text: the SDP.  Raises Invalid `sdp.malformed` for anything that is not one.
    Source: RFC 8866, RFC 8829 section 5.8, RFC 8122 (fingerprint), RFC 5576 (ssrc).
    """
    try:
        text.encode()  # a lone surrogate cannot be compared with what comes over the line
        lines = [line.strip() for line in text.replace("\r", "").split("\n") if line.strip()]
        starts = [i for i, line in enumerate(lines) if line.startswith("m=")]
        if not lines or lines[0] != "v=0" or not starts or len(starts) > 64:
            raise ValueError("no v= or no m= line")
        parts = [lines[a:b] for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]
        sections = tuple(_section(part) for part in parts)
        if len({section.mid for section in sections}) != len(sections):
            raise ValueError("two m-lines with one name")
        return Description(
            ufrag=_value(lines, "a=ice-ufrag:"),
            fingerprint=_fingerprint(lines),
            setup=_value(lines, "a=setup:"),
            sections=sections,
        )
    except Invalid:
        raise
    except (ValueError, IndexError, KeyError) as error:
        raise Invalid("sdp.malformed", N_("The browser's media description cannot be read.")) from error


def _value(lines: list[str], prefix: str) -> str:
    for line in lines:
        if line.startswith(prefix):
            value = line[len(prefix) :].strip()
            if not value or len(value) > 256:
                break
            return value
    raise ValueError(f"no {prefix}")


def _fingerprint(lines: list[str]) -> bytes:
    found = {line[len("a=fingerprint:") :].strip().lower() for line in lines if line.startswith("a=fingerprint:")}
    strong = [value.split()[1] for value in found if value.startswith("sha-256 ")]
    if len(strong) != 1:
        raise Invalid("sdp.fingerprint", N_("The browser's media description has no single SHA-256 fingerprint."))
    value = bytes.fromhex(strong[0].replace(":", ""))
    if len(value) != 32:
        raise Invalid("sdp.fingerprint", N_("The browser's media description has no single SHA-256 fingerprint."))
    return value


def _section(lines: list[str]) -> Section:
    kind, port, _, *types = lines[0][2:].split()
    if kind not in ("audio", "video"):
        raise ValueError(f"m={kind}")
    codecs, raw, formats, extensions, repairs = {}, {}, {}, {}, {}
    ssrcs: list[int] = []
    feedback: dict[str, set[str]] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name == "a=rtpmap":
            number, encoding = value.split(maxsplit=1)
            codecs[int(number)] = encoding.split("/")[0].upper()
            raw[int(number)] = encoding
        elif name == "a=fmtp":
            number, parameters = value.split(maxsplit=1)
            formats[int(number)] = parameters
        elif name == "a=extmap":
            number, uri = value.split()[:2]
            extensions[uri] = int(number.split("/")[0])
        elif name == "a=ssrc-group" and value.startswith("FID "):
            media, rtx = (int(v) for v in value.split()[1:3])
            repairs[rtx] = media
        elif name == "a=ssrc":
            ssrcs.append(int(value.split()[0]))
        elif name == "a=rtcp-fb":
            number, _, what = value.partition(" ")
            feedback.setdefault(number, set()).add(what.strip())
    return Section(
        kind=kind,
        mid=_value(lines, "a=mid:"),
        payload_types=tuple(int(t) for t in types),
        codecs=codecs,
        formats=formats,
        extensions=extensions,
        ssrcs=tuple(s for s in dict.fromkeys(ssrcs) if s not in repairs),
        repairs=repairs,
        rejected=port == "0" and "a=bundle-only" not in lines,
        raw_maps=raw,
        feedback=feedback,
        rids=_rids(lines),
    )


def _rids(lines: list[str]) -> tuple[str, ...]:
    """Return the layers of a simulcast m-line, in its order.  Source: RFC 8851, RFC 8853 section 5.1."""
    declared = {line[6:].split()[0] for line in lines if line.startswith("a=rid:") and " send" in line}
    for line in lines:
        if line.startswith("a=simulcast:send "):
            named = [part.split(",")[0].lstrip("~") for part in line[17:].split()[0].split(";")]
            found = tuple(dict.fromkeys(rid for rid in named if rid in declared and rid.isalnum() and len(rid) <= 16))
            return found[:LAYERS_MAX]
    return ()


def choose(section: Section) -> Codec | None:
    """Return the codec we take on a publishing m-line, or None when there is none in common.

    H.264 constrained baseline with packetization-mode 1 first: it goes into the recording as it is.
    """
    if section.kind == "audio":
        found = next((t for t in section.payload_types if section.codecs.get(t) == "OPUS"), None)
        return Codec("opus", found, None) if found is not None else None
    for name in ("H264", "VP8"):
        types = [t for t in section.payload_types if section.codecs.get(t) == name]
        if name == "H264":
            mode1 = [t for t in types if "packetization-mode=1" in section.formats.get(t, "")]
            types = [t for t in mode1 if "profile-level-id=42e0" in section.formats[t].lower()] or mode1
        if types:
            rtx = next((t for t, f in section.formats.items() if f.replace(" ", "") == f"apt={types[0]}"), None)
            return Codec(name, types[0], rtx)
    return None


def answer_up(offer: Description, ours: Credentials) -> tuple[str, list[Track]]:
    """Write the answer to a publishing leg's offer.

    Returns (SDP, the m-lines that are taken: the first of audio is the microphone, the first of video the
    camera, the second the screen).  Raises Invalid `sdp.sections` for other m-lines, `sdp.codecs` when
    nothing can be taken.
    """
    kinds = sorted(s.kind for s in offer.sections)
    if kinds not in (["audio"], ["video"], ["audio", "video"], ["audio", "video", "video"]):
        raise Invalid("sdp.sections", N_("A publishing leg has one microphone, and a camera and a screen at most."))
    names = {"audio": ["mic"], "video": ["camera", "screen"]}
    tracks: dict[str, Track] = {}
    for section in offer.sections:
        kind, codec = names[section.kind].pop(0), None if section.rejected else choose(section)
        if codec is not None:
            tracks[section.mid] = Track(kind, codec, section)
    if not tracks:
        raise Invalid("sdp.codecs", N_("This browser offers neither H.264 nor VP8 nor Opus."))
    out = _head(list(tracks))
    first, setup = True, "active" if offer.setup == "passive" else "passive"
    for section in offer.sections:
        track = tracks.get(section.mid)
        if track is None:
            types = " ".join(map(str, section.payload_types)) or "0"
            out += [f"m={section.kind} 0 UDP/TLS/RTP/SAVPF {types}", "c=IN IP4 0.0.0.0", f"a=mid:{section.mid}",
                    "a=inactive"]  # fmt: skip
            continue
        out += _receive(section, track.codec, ours, setup, with_candidates=first)
        first = False
    return "\r\n".join(out) + "\r\n", list(tracks.values())


def _receive(section: Section, codec: Codec, ours: Credentials, setup: str, *, with_candidates: bool) -> list[str]:
    types = f"{codec.payload_type}" + (f" {codec.rtx}" if codec.rtx is not None else "")
    out = _media(section.kind, types, section.mid, "recvonly", ours, setup)
    out += _candidates(ours) if with_candidates else []
    wanted = {uri: section.extensions[uri] for uri in UNDERSTOOD if uri in section.extensions}
    out += [f"a=extmap:{number} {uri}" for uri, number in wanted.items()]
    pt = codec.payload_type
    out.append(f"a=rtpmap:{pt} {section.raw_maps[pt]}")
    offered = section.feedback.get(str(pt), set()) | section.feedback.get("*", set())
    parameters = section.formats.get(pt, "")
    if section.kind == "video":
        parameters = ";".join(filter(None, (parameters, f"x-google-start-bitrate={START_KBPS}")))
        out += [f"a=rtcp-fb:{pt} {kind}" for kind in VIDEO_FEEDBACK if kind in offered]
    else:
        parameters = ";".join(filter(None, (parameters, f"maxaveragebitrate={OPUS_BPS}")))
        out += [f"a=rtcp-fb:{pt} transport-cc"] if "transport-cc" in offered else []
    out.append(f"a=fmtp:{pt} {parameters}")
    if codec.rtx is not None:
        out += [f"a=rtpmap:{codec.rtx} rtx/90000", f"a=fmtp:{codec.rtx} apt={pt}"]
    if section.rids:
        out += [f"a=rid:{rid} recv" for rid in section.rids] + ["a=simulcast:recv " + ";".join(section.rids)]
    return out


def offer_down(slots: list[Slot], ours: Credentials) -> str:
    """Write the offer of a receiving leg: one m-line per slot, the same for every viewer.

    Each track has a stream of its own: in one stream a browser would hold every picture back until its
    sound has passed its buffers, and the floor would be seen 80 ms later.  The page keeps them in step
    when they drift (static/js/loss.js).

    The media `a=ssrc` line comes before the RTX one: Chromium takes the first it reads as primary
    and drops all video, without an error, when that is the RTX.
    """
    out = _head([str(i) for i in range(len(slots))])
    for i, slot in enumerate(slots):
        audio = slot.kind == "audio"
        out += _media(slot.kind, "111" if audio else "96 97 98 99", str(i), "sendonly", ours, "actpass")
        out += _candidates(ours) if i == 0 else []
        out += [
            f"a=msid:{slot.name} {slot.name}",
            f"a=extmap:{ABS_SEND_TIME_ID} {ABS_SEND_TIME_URI}",
        ]
        if audio:
            out += ["a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1",
                    f"a=ssrc:{slot.ssrc} cname:node"]  # fmt: skip
            continue
        out += ["a=rtpmap:96 H264/90000", f"a=fmtp:96 {H264_FMTP}", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96",
                "a=rtpmap:98 VP8/90000", "a=rtpmap:99 rtx/90000", "a=fmtp:99 apt=98"]  # fmt: skip
        out.append(f"a=extmap:{TRANSPORT_CC_ID} {TRANSPORT_CC_URI}")
        out += [f"a=rtcp-fb:{pt} {kind}" for pt in (96, 98) for kind in VIDEO_FEEDBACK]
        out += [f"a=ssrc-group:FID {slot.ssrc} {slot.ssrc + 1}", f"a=ssrc:{slot.ssrc} cname:node",
                f"a=ssrc:{slot.ssrc + 1} cname:node"]  # fmt: skip
    return "\r\n".join(out) + "\r\n"


def _head(mids: list[str]) -> list[str]:
    return ["v=0", f"o=- {secrets.randbits(62)} 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=ice-lite",
            "a=group:BUNDLE " + " ".join(mids), "a=extmap-allow-mixed", "a=msid-semantic: WMS *"]  # fmt: skip


def _media(kind: str, types: str, mid: str, direction: str, ours: Credentials, setup: str) -> list[str]:
    ip, port = ours.addresses[0]
    fingerprint = ":".join(f"{byte:02X}" for byte in ours.fingerprint)
    return [
        f"m={kind} {port} UDP/TLS/RTP/SAVPF {types}",
        f"c=IN IP{6 if ':' in ip else 4} {ip}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        f"a=mid:{mid}",
        f"a={direction}",
        f"a=setup:{setup}",
        f"a=ice-ufrag:{ours.ufrag}",
        f"a=ice-pwd:{ours.pwd}",
        f"a=fingerprint:sha-256 {fingerprint}",
    ]


def _candidates(ours: Credentials) -> list[str]:
    out = []
    for i, (ip, port) in enumerate(ours.addresses):
        lower = i * 256  # the local preference: the address announced first is the better one
        out.append(f"a=candidate:{2 * i + 1} 1 udp {UDP_PRIORITY - lower} {ip} {port} typ host")
        out.append(f"a=candidate:{2 * i + 2} 1 tcp {TCP_PRIORITY - lower} {ip} {port} typ host tcptype passive")
    return [*out, "a=end-of-candidates"]


# ---- players (WHEP) ----------------------------------------------------------------------------


@dataclass(frozen=True)
class PlayLine:
    """One m-line of a player's offer that we send on."""

    section: Section
    codecs: tuple[Codec, ...]  # the player's payload types
    ssrc: int  # ssrc + 1 is its RTX


def directions(text: str) -> list[str]:
    """Return the direction of each m-line of an SDP, `sendrecv` where it says none.  Source: RFC 8866 section 6.7."""
    known = {"a=sendrecv", "a=recvonly", "a=sendonly", "a=inactive"}
    head, *parts = ("\n" + text.replace("\r", "")).split("\nm=")
    default = next((line[2:] for line in head.split("\n") if line.strip() in known), "sendrecv")
    return [next((line.strip()[2:] for line in part.split("\n") if line.strip() in known), default) for part in parts]


def numbers(line: PlayLine) -> list[tuple[int, int]]:
    """Return (our payload type, the player's) for each codec of a line and its retransmissions."""
    found = []
    for codec in line.codecs:
        ours = PAYLOAD_TYPES[codec.name]
        found.append((ours, codec.payload_type))
        if codec.rtx is not None and ours in RTX_TYPES:
            found.append((RTX_TYPES[ours], codec.rtx))
    return found


def answer_play(offer: Description, lines: list[PlayLine], ours: Credentials) -> str:
    """Write the answer to a player's offer: its own payload types and extension ids, the m-lines in its order."""
    by_mid = {line.section.mid: line for line in lines}
    out = _head(list(by_mid))
    first, setup = True, "active" if offer.setup == "passive" else "passive"
    for section in offer.sections:
        line = by_mid.get(section.mid)
        if line is None:
            types = " ".join(map(str, section.payload_types)) or "0"
            out += [f"m={section.kind} 0 UDP/TLS/RTP/SAVPF {types}", "c=IN IP4 0.0.0.0", f"a=mid:{section.mid}",
                    "a=inactive"]  # fmt: skip
            continue
        out += _send(line, ours, setup, with_candidates=first)
        first = False
    return "\r\n".join(out) + "\r\n"


def _send(line: PlayLine, ours: Credentials, setup: str, *, with_candidates: bool) -> list[str]:
    section, types = line.section, [str(theirs) for _, theirs in numbers(line)]
    out = _media(section.kind, " ".join(types), section.mid, "sendonly", ours, setup)
    out += _candidates(ours) if with_candidates else []
    out.append(f"a=msid:program {section.kind}")
    if ABS_SEND_TIME_URI in section.extensions:
        out.append(f"a=extmap:{section.extensions[ABS_SEND_TIME_URI]} {ABS_SEND_TIME_URI}")
    for codec in line.codecs:
        pt = codec.payload_type
        out.append(f"a=rtpmap:{pt} {section.raw_maps[pt]}")
        if pt in section.formats:
            out.append(f"a=fmtp:{pt} {section.formats[pt]}")
        offered = section.feedback.get(str(pt), set()) | section.feedback.get("*", set())
        wanted = VIDEO_FEEDBACK[:4] if section.kind == "video" else ()  # no transport-cc: our packets carry no number
        out += [f"a=rtcp-fb:{pt} {kind}" for kind in wanted if kind in offered]
        if codec.rtx is not None:
            out += [f"a=rtpmap:{codec.rtx} rtx/90000", f"a=fmtp:{codec.rtx} apt={pt}"]
    if any(codec.rtx is not None for codec in line.codecs):
        out.append(f"a=ssrc-group:FID {line.ssrc} {line.ssrc + 1}")
        return [*out, f"a=ssrc:{line.ssrc} cname:node", f"a=ssrc:{line.ssrc + 1} cname:node"]
    return [*out, f"a=ssrc:{line.ssrc} cname:node"]
