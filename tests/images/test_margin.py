"""The margin of the optimised picture, the size ``native``, and the transfer of colours alone."""

import numpy as np
import pytest

from nst_tf.images import Canvas, Picture, crop, extend
from nst_tf.images.colour import luminance
from nst_tf.util.errors import InputError

PIXELS = np.random.default_rng(0).random((60, 90, 3), dtype=np.float32)
CONTENT = Picture(PIXELS, source="photo.jpg")


def test_the_margin_is_a_sixteenth_of_the_shorter_side_and_at_most_16():
    margins = {size: Canvas(size=size).resolved(CONTENT).margin for size in (48, 96, 384, 2048)}
    assert margins == {48: 2, 96: 4, 384: 16, 2048: 16}


def test_the_picture_is_extended_by_reflection_and_cut_back():
    image = PIXELS[None]
    extended = extend(image, 3)
    np.testing.assert_array_equal(extended, np.pad(image, [(0, 0), (3, 3), (3, 3), (0, 0)], mode="reflect"))
    np.testing.assert_array_equal(extended[0, 2, 5], PIXELS[1, 2])
    np.testing.assert_array_equal(crop(extended, 3), image)
    assert extend(image, 0) is image
    assert crop(image, 0) is image


def test_shapes_with_a_margin_follow_the_scale():
    canvas = Canvas(size=384).resolved(CONTENT)
    assert [canvas.extended_shape(CONTENT, factor) for factor in (1.0, 0.5)] == [(288, 416), (144, 208)]
    assert canvas.shape(CONTENT) == (256, 384)
    assert Canvas(size=384, margin=5).smaller(0.5).margin == 2


@pytest.mark.parametrize("start", ["content", "noise", "style", ["content", "noise"]])
def test_the_start_with_a_margin_is_the_start_without_it_extended(start):
    canvas = Canvas(start=start)
    content, style = PIXELS[None, :20, :30], PIXELS[None, 20:]
    plain = canvas.start_image(content, [style], seed=1)
    np.testing.assert_array_equal(canvas.start_image(extend(content, 4), [style], 1, margin=4), extend(plain, 4))
    np.testing.assert_array_equal(canvas.finish(extend(plain, 4), CONTENT, 4), plain)


def test_a_style_of_the_contents_shape_loses_its_margin_before_it_is_the_start():
    canvas = Canvas(start="style", style_fit="content")
    content, style = PIXELS[None, :20, :30], PIXELS[None, 20:40, :30]
    start = canvas.start_image(extend(content, 2), [extend(style, 2)], 0, margin=2)
    np.testing.assert_array_equal(start, extend(style, 2))


def test_native_size_is_that_of_the_content():
    canvas = Canvas(size="native")
    assert canvas.shape(CONTENT) == (60, 90)
    assert canvas.content_scale(60, 90) == 1
    resolved = canvas.resolved(CONTENT)
    assert (resolved.size, resolved.margin, resolved.shape(CONTENT)) == (90, 3, (60, 90))
    assert Canvas(size="native", fit="short_side").resolved(CONTENT).size == 60
    assert resolved.style_size_scale(180, 100) == 0.5


def test_a_resumed_run_keeps_its_margin():
    assert Canvas(size=384).resolved(CONTENT, margin=0).margin == 0
    assert Canvas(size=384, margin=7).resolved(CONTENT, margin=0).margin == 7


def test_chroma_keeps_the_luminance_of_the_content_and_takes_the_colours():
    image = np.clip(PIXELS[None] * np.float32([0.8, 0.6, 0.5]) + np.float32(0.1), 0, 1)
    muted = Picture(0.4 + 0.2 * PIXELS)
    finished = Canvas(colour="chroma").finish(image, muted)
    unclipped = (finished > 0).all(axis=-1) & (finished < 1).all(axis=-1)
    assert unclipped.mean() > 0.9
    np.testing.assert_allclose(luminance(finished)[unclipped], luminance(muted.pixels[None])[unclipped], atol=1e-6)
    difference = finished - image
    np.testing.assert_allclose(difference[unclipped].std(axis=-1), 0, atol=1e-6)  # equal in red, green and blue


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": "large"}, "image.size='large': must be an integer or native"),
        ({"size": 12.5}, "image.size=12.5: must be an integer or native"),
        ({"size": 8}, "image.size=8: must be at least 16 pixels"),
        ({"size": "native", "fit": "exact"}, "image.size='native': keeps the content's proportions"),
        ({"margin": "wide"}, "image.margin='wide': must be an integer or auto"),
        ({"margin": -1}, "image.margin=-1: must be at least 0"),
    ],
)
def test_sizes_and_margins_out_of_range_are_refused(fields, message):
    with pytest.raises(InputError, match=f"^{message}"):
        Canvas(**fields)
