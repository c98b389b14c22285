"""Work in a process of its own, which loads nothing but what the work needs."""

import contextlib
import importlib
import multiprocessing
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
