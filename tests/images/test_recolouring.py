"""Colours of a third picture, and the transfer of colours alone, against formulas of SciPy and scikit-image."""

import numpy as np
import pytest
from PIL import Image
from scipy.linalg import sqrtm
from skimage.color import rgb2yiq

from nst_tf.config.tree import Config
from nst_tf.images import Canvas, Picture, Recolouring, resize
from nst_tf.images.colour import fit_to
from nst_tf.util.errors import InputError


def picture(height: int, width: int, seed: int, centre: float = 0.5) -> Picture:
    """A smooth picture of low contrast, so that nothing is clipped and statistics hold exactly."""
    noise = np.random.default_rng(seed).normal(0, 0.03, (5, 5, 3)) @ [[1.0, 0.4, 0.1], [0, 0.8, 0.3], [0, 0, 0.6]]
    return Picture(resize((centre + noise).astype(np.float32), height, width), None, "made", str(seed))


CONTENT, STYLE, THIRD = picture(40, 60, 0), picture(50, 30, 1, 0.4), picture(30, 45, 2, 0.6)


def statistics(pixels):
    rows = pixels.reshape(-1, 3).astype(np.float64)
    return rows.mean(0), np.cov(rows.T, bias=True)


def linearly_recoloured(pixels, reference):
    """Σ_R^½ Σ_P^−½ (p − μ_P) + μ_R."""
    (mean, covariance), (new_mean, new_covariance) = statistics(pixels), statistics(reference)
    matrix = np.real(sqrtm(new_covariance)) @ np.linalg.inv(np.real(sqrtm(covariance)))
    return (pixels - mean) @ matrix.T + new_mean


def assert_statistics(pixels, reference):
    (mean, covariance), (expected_mean, expected) = statistics(pixels), statistics(reference)
    np.testing.assert_allclose(mean, expected_mean, atol=1e-5)
    np.testing.assert_allclose(covariance, expected, rtol=1e-2, atol=1e-6)


def test_a_linear_third_picture_gives_content_and_styles_its_mean_and_covariance():
    canvas = Canvas(size=60, colour="linear", colour_from=THIRD)
    content = canvas.content(CONTENT)
    np.testing.assert_allclose(content[0], linearly_recoloured(CONTENT.pixels, THIRD.pixels), atol=1e-5)
    assert_statistics(canvas.styles([STYLE], content)[0], THIRD.pixels)


def test_a_third_picture_by_histogram_gives_the_content_its_values_in_each_channel():
    third = picture(40, 60, 2, 0.6)
    content = Canvas(size=60, colour="histogram", colour_from=third).content(CONTENT)[0]
    for channel in range(3):
        made, given = content[..., channel].ravel(), CONTENT.pixels[..., channel].ravel()
        np.testing.assert_allclose(np.sort(made), np.sort(third.pixels[..., channel].ravel()), atol=2e-3)
        assert np.corrcoef(np.argsort(np.argsort(made)), np.argsort(np.argsort(given)))[0, 1] > 0.999


def test_luminance_restores_the_chroma_of_the_recoloured_content():
    canvas = Canvas(size=60, colour="luminance", colour_from=THIRD)
    recoloured = linearly_recoloured(CONTENT.pixels, THIRD.pixels)
    content = canvas.content(CONTENT)
    np.testing.assert_allclose(content[0, ..., 0], rgb2yiq(recoloured)[..., 0], atol=1e-3)
    np.testing.assert_allclose(canvas.finish(content, CONTENT)[0], recoloured, atol=1e-5)


def test_strength_blends_the_result_with_the_recoloured_content():
    canvas = Canvas(size=60, colour="linear", colour_from=THIRD, strength=0.25)
    expected = 0.25 * 0.9 + 0.75 * linearly_recoloured(CONTENT.pixels, THIRD.pixels)
    np.testing.assert_allclose(canvas.finish(np.full((1, 40, 60, 3), 0.9), CONTENT)[0], expected, atol=1e-5)


@pytest.mark.parametrize(("shape", "expected"), [((120, 30), (60, 15)), ((30, 20), (30, 20)), ((600, 2), (60, 1))])
def test_the_reference_is_shrunk_to_the_long_side_of_the_picture(shape, expected):
    assert fit_to(np.zeros((*shape, 3), np.float32), np.zeros((1, 40, 60, 3))).shape == (1, *expected, 3)


def test_a_third_picture_is_read_once_and_recorded_by_its_source(tmp_path):
    path = tmp_path / "third.png"
    Image.new("RGB", (20, 20), (10, 200, 30)).save(path)
    canvas = Canvas(size=60, colour="linear", colour_from=path)
    read = canvas.with_colours_read()
    path.unlink()
    np.testing.assert_allclose(read.content(CONTENT)[0, 0, 0], np.array([10, 200, 30]) / 255, atol=1e-6)
    assert read.with_source_texts() == canvas
    with pytest.raises(InputError, match=r"third\.png' \(image\.colour_from\)"):
        canvas.with_colours_read()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"colour_from": "x.jpg"},
            "image.colour_from='x.jpg': image.colour=free does not use it. Choose image.colour=",
        ),
        ({"colour_from": "x.jpg", "colour": "chroma"}, "image.colour=chroma does not use it"),
        ({"colour_from": 3, "colour": "linear"}, "image.colour_from=3: must be a path, sample:NAME or style"),
        ({"colour_from": ["a.jpg"], "colour": "linear"}, r"image.colour_from=\['a.jpg'\]: must be a path"),
    ],
)
def test_a_third_picture_that_cannot_be_used_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Canvas(**settings)


def recoloured(colour, styles=(STYLE,), shares=(1.0,), **changes):
    return Recolouring(Canvas(size=60, colour=colour, **changes), CONTENT, styles, shares).picture()[0]


@pytest.mark.parametrize("colour", ["free", "linear"])
def test_recolouring_gives_the_content_the_styles_mean_and_covariance(colour):
    np.testing.assert_allclose(recoloured(colour), linearly_recoloured(CONTENT.pixels, STYLE.pixels), atol=1e-5)


def test_recolouring_by_histogram_takes_the_styles_values():
    style = picture(40, 60, 1, 0.4)
    made = recoloured("histogram", [style])
    np.testing.assert_allclose(np.sort(made, axis=None), np.sort(style.pixels, axis=None), atol=3e-3)


def test_recolouring_of_the_chroma_keeps_the_contents_luminance():
    made, linear = recoloured("chroma"), linearly_recoloured(CONTENT.pixels, STYLE.pixels)
    np.testing.assert_allclose(rgb2yiq(made)[..., 0], rgb2yiq(CONTENT.pixels)[..., 0], atol=1e-3)
    np.testing.assert_allclose(rgb2yiq(made)[..., 1:], rgb2yiq(linear)[..., 1:], atol=1e-3)


def test_recolouring_blends_several_styles_by_their_shares():
    both = recoloured("linear", [STYLE, THIRD], [0.75, 0.25], strength=0.5)
    parts = [linearly_recoloured(CONTENT.pixels, one.pixels) for one in (STYLE, THIRD)]
    np.testing.assert_allclose(both, 0.5 * (0.75 * parts[0] + 0.25 * parts[1] + CONTENT.pixels), atol=1e-5)


def test_the_colours_of_the_style_are_what_recolouring_takes_in_any_case():
    config = Config(method="recolour", image=Canvas(colour="linear", colour_from="style"), style="sample:grass")
    assert config.image.colour_from is None
