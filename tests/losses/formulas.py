"""Formulas in NumPy and float64 that several tests of losses share, and the comparison of a gradient with one."""

import numpy as np
import tensorflow as tf


def cosines(a, b):
    """Return the cosines of all pairs of rows (n, C) and (m, C)."""
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    return a @ b.T


def centred(x):
    """Subtract the mean of the rows (n, C)."""
    return x - x.mean(axis=0)


def rows_of(x):
    """Return features (h, w, C) as (h·w, C)."""
    return np.asarray(x, np.float64).reshape(-1, x.shape[-1])


def slope_of(formula, features, direction, step=1e-6):
    """Return the slope of a function of features by name along a direction, by a central difference in float64."""
    ahead, behind = (
        formula({name: features[name] + sign * step * direction[name] for name in features}) for sign in (1, -1)
    )
    return (ahead - behind) / (2 * step)


def value_and_slope(loss, features, direction):
    """Return a TensorFlow loss of features by name, and its slope along a direction, by its gradient."""
    variables = {name: tf.constant(value[None], tf.float32) for name, value in features.items()}
    with tf.GradientTape() as tape:
        tape.watch(variables)
        value = loss(variables)
    gradients = tape.gradient(value, variables)
    slopes = [(gradients[name].numpy()[0] * direction[name]).sum() for name in features if gradients[name] is not None]
    return float(tf.reshape(value, [])), float(np.sum(slopes))
