"""How small a picture may be, in networks with branches and without padding."""

import pytest
import tensorflow as tf

from nst_tf.backbones import InceptionV3, MobileNet


@pytest.mark.parametrize(
    ("network", "padding", "minimum"),
    [
        (InceptionV3, "zero", 75),  # Keras's own limit
        (InceptionV3, "reflect", 107),  # 2 where the last 3x3 mirrors; before: 5, 11, 23, 25, 51, 53, 107
        (MobileNet, "zero", 31),  # 1; before each of four strides behind (0, 1): 2, 4, 8, 16; before the first: 31
        (MobileNet, "reflect", 63),  # 2; 4, 8, 16, 32; 63
    ],
)
def test_the_minimum_is_the_smallest_that_works(network, padding, minimum, refused):
    extractor = network(weights="random", padding=padding).extractor(["stage5"])
    assert extractor.minimum_size == minimum
    assert min(extractor(tf.zeros((1, minimum, minimum, 3)))["stage5"].shape[1:3]) >= 1
    with refused(f"each side needs at least {minimum}"):
        extractor(tf.zeros((1, minimum - 1, 200, 3)))
    assert not _works(extractor, minimum - 1)


def _works(extractor, side):
    """Whether Keras infers features of that size, and the network, unguarded, computes them.

    Inference alone knows nothing of mirroring; TensorFlow alone answers a depthwise convolution of too few pixels.
    """
    try:
        shapes = extractor.model.compute_output_shape((1, side, side, 3))
        extractor.network(tf.zeros((1, side, side, 3)))
    except (ValueError, tf.errors.InvalidArgumentError):
        return False
    return min(shapes[extractor.layers["stage5"]][1:3]) > 0


def test_the_shallower_the_smaller():
    assert InceptionV3(weights="random").extractor(["stage2"]).minimum_size < 75
