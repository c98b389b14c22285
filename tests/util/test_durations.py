"""Durations as text."""

import pytest

from nst_tf.util.durations import rough_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (1.4, "1 s"), (45, "45 s"), (119, "119 s"), (120, "2 min"), (5400, "90 min"), (9000, "2 h")],
)
def test_a_duration_has_one_unit(seconds, text):
    assert rough_duration(seconds) == text
