"""Variables of pictures: analysis and synthesis are inverse, and the adjoint is that of the synthesis."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.optimizers import Basis, Parametrisation, Resampling
from nst_tf.optimizers.laplacian import decompose, level_sizes
from nst_tf.util.errors import InputError

SIZES = [(13, 18), (16, 17)]
KINDS = [
    Parametrisation(basis="laplacian_pyramid", levels=3),
    Parametrisation(basis="laplacian_pyramid", levels=9, resampling="aligned"),
    Parametrisation(basis="fourier"),
    Parametrisation(basis="fourier", decay=0),
]


def random(shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_variables_make_the_picture_they_were_taken_from(kind, height, width):
    image = random((2, height, width, 3))
    z = kind.analyse(image)
    assert z.shape[2:] == (1, 3)
    np.testing.assert_allclose(kind.synthesise(z, height, width), image, atol=2e-6)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_adjoint_keeps_inner_products(kind, height, width):
    """``⟨S z, g⟩ = ⟨z, Sᵀ g⟩``."""
    gradient = random((1, height, width, 3), 1)
    z = random(kind.analyse(gradient).shape, 2)
    left = tf.reduce_sum(tf.cast(kind.synthesise(z, height, width) * gradient, tf.float64))
    right = tf.reduce_sum(tf.cast(z * kind.adjoint(gradient), tf.float64))
    assert float(left) == pytest.approx(float(right), rel=1e-4)


def test_a_pyramid_of_two_levels_equals_means_of_two_by_two_pixels():
    image = random((1, 8, 12, 3)).numpy()
    fine, rest = decompose(tf.constant(image), 1, Resampling.half_pixel)
    means = image.reshape(1, 4, 2, 6, 2, 3).mean((2, 4))
    np.testing.assert_allclose(rest, means, atol=1e-6)
    np.testing.assert_allclose(fine, image - tf.image.resize(means, [8, 12]), atol=1e-6)


def test_halving_ends_before_a_side_is_below_two():
    assert level_sizes(64, 33, 8) == [(64, 33), (32, 16), (16, 8), (8, 4), (4, 2)]


def test_settings_out_of_range_are_refused():
    with pytest.raises(InputError, match=r"parametrisation\.levels=0"):
        Parametrisation(levels=0)
    with pytest.raises(InputError, match=r"parametrisation\.decay=-1"):
        Parametrisation(decay=-1)
    assert Parametrisation().basis is Basis.pixels
