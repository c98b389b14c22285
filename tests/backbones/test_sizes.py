"""The smallest picture of networks with branches or without padding."""

import pytest
import tensorflow as tf

from nst_tf.backbones import InceptionV3, MobileNet


@pytest.mark.parametrize(
    ("network", "padding", "minimum"),
    [
        pytest.param(InceptionV3, "zero", 75, marks=pytest.mark.slow),  # Keras's own limit
        # 2 at the last 3x3; back to the input: 5, 11, 23, 25, 51, 53, 107
        pytest.param(InceptionV3, "reflect", 107, marks=pytest.mark.slow),
        (MobileNet, "zero", 31),  # 1; back through four strides with padding (0, 1): 2, 4, 8, 16; 31
        (MobileNet, "reflect", 63),  # 2; 4, 8, 16, 32; 63
    ],
)
def test_minimum_size_is_the_smallest_size_with_features(network, padding, minimum, refused):
    extractor = network(weights="random", padding=padding).extractor(["stage5"])
    assert extractor.minimum_size == minimum
    assert min(extractor(tf.zeros((1, minimum, minimum, 3)))["stage5"].shape[1:3]) >= 1
    with refused(f"each side needs at least {minimum}"):
        extractor(tf.zeros((1, minimum - 1, 200, 3)))
    assert not _has_features(extractor, minimum - 1)


def _has_features(extractor, side):
    """Return whether Keras infers a shape with pixels and the network, without the check of sizes, computes features.

    Both are needed: the inferred shape ignores reflect padding, and TensorFlow accepts a depthwise convolution of too
    few pixels.
    """
    try:
        shapes = extractor.model.compute_output_shape((1, side, side, 3))
        extractor.network(tf.zeros((1, side, side, 3)))
    except (ValueError, tf.errors.InvalidArgumentError):
        return False
    return min(shapes[extractor.layers["stage5"]][1:3]) > 0


def test_minimum_size_is_smaller_for_shallower_layers():
    assert InceptionV3(weights="random").extractor(["stage2"]).minimum_size < 75
