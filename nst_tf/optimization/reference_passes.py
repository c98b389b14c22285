"""Passes of the network over references, kept for the next run of a process, such as the next frame of a film."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import TypeVar

from nst_tf.util.lazy import tf

Value = TypeVar("Value")

LARGEST_KEPT = 2**24
"""Largest size in bytes of the values of a style that are kept."""


class ReferencePasses:
    """Compiled passes by their losses and sizes, and the values of the styles by their pixels.

    Entries that a run has not used so far are dropped before it makes a new one, since its form is another.

    Args:
        keeps: Whether anything is kept.
    """

    def __init__(self, keeps: bool = False) -> None:
        self._keeps = keeps
        self._kept: dict[Hashable, object] = {}
        self._used: set[Hashable] = set()

    def begin_run(self) -> None:
        """Mark the entries as belonging to earlier runs."""
        self._used.clear()

    def clear(self) -> None:
        """Drop everything."""
        self._kept.clear()

    def of(self, key: Hashable | None, make: Callable[[], Value]) -> Value:
        """Return the kept value of a key, or make it and keep it; a key of None is never kept."""
        if key is None or not self._keeps:
            return make()
        if key not in self._kept:
            self._kept = {used: value for used, value in self._kept.items() if used in self._used}
            self._kept[key] = make()
        self._used.add(key)
        return self._kept[key]  # type: ignore[return-value]

    def values(self, key: Hashable | None, make: Callable[[], Value]) -> Value:
        """Return the kept tensors of a key, or make them, and keep them unless they are large."""
        if key is not None and key in self._kept:
            return self.of(key, make)
        made = make()
        size = sum(int(tf.size(value)) * value.dtype.size for value in tf.nest.flatten(made))
        return self.of(key, lambda: made) if size <= LARGEST_KEPT else made


def picture_key(picture: tf.Tensor) -> Hashable:
    """Return what identifies the pixels of a picture ``(B, h, w, 3)``."""
    return tuple(picture.shape), hashlib.sha256(picture.numpy().tobytes()).hexdigest()
