"""What a frame must look like, and how fast they may come."""

import pytest

from signaling.frames import MalformedFrame, StrictPacket
from signaling.limits import TokenBucket


@pytest.mark.parametrize(
    "frame",
    [
        '2["disconnect"]', '2["connect",{}]', '2["*"]', "2", "2{}", "2[]", "2[1]", "2[null]", '2"x"', "2[", "9", " ", "x",
        '51-["room.join",{"_placeholder":true,"num":0}]', '2["room.join",{"token":"a","token":"b"}]',
        '2["room.join",{"token":NaN}]', "2" + "[" * 90_000, "3[]", "31{}", b'2["room.join",{}]',
    ],
)  # fmt: skip
def test_a_frame_that_no_client_of_ours_sends_is_malformed(frame: str | bytes) -> None:
    with pytest.raises(MalformedFrame):
        StrictPacket(encoded_packet=frame)


def test_a_good_frame_is_read_as_it_is() -> None:
    packet = StrictPacket(encoded_packet='27["room.join",{"token":"đường"}]')
    assert (packet.id, packet.data) == (7, ["room.join", {"token": "đường"}])


def test_the_text_of_a_frame_is_plain() -> None:
    packet = StrictPacket(
        encoded_packet='27["poll.open",{"question":"\\u0000Đã rõ\\u001f?","options":["A\\ud800","\\u000bB\\n"]}]'
    )
    assert packet.data == ["poll.open", {"question": "Đã rõ?", "options": ["A", " B\n"]}]


def test_a_bucket_lets_a_burst_through_and_then_a_steady_rate() -> None:
    now = [100.0]
    bucket = TokenBucket(lambda: now[0], burst=3, rate=2)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now[0] += 0.5
    assert [bucket.take(), bucket.take()] == [True, False]


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    now = [0.0]
    bucket = TokenBucket(lambda: now[0], burst=2, rate=100)
    now[0] += 1000
    assert [bucket.take() for _ in range(3)] == [True, True, False]
