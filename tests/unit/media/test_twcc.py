"""Transport-wide feedback: what is written says exactly which packets came, and when."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from media.twcc import TICK_S, ArrivalLog


def read(data: bytes) -> tuple[int, dict[int, float]]:
    """Read one feedback by the letter of the draft, section 3.1.  Returns (count, seq -> seconds)."""
    assert data[0] & 0x1F == 15 and data[1] == 205 and len(data) == 4 + 4 * struct.unpack_from("!H", data, 2)[0]
    base, count, time = struct.unpack_from("!HHL", data, 12)
    states: list[int] = []
    i = 20
    while len(states) < count:
        (chunk,) = struct.unpack_from("!H", data, i)
        i += 2
        if not chunk & 0x8000:
            states += [chunk >> 13 & 3] * (chunk & 0x1FFF)
        elif chunk & 0x4000:
            states += [chunk >> shift & 3 for shift in range(12, -1, -2)]
        else:
            states += [chunk >> shift & 1 for shift in range(13, -1, -1)]
    at, arrived = (time >> 8) * 0.064, {}
    for place, state in enumerate(states[:count]):
        if state == 1:
            at += data[i] * TICK_S
            i += 1
        elif state == 2:
            at += struct.unpack_from("!h", data, i)[0] * TICK_S
            i += 2
        if state:
            arrived[(base + place) & 0xFFFF] = at
    assert len(data) - i < 4
    return count, arrived


@given(
    st.integers(0, 0xFFFF),
    st.lists(st.tuples(st.integers(1, 30), st.floats(-0.05, 0.2)), min_size=1, max_size=80),
    st.floats(100, 100_000),
)
def test_every_arrival_is_told_to_a_quarter_millisecond(
    start: int, steps: list[tuple[int, float]], begin: float
) -> None:
    log, sent, seq, at = ArrivalLog(), {}, start, begin
    for step, wait in steps:
        log.arrived(seq & 0xFFFF, at)
        sent[seq & 0xFFFF] = at
        seq, at = seq + step, max(begin, at + wait)
    data = log.feedback(77)
    assert data is not None
    _, got = read(data)
    kept = list(sent)[-len(got) :]
    assert set(got) == set(kept)
    first = min(got.values()) - min(sent[s] for s in got)
    for number, when in got.items():
        assert abs(when - sent[number] - first) < 2 * TICK_S
    assert log.feedback(77) is None, "nothing new to say"


def test_the_next_report_goes_on_where_the_last_ended_and_names_the_lost() -> None:
    log = ArrivalLog()
    for seq in (65_534, 65_535, 1):
        log.arrived(seq, 10.0 + seq % 10 / 100)
    count, got = read(log.feedback(1) or b"")
    assert count == 4 and set(got) == {65_534, 65_535, 1}, "0 is reported as lost"
    log.arrived(0, 10.5)  # too late: it was reported
    log.arrived(4, 10.6)
    log.arrived(4, 10.7)
    count, got = read(log.feedback(1) or b"")
    assert count == 3 and set(got) == {4}
