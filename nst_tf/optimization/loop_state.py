"""The arrays of a compiled loop in a checkpoint, and those of one picture in the checkpoint of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nst_tf.optimizers import Solver

PREFIX, OLD_PREFIX = "loop/", "descent/"
"""Prefixes of the loop's arrays in a checkpoint: the present one, and that of version 0.1.0, which is still read."""

SOLVER_PREFIX = "solver/"
"""Prefix of the solver's arrays in a checkpoint."""


def joined_arrays(loop: Mapping[str, np.ndarray], solver: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of a checkpoint, from those of the loop and of its solver by name."""
    own = {f"{PREFIX}{name}": array for name, array in loop.items()}
    return own | {f"{SOLVER_PREFIX}{name}": array for name, array in solver.items()}


def solver_arrays(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the solver's arrays of a checkpoint by name."""
    return _without_prefix(state, SOLVER_PREFIX)


def loop_arrays(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the loop's arrays of a checkpoint by name, also of one that version 0.1.0 wrote."""
    return _without_prefix(state, OLD_PREFIX) | _without_prefix(state, PREFIX)


def row_of_state(state: Mapping[str, np.ndarray], index: int, solver: Solver) -> dict[str, np.ndarray]:
    """Return the checkpoint of one picture out of that of a batch."""
    row = {}
    for name, value in state.items():
        axis = _batch_axis(name, value, solver)
        row[name] = value if axis is None else np.take(np.asarray(value), [index], axis)
    return row


def joined_states(states: Sequence[Mapping[str, np.ndarray]], solver: Solver) -> dict[str, np.ndarray]:
    """Return the checkpoint of a batch, from those of its pictures; of shared numbers it has the largest."""
    joined = {}
    for name, value in states[0].items():
        values = [np.asarray(state[name]) for state in states]
        axis = _batch_axis(name, value, solver)
        if name == f"{PREFIX}names":
            joined[name] = values[0]
        else:
            joined[name] = np.max(values, axis=0) if axis is None else np.concatenate(values, axis)
    return joined


def _batch_axis(name: str, value: Any, solver: Solver) -> int | None:
    """Return the axis of an array of a checkpoint along which the pictures of a batch lie; None for a shared value."""
    if name == f"{PREFIX}names" or not np.ndim(value):
        return None
    return solver.batch_axes.get(name.removeprefix(SOLVER_PREFIX), 0) if name.startswith(SOLVER_PREFIX) else 0


def _without_prefix(state: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): state[name] for name in state if name.startswith(prefix)}
