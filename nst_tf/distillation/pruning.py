"""Where training starts: the teacher's own filters, the most telling ones of each layer, fitted in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nst_tf.backbones import Backbone
from nst_tf.backbones.preprocessing import caffe
from nst_tf.distillation.student import FEATURE_SCALE, INPUT_SCALE, TAPS, Student
from nst_tf.util.lazy import keras, tf

ROWS = 250  # positions a picture that the fits look at
RIDGE = 1e-4  # of the mean eigenvalue
FAINTEST = 0.05  # of the layer's mean size: filters that hardly fire are not scaled up further


def select_channels(moments: np.ndarray, count: int) -> list[int]:
    """Choose the channels from which all channels are best told linearly, one by one.

    Greedy subset selection: each choice removes from the second moments what it explains, ``M ← M − m mᵀ / m_j``
    with ``m`` its column (a pivoted Cholesky step); the next is the one with the largest ``‖m‖² / m_j``.

    Args:
        moments: ``(N, N)``, ``Σ f fᵀ`` over positions.
        count: How many to choose, at most N.

    Returns:
        Indices, the most telling first.
    """
    left = moments.astype(np.float64)
    chosen: list[int] = []
    floor = 1e-9 * np.trace(left)
    for _ in range(count):
        own = np.diag(left)
        gain = np.where(own > floor, np.square(left).sum(0) / np.maximum(own, floor), 0.0)
        gain[chosen] = -1.0
        best = int(gain.argmax())
        chosen.append(best)
        if own[best] > floor:
            left = left - np.outer(left[:, best], left[best]) / left[best, best]
    return chosen


def least_squares(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """``W`` of least ``‖X W − Y‖² + λ ‖W‖²``, λ a ten-thousandth of the mean eigenvalue of ``XᵀX``.

    Args:
        inputs: ``X (n, p)``.
        targets: ``Y (n, q)``.

    Returns:
        ``(p, q)`` float64.
    """
    moments = (inputs.T @ inputs).astype(np.float64)
    ridge = RIDGE * np.trace(moments) / len(moments)
    return np.linalg.solve(moments + ridge * np.eye(len(moments)), (inputs.T @ targets).astype(np.float64))


def prune(student: Student, teacher: Backbone, batches: Sequence[np.ndarray], precision: str) -> dict[str, float]:
    """Give a student its first weights, layer after layer from the picture up.

    Each narrow convolution is fitted to the teacher's pre-activations of the selected channels, from the student's
    own features below; its filters are scaled so that their features have a mean square of 1.

    Args:
        student: Its weights are set.
        teacher: A network with the student's layers.
        batches: Pictures ``(B, H, W, 3)`` in [0, 1].
        precision: Of the teacher.

    Returns:
        By tap, the part of the teacher's energy that the student's head explains.
    """
    linear = _pre_activations(teacher, TAPS, precision)
    generator = np.random.default_rng(0)
    explained = {}
    for tap in TAPS:
        layer = student.layer(tap)
        below = keras.Model(student.network.input, layer.input)
        rows = [_rows(below(caffe(x) / INPUT_SCALE), linear[tap](caffe(x)), generator) for x in batches]
        patches, z = (np.concatenate(part) for part in zip(*rows, strict=True))
        features = np.maximum(z, 0) / FEATURE_SCALE
        chosen = select_channels(features.T @ features, layer.filters)
        narrow = _with_one(_fit_convolution(layer, patches, z[:, chosen]))
        head = least_squares(narrow, features)
        student.heads[tap].assign(head.astype(np.float32))
        explained[tap] = 1 - float(np.square(narrow @ head - features).sum() / np.square(features).sum())
    return explained


def _fit_convolution(layer: keras.layers.Conv2D, patches: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Fit a convolution to pre-activations; return its features, of mean square 1, as rows."""
    weights = least_squares(patches, z)
    features = np.maximum(patches @ weights, 0)
    size = np.sqrt(np.mean(np.square(features), axis=0))
    size = np.maximum(size, FAINTEST * size.mean())
    weights = weights / size
    layer.set_weights([weights[:-1].reshape(layer.kernel.shape), weights[-1]])
    return features / size


def _pre_activations(teacher: Backbone, taps: Sequence[str], precision: str) -> dict[str, keras.Model]:
    """By tap, a model from the preprocessed picture to the convolution's output before its ReLU."""
    network = teacher.extractor(taps, precision).model
    models = {}
    for tap in taps:
        layer = network.get_layer(teacher.resolve(tap))
        plain = layer.__class__.from_config({**layer.get_config(), "activation": "linear", "name": f"{tap}_linear"})
        models[tap] = keras.Model(network.input, plain(layer.input))
        plain.set_weights(layer.get_weights())
    return models


def _rows(below: tf.Tensor, z: tf.Tensor, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Some positions: the 3×3 patches below with a constant 1, and the teacher's pre-activations."""
    padded = tf.pad(tf.cast(below, tf.float32), [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT")
    ones = [1, 1, 1, 1]
    patches = tf.image.extract_patches(padded, [1, 3, 3, 1], ones, ones, "VALID")
    patches, z = _sample(generator, patches, z)
    return _with_one(patches), z


def _sample(generator: np.random.Generator, *maps: tf.Tensor) -> list[np.ndarray]:
    """The same positions of several maps ``(B, h, w, ·)``, as rows ``(n, ·)``."""
    batch, height, width = maps[0].shape[:3]
    count = batch * height * width
    kept = generator.permutation(count)[: ROWS * batch]
    return [tf.gather(tf.reshape(tf.cast(x, tf.float32), [count, x.shape[-1]]), kept).numpy() for x in maps]


def _with_one(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([rows, np.ones((len(rows), 1), rows.dtype)], axis=1)
