"""Ctrl-C and SIGTERM as a request, so that work ends in good order."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


class Interrupted(Exception):  # noqa: N818 - not an error: somebody asked for the result now
    """The work was asked to stop."""


@contextlib.contextmanager
def asking(ask_to_stop: Callable[[], None]) -> Iterator[None]:
    """Turn the first Ctrl-C or SIGTERM into a request to stop; a second one gets through.

    Only the main thread may set handlers; elsewhere signals are left as they are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.getsignal(number) for number in numbers}

    def handle(number: int, frame: FrameType | None) -> None:
        ask_to_stop()
        for each in numbers:
            signal.signal(each, previous[each])

    for number in numbers:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, previous[number])
