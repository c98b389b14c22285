"""Measurements in separate processes, each of which imports only one side."""

import contextlib
import importlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

Call = Callable[..., Any]
"""Function that calls ``"module:function"`` with arguments in a worker process."""

START_METHOD = "spawn"
"""Start method of `multiprocessing`. This one starts a new interpreter, so that memory and imports are of one side."""


@contextlib.contextmanager
def worker_process() -> Iterator[Call]:
    """Start a new process, at the first call. It ends with this one, also where this one is killed.

    Yields:
        A function that takes ``"module:function"`` and its arguments, calls it in the process, and returns the result.
        Imports and caches of the process are kept between calls.
    """
    context = multiprocessing.get_context(START_METHOD)
    with ProcessPoolExecutor(1, mp_context=context, initializer=_end_with_parent) as pool:
        yield lambda target, *arguments: pool.submit(_call, target, *arguments).result()


def _end_with_parent() -> None:
    """End this process as soon as its parent has ended, in the middle of a call too. It would disturb later timings."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _call(target: str, *arguments: Any) -> Any:
    module, _, function = target.partition(":")
    return getattr(importlib.import_module(module), function)(*arguments)


def time_calls(function: Callable[[], object], count: int) -> list[float]:
    """Call a function several times and return the seconds of each call."""
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return seconds
