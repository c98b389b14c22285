"""Finishing steps against formulas that are written again here, pixel by pixel."""

import numpy as np
import pytest

from nst_tf.images import Canvas, Picture
from nst_tf.images.choices import Finishing
from nst_tf.images.finishing import (
    FINISHINGS,
    bilateral,
    from_oklab,
    guided_filter,
    local_affine_maps,
    match_style,
    nnst,
    photorealistic,
    photorealistic_detail,
    to_oklab,
)
from nst_tf.util.errors import InputError

RNG = np.random.default_rng(9)
H, W = 7, 6


def picture(height=H, width=W, low=0.3, high=0.7):
    """Return a picture whose channels depend on each other."""
    mixed = RNG.uniform(size=(1, height, width, 3)) @ RNG.dirichlet(np.ones(3), size=3).T
    return (low + (high - low) * mixed).astype(np.float32)


RESULT, CONTENT, STYLE = picture(), picture(), picture(9, 8)


def moments(image):
    flat = image.reshape(-1, 3).astype(np.float64)
    return flat.mean(0), np.cov(flat.T, bias=True)


def windows(radius):
    """Yield each pixel with the pixels of its window, which the border cuts off."""
    for y in range(H):
        for x in range(W):
            rows, columns = range(max(y - radius, 0), min(y + radius + 1, H)), range(max(x - radius, 0), x + radius + 1)
            yield y, x, [(v, u) for v in rows for u in columns if u < W]


def at(image, places):
    return np.array([image[0][place] for place in places], np.float64)


def root(matrix, power):
    values, vectors = np.linalg.eigh(matrix)
    return vectors @ np.diag(values**power) @ vectors.T


def test_every_choice_has_a_function():
    assert set(FINISHINGS) == set(Finishing)
    assert FINISHINGS[Finishing.none](RESULT, CONTENT, [STYLE]) is RESULT


def test_match_style_gives_mean_and_covariance_of_the_pixels_of_all_styles():
    other = picture(5, 5)
    joined = np.concatenate([STYLE.reshape(-1, 3), other.reshape(-1, 3)])
    matched = match_style(RESULT, CONTENT, [STYLE, other])
    for got, expected in zip(moments(matched), moments(joined), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-5)


def test_match_style_moves_every_direction_of_colour():
    """A nearly grey picture varies across the grey axis by less than 8 bits show, and is matched nevertheless."""
    grey = 0.5 + 0.1 * RNG.normal(size=(1, H, W, 1)) + 3e-4 * RNG.normal(size=(1, H, W, 3))
    np.testing.assert_allclose(moments(match_style(grey, CONTENT, [STYLE]))[1], moments(STYLE)[1], rtol=0.2, atol=1e-4)


