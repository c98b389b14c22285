"""Damaged TFLite models: each is used or refused in one line, and none ends the process or hangs."""

import numpy as np
import pytest

from nst_tf.feedforward import Magenta
from nst_tf.util.errors import InputError

pytest.importorskip("ai_edge_litert")


def damaged(sound, generator):
    """Return a copy that is cut, or in which a few bits are changed."""
    data = bytearray(sound)
    if generator.integers(4) == 0:
        return bytes(data[: generator.integers(len(data))])
    for position in generator.integers(len(data), size=generator.integers(1, 8)):
        data[position] ^= 1 << int(generator.integers(8))
    return bytes(data)


def check(pair, folder, seed, count):
    generator = np.random.default_rng(seed)
    style = np.full((1, 256, 256, 3), 0.5, np.float32)
    content = np.full((1, 24, 24, 3), 0.5, np.float32)
    for n in range(count):
        victim = ("style_predict.tflite", "style_transfer.tflite")[n % 2]
        for name in ("style_predict.tflite", "style_transfer.tflite"):
            sound = (pair / name).read_bytes()
            (folder / name).write_bytes(damaged(sound, generator) if name == victim else sound)
        message = "feedforward.weights: "
        try:
            network = Magenta(weights=str(folder)).network(threads=1)
            network.transfer(content, network.predict(style))
        except InputError as error:
            message = str(error)
        assert "\n" not in message
        assert message.startswith("feedforward.weights: ")
        assert len(message) < 900


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(4))
def test_damaged_models_are_used_or_refused_in_one_line(seed, tflite_pair, tmp_path):
    check(tflite_pair(24), tmp_path, seed, 15)


def test_a_damaged_model_is_refused_in_one_line(tflite_pair, tmp_path):
    check(tflite_pair(24), tmp_path, 7, 2)
