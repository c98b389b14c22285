"""One forward pass: preparation of the pictures, blending of the style vectors, and the result."""

import numpy as np
import pytest

from nst_tf.feedforward import ForwardPass
from nst_tf.feedforward.network import StyleNetwork
from nst_tf.images import Canvas, Colour, Picture, resize


@pytest.fixture
def network(tiny_styliser):
    return StyleNetwork(tiny_styliser.predict, tiny_styliser.transfer)


def picture(height, width, seed, **more):
    return Picture(np.random.default_rng(seed).uniform(size=(height, width, 3)).astype(np.float32), **more)


def test_several_styles_are_blended_as_vectors_and_not_as_pixels(network, tiny_styliser):
    content, styles, shares = picture(30, 40, 0), [picture(20, 20, n) for n in (1, 2, 3)], [0.5, 0.3, 0.2]
    made = ForwardPass(Canvas(size=40), content, styles, shares).picture(network)
    vectors = [tiny_styliser.predict(resize(style.pixels, 256, 256)[None]) for style in styles]
    blend = 0.5 * vectors[0] + 0.3 * vectors[1] + 0.2 * vectors[2]
    expected = tiny_styliser.transfer(resize(content.pixels, 30, 40)[None], blend)
    np.testing.assert_allclose(made, expected, atol=1e-5)
    pixels = sum(share * resize(style.pixels, 256, 256) for share, style in zip(shares, styles, strict=True))
    of_blended_pixels = tiny_styliser.transfer(
        resize(content.pixels, 30, 40)[None], tiny_styliser.predict(pixels[None])
    )
    assert np.abs(made - of_blended_pixels).max() > 0.01


def test_a_style_is_cut_to_its_middle_square(network):
    style = picture(20, 50, 1)
    style.pixels[:, :15] = style.pixels[:, 35:] = 0.9
    forward_pass = ForwardPass(Canvas(size=16), picture(16, 16, 0), [style], [1.0])
    (square,) = forward_pass.style_squares(np.zeros((1, 16, 16, 3)))
    np.testing.assert_array_equal(square[0], resize(style.pixels[:, 15:35], 256, 256))


@pytest.mark.parametrize("canvas", [{"style_size": 64}, {"style_fit": "content"}, {"style_scale": 0.1}])
def test_settings_of_the_styles_size_have_no_effect(canvas, network):
    arguments = picture(16, 16, 0), [picture(30, 20, 1)], [1.0]
    plain, other = (ForwardPass(Canvas(size=16, **more), *arguments).picture(network) for more in ({}, canvas))
    np.testing.assert_array_equal(plain, other)


@pytest.mark.parametrize("colour", Colour)
def test_the_network_receives_float32_with_every_colour_setting(colour):
    forward_pass = ForwardPass(Canvas(size=16, colour=colour), picture(16, 16, 0), [picture(9, 9, 1)], [1.0])
    content = forward_pass.canvas.content(forward_pass.content)
    assert {content.dtype, *(square.dtype for square in forward_pass.style_squares(content))} == {np.dtype(np.float32)}


def test_luminance_keeps_the_contents_chroma(network):
    content = picture(16, 16, 0)
    made = ForwardPass(Canvas(size=16, colour=Colour.luminance), content, [picture(9, 9, 1)], [1.0]).picture(network)[0]
    chroma = [x - (x @ [0.299, 0.587, 0.114])[..., None] for x in (made, content.pixels)]
    inside = (made > 0).all(2) & (made < 1).all(2)  # where nothing was clipped
    assert inside.sum() > 20
    np.testing.assert_allclose(chroma[0][inside], chroma[1][inside], atol=1e-4)
