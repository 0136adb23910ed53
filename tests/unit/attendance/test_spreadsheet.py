from attendance.register import whole_minutes


def test_half_a_minute_is_rounded_up():
    assert [whole_minutes(ms) for ms in (0, 29_999, 30_000, 89_999, 90_000)] == [0, 0, 1, 1, 2]
