"""The curvature pairs of L-BFGS: the last moves and the change of the gradient over each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nst_tf.util.lazy import tf
from nst_tf.util.tensors import host_array

MIN_CURVATURE = 1e-8
"""Smallest ``s·y / (|s| |y|)`` of a pair that is kept; with a smaller one, H would not stay positive definite."""


def dot(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Compute the inner product per picture: ``(B, n)`` and ``(B, n)`` to ``(B,)``."""
    return tf.reduce_sum(a * b, 1)


class CurvaturePairs:
    """Pairs of a move ``s = x' − x`` and a change ``y = g' − g``, on the device, the newest last.

    Unused places are zero. Every picture of a batch has its own pairs. Each move and each change is a variable of its
    own, because TensorFlow passes the memory of one variable on to another. So a new pair moves the others one place
    down without a copy.

    Args:
        pairs: Number of pairs that are kept, m.
        batch: Number of pictures, B.
        values: Number of values of a picture, n.
        preconditioner: ``H₀`` of rows ``(B, n)``, symmetric and positive definite.
    """

    def __init__(self, pairs: int, batch: int, values: int, preconditioner: Callable[[tf.Tensor], tf.Tensor]) -> None:
        self._preconditioner = preconditioner
        unused = tf.zeros([batch, values])
        self._moves = [tf.Variable(unused, trainable=False) for _ in range(pairs)]
        self._changes = [tf.Variable(unused, trainable=False) for _ in range(pairs)]
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
        pairs = len(self._moves)
        oldest = pairs - self._count
        moves, changes = _indexed(self._moves), _indexed(self._changes)

        def first_loop(i: tf.Tensor, q: tf.Tensor, alphas: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            alpha = self._rho[i] * dot(moves.read(i), q)
            return i - 1, q - alpha[:, None] * changes.read(i), tf.tensor_scatter_nd_update(alphas, [[i]], [alpha])

        def second_loop(i: tf.Tensor, r: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            beta = self._rho[i] * dot(changes.read(i), r)
            return i + 1, r + (alphas[i] - beta)[:, None] * moves.read(i)

        _, q, alphas = tf.while_loop(
            lambda i, q, alphas: i >= oldest, first_loop, (pairs - 1, gradient, tf.zeros_like(self._rho))
        )
        _, r = tf.while_loop(
            lambda i, r: i < pairs, second_loop, (oldest, self._gamma[:, None] * self._preconditioner(q))
        )
        return -r

    def steepest(self, gradient: tf.Tensor) -> tf.Tensor:
        """Compute ``−H₀ g``, the `direction` without pairs, ``(B, n)`` both."""
        return -self._preconditioner(gradient)

    def add(self, move: tf.Tensor, change: tf.Tensor) -> None:
        """Append a pair in place of the oldest, for the pictures where its curvature is positive.

        Args:
            move: The move s, ``(B, n)``.
            change: The change of the gradient y, ``(B, n)``.
        """
        curvature = dot(move, change)
        accepted = curvature > MIN_CURVATURE * tf.sqrt(dot(move, move) * dot(change, change))  # false for NaN

        def append_all() -> tf.Tensor:
            _append(self._moves, move, accepted)
            _append(self._changes, change, accepted)
            rho = tf.concat([self._rho[1:], 1 / curvature[None]], 0)
            self._rho.assign(tf.where(accepted[None], rho, self._rho))
            self._gamma.assign(tf.where(accepted, curvature / dot(change, self._preconditioner(change)), self._gamma))
            self._count.assign(tf.minimum(self._count + 1, len(self._moves)))
            return tf.constant(True)

        tf.cond(tf.reduce_any(accepted), append_all, lambda: tf.constant(False))

    def drop(self, which: tf.Tensor) -> None:
        """Drop every pair of the pictures in ``which``, ``(B,)`` bool."""
        self._rho.assign(tf.where(which[None], 0.0, self._rho))
        self._gamma.assign(tf.where(which, 1.0, self._gamma))

    def clear(self) -> None:
        """Return to the initial state. Unlike `drop`, it overwrites the pairs, in which a NaN would persist."""
        unused = tf.zeros_like(self._moves[0])
        for row in (*self._moves, *self._changes):
            row.assign(unused)
        for variable in (self._rho, self._count):
            variable.assign(tf.zeros_like(variable))
        self._gamma.assign(tf.ones_like(self._gamma))

    def _rows(self) -> dict[str, list[tf.Variable]]:
        return {"moves": self._moves, "changes": self._changes}

    def _small(self) -> dict[str, tf.Variable]:
        return {"rho": self._rho, "gamma": self._gamma, "count": self._count}

    def state(self) -> dict[str, Any]:
        """Return all values by name: arrays, and a `LazyStack` ``(m, B, n)`` of the moves and of the changes.

        They share the variables' memory on the CPU, since the pairs may be large.
        """
        rows = {name: LazyStack([host_array(row) for row in rows]) for name, rows in self._rows().items()}
        return rows | {name: host_array(variable) for name, variable in self._small().items()}

    def restore(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Continue from a `state`, or from the arrays of one."""
        for name, variable in self._small().items():
            variable.assign(state[name])
        for name, rows in self._rows().items():
            for row, values in zip(rows, np.asarray(state[name]), strict=True):
                row.assign(values)


class LazyStack:
    """Arrays of one shape that become one array, along a new first axis, when NumPy asks for it.

    A checkpoint is written array by array, so that the memory holds one of these stacks at a time.

    Attributes:
        rows: The arrays.
    """

    def __init__(self, rows: Sequence[np.ndarray]) -> None:
        self.rows = rows

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        return np.stack(self.rows, dtype=dtype)


def _indexed(rows: Sequence[tf.Variable]) -> tf.TensorArray:
    """Return the values of variables so that a loop can read them by their number, without a copy."""
    array = tf.TensorArray(tf.float32, len(rows), element_shape=rows[0].shape, clear_after_read=False)
    for index, row in enumerate(rows):
        array = array.write(index, row.read_value())
    return array


def _append(rows: Sequence[tf.Variable], newest: tf.Tensor, accepted: tf.Tensor) -> None:
    """Move the values of variables one place down and append ``(B, n)``, for the pictures in ``accepted``, ``(B,)``.

    One picture alone has been accepted, so that no value is copied.
    """
    for row, following in zip(rows, [*rows[1:], newest], strict=True):
        value = tf.convert_to_tensor(following)
        row.assign(value if value.shape[0] == 1 else tf.where(accepted[:, None], value, row))
