"""Warping, occlusion, motion boundaries and consistency weights, against loops, hand numbers and known scenes."""

import numpy as np
import pytest

from nst_tf.images.colour import match_covariance
from nst_tf.util.errors import InputError
from nst_tf.video.consistency import (
    MEAN_COLOUR,
    Consistency,
    Interpolation,
    disoccluded,
    is_inside,
    long_term_weights,
    motion_boundary,
    temporal_error,
    warp,
)
from nst_tf.video.neighbours import Neighbour, temporal_target
from nst_tf.video.scenes import SCENES, _apply, _texture, occlusion, translation
from nst_tf.video.settings import Outside, Temporal

RNG = np.random.default_rng(0)


def bilinear(values, column, row):
    """Interpolate one position by the four pixels around it."""
    c, r = int(np.floor(column)), int(np.floor(row))
    u, v = column - c, row - r
    c1, r1 = min(c + 1, values.shape[1] - 1), min(r + 1, values.shape[0] - 1)
    upper = (1 - u) * values[r, c] + u * values[r, c1]
    lower = (1 - u) * values[r1, c] + u * values[r1, c1]
    return (1 - v) * upper + v * lower


def test_warping_is_bilinear_and_has_the_mean_colour_or_the_border_outside():
    picture = RNG.uniform(size=(5, 7, 3)).astype(np.float32)
    flow = RNG.uniform(-3, 3, size=(5, 7, 2)).astype(np.float32)
    expected, continued = np.empty_like(picture), np.empty_like(picture)
    for row in range(5):
        for column in range(7):
            x, y = column + flow[row, column, 0], row + flow[row, column, 1]
            inside = -0.5 <= x <= 6.5 and -0.5 <= y <= 4.5
            nearest = bilinear(picture, np.clip(x, 0, 6), np.clip(y, 0, 4))
            expected[row, column] = nearest if inside else MEAN_COLOUR
            continued[row, column] = nearest
    np.testing.assert_allclose(warp(picture, flow, outside=None), continued, atol=1e-5)
    np.testing.assert_allclose(warp(picture, flow), expected, atol=1e-5)


def test_what_comes_into_view_starts_from_the_frame_in_the_colours_of_the_earlier_result():
    """The flow points outside in the last two of nine columns: the camera moves to the right by two pixels."""
    result, frame = (RNG.uniform(low, 1 - low, size=(5, 9, 3)).astype(np.float32) for low in (0.4, 0.1))
    flow = np.zeros((5, 9, 2), np.float32)
    flow[..., 0] = 2
    moved = {outside: Temporal(outside=outside).moved(result, flow, frame) for outside in Outside}
    for outside, picture in moved.items():
        same = 4 if outside is Outside.frame else 7  # the three columns of the seam between them
        np.testing.assert_allclose(picture[:, :same], result[:, 2 : 2 + same], atol=1e-5)
    recoloured = match_covariance(frame, result)
    for statistic in (np.mean, np.std):
        np.testing.assert_allclose(statistic(recoloured, (0, 1)), statistic(result, (0, 1)), atol=1e-5)
    np.testing.assert_allclose(moved[Outside.frame][:, 7:], np.clip(recoloured[:, 7:], 0, 1), atol=1e-6)
    for column, share in {4: 3 / 4, 5: 2 / 4, 6: 1 / 4}.items():
        blend = share * result[:, column + 2] + (1 - share) * recoloured[:, column]
        np.testing.assert_allclose(moved[Outside.frame][:, column], blend, atol=1e-5)
    np.testing.assert_allclose(moved[Outside.border][:, 7:], result[:, [8, 8]], atol=1e-5)
    np.testing.assert_allclose(moved[Outside.mean][:, 7:], np.broadcast_to(MEAN_COLOUR, (5, 2, 3)))
    still = Temporal().moved(result, np.zeros_like(flow), frame)
    np.testing.assert_allclose(still, result, atol=1e-5)
    assert Temporal().outside is Outside.frame


def test_cubic_interpolation_blurs_less_than_linear():
    picture = translation(40, 48, 2).picture(0)
    shift = np.full((40, 48, 2), 0.5, np.float32)
    exact = translation(40, 48, 2).background(0)
    errors = {
        kind: np.abs(warp(picture, shift, None, kind) - _texture_at(exact, 0.5))[4:-4, 4:-4].mean()
        for kind in Interpolation
    }
    assert errors[Interpolation.cubic] < 0.3 * errors[Interpolation.linear]


def _texture_at(matrix, shift):
    rows, columns = np.mgrid[0:40, 0:48] + shift
    return _texture(_apply(matrix, np.stack([columns, rows], axis=-1)), 0.0)


def test_a_flow_of_zero_changes_nothing_and_is_reliable_everywhere():
    picture = RNG.uniform(size=(6, 8, 3)).astype(np.float32)
    still = np.zeros((6, 8, 2), np.float32)
    np.testing.assert_array_equal(warp(picture, still), picture)
    np.testing.assert_array_equal(Consistency().weights(still, still), np.ones((6, 8)))


def test_occlusion_follows_the_formula_at_its_threshold():
    flow, back = np.zeros((1, 3, 2), np.float32), np.zeros((1, 3, 2), np.float32)
    back[0, :, 1] = [0.0, 0.70, 0.72]  # error e² against 0.01 e² + 0.5, which is reached at e = 0.7107
    assert disoccluded(flow, back).tolist() == [[False, False, True]]


