"""A viewer's line: down at once on a real sign, up with care, sound before pictures."""

from hypothesis import given
from hypothesis import strategies as st

from media.bandwidth import HOLD_S, Bandwidth, Layer, next_step

CAMERA = [Layer(180, 150_000), Layer(360, 500_000), Layer(720, 1_500_000)]
SOUND = 50_000.0


class Line:
    """A viewer behind a line of some width, as the node hears of it twice a second."""

    def __init__(self, width: float) -> None:
        self.width, self.now, self.height = width, 100.0, 720
        self.bandwidth = Bandwidth()
        self.estimate = 3_000_000.0
        self.heights: list[int] = []

    @property
    def rate(self) -> float:
        return SOUND + next((layer.bits_per_second for layer in CAMERA if layer.height == self.height), 0)

    def run(self, seconds: float, *, reports: bool = True) -> None:
        for _ in range(int(seconds * 2)):
            self.now += 0.5
            sent = max(self.rate, self.bandwidth.probing)
            changed = False
            if reports and self.width:
                self.bandwidth.heard(self.now)
                loss = max(0.0, 1 - self.width / sent)
                self.estimate = 0.85 * self.width if loss else min(self.estimate * 1.04, 1.5 * sent)
                trip = 0.45 if loss else 0.05
                changed = self.bandwidth.estimated(int(self.estimate), self.now)
                changed = self.bandwidth.reported(loss, trip, self.now) or changed
            step = None
            if self.bandwidth.budget is not None:
                step = next_step(SOUND, [CAMERA], [self.height])
            if self.bandwidth.tick(self.now, self.rate, step) or changed:
                (limit,) = self.bandwidth.share(SOUND, [CAMERA])
                self.height = 720 if limit is None else limit
            self.heights.append(self.height)


def test_a_good_line_is_left_alone() -> None:
    line = Line(5_000_000)
    line.run(60)
    assert set(line.heights) == {720} and line.bandwidth.budget is None


def test_the_ladder_goes_down_within_two_seconds_and_up_by_itself() -> None:
    line = Line(2_000_000)
    line.run(10)
    assert line.height == 720
    for width, height in ((300_000, 180), (64_000, 0)):
        line.width = width
        line.run(2)
        assert line.height == height, width
        line.run(10)
        assert line.heights[-16:].count(height) >= 14, "it stays there: tries are few and end at once"
    line.width = 0
    line.run(6)
    assert line.height == 0
    line.width = 2_000_000
    line.run(3)
    assert line.height >= 180, "a picture again within three seconds"
    line.run(30)
    assert line.height == 720 and line.bandwidth.budget is None


def test_tries_on_a_narrow_line_become_rare() -> None:
    line = Line(300_000)
    line.run(120)
    assert set(line.heights[8:]) == {180}
    assert line.bandwidth.steps_down <= 8


def test_random_loss_alone_takes_no_picture_away() -> None:
    bandwidth = Bandwidth()
    for i in range(200):
        now = 100 + i / 2
        bandwidth.heard(now)
        assert not bandwidth.reported((0.05, 0.1, 0.16)[i % 3], 0.08, now)
        assert not bandwidth.estimated(2_000_000 - 10_000 * (i % 2), now)
        bandwidth.tick(now, 1_600_000, None)
    assert bandwidth.budget is None


def test_one_fall_of_the_estimate_without_another_sign_is_not_believed() -> None:
    bandwidth = Bandwidth()
    bandwidth.tick(99.0, 1_600_000, None)
    bandwidth.heard(100.0)
    assert not bandwidth.estimated(2_000_000, 100.0)
    assert not bandwidth.estimated(1_300_000, 100.5)
    assert not bandwidth.estimated(1_340_000, 101.0)
    assert not bandwidth.estimated(1_200_000, 110.0)
    assert bandwidth.estimated(1_000_000, 110.3)


def test_a_viewer_that_never_reports_is_not_taken_for_silent() -> None:
    bandwidth = Bandwidth()
    for i in range(20):
        bandwidth.tick(100 + i / 2, 1_600_000, None)
    assert bandwidth.budget is None
    bandwidth.heard(110.0)
    assert not bandwidth.tick(111.0, 1_600_000, None)
    assert bandwidth.tick(112.0, 1_600_000, None) and bandwidth.budget == 0


def test_nothing_is_tried_before_the_hold_is_over() -> None:
    bandwidth = Bandwidth()
    bandwidth.congested(300_000, 100.0)
    bandwidth.tick(100.0 + HOLD_S - 0.1, 200_000, 550_000)
    assert not bandwidth.probing
    bandwidth.tick(100.0 + HOLD_S + 0.1, 200_000, 550_000)
    assert 300_000 < bandwidth.probing <= 450_000, "half as much again, not the whole step at once"


@given(st.floats(0, 4_000_000), st.lists(st.sampled_from([CAMERA, CAMERA[:1], CAMERA[:2], []]), max_size=5))
def test_what_is_shared_out_fits_and_the_first_picture_comes_first(budget: float, pictures: list[list[Layer]]) -> None:
    bandwidth = Bandwidth()
    bandwidth.budget = budget
    limits = bandwidth.share(SOUND, pictures)
    cost = sum(
        layer.bits_per_second for layers, limit in zip(pictures, limits, strict=True)
        for layer in layers if layer.height == limit
    )  # fmt: skip
    assert cost == 0 or cost + SOUND <= budget
    shown = [limit for layers, limit in zip(pictures, limits, strict=True) if layers]
    if shown and budget - SOUND >= 150_000:
        assert shown[0], "the most important picture is not the one that is left out"
