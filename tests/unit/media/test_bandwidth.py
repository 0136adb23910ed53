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
        self.trains = 0

    @property
    def rate(self) -> float:
        return SOUND + next((layer.bits_per_second for layer in CAMERA if layer.height == self.height), 0)

    def step(self) -> float | None:
        return None if self.bandwidth.budget is None else next_step(SOUND, [CAMERA], [self.height])

    def run(self, seconds: float, *, reports: bool = True) -> None:
        for _ in range(int(seconds * 2)):
            self.now += 0.5
            changed = False
            if reports and self.width:
                self.bandwidth.heard(self.now)
                if self.bandwidth.wants_train:
                    self.trains += 1
                    changed = self.bandwidth.measured(self.width, self.now, self.step())
                loss = max(0.0, 1 - self.width / self.rate)
                self.estimate = 0.85 * self.width if loss else min(self.estimate * 1.04, 1.5 * self.rate)
                trip = 0.45 if loss else 0.05
                changed = self.bandwidth.estimated(int(self.estimate), self.now) or changed
                changed = self.bandwidth.reported(loss, trip, self.now) or changed
            if self.bandwidth.tick(self.now, self.rate, self.step()) or changed:
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


def test_a_narrow_line_is_measured_and_not_tried() -> None:
    line = Line(300_000)
    line.run(120)
    assert set(line.heights[8:]) == {180}
    assert line.bandwidth.steps_down <= 2
    assert 10 <= line.trains <= 40, "one in four seconds, 1.3 kB each"


def test_a_viewer_that_does_not_measure_is_tried_more_and_more_rarely() -> None:
    line = Line(300_000)
    line.bandwidth.can_measure = False
    line.run(120)
    assert not line.trains
    assert line.heights.count(180) > 0.8 * len(line.heights)
    assert line.bandwidth.steps_down <= 12


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
    assert not bandwidth.estimated(1_000_000, 110.3) and bandwidth.is_in_doubt


def doubted() -> Bandwidth:
    """A line with two falls of the estimate in a row, at 110.3 s."""
    bandwidth = Bandwidth()
    bandwidth.tick(99.0, 1_600_000, None)
    bandwidth.heard(110.0)
    for at, estimate in ((109.5, 2_000_000), (110.0, 1_200_000), (110.3, 1_000_000)):
        assert not bandwidth.estimated(estimate, at)
    assert bandwidth.is_in_doubt and bandwidth.wants_train
    return bandwidth


def test_a_doubt_is_dismissed_by_a_train_that_comes_back_in_full_width() -> None:
    bandwidth = doubted()
    assert not bandwidth.measured(2_400_000, 110.5, None)
    assert not bandwidth.is_in_doubt and bandwidth.budget is None
    bandwidth.estimated(800_000, 110.8)
    assert not bandwidth.is_in_doubt, "the same signs are not doubted at once again"
    bandwidth.estimated(700_000, 113.0)
    assert not bandwidth.estimated(600_000, 113.2) and bandwidth.is_in_doubt, "later they are"


def test_a_doubt_is_confirmed_by_a_narrow_train() -> None:
    bandwidth = doubted()
    assert bandwidth.measured(400_000, 110.5, None)
    assert bandwidth.budget == 0.85 * 400_000 and not bandwidth.is_in_doubt


def test_a_doubt_is_confirmed_by_a_train_that_stays_away() -> None:
    bandwidth = doubted()
    assert not bandwidth.decide(110.6)
    assert bandwidth.decide(110.7) and bandwidth.budget == 1_000_000
    assert not bandwidth.decide(111.5), "decided once"


def test_a_viewer_that_cannot_measure_is_believed() -> None:
    bandwidth = Bandwidth()
    bandwidth.can_measure = False
    bandwidth.tick(99.0, 1_600_000, None)
    bandwidth.estimated(2_000_000, 100.0)
    bandwidth.estimated(1_300_000, 100.5)
    assert bandwidth.estimated(1_000_000, 100.8) and bandwidth.budget == 1_000_000


def test_loss_that_goes_on_needs_no_train() -> None:
    """A policer lets the short train through and drops a third of the rest."""
    bandwidth = Bandwidth()
    bandwidth.tick(99.0, 1_600_000, None)
    narrow = []
    for i in range(4):
        bandwidth.heard(100.0 + i)
        narrow.append(bandwidth.reported(0.33, 0.05, 100.0 + i))
        if bandwidth.wants_train:
            assert not bandwidth.measured(2_400_000, 100.3 + i, None)
    assert narrow == [False, False, False, True]


def test_a_viewer_that_never_reports_is_not_taken_for_silent() -> None:
    bandwidth = Bandwidth()
    for i in range(20):
        bandwidth.tick(100 + i / 2, 1_600_000, None)
    assert bandwidth.budget is None
    bandwidth.heard(110.0)
    assert not bandwidth.tick(111.0, 1_600_000, None)
    assert not bandwidth.tick(112.5, 1_600_000, None)
    assert bandwidth.tick(113.5, 1_600_000, None) and bandwidth.budget == 0


def test_nothing_is_tried_before_the_hold_is_over() -> None:
    bandwidth = Bandwidth()
    bandwidth.congested(300_000, 100.0)
    bandwidth.tick(100.0 + HOLD_S - 0.1, 200_000, 550_000)
    assert not bandwidth.wants_train
    bandwidth.tick(100.0 + HOLD_S + 0.1, 200_000, 550_000)
    assert bandwidth.wants_train


def test_a_width_that_grew_with_the_train_is_measured_again_with_a_longer_one() -> None:
    bandwidth = Bandwidth()
    bandwidth.congested(100_000, 100.0)
    bandwidth.tick(104.0, 50_000, 900_000)
    assert not bandwidth.measured(600_000, 104.2, 900_000) and bandwidth.wants_train
    assert bandwidth.measured(2_000_000, 104.4, 900_000) and bandwidth.budget == 1_700_000


def test_a_viewer_that_comes_back_is_measured_at_once() -> None:
    bandwidth = Bandwidth()
    bandwidth.heard(100.0)
    assert bandwidth.tick(104.0, 1_600_000, None) and bandwidth.is_silent
    assert bandwidth.heard(110.0) and bandwidth.wants_train
    assert not bandwidth.heard(110.1)


@given(st.floats(0, 4_000_000), st.lists(st.sampled_from([CAMERA, CAMERA[:1], CAMERA[:2], []]), max_size=5))
def test_what_is_shared_out_fits_and_the_first_picture_comes_first(budget: float, pictures: list[list[Layer]]) -> None:
    bandwidth = Bandwidth()
    bandwidth.budget = budget
    limits = bandwidth.share(SOUND, pictures)
    cost = sum(
        layer.bits_per_second for layers, limit in zip(pictures, limits, strict=True)
        for layer in layers if layer.height == limit
    )  # fmt: skip
    assert cost == 0 or cost + SOUND <= budget or (cost == 150_000 and 0.75 * (cost + SOUND) <= budget)
    shown = [limit for layers, limit in zip(pictures, limits, strict=True) if layers]
    if shown and budget - SOUND >= 150_000:
        assert shown[0], "the most important picture is not the one that is left out"
