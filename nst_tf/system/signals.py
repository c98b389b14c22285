"""Ctrl-C and SIGTERM as a request, so that work ends in good order."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Interrupted(Exception):  # noqa: N818 - not an error: somebody asked for the result now
    """The work was asked to stop."""


class StopRequest:
    """Whether somebody has asked for the work to stop; it answers where it looks up."""

    def __init__(self) -> None:
        self._made = False

    @contextlib.contextmanager
    def catch_signals(self) -> Iterator[None]:
        """Take the first Ctrl-C or SIGTERM for the request; a second one gets through.

        Only the main thread may set handlers; elsewhere signals are left as they are.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        previous = {number: signal.getsignal(number) for number in numbers}

        def handle(number: int, frame: FrameType | None) -> None:
            self._made = True
            for each in numbers:
                signal.signal(each, previous[each])

        for number in numbers:
            signal.signal(number, handle)
        try:
            yield
        finally:
            for number in numbers:
                signal.signal(number, previous[number])

    def raise_if_stopped(self) -> None:
        """Answer the request.

        Raises:
            Interrupted: It has been made.
        """
        if self._made:
            raise Interrupted
