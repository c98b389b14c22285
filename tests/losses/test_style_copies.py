"""Copies of styles: their names, turns against SciPy and known pictures, and the targets that they make."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from nst_tf.images import RegionMasks
from nst_tf.losses import MRFLoss
from nst_tf.losses.style_copies import StyleCopy
from nst_tf.optimization.references import References
from nst_tf.util.errors import InputError

ROWS, COLUMNS = np.mgrid[:48, :64].astype(np.float32)
RAMP = np.stack([COLUMNS, ROWS], -1)[None]  # (1, 48, 64, 2): each pixel has its own place


def test_names_of_copies_are_read_back():
    for copy in (StyleCopy("style:1"), StyleCopy("style:2", 90), StyleCopy("style:1", -7.5, 1.05)):
        assert StyleCopy.parse(copy.name) == copy
    assert StyleCopy("style:2", 90).name == "style:2@90"
    assert StyleCopy("style:1").name == "style:1"


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_are_exact_and_counter_clockwise(quarters):
    expected = ndimage.rotate(RAMP, 90 * quarters, axes=(2, 1), order=1)
    np.testing.assert_allclose(StyleCopy("style:1", 90 * quarters).of(RAMP), expected, atol=1e-3)


@pytest.mark.parametrize("angle", [-15.0, 7.5])
def test_a_turned_ramp_has_the_places_of_the_inverse_turn_and_no_border(angle):
    turned = StyleCopy("style:1", angle).of(RAMP)
    height, width = turned.shape[1:3]
    down, right = np.mgrid[:height, :width] - np.array([height - 1, width - 1]).reshape(2, 1, 1) / 2
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    expected = np.stack([31.5 + c * right - s * down, 23.5 + s * right + c * down], -1)
    np.testing.assert_allclose(turned[0], expected, atol=1e-3)
    assert expected.min() > 0
    a, b, s = 32, 24, abs(s)  # the rectangle reaches from border to border of the turned picture
    assert abs(height - 2 * (b - a * s) / c) < 2
    assert abs(width - 2 * (a - (b - a * s) / c * s) / c) < 2


def test_a_scaled_copy_shrinks_by_the_mean_of_its_cells():
    np.testing.assert_allclose(
        StyleCopy("style:1", 0, 0.5).of(RAMP)[0, 5, 5], RAMP[0, 10:12, 10:12].mean((0, 1)), atol=0.1
    )
    assert StyleCopy("style:1", 0, 1.05).of(RAMP).shape == (1, 50, 67, 2)


def test_a_turn_that_leaves_little_of_a_picture_is_refused():
    with pytest.raises(InputError, match="rotations: of a style of 64x16 pixels, a rotation by 30 degrees leaves"):
        StyleCopy("style:1", 30).of(RAMP[:, :16])


def test_copies_of_both_kinds_are_combined():
    names = MRFLoss(layers=["a"], rotations=1, scales=1).references(1)
    assert len(set(names)) == 9
    assert names[0] == "style:1"
    assert MRFLoss(layers=["a"], rotations=2).references(2)[5:] == [
        *("style:2", "style:2@7.5", "style:2@-7.5", "style:2@15", "style:2@-15"),
    ]


def test_patches_of_copies_are_matched_and_masks_turn_with_them():
    """Only the right half of the style is in the region; its copy by a half turn has it at the left."""
    picture = np.random.default_rng(1).uniform(size=(1, 12, 16, 3)).astype(np.float32)
    style = np.random.default_rng(2).uniform(size=(1, 12, 16, 3)).astype(np.float32)
    mask = np.zeros((12, 16), np.float32)
    mask[:, 8:] = 1
    loss = MRFLoss(layers=["a"], patch_size=1, rotations=1, rotation_step=180)
    region = RegionMasks("left", 1.0, None, {"style:1": mask})
    references = References(
        lambda x: {"a": x}, {"style": loss}, tf.constant(picture), [tf.constant(style)], [1], [region]
    )
    target = references.terms()["style"].inputs.regions["left"].targets[0].layers
    used = target["a"].numpy()[0][target["a/patches"].numpy()[0, :, 0]]
    right = style[0, :, 8:].reshape(-1, 3)
    assert len(used) == 3 * len(right)  # the style, and both half turns
    assert {tuple(row) for row in used} == {tuple(row) for row in right}
