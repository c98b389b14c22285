import enum
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from omegaconf.errors import ValidationError
from PIL import Image

from nst_tf.images import Canvas, Colour, Fit, Noise, Picture, StyleFit, read_picture, resize
from nst_tf.images.colour import grey
from nst_tf.images.noise import MEAN_COLOUR
from nst_tf.util.errors import InputError


def picture(height: int, width: int, seed: int = 0, alpha: bool = False) -> Picture:
    rng = np.random.default_rng(seed)
    pixels = resize(rng.uniform(0.1, 0.9, (4, 4, 3)).astype(np.float32), height, width)
    opacity = np.linspace(0, 1, height * width, dtype=np.float32).reshape(height, width) if alpha else None
    return Picture(pixels, opacity, "made", "")


CONTENT, STYLE = picture(40, 60), picture(50, 30, seed=1)


@pytest.mark.parametrize(
    ("canvas", "expected"),
    [
        (Canvas(size=120), (80, 120)),
        (Canvas(size=120, fit=Fit.short_side), (120, 180)),
        (Canvas(size=20, fit=Fit.height), (20, 30)),
        (Canvas(size=30, fit=Fit.width), (20, 30)),
        (Canvas(size=33, fit=Fit.exact), (33, 33)),
        (Canvas(size=33, fit=Fit.exact, width=47), (33, 47)),
        (Canvas(fit=Fit.exact, height=21, width=47), (21, 47)),
        (Canvas(size=24), (16, 24)),
        (Canvas(size=31), (21, 31)),
    ],
)
def test_shape_follows_size_and_fit(canvas, expected):
    assert canvas.shape(CONTENT) == expected


@pytest.mark.parametrize("size", range(53, 700, 37))
def test_the_side_that_fit_names_has_exactly_the_size(size):
    for h, w in ((427, 640), (1000, 333), (17, 16)):
        made = Picture(np.zeros((h, w, 3), np.float32))
        assert max(Canvas(size=size).shape(made)) == size
        assert min(Canvas(size=size, fit=Fit.short_side).shape(made)) == size


def test_shape_shrinks_with_the_factor_in_proportion_until_a_side_has_16_pixels():
    assert Canvas(size=240).shape(CONTENT, 0.5) == (80, 120)
    assert Canvas(size=240).shape(CONTENT, 0.01) == (16, 24)
    assert Canvas(fit=Fit.exact, height=40, width=100).shape(CONTENT, 0.5) == (20, 50)


PANORAMA = Picture(np.zeros((20, 2048, 3), np.float32), None, "pano.png")


def test_a_content_that_would_be_narrower_than_16_pixels_is_refused_with_its_size_and_the_least_size():
    with pytest.raises(InputError) as caught:
        Canvas(size=512).shape(PANORAMA)
    assert str(caught.value) == (
        "Picture too narrow: 'pano.png' (content) has 2048x20 pixels and would become 512x5 with image.size=512, but "
        "no side may be below 16. Set image.size=1639 or more, or crop it."
    )
    assert Canvas(size=1639).shape(PANORAMA) == (16, 1639)
    assert Canvas(fit=Fit.exact, height=16, width=64).shape(PANORAMA) == (16, 64)


def test_a_coarse_scale_of_a_narrow_content_keeps_its_proportions():
    height, width = Canvas(size=2048).shape(PANORAMA, 0.25)
    assert (height, width) == (16, 1638)


def test_a_style_narrower_than_16_pixels_is_enlarged_in_its_proportions():
    assert Canvas(size=512).style_shape(PANORAMA, (32, 32)) == (16, 1638)
    tiny = Picture(np.zeros((4, 8, 3), np.float32))
    assert Canvas(size=512).style_shape(tiny, (32, 32)) == (16, 32)


def test_the_scale_at_which_a_picture_is_used_follows_size_and_fit():
    assert Canvas(size=50).content_scale(100, 200) == 0.25
    assert Canvas(size=50, fit=Fit.short_side).content_scale(100, 200) == 0.5
    assert Canvas(fit=Fit.exact, height=50, width=20).content_scale(100, 200) == 0.5
    assert Canvas(size=50, style_scale=2.0).style_size_scale(100, 200) == 0.5
    assert Canvas(size=500).style_size_scale(100, 200) == 1
    assert Canvas(size=500, enlarge_style=True).style_size_scale(100, 200) == 2.5
    assert Canvas(size=50, style_fit=StyleFit.content).style_size_scale(100, 200) == 1


