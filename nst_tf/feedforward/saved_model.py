"""Magenta's network as a SavedModel, which takes a content of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

# TensorFlow has no public function for this: `tf.compat.v1.graph_util` cannot freeze a function of TensorFlow 2.
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from nst_tf.feedforward.network import StyleNetwork
from nst_tf.feedforward.splitting import find_style_vector
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf

SIGNATURE = "serving_default"
"""Name of the function that TensorFlow Hub's SavedModel exports."""


def read_saved_model(folder: Path) -> StyleNetwork:
    """Load a SavedModel and split it at its style vector.

    TensorFlow Hub's model has one signature, from a content (``placeholder``) and a style (``placeholder_1``) to a
    picture, each ``(B, H, W, 3)`` in [0, 1]. The style vector is found in its graph.

    Args:
        folder: Folder with ``saved_model.pb`` and ``variables/``.

    Raises:
        InputError: The model cannot be loaded, or does not compute a picture from a content and a style.
    """
    try:
        model = tf.saved_model.load(str(folder))  # keeps the variables alive until they are constants
        function = convert_variables_to_constants_v2(model.signatures[SIGNATURE])
    except Exception as error:  # TensorFlow raises errors of many types on broken files
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(f"feedforward.weights: '{folder}' cannot be loaded ({reason}); unpack it again") from error
    pictures = [tensor for tensor in (*function.inputs, *function.outputs) if _is_picture(tensor)]
    if (len(pictures), len(function.inputs), len(function.outputs)) != (3, 2, 1):
        raise InputError(
            f"feedforward.weights: '{folder}' does not make a picture from two pictures; choose TensorFlow Hub's "
            "arbitrary-image-stylization-v1-256"
        )
    content, style = sorted(function.inputs, key=lambda tensor: ("style" in tensor.name, tensor.name))
    return _split(function, content, style, folder)


def _split(function: Any, content: tf.Tensor, style: tf.Tensor, folder: Path) -> StyleNetwork:
    graph = _without_control_dependencies(function.graph.as_graph_def())
    wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
    pictures = (content, style, function.outputs[0])
    content, style, picture = (wrapped.graph.get_tensor_by_name(tensor.name) for tensor in pictures)
    vector = find_style_vector(content, style, picture)
    if vector is None or vector.shape.rank not in (2, 4) or any(side != 1 for side in vector.shape[1:-1]):
        raise InputError(
            f"feedforward.weights: '{folder}' has no style vector, so styles cannot be blended with it; choose "
            "TensorFlow Hub's arbitrary-image-stylization-v1-256"
        )
    predict, transfer = wrapped.prune(style, vector), wrapped.prune([content, vector], picture)

    def apply_transfer(content: np.ndarray, vector: np.ndarray) -> np.ndarray:
        """Apply the network, which pads to multiples of four pixels at the bottom and right, and crop the padding."""
        height, width = content.shape[1:3]
        return transfer(tf.constant(content), tf.constant(vector)).numpy()[:, :height, :width]

    return StyleNetwork(lambda picture: predict(tf.constant(picture)).numpy(), apply_transfer)


def _without_control_dependencies(graph: Any) -> Any:
    """Remove control dependencies, which tie a function's outputs to all of its inputs; constants need no order."""
    for node in graph.node:
        data_inputs = [name for name in node.input if not name.startswith("^")]
        del node.input[:]
        node.input.extend(data_inputs)
    return graph


def _is_picture(tensor: tf.Tensor) -> bool:
    return tensor.dtype == tf.float32 and tensor.shape.rank == 4 and tensor.shape[-1] == 3
