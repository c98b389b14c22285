"""What L-BFGS remembers: the last moves and how the gradient changed over each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nst_tf.util.lazy import tf

CURVATURE = 1e-8
"""A pair counts where ``s·y`` is more than this part of ``|s| |y|``; others would spoil the metric."""


def dot(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Inner product per picture: ``(B, n)`` and ``(B, n)`` to ``(B,)``."""
    return tf.reduce_sum(a * b, 1)


class CurvaturePairs:
    """Pairs ``s = x' − x`` and ``y = g' − g`` on the device, the newest last; empty places are zero.

    Args:
        pairs: How many are kept.
        batch: B, pictures, each with its own pairs.
        values: n, values of a picture.
        metric: ``H₀`` of ``(B, n)``, symmetric and positive.
    """

    def __init__(self, pairs: int, batch: int, values: int, preconditioner: Callable[[tf.Tensor], tf.Tensor]) -> None:
        self._preconditioner = preconditioner
        self._moves = tf.Variable(tf.zeros([pairs, batch, values]), trainable=False)
        self._changes = tf.Variable(tf.zeros([pairs, batch, values]), trainable=False)
        self._rho = tf.Variable(tf.zeros([pairs, batch]), trainable=False)  # 1/(s·y); 0: no pair
        self._gamma = tf.Variable(tf.ones([batch]), trainable=False)  # s·y / y·H₀y of the newest
        self._count = tf.Variable(0, trainable=False)

    def is_empty(self) -> tf.Tensor:
        """Per picture, ``(B,)``."""
        return tf.reduce_all(self._rho == 0, 0)

    def direction(self, gradient: tf.Tensor) -> tf.Tensor:
        """``−H g`` by the two-loop recursion from ``γ H₀``; ``−H₀ g`` without pairs.

        Nocedal & Wright 2006, algorithm 7.4, and equation 7.20 in the metric H₀.

        Args:
            gradient: ``(B, n)``.

        Returns:
            ``(B, n)``.
        """
        pairs = self._rho.shape[0]
        oldest = pairs - self._count

        def back(i: tf.Tensor, q: tf.Tensor, alphas: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            alpha = self._rho[i] * dot(self._moves[i], q)
            return i - 1, q - alpha[:, None] * self._changes[i], tf.tensor_scatter_nd_update(alphas, [[i]], [alpha])

        def forth(i: tf.Tensor, r: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            beta = self._rho[i] * dot(self._changes[i], r)
            return i + 1, r + (alphas[i] - beta)[:, None] * self._moves[i]

        _, q, alphas = tf.while_loop(
            lambda i, q, alphas: i >= oldest, back, (pairs - 1, gradient, tf.zeros_like(self._rho))
        )
        _, r = tf.while_loop(lambda i, r: i < pairs, forth, (oldest, self._gamma[:, None] * self._preconditioner(q)))
        return -r

    def remember(self, move: tf.Tensor, change: tf.Tensor) -> None:
        """Take in a pair where its curvature is positive; the oldest makes room.

        Args:
            move: s, ``(B, n)``.
            change: y, ``(B, n)``.
        """
        curvature = dot(move, change)
        sound = curvature > CURVATURE * tf.sqrt(dot(move, move) * dot(change, change))  # false for NaN

        def shifted(variable: tf.Variable, newest: tf.Tensor) -> tf.Tensor:
            mask = tf.reshape(sound, [1, -1] + [1] * (variable.shape.rank - 2))
            return tf.where(mask, tf.concat([variable[1:], newest[None]], 0), variable)

        def take() -> tf.Tensor:
            self._moves.assign(shifted(self._moves, move))
            self._changes.assign(shifted(self._changes, change))
            self._rho.assign(shifted(self._rho, tf.where(sound, 1 / curvature, 0.0)))
            self._gamma.assign(tf.where(sound, curvature / dot(change, self._preconditioner(change)), self._gamma))
            self._count.assign(tf.minimum(self._count + 1, self._rho.shape[0]))
            return tf.constant(True)

        tf.cond(tf.reduce_any(sound), take, lambda: tf.constant(False))

    def forget(self, which: tf.Tensor) -> None:
        """Drop every pair of some pictures, ``(B,)`` bool."""
        self._rho.assign(tf.where(which[None], 0.0, self._rho))
        self._gamma.assign(tf.where(which, 1.0, self._gamma))

    def clear(self) -> None:
        """Be as new; unlike what is forgotten, nothing of it stays in the variables, where a NaN would do harm."""
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
        """Everything, by name."""
        return {name: variable.numpy() for name, variable in self._variables().items()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Take up a `state`."""
        for name, variable in self._variables().items():
            variable.assign(state[name])
