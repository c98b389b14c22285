"""Compiled functions whose graphs are freed together with them.

In a graph, `tf.custom_gradient` enters each backward pass into TensorFlow's registry of gradients, from which nothing
is ever removed. An entry holds the whole graph, so that each compiled function would stay in memory for as long as the
process lives.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from nst_tf.util.lazy import tf

ENTRY_PREFIX = "CustomGradient-"
"""Beginning of the names under which TensorFlow registers the backward passes of custom gradients."""


def compile_function(function: Callable[..., Any], autograph: bool = False, **options: Any) -> Any:
    """Return ``tf.function(function, …)`` without lasting entries in TensorFlow's registry of gradients.

    A `tf.GradientTape` inside the function finds custom gradients without the registry. A tape outside cannot
    differentiate a compiled function that contains a custom gradient: TensorFlow then raises a ``LookupError``.

    Args:
        function: The function; its body runs once for each trace.
        autograph: Whether Python's ``if`` and ``for`` on tensors become operations. Default off.
        options: Further arguments of `tf.function`.
    """

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        with forget_custom_gradients():
            return function(*args, **kwargs)

    return tf.function(traced, autograph=autograph, **options)


def xla_obstacle(function: Callable[..., Any], *args: Any) -> str:
    """Return why XLA cannot compile a function for these arguments, in one line; empty if it can.

    It is compiled as far as to XLA's own representation, and not run.

    Args:
        function: A function of tensors, not compiled yet.
        args: Every argument, also those with defaults; the first tensor decides on the device.
    """
    compiled = compile_function(function, jit_compile=True)
    device = tf.nest.flatten(args)[0].device
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the argument is deprecated; without it, TensorFlow draws a random number
            compiled.experimental_get_compiler_ir(*args)(stage="hlo", device_name=device)
    except (ValueError, tf.errors.OpError) as error:
        return str(error).partition("{{")[0].partition("\n")[0].strip()
    return ""


@contextlib.contextmanager
def forget_custom_gradients() -> Iterator[None]:
    """Remove the custom gradients that are registered within the block, when it ends."""
    entries = _registered_gradients()
    before = set(entries)
    try:
        yield
    finally:
        for name in set(entries) - before:
            if name.startswith(ENTRY_PREFIX):
                entries.pop(name, None)


def _registered_gradients() -> dict[str, Any]:
    """Return TensorFlow's registry of gradients by name; an empty dictionary if this TensorFlow has another one.

    TensorFlow offers no public function that removes an entry. Without the registry everything computes the same, and
    only the memory grows; ``tests/util/test_compilation.py`` fails in that case.
    """
    from tensorflow.python.framework import ops

    entries = getattr(getattr(ops, "gradient_registry", None), "_registry", None)
    return entries if isinstance(entries, dict) else {}