def test_motion_boundaries_follow_the_formula_of_central_differences():
    flow = np.zeros((3, 6, 2), np.float32)
    flow[:, 3:, 0] = 1.0  # the difference over two pixels is ½ at columns 2 and 3: 0.25 against at most 0.012
    expected = np.zeros((3, 6), bool)
    expected[:, 2:4] = True
    np.testing.assert_array_equal(motion_boundary(flow), expected)
    smooth = np.zeros((3, 6, 2), np.float32)
    smooth[..., 0] = 0.04 * np.arange(6)  # gradient² 0.0016 is below 0.002
    assert not motion_boundary(smooth).any()


@pytest.mark.parametrize("name", SCENES)
def test_a_frame_warped_by_the_known_flow_is_the_next_one(name):
    scene = SCENES[name](40, 56, 3)
    warped = warp(scene.picture(0), scene.flow(1, 0))
    visible = scene.visible(1, 0).astype(np.float32)
    assert visible.mean() > 0.85
    plain = temporal_error(scene.picture(1), scene.picture(0), visible)
    share = 0.5 if name == "photograph" else 0.25  # noise and grain do not survive the interpolation
    assert temporal_error(scene.picture(1), warped, visible) < share * plain


@pytest.mark.parametrize("name", SCENES)
def test_the_flow_of_a_resized_scene_is_the_resized_flow(name):
    scene = SCENES[name](40, 60, 3)
    half = scene.resized(20, 30)
    flow = scene.flow(0, 1).reshape(20, 2, 30, 2, 2).mean(axis=(1, 3)) / 2
    inner = np.abs(half.flow(0, 1) - flow).max(axis=-1)
    assert np.median(inner) < 1e-5
    assert (inner > 1e-3).mean() < (0.15 if scene.square else 1e-9)  # cells at the border of the square are mixed


def test_weights_find_what_a_square_uncovers_and_what_leaves_the_frame():
    scene = occlusion(48, 64, 3)
    weights = Consistency(sigma=0.0).weights(scene.flow(1, 0), scene.flow(0, 1))
    hidden = ~scene.visible(1, 0)
    assert hidden.sum() > 60
    assert weights[hidden].max() == 0
    assert weights[scene.visible(1, 0)].mean() > 0.9  # the boundary of the square is left out too


def test_softened_weights_stay_between_zero_and_one_and_keep_their_mean_inside():
    scene = occlusion(48, 64, 3)
    flows = scene.flow(1, 0), scene.flow(0, 1)
    hard, soft = Consistency(sigma=0.0).weights(*flows), Consistency().weights(*flows)
    assert soft.min() >= 0
    assert soft.max() <= 1
    assert set(np.unique(hard)) == {0.0, 1.0}
    assert soft.mean() == pytest.approx(hard.mean(), abs=0.01)
    assert len(np.unique(soft)) > 10


def test_positions_outside_are_found():
    scene = translation(10, 12, 2)  # 3 columns and −1.5 rows a frame
    expected = np.ones((10, 12), bool)
    expected[:, :3] = expected[-1:] = False
    np.testing.assert_array_equal(is_inside(scene.flow(1, 0)), expected)


def test_long_term_weights_give_each_position_to_the_nearest_frame_that_shows_it():
    weights = [np.array([[1.0, 0.0, 0.3, 0.0]]), np.array([[1.0, 1.0, 0.5, 0.0]]), np.array([[1.0, 1.0, 1.0, 0.0]])]
    result = np.stack(long_term_weights(weights))
    expected = [[[1, 0, 0.3, 0]], [[0, 1, 0.2, 0]], [[0, 0, 0.2, 0]]]
    np.testing.assert_allclose(result, expected, atol=1e-12)


def test_a_target_with_the_roots_of_its_weights_has_the_gradient_of_the_program():
    weights = [RNG.uniform(size=(3, 4)).astype(np.float32) for _ in range(2)]
    frames = [RNG.uniform(size=(3, 4, 3)).astype(np.float32) for _ in weights]
    picture = RNG.uniform(size=(3, 4, 3))
    target = temporal_target([Neighbour(*pair) for pair in zip(frames, weights, strict=True)], (3, 4), root=True)
    computed = 2 * target["weights"] * (picture - target["image"])
    shares = [weights[0], np.maximum(weights[1] - weights[0], 0)]
    expected = sum(2 * np.sqrt(c)[..., None] * (picture - w) for c, w in zip(shares, frames, strict=True))
    np.testing.assert_allclose(computed, expected, atol=1e-5)


def test_the_temporal_error_is_a_root_mean_square_over_weights():
    picture, other = np.full((2, 2, 3), 0.5), np.full((2, 2, 3), 0.5)
    other[0] = 0.1
    other[1] = 0.3
    assert temporal_error(picture, other, np.array([[1.0, 1.0], [0.0, 0.0]])) == pytest.approx(0.4)
    assert temporal_error(picture, other, np.ones((2, 2))) == pytest.approx(np.sqrt((0.16 + 0.04) / 2))
    assert np.isnan(temporal_error(picture, other, np.zeros((2, 2))))


def test_constants_that_are_no_pair_are_refused():
    with pytest.raises(InputError, match=r"^consistency\.boundary=\[0\.1\]: must be two numbers"):
        Consistency(boundary=[0.1])
