"""A pair of TFLite models with the inputs and outputs of Magenta's."""

import pytest
import tensorflow as tf


@pytest.fixture(scope="session")
def tflite_pair(tiny_styliser, tmp_path_factory):
    """Function that writes the pair, for contents of a fixed side in pixels or, with None, of any size."""

    def write(side=24):
        folder = tmp_path_factory.mktemp("pair")
        style, content = (tf.TensorSpec((1, length, length, 3), tf.float32) for length in (256, side))
        vector = tf.TensorSpec((1, 1, 1, 5), tf.float32)
        halves = {
            "style_predict": (lambda style: tiny_styliser.predict(style, tf), [style]),
            "style_transfer": (lambda x, v: tiny_styliser.transfer(x, v, xp=tf), [content, vector]),
        }
        for name, (half, specs) in halves.items():
            function = tf.function(half, input_signature=specs).get_concrete_function()
            converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
            (folder / f"{name}.tflite").write_bytes(converter.convert())
        return folder

    return write
