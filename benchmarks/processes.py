"""Work in a process of its own, which loads nothing but what the work needs, and how long work takes."""

import contextlib
import importlib
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any


@contextlib.contextmanager
def process() -> Iterator[Callable[..., Any]]:
    """A fresh process.

    Yields:
        A function that takes ``"module:function"`` and arguments, calls it there, and waits for the answer. What the
        process has loaded and cached stays for the next call.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield lambda target, *arguments: pool.submit(_call, target, *arguments).result()


def _call(target: str, *arguments: Any) -> Any:
    module, _, function = target.partition(":")
    return getattr(importlib.import_module(module), function)(*arguments)


def timed(work: Callable[[], object], count: int) -> list[float]:
    """Seconds of each of ``count`` calls."""
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds
