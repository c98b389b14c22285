"""Tests of the scales, their shares of the steps, and the stop rule."""

import pytest

from nst_tf.optimization.schedule import Schedule
from nst_tf.util.errors import InputError


@pytest.mark.parametrize(
    ("schedule", "steps", "ends"),
    [
        (Schedule(), 100, [100]),
        (Schedule(scales=[0.5, 1.0]), 100, [50, 100]),
        (Schedule(scales=[0.25, 0.5, 1.0]), 100, [33, 67, 100]),
        (Schedule(scales=[0.5, 1.0], step_shares=[3.0, 1.0]), 100, [75, 100]),
    ],
)
def test_the_scales_end_at_their_shares_of_the_steps(schedule, steps, ends):
    assert schedule.ends(steps) == ends


def test_the_stop_rule_compares_with_the_loss_one_window_before():
    rule = Schedule(stop_change=1.0, stop_window=20).stop_rule()
    losses = {0: 100.0, 10: 50.0, 20: 49.9, 30: 49.8}  # 30 against 10: 0.4 %; 20 against 0: 50 %
    assert [rule(step, loss) for step, loss in losses.items()] == [False, False, False, True]


def test_without_stop_change_the_rule_never_stops():
    rule = Schedule(stop_window=1).stop_rule()
    assert not any(rule(step, 1.0) for step in range(10))


def test_a_restored_stop_rule_decides_like_the_original():
    old, new = (Schedule(stop_change=1.0, stop_window=20).stop_rule() for _ in range(2))
    for step in (0, 10, 20):
        old(step, 100.0 / (step + 1))
    new.restore(old.history)
    assert old(30, 100.0 / 11) is new(30, 100.0 / 11) is True


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"scales": []}, "scales"),
        ({"scales": [0.5]}, "scales"),
        ({"scales": [0.7, 0.5, 1.0]}, "scales"),
        ({"scales": [0.0, 1.0]}, "scales"),
        ({"scales": [0.5, 0.5, 1.0]}, "scales"),
        ({"scales": [float("nan"), 1.0]}, "scales"),
        ({"step_shares": [float("nan")]}, "step_shares"),
        ({"scales": [0.5, 1.0], "step_shares": [1.0]}, "1 entries for 2"),
        ({"step_shares": [0.0]}, "step_shares"),
        ({"stop_change": 0.0}, "stop_change"),
        ({"stop_window": 0}, "stop_window"),
        ({"growth": 1.0}, "growth"),
        ({"average": 1.0}, "average"),
        ({"average": -0.1}, "average"),
    ],
)
def test_invalid_settings_are_refused_with_their_key(fields, word):
    with pytest.raises(InputError, match=word):
        Schedule(**fields)