def test_content_is_the_resized_picture_with_a_batch_axis():
    result = Canvas(size=30).content(CONTENT)
    assert result.shape == (1, 20, 30, 3)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result[0], resize(CONTENT.pixels, 20, 30))
    assert Canvas(size=60).content(CONTENT, 0.5).shape == (1, 20, 30, 3)


@pytest.mark.parametrize(
    ("canvas", "factor", "expected"),
    [
        (Canvas(size=40), 1, (40, 24)),
        (Canvas(size=500), 1, (50, 30)),
        (Canvas(size=500, enlarge_style=True), 1, (500, 300)),
        (Canvas(size=500, style_size=40), 1, (40, 24)),
        (Canvas(size=40, style_scale=0.75), 1, (30, 18)),
        (Canvas(size=40, style_scale=2), 1, (50, 30)),
        (Canvas(size=24, style_fit=StyleFit.short_side), 1, (40, 24)),
        (Canvas(size=90, style_fit=StyleFit.content), 1, (60, 90)),
        (Canvas(size=90, style_fit=StyleFit.content, style_scale=0.5), 1, (60, 90)),
        (Canvas(size=50), 0.6, (30, 18)),
        (Canvas(size=500), 0.6, (30, 18)),
    ],
)
def test_style_shape_follows_its_settings(canvas, factor, expected):
    content = canvas.content(CONTENT, factor)
    (style,) = canvas.styles([STYLE], content, factor)
    assert style.shape == (1, *expected, 3)
    np.testing.assert_array_equal(style[0], resize(STYLE.pixels, *expected))


def covariance(image):
    return np.cov(image.reshape(-1, 3).astype(np.float64), rowvar=False)


# A low contrast avoids clipping, so that the statistics hold exactly.
MUTED = Picture((0.5 + 0.1 * (CONTENT.pixels - 0.5)).astype(np.float32))


def test_linear_colour_gives_styles_the_contents_statistics():
    canvas = Canvas(size=60, colour=Colour.linear)
    content = canvas.content(MUTED)
    for style in canvas.styles([STYLE, picture(60, 60, seed=2)], content):
        np.testing.assert_allclose(style.mean((0, 1, 2)), content.mean((0, 1, 2)), atol=1e-5)
        np.testing.assert_allclose(covariance(style), covariance(content), rtol=5e-3, atol=1e-6)


def test_histogram_colour_gives_styles_the_contents_values():
    canvas = Canvas(size=60, colour=Colour.histogram, style_fit=StyleFit.content)
    content = canvas.content(CONTENT)
    (style,) = canvas.styles([STYLE], content)
    for c in range(3):
        np.testing.assert_allclose(np.sort(style[..., c], None), np.sort(content[..., c], None), atol=5e-3)


def test_luminance_works_in_grey_and_restores_the_chroma():
    canvas = Canvas(size=60, colour=Colour.luminance, start=["content", "noise"])
    content = canvas.content(MUTED)
    np.testing.assert_allclose(content[0], grey(MUTED.pixels), atol=1e-6)
    (style,) = canvas.styles([STYLE], content)
    np.testing.assert_array_equal(style[..., 0], style[..., 2])
    np.testing.assert_allclose([style.mean(), style.std()], [content.mean(), content.std()], atol=1e-5)
    start = canvas.start_image(content, [style], seed=0)
    np.testing.assert_array_equal(start[..., 0], start[..., 1])
    np.testing.assert_allclose(canvas.finish(content, MUTED)[0], MUTED.pixels, atol=1e-6)
    brighter = canvas.finish(content + np.float32(0.1), MUTED)
    np.testing.assert_allclose(brighter[0], MUTED.pixels + 0.1, atol=1e-6)
    assert canvas.finish(content[:, ::2, ::2], MUTED).shape == (1, 20, 30, 3)


def test_finish_clips_to_the_unit_range_in_float32():
    image = np.array([[[[-1, 0.5, 2]]]], np.float32)
    result = Canvas().finish(image, CONTENT)
    np.testing.assert_array_equal(result, [[[[0, 0.5, 1]]]])
    assert result.dtype == np.float32


