"""Frames to the recorder survive any way of cutting the stream."""

from hypothesis import given
from hypothesis import strategies as st

from media import frames

FRAME = st.tuples(
    st.sampled_from([frames.RTP, frames.CONTROL]), st.integers(0, 5), st.floats(0, 2e9), st.binary(max_size=300)
)


@given(st.lists(FRAME, max_size=20), st.integers(1, 400))
def test_frames_come_out_as_they_went_in(sent: list[tuple[int, int, float, bytes]], step: int) -> None:
    stream = b"".join(frames.pack(*one) for one in sent)
    splitter = frames.Splitter()
    read = [tuple(f) for i in range(0, len(stream), step) for f in splitter.feed(stream[i : i + step])]
    assert read == sent