def test_oklab_has_its_published_values():
    lab = to_oklab(np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    published = [
        [1, 0, 0],
        [0.627955, 0.224863, 0.125846],
        [0.866440, -0.233888, 0.179498],
        [0.452014, -0.032457, -0.311528],
    ]
    np.testing.assert_allclose(lab, published, atol=1e-4)
    np.testing.assert_allclose(from_oklab(to_oklab(CONTENT)), CONTENT, rtol=1e-6)


def test_nnst_takes_lightness_from_the_result_and_hues_from_the_content():
    lab, painted, style = (to_oklab(each)[0] for each in (CONTENT, RESULT, STYLE))
    least, largest = style.min((0, 1)), style.max((0, 1))
    light = painted[..., 0].clip(least[0], largest[0])
    hues, target = lab[..., 1:].reshape(-1, 2), style[..., 1:].reshape(-1, 2)
    source, wanted = (np.cov(each.T, bias=True) + 1e-4 * np.eye(2) for each in (hues, target))
    moved = (hues - hues.mean(0)) @ (root(wanted, 0.5) @ root(source, -0.5)).T + target.mean(0)
    moved = moved.reshape(H, W, 2)
    for _ in range(5):
        before = moved.copy()
        for y in range(H):
            for x in range(W):
                near = [(np.clip(y + v, 0, H - 1), np.clip(x + u, 0, W - 1)) for v in (-1, 0, 1) for u in (-1, 0, 1)]
                weights = [np.exp(-10 * abs(light[y, x] - light[place])) for place in near]
                moved[y, x] = np.average([before[place] for place in near], axis=0, weights=weights)
    expected = from_oklab(np.dstack([light, moved]).clip(least, largest)).clip(0, 1)
    np.testing.assert_allclose(nnst(RESULT, CONTENT, [STYLE])[0], expected, atol=1e-5)


def test_nnst_matches_all_three_channels_of_the_result_to_a_grey_style():
    grey = np.repeat(picture(9, 8)[..., :1], 3, axis=-1)
    painted, style = to_oklab(RESULT)[0].reshape(-1, 3), to_oklab(grey)[0].reshape(-1, 3)
    least, largest = style.min(0), style.max(0)
    light = np.column_stack([painted[:, 0].clip(least[0], largest[0]), painted[:, 1:]])
    source, wanted = (np.cov(each.T, bias=True) + 1e-4 * np.eye(3) for each in (light, style))
    moved = (light - light.mean(0)) @ (root(wanted, 0.5) @ root(source, -0.5)).T + style.mean(0)
    expected = from_oklab(moved.clip(least, largest)).reshape(H, W, 3)
    np.testing.assert_allclose(nnst(RESULT, CONTENT, [grey])[0], expected, atol=1e-5)


def test_local_affine_maps_are_the_least_squares_of_each_window():
    maps = local_affine_maps(CONTENT[0], RESULT[0], radius=1, ridge=1e-3)
    for y, x, places in windows(1):
        M = np.column_stack([at(CONTENT, places), np.ones(len(places))])
        expected = np.linalg.solve(M.T @ M + 1e-3 * np.diag([1, 1, 1, 0]), M.T @ at(RESULT, places))
        np.testing.assert_allclose(maps[y, x], expected, rtol=1e-4, atol=1e-6)


def test_the_bilateral_filter_is_the_weighted_mean_of_each_window():
    values = RNG.normal(size=(H, W, 4, 3))
    filtered = bilateral(values, CONTENT[0], radius=2, space=1.5, colour=0.1)
    for y, x, places in windows(2):
        space = [((y - v) ** 2 + (x - u) ** 2) / (2 * 1.5**2) for v, u in places]
        colour = ((at(CONTENT, places) - CONTENT[0, y, x]) ** 2).mean(1) / (2 * 0.1**2)
        expected = np.average([values[place] for place in places], axis=0, weights=np.exp(-np.array(space) - colour))
        np.testing.assert_allclose(filtered[y, x], expected, rtol=1e-4, atol=1e-6)


def test_the_guided_filter_averages_the_maps_of_the_windows_of_each_pixel():
    maps = {}
    for y, x, places in windows(2):
        guide, target = at(CONTENT, places), at(RESULT, places)
        centred = guide - guide.mean(0)
        A = np.linalg.solve(
            centred.T @ centred / len(places) + 0.01 * np.eye(3), centred.T @ (target - target.mean(0)) / len(places)
        )
        maps[y, x] = np.vstack([A, target.mean(0) - guide.mean(0) @ A])
    filtered = guided_filter(CONTENT[0], RESULT[0], 2, 0.01)
    for y, x, places in windows(2):
        mean = np.mean([maps[place] for place in places], axis=0)
        np.testing.assert_allclose(filtered[y, x], CONTENT[0, y, x] @ mean[:3] + mean[3], rtol=1e-4)


def test_a_picture_that_is_affine_in_the_content_stays_itself():
    turned = (0.2 + CONTENT @ np.array([[0.6, 0.1, 0], [0, 0.5, 0.1], [0.2, 0, 0.7]])).clip(0, 1).astype(np.float32)
    np.testing.assert_allclose(photorealistic(turned, CONTENT, []), turned, atol=0.02)
    noise = (turned + 0.1 * RNG.normal(size=turned.shape)).astype(np.float32)
    errors = [np.abs(each - turned).mean() for each in (noise, photorealistic(noise, CONTENT, []))]
    assert errors[1] < errors[0]


def test_details_are_what_the_guided_filter_takes_from_the_content():
    details = photorealistic_detail(RESULT, CONTENT, []) - photorealistic(RESULT, CONTENT, [])
    np.testing.assert_allclose(details, CONTENT - guided_filter(CONTENT[0], CONTENT[0], 8, 0.01)[None], atol=1e-6)


def test_the_canvas_finishes_after_the_margin_is_cut_off():
    canvas = Canvas(size=32, margin=2, finishing="match_style")
    photograph = Picture(picture(32, 32)[0])
    image = picture(36, 36)
    finished = canvas.finish(image, photograph, margin=2, styles=[STYLE])
    np.testing.assert_array_equal(finished, match_style(image[:, 2:-2, 2:-2], photograph.pixels[None], [STYLE]))
    assert np.abs(canvas.finish(image, photograph, margin=2) - image[:, 2:-2, 2:-2]).max() == 0  # without styles


def test_the_colours_of_the_first_style_are_named_style():
    canvas = Canvas(size=32, colour="linear", colour_from="style")
    read = canvas.with_colours_read([Picture(STYLE[0]), Picture(RESULT[0])])
    np.testing.assert_array_equal(read.colour_from.pixels, STYLE[0])
    content = read.content(Picture(picture(32, 32)[0]))
    np.testing.assert_allclose(moments(content)[1], moments(STYLE)[1], rtol=0.02, atol=1e-4)
    with pytest.raises(InputError, match=r"image.colour_from='style': there is no style"):
        canvas.with_colours_read()