def test_alpha_is_none_for_an_opaque_picture_and_resized_otherwise():
    assert Canvas().alpha(CONTENT, 20, 30) is None
    transparent = picture(40, 60, alpha=True)
    np.testing.assert_array_equal(Canvas().alpha(transparent, 40, 60), transparent.alpha)
    np.testing.assert_array_equal(Canvas().alpha(transparent, 20, 30), resize(transparent.alpha, 20, 30))


@pytest.fixture
def file_start(tmp_path):
    Image.new("RGB", (5, 9), (51, 102, 255)).save(tmp_path / "start.png")
    return str(tmp_path / "start.png")


def test_each_start_gives_its_picture_in_the_contents_shape(file_start):
    content = Canvas(size=60).content(CONTENT)
    style = STYLE.pixels[None]
    np.testing.assert_array_equal(Canvas().start_image(content, [style], 0), content)
    stretched = Canvas(start="style").start_image(content, [style, content], 0)
    np.testing.assert_array_equal(stretched[0], resize(STYLE.pixels, 40, 60))
    from_file = Canvas(start=file_start).start_image(content, [], 0)
    assert from_file.dtype == np.float32
    np.testing.assert_allclose(from_file, np.broadcast_to([0.2, 0.4, 1], content.shape), atol=1e-5)
    from_sample = Canvas(start="sample:cat").start_image(content, [], 0)
    np.testing.assert_array_equal(from_sample[0], resize(read_picture("sample:cat").pixels, 40, 60))


def test_a_start_that_is_read_once_gives_the_same_picture_when_its_file_is_gone(file_start):
    content = Canvas(size=60).content(CONTENT)
    for start in (file_start, ["content", file_start]):
        canvas = Canvas(start=start)
        read = canvas.with_start_read()
        expected = canvas.start_image(content, [], 0)
        assert [picture.source for picture in read.start_pictures] == [file_start]
        assert isinstance(read.start, list) == isinstance(start, list)
        Path(file_start).rename(file_start + ".moved")
        np.testing.assert_array_equal(read.start_image(content, [], 0), expected)
        Path(file_start + ".moved").rename(file_start)


def test_pixels_can_be_a_start():
    content = Canvas(size=60).content(CONTENT)
    canvas = Canvas(start=np.full((5, 9, 3), 51, np.uint8))
    np.testing.assert_allclose(canvas.start_image(content, [], 0), 0.2, atol=1e-6)
    assert [picture.source for picture in canvas.start_pictures] == ["<array 9x5>"]


def test_a_list_of_starts_is_blended_by_its_weights(file_start):
    content = Canvas(size=60).content(CONTENT)
    constant = np.float32([0.2, 0.4, 1])
    even = Canvas(start=["content", file_start]).start_image(content, [], 0)
    np.testing.assert_allclose(even, 0.5 * content + 0.5 * constant, atol=1e-5)
    weighted = Canvas(start=["content", file_start, "noise"], start_weights=[1, 3, 0])
    np.testing.assert_allclose(weighted.start_image(content, [], 0), 0.25 * content + 0.75 * constant, atol=1e-5)


def noise(seed=0, **fields):
    return Canvas(start="noise", **fields).start_image(np.zeros((1, 100, 120, 3), np.float32), [], seed)


@pytest.mark.parametrize("kind", Noise)
def test_noise_is_reproduced_by_its_seed_and_changes_with_it(kind):
    np.testing.assert_array_equal(noise(3, noise=kind), noise(3, noise=kind))
    assert np.abs(noise(3, noise=kind) - noise(4, noise=kind)).mean() > 0.1
    assert noise(noise=kind).shape == (1, 100, 120, 3)
    assert noise(noise=kind).dtype == np.float32


def test_uniform_noise_has_the_moments_of_its_formula():
    full, narrow = noise(), noise(noise_scale=0.2)
    assert full.min() >= 0
    assert full.min() < 0.001
    assert full.max() > 0.999
    np.testing.assert_allclose([full.mean(), full.std()], [0.5, 12**-0.5], atol=0.005)
    np.testing.assert_allclose(narrow, 0.5 + 0.2 * (full - 0.5), atol=1e-6)
    np.testing.assert_array_equal(noise(noise_scale=0), 0.5)


