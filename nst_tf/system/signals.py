"""Ctrl-C and SIGTERM as a request to stop, so that a run ends cleanly with its picture."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Interrupted(Exception):  # noqa: N818 - not an error: the user asked for the result so far
    """The work was asked to stop."""


class StopRequest:
    """A flag that is checked between evaluations, so that Ctrl-C stops the run cleanly."""

    def __init__(self) -> None:
        self._requested = False

    @contextlib.contextmanager
    def catch_signals(self) -> Iterator[None]:
        """Set the flag at the first Ctrl-C or SIGTERM; the second one has its usual effect.

        Only the main thread may install signal handlers. In any other thread this does nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        previous = {number: signal.getsignal(number) for number in numbers}

        def restore_handlers() -> None:
            for number in numbers:
                signal.signal(number, previous[number])

        def request_stop(number: int, frame: FrameType | None) -> None:
            self._requested = True
            restore_handlers()

        for number in numbers:
            signal.signal(number, request_stop)
        try:
            yield
        finally:
            restore_handlers()

    def raise_if_stopped(self) -> None:
        """Raise `Interrupted` if a stop has been requested."""
        if self._requested:
            raise Interrupted
