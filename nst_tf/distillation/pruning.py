"""Closed-form start of the training: the most informative filters of each of the teacher's layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nst_tf.backbones import Backbone
from nst_tf.backbones.preprocessing import caffe
from nst_tf.distillation.student import FEATURE_SCALE, INPUT_SCALE, TAPS, Student
from nst_tf.util.lazy import keras, tf

POSITIONS_PER_PICTURE = 250
"""Number of positions of each picture that the least-squares fits use."""

RIDGE = 1e-4
"""Ridge of the least-squares fits, relative to the mean eigenvalue of ``XᵀX``."""

MIN_RELATIVE_SIZE = 0.05
"""Smallest divisor of a filter, relative to the layer's mean; it limits the scaling of almost inactive filters."""


def select_channels(moments: np.ndarray, count: int) -> list[int]:
    """Choose the channels that best predict all channels linearly, one after the other.

    This is greedy subset selection. Each choice removes from the second moments what it explains:
    ``M ← M − m mᵀ / m_j`` with its column ``m`` (a pivoted Cholesky step). The next choice maximises ``‖m‖² / m_j``.

    Args:
        moments: Second moments ``Σ f fᵀ`` over positions, ``(N, N)``.
        count: Number of channels to choose, at most N.

    Returns:
        Indices of the channels, the most informative first.
    """
    residual = moments.astype(np.float64)
    chosen: list[int] = []
    floor = 1e-9 * np.trace(residual)
    for _ in range(count):
        variances = np.diag(residual)
        gain = np.where(variances > floor, np.square(residual).sum(0) / np.maximum(variances, floor), 0.0)
        gain[chosen] = -1.0
        best = int(gain.argmax())
        chosen.append(best)
        if variances[best] > floor:
            residual = residual - np.outer(residual[:, best], residual[best]) / residual[best, best]
    return chosen


def least_squares(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Minimise ``‖X W − Y‖² + λ ‖W‖²``, where λ is `RIDGE` times the mean eigenvalue of ``XᵀX``.

    Args:
        inputs: Matrix ``X (n, p)``.
        targets: Matrix ``Y (n, q)``.

    Returns:
        Matrix ``W (p, q)`` float64.
    """
    moments = (inputs.T @ inputs).astype(np.float64)
    ridge = RIDGE * np.trace(moments) / len(moments)
    return np.linalg.solve(moments + ridge * np.eye(len(moments)), (inputs.T @ targets).astype(np.float64))


def prune(student: Student, teacher: Backbone, batches: Sequence[np.ndarray], precision: str) -> dict[str, float]:
    """Set the student's first weights, layer by layer from the picture to the deepest.

    Each narrow convolution is fitted to the teacher's pre-activations of the selected channels; its inputs are the
    student's own features of the layer before. Its filters are scaled so that their features have a mean square of 1.

    Args:
        student: Student whose weights are set.
        teacher: Network with the student's layers.
        batches: Pictures ``(B, H, W, 3)`` in [0, 1].
        precision: Keras dtype policy of the teacher.

    Returns:
        For each tap, the fraction of the teacher's energy that the student's head explains.
    """
    pre_activations = _pre_activations(teacher, TAPS, precision)
    generator = np.random.default_rng(0)
    explained = {}
    for tap in TAPS:
        layer = student.layer(tap)
        layer_input = keras.Model(student.network.input, layer.input)
        rows = [
            _sample_rows(layer_input(caffe(x) / INPUT_SCALE), pre_activations[tap](caffe(x)), generator)
            for x in batches
        ]
        patches, z = (np.concatenate(part) for part in zip(*rows, strict=True))
        features = np.maximum(z, 0) / FEATURE_SCALE
        chosen = select_channels(features.T @ features, layer.filters)
        narrow = _append_ones(_fit_convolution(layer, patches, z[:, chosen]))
        head = least_squares(narrow, features)
        student.heads[tap].assign(head.astype(np.float32))
        explained[tap] = 1 - float(np.square(narrow @ head - features).sum() / np.square(features).sum())
    return explained


def _fit_convolution(layer: keras.layers.Conv2D, patches: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Fit a convolution to pre-activations and return its features, of mean square 1, as rows."""
    weights = least_squares(patches, z)
    features = np.maximum(patches @ weights, 0)
    size = np.sqrt(np.mean(np.square(features), axis=0))
    size = np.maximum(size, MIN_RELATIVE_SIZE * size.mean())
    weights = weights / size
    layer.set_weights([weights[:-1].reshape(layer.kernel.shape), weights[-1]])
    return features / size


def _pre_activations(teacher: Backbone, taps: Sequence[str], precision: str) -> dict[str, keras.Model]:
    """Return for each tap a model from the preprocessed picture to the convolution's output before its ReLU."""
    network = teacher.extractor(taps, precision).model
    models = {}
    for tap in taps:
        layer = network.get_layer(teacher.resolve(tap))
        linear = layer.__class__.from_config({**layer.get_config(), "activation": "linear", "name": f"{tap}_linear"})
        models[tap] = keras.Model(network.input, linear(layer.input))
        linear.set_weights(layer.get_weights())
    return models


def _sample_rows(inputs: tf.Tensor, z: tf.Tensor, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return at random positions the 3×3 patches of a layer's input, with a constant 1, and the pre-activations."""
    padded = tf.pad(tf.cast(inputs, tf.float32), [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT")
    ones = [1, 1, 1, 1]
    patches = tf.image.extract_patches(padded, [1, 3, 3, 1], ones, ones, "VALID")
    patches, z = _sample_positions(generator, patches, z)
    return _append_ones(patches), z


def _sample_positions(generator: np.random.Generator, *maps: tf.Tensor) -> list[np.ndarray]:
    """Return the same random positions of several maps ``(B, h, w, ·)`` as rows ``(n, ·)``."""
    batch, height, width = maps[0].shape[:3]
    count = batch * height * width
    kept = generator.permutation(count)[: POSITIONS_PER_PICTURE * batch]
    return [tf.gather(tf.reshape(tf.cast(x, tf.float32), [count, x.shape[-1]]), kept).numpy() for x in maps]


def _append_ones(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([rows, np.ones((len(rows), 1), rows.dtype)], axis=1)