def test_gaussian_noise_has_imagenets_mean_and_the_given_deviation():
    result = noise(noise=Noise.gaussian, noise_scale=0.05)
    np.testing.assert_allclose(result.mean((0, 1, 2)), [0.48502, 0.45796, 0.40760], atol=0.002)
    np.testing.assert_allclose(result.std((0, 1, 2)), 0.05, rtol=0.03)
    tiny = noise(noise=Noise.gaussian, noise_scale=0.001 / 255)
    np.testing.assert_allclose((255 * (tiny - MEAN_COLOUR)).std(), 0.001, rtol=0.05)
    wide = noise(noise=Noise.gaussian, noise_scale=1.0)
    assert (wide.min(), wide.max()) == (0, 1)


@pytest.mark.parametrize(
    ("fields", "key", "value"),
    [
        ({"size": -3}, "size", "-3"),
        ({"size": 15}, "size", "15"),
        ({"fit": Fit.exact, "height": 3}, "height", "3"),
        ({"fit": Fit.exact, "width": 0}, "width", "0"),
        ({"height": 100}, "height", "100"),
        ({"style_size": 1}, "style_size", "1"),
        ({"style_scale": 0.0}, "style_scale", "0.0"),
        ({"style_scale": float("nan")}, "style_scale", "nan"),
        ({"noise_scale": -1.0}, "noise_scale", "-1.0"),
        ({"noise_scale": float("inf")}, "noise_scale", "inf"),
        ({"fit": "diagonal"}, "fit", "'diagonal'"),
        ({"colour": []}, "colour", "[]"),
        ({"start": []}, "start", "[]"),
        ({"start": ""}, "start", "''"),
        ({"start": None}, "start", "None"),
        ({"start": ["content", 3]}, "start", "['content', 3]"),
        ({"size": "large"}, "size", "'large'"),
        ({"fit_memory": "perhaps"}, "fit_memory", "'perhaps'"),
        ({"start_weights": 1.0}, "start_weights", "1.0"),
        ({"max_megapixels": 0}, "max_megapixels", "0"),
        ({"max_megabytes": 0}, "max_megabytes", "0"),
        ({"start_weights": [1.0, 2.0]}, "start_weights", "[1.0, 2.0]"),
        ({"start": ["content", "noise"], "start_weights": [1.0, -1.0]}, "start_weights", "[1.0, -1.0]"),
        ({"start": ["content", "noise"], "start_weights": [0.0, 0.0]}, "start_weights", "[0.0, 0.0]"),
        ({"start_weights": [float("nan")]}, "start_weights", "[nan]"),
    ],
)
def test_wrong_values_are_refused_at_construction_with_their_key(fields, key, value):
    with pytest.raises(InputError) as caught:
        Canvas(**fields)
    message = str(caught.value)
    assert message.startswith(f"image.{key}={value}: ")
    remedy = message.removeprefix(f"image.{key}={value}: ")
    assert remedy.startswith(("must be", "needs"))
    assert "\n" not in message


def test_start_errors_name_the_key():
    content = np.zeros((1, 16, 16, 3), np.float32)
    with pytest.raises(InputError, match=r"'no\.jpg' \(image\.start\)"):
        Canvas(start="no.jpg").start_image(content, [], 0)
    with pytest.raises(InputError, match=r"image\.start='style'"):
        Canvas(start="style").start_image(content, [], 0)


@pytest.mark.parametrize("choices", [Fit, StyleFit, Colour, Noise])
def test_the_value_of_a_choice_is_its_name(choices: type[enum.Enum]):
    assert all(member.name == member.value for member in choices)


def test_choices_are_accepted_by_name():
    assert Canvas(fit="height", colour="linear") == Canvas(fit=Fit.height, colour=Colour.linear)


def test_canvas_is_an_omegaconf_schema_that_rejects_unknown_choices():
    config = OmegaConf.structured(Canvas)
    given = {"fit": "exact", "height": 20, "start": ["content", "noise"], "start_weights": [1, 3]}
    canvas = OmegaConf.to_object(OmegaConf.merge(config, given))
    assert canvas == Canvas(fit=Fit.exact, height=20, start=["content", "noise"], start_weights=[1.0, 3.0])
    assert isinstance(canvas, Canvas)
    assert OmegaConf.to_object(OmegaConf.merge(config, {"start": "a.jpg"})).start == "a.jpg"
    with pytest.raises(ValidationError, match="diagonal"):
        OmegaConf.merge(config, {"fit": "diagonal"})
