"""The progress of a film: a bar on a terminal, lines in a log elsewhere."""

from __future__ import annotations

import logging
import sys
import time

from tqdm import tqdm

from nst_tf.util.durations import rough_duration

log = logging.getLogger(__name__)

LINE_SECONDS = 10.0
"""Least number of seconds between two lines."""


class FilmProgress:
    """Counts finished frames and estimates the time that is left.

    Args:
        total: Number of frames over all passes.
    """

    def __init__(self, total: int) -> None:
        self._total, self._done, self._computed, self._seconds = total, 0, 0, 0.0
        self._last_line = -LINE_SECONDS
        self._bar = tqdm(total=total, unit="frame", dynamic_ncols=True, disable=not sys.stderr.isatty())

    def finished(self, seconds: float, is_new: bool) -> None:
        """Count a frame.

        Args:
            seconds: Time that it took.
            is_new: Whether it was computed now; False for a frame of an earlier process.
        """
        self._done += 1
        if is_new:
            self._computed += 1
            self._seconds += seconds
        self._bar.update()
        now = time.monotonic()
        if self._bar.disable and is_new and (now - self._last_line >= LINE_SECONDS or self._done == self._total):
            self._last_line = now
            log.info("%s", self.line())

    def line(self) -> str:
        """Return the number of finished frames, the pace, and the time that is left."""
        pace = self._seconds / max(1, self._computed)
        parts = [f"frame {self._done} of {self._total}", f"{pace:.2g} s a frame"]
        if left := self._total - self._done:
            parts.append(f"about {rough_duration(pace * left)} left")
        return ", ".join(parts)

    def close(self) -> None:
        """Close the bar."""
        self._bar.close()
