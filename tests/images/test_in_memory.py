"""Pictures that Python callers give as arrays, tensors and Pillow images."""

import numpy as np
import pytest
from PIL import Image

from nst_tf import Config
from nst_tf.config.settings import flatten, to_yaml
from nst_tf.images import Canvas, Picture, read_picture
from nst_tf.images.in_memory import as_source, source_text
from nst_tf.util.errors import InputError

COLOURS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


def pixels_of(value):
    return as_source("content", value).pixels


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (COLOURS, COLOURS / 255),
        (COLOURS[None], COLOURS / 255),
        (COLOURS / 255, COLOURS / 255),
        ((COLOURS / 255).astype(np.float32), COLOURS / 255),
        (COLOURS.astype(">u2") * 257, COLOURS / 255),
        (COLOURS[..., 0], np.stack([COLOURS[..., 0] / 255] * 3, -1)),
        (COLOURS[..., :1], np.stack([COLOURS[..., 0] / 255] * 3, -1)),
        (COLOURS[..., 0] > 99, np.stack([COLOURS[..., 0] > 99] * 3, -1)),
    ],
    ids=["uint8", "batch of one", "float64", "float32", "uint16", "grey", "one channel", "bool"],
)
def test_an_array_becomes_rgb_in_the_unit_range(array, expected):
    pixels = pixels_of(array)
    assert (pixels.shape, pixels.dtype) == ((4, 6, 3), np.float32)
    np.testing.assert_allclose(pixels, expected, atol=1e-6)


def test_alpha_of_an_array_is_kept_and_its_colours_are_composited_over_white():
    picture = as_source("content", np.dstack([COLOURS, np.full((4, 6), 51, np.uint8)]))
    np.testing.assert_allclose(picture.pixels, 0.2 * COLOURS / 255 + 0.8, atol=1e-6)
    np.testing.assert_allclose(picture.alpha, 0.2, atol=1e-6)
    assert as_source("content", np.dstack([COLOURS, np.full((4, 6), 255, np.uint8)])).alpha is None


def test_a_tensor_is_taken_as_an_array():
    tf = pytest.importorskip("tensorflow")
    np.testing.assert_allclose(pixels_of(tf.constant(COLOURS)), COLOURS / 255, atol=1e-6)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "CMYK", "1", "RGBA"])
def test_a_pillow_image_gives_the_pixels_of_its_file(mode, tmp_path):
    image = Image.fromarray(COLOURS).convert(mode)
    image.save(tmp_path / "a.tif")
    np.testing.assert_array_equal(pixels_of(image), read_picture(str(tmp_path / "a.tif")).pixels)


def test_an_open_pillow_image_is_read_and_stays_open(tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_allclose(pixels_of(image), COLOURS / 255, atol=1e-6)
        assert image.getpixel((0, 0)) == tuple(COLOURS[0, 0])


def test_equal_pixels_have_equal_hashes_and_other_pixels_have_others():
    first, second = (as_source("content", value).sha256 for value in (COLOURS, Image.fromarray(COLOURS)))
    assert first == second
    others = [COLOURS.reshape(6, 4, 3), COLOURS + 1, np.dstack([COLOURS, COLOURS[..., 0]])]
    assert len({first, *(as_source("content", other).sha256 for other in others)}) == 4
    assert len(first) == 64


def test_later_changes_of_an_array_do_not_change_the_picture():
    array = (COLOURS / 255).astype(np.float32)
    picture = as_source("content", array)
    array[:] = 0
    np.testing.assert_allclose(picture.pixels, COLOURS / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 4, 6, 3)), r"content: an array of shape \(2, 4, 6, 3\) .* several pictures are given as a list"),
        (np.zeros((3, 40, 60)), r"content: an array of shape \(3, 40, 60\) is not a picture"),
        (np.zeros((0, 6, 3)), r"content: an array of shape \(0, 6, 3\) is not a picture"),
        (np.float32(1), r"content: an array of shape \(\) is not a picture"),
        (COLOURS.astype(np.float32), r"content: an array of floats from \d+ to \d+ .* divide values in 0..255 by 255"),
        (np.full((4, 6), np.nan), "content: an array of floats from nan to nan is not a picture"),
        (COLOURS.astype(np.int64), "content: an array of int64 is not a picture; must be uint8, uint16 or floats"),
        (np.array([["a", "b"]]), "content: an array of <U1 is not a picture"),
    ],
)
def test_an_array_that_is_no_picture_is_refused_in_one_line(array, message):
    with pytest.raises(InputError, match=f"^{message}") as caught:
        Config(content=array)
    assert "\n" not in str(caught.value)


def test_a_broken_pillow_image_is_refused_in_one_line(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:3000])
    with Image.open(tmp_path / "b.png") as image, pytest.raises(InputError, match=r"^style: the Pillow image cannot"):
        Config(style=[image])


def test_records_show_the_source_of_a_picture_in_memory():
    picture = as_source("content", COLOURS)
    assert (str(picture), repr(picture)) == ("<array 6x4>", "Picture('<array 6x4>', 6x4)")
    assert source_text(["a.jpg", picture]) == ["a.jpg", "<array 6x4>"]
    config = Config(content=COLOURS, style=["a.jpg", COLOURS], image=Canvas(start=["noise", COLOURS]))
    assert isinstance(config.content, Picture)
    assert to_yaml(config).startswith("content: <array 6x4>\nstyle:\n- a.jpg\n- <array 6x4>\n")
    assert flatten(config)["image.start"] == "[noise,<array 6x4>]"


def test_the_recorded_source_of_a_picture_in_memory_cannot_be_read_and_says_why():
    with pytest.raises(InputError, match=r"'<array 6x4>' \(content\); its pixels were given from Python"):
        read_picture("<array 6x4>", role="content")
