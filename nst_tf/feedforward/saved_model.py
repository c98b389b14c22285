"""Magenta's network as a SavedModel, which takes a photograph of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from nst_tf.feedforward.network import StyleNetwork
from nst_tf.feedforward.splitting import style_vector
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf

SIGNATURE = "serving_default"


def read_saved_model(folder: Path) -> StyleNetwork:
    """Load a SavedModel and cut it at its style vector.

    TensorFlow Hub's has one signature, from a photograph (``placeholder``) and a painting (``placeholder_1``) to a
    picture, ``(B, H, W, 3)`` in [0, 1] each; what lies between is found in its graph.

    Args:
        folder: Holds ``saved_model.pb`` and ``variables/``.

    Raises:
        InputError: It cannot be loaded, or is no network of a photograph and a painting.
    """
    try:
        model = tf.saved_model.load(str(folder))  # which holds the variables until they are constants
        function = convert_variables_to_constants_v2(model.signatures[SIGNATURE])
    except Exception as error:  # TensorFlow raises of every kind on broken files
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(f"feedforward.weights: '{folder}' cannot be loaded ({reason}); unpack it again") from error
    pictures = [tensor for tensor in (*function.inputs, *function.outputs) if _is_picture(tensor)]
    if (len(pictures), len(function.inputs), len(function.outputs)) != (3, 2, 1):
        raise InputError(
            f"feedforward.weights: '{folder}' does not make a picture from two pictures; give TensorFlow Hub's "
            "arbitrary-image-stylization-v1-256"
        )
    content, style = sorted(function.inputs, key=lambda tensor: ("style" in tensor.name, tensor.name))
    return _halves(function, content, style, folder)


def _halves(function: Any, content: tf.Tensor, style: tf.Tensor, folder: Path) -> StyleNetwork:
    graph = _without_order(function.graph.as_graph_def())
    wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
    pictures = (content, style, function.outputs[0])
    content, style, picture = (wrapped.graph.get_tensor_by_name(tensor.name) for tensor in pictures)
    vector = style_vector(content, style, picture)
    if vector is None or vector.shape.rank not in (2, 4) or any(side != 1 for side in vector.shape[1:-1]):
        raise InputError(f"feedforward.weights: '{folder}' has no style vector: styles cannot be blended with it")
    predict, transfer = wrapped.prune(style, vector), wrapped.prune([content, vector], picture)

    def stylised(content: np.ndarray, vector: np.ndarray) -> np.ndarray:
        """The network works on multiples of four pixels; what it adds lies below and at the right."""
        height, width = content.shape[1:3]
        return transfer(tf.constant(content), tf.constant(vector)).numpy()[:, :height, :width]

    return StyleNetwork(lambda painting: predict(tf.constant(painting)).numpy(), stylised)


def _without_order(graph: Any) -> Any:
    """Drop control dependencies: they tie a function's outputs to all of its inputs, and constants need no order."""
    for node in graph.node:
        flowing = [name for name in node.input if not name.startswith("^")]
        del node.input[:]
        node.input.extend(flowing)
    return graph


def _is_picture(tensor: tf.Tensor) -> bool:
    return tensor.dtype == tf.float32 and tensor.shape.rank == 4 and tensor.shape[-1] == 3
