"""The curvature pairs of L-BFGS: the last moves and the change of the gradient over each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nst_tf.util.lazy import tf
from nst_tf.util.tensors import host_array

MIN_CURVATURE = 1e-8
"""Smallest ``s·y / (|s| |y|)`` of a pair that is kept; with a smaller one, H would not stay positive definite."""


def dot(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Compute the inner product per picture: ``(B, n)`` and ``(B, n)`` to ``(B,)``."""
    return tf.reduce_sum(a * b, 1)


class CurvaturePairs:
    """Pairs of a move ``s = x' − x`` and a change ``y = g' − g``, on the device, the newest last.

    Unused places are zero. Every picture of a batch has its own pairs.

    Args:
        pairs: Number of pairs that are kept, m.
        batch: Number of pictures, B.
        values: Number of values of a picture, n.
        preconditioner: ``H₀`` of rows ``(B, n)``, symmetric and positive definite.
    """

    def __init__(self, pairs: int, batch: int, values: int, preconditioner: Callable[[tf.Tensor], tf.Tensor]) -> None:
        self._preconditioner = preconditioner
        self._moves = tf.Variable(tf.zeros([pairs, batch, values]), trainable=False)
        self._changes = tf.Variable(tf.zeros([pairs, batch, values]), trainable=False)
        self._rho = tf.Variable(tf.zeros([pairs, batch]), trainable=False)  # 1/(s·y); 0 marks an unused place
        self._gamma = tf.Variable(tf.ones([batch]), trainable=False)  # s·y / y·H₀y of the newest pair
        self._count = tf.Variable(0, trainable=False)

    def is_empty(self) -> tf.Tensor:
        """Return whether a picture has no pairs, ``(B,)`` bool."""
        return tf.reduce_all(self._rho == 0, 0)

    def direction(self, gradient: tf.Tensor) -> tf.Tensor:
        """Compute ``−H g`` by the two-loop recursion from ``γ H₀``; it is ``−H₀ g`` without pairs.

        Reference: Nocedal & Wright 2006, algorithm 7.4; γ is equation 7.20 with the preconditioner H₀.

        Args:
            gradient: ``(B, n)``.

        Returns:
            ``(B, n)``.
        """
        pairs = self._rho.shape[0]
        oldest = pairs - self._count

        def first_loop(i: tf.Tensor, q: tf.Tensor, alphas: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            alpha = self._rho[i] * dot(self._moves[i], q)
            return i - 1, q - alpha[:, None] * self._changes[i], tf.tensor_scatter_nd_update(alphas, [[i]], [alpha])

        def second_loop(i: tf.Tensor, r: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            beta = self._rho[i] * dot(self._changes[i], r)
            return i + 1, r + (alphas[i] - beta)[:, None] * self._moves[i]

        _, q, alphas = tf.while_loop(
            lambda i, q, alphas: i >= oldest, first_loop, (pairs - 1, gradient, tf.zeros_like(self._rho))
        )
        _, r = tf.while_loop(
            lambda i, r: i < pairs, second_loop, (oldest, self._gamma[:, None] * self._preconditioner(q))
        )
        return -r

    def add(self, move: tf.Tensor, change: tf.Tensor) -> None:
        """Append a pair in place of the oldest, for the pictures where its curvature is positive.

        Args:
            move: The move s, ``(B, n)``.
            change: The change of the gradient y, ``(B, n)``.
        """
        curvature = dot(move, change)
        accepted = curvature > MIN_CURVATURE * tf.sqrt(dot(move, move) * dot(change, change))  # false for NaN

        def append(variable: tf.Variable, newest: tf.Tensor) -> tf.Tensor:
            mask = tf.reshape(accepted, [1, -1] + [1] * (variable.shape.rank - 2))
            return tf.where(mask, tf.concat([variable[1:], newest[None]], 0), variable)

        def append_all() -> tf.Tensor:
            self._moves.assign(append(self._moves, move))
            self._changes.assign(append(self._changes, change))
            self._rho.assign(append(self._rho, tf.where(accepted, 1 / curvature, 0.0)))
            self._gamma.assign(tf.where(accepted, curvature / dot(change, self._preconditioner(change)), self._gamma))
            self._count.assign(tf.minimum(self._count + 1, self._rho.shape[0]))
            return tf.constant(True)

        tf.cond(tf.reduce_any(accepted), append_all, lambda: tf.constant(False))

    def drop(self, which: tf.Tensor) -> None:
        """Drop every pair of the pictures in ``which``, ``(B,)`` bool."""
        self._rho.assign(tf.where(which[None], 0.0, self._rho))
        self._gamma.assign(tf.where(which, 1.0, self._gamma))

    def clear(self) -> None:
        """Return to the initial state. Unlike `drop`, it overwrites the pairs, in which a NaN would persist."""
        for variable in (self._moves, self._changes, self._rho, self._count):
            variable.assign(tf.zeros_like(variable))
        self._gamma.assign(tf.ones_like(self._gamma))

    def _variables(self) -> dict[str, tf.Variable]:
        return {
            "moves": self._moves,
            "changes": self._changes,
            "rho": self._rho,
            "gamma": self._gamma,
            "count": self._count,
        }

    def state(self) -> dict[str, np.ndarray]:
        """Return all variables by name. They share the variables' memory on the CPU, since the pairs may be large."""
        return {name: host_array(variable) for name, variable in self._variables().items()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue from a `state`."""
        for name, variable in self._variables().items():
            variable.assign(state[name])
