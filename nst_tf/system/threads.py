"""The number of threads with which TensorFlow computes fastest on a CPU.

TensorFlow takes one thread for each logical processor. Where two of them share a core, or where a container limits the
processor time, fewer may be faster. The number is fixed for a process, so that every candidate is timed in one of its
own.
"""

from __future__ import annotations

import contextlib
import logging
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from nst_tf.system import hardware
from nst_tf.system.control_groups import control_groups, read_lines, read_number
from nst_tf.system.measurement import fastest, is_enabled, measure, measured_once

log = logging.getLogger(__name__)

DEFAULT_PERIOD = 100_000
"""Period to which a quota refers where no file names one, in microseconds."""


def fastest_threads() -> int:
    """Return the number of threads that computes convolutions fastest, measured once on this machine.

    Without alternatives or without measurements it is the number of processors that this process may use.
    """
    candidates = thread_candidates()
    preferred = candidates[0]
    if len(candidates) == 1 or not is_enabled():
        return preferred
    key = {"measured": "threads, version 1", **hardware.processor_identity(), "candidates": candidates}
    return int(fastest(measured_once(key, lambda: _measure(candidates)), str(preferred)))


def thread_candidates(root: Path = Path("/")) -> list[int]:
    """Return the numbers of threads that may be the fastest, the expected one first.

    These are the processor time that the container grants, the logical processors that this process may use, and the
    physical cores.

    Args:
        root: See `nst_tf.system.control_groups.control_groups`.
    """
    import psutil  # imported where it is used, as in `memory_limits`

    usable = hardware.usable_cpus()
    granted = min(usable, granted_cpus(root) or usable)
    cores = min(usable, psutil.cpu_count(logical=False) or usable)
    return list(dict.fromkeys((granted, usable, cores)))


def granted_cpus(root: Path = Path("/")) -> int | None:
    """Return the processor time that control groups grant, in whole processors; None without a limit.

    Args:
        root: See `nst_tf.system.control_groups.control_groups`.
    """
    quotas = [_quota(version, directory) for version, directory in control_groups("cpu", root)]
    return min((math.ceil(quota) for quota in quotas if quota is not None), default=None)


def _quota(version: int, directory: Path) -> float | None:
    """Return the processor time of one group, in processors; None without a limit.

    Version 2 writes ``QUOTA PERIOD`` into one file, and version 1 writes two files, all in microseconds.
    """
    if version == 2:
        words = " ".join(read_lines(directory / "cpu.max")).split()
        quota, period = (int(word) if word.isdigit() else None for word in [*words, "", ""][:2])
    else:
        quota, period = (read_number(directory / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    return quota / (period or DEFAULT_PERIOD) if quota else None


def _measure(candidates: list[int]) -> dict[str, float]:
    """Return the seconds of a convolution by number of threads."""
    log.info("Measuring %s threads for some seconds, once on this machine", " and ".join(map(str, candidates)))
    with contextlib.ExitStack() as stack:
        workers = {str(count): stack.enter_context(_Worker.started(count)) for count in candidates}
        return measure({name: worker.convolve for name, worker in workers.items()})


class _Worker:
    """A process with a fixed number of threads, which runs a convolution for each line that it receives."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    @contextlib.contextmanager
    def started(cls, threads: int) -> Iterator[_Worker]:
        """Start a worker, and end it with the block."""
        command = [sys.executable, "-m", "nst_tf.system.thread_timing", str(threads)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                yield cls(process)
            finally:
                process.kill()
                with contextlib.suppress(OSError):  # a process that has ended has not read its last line
                    process.communicate()

    def convolve(self) -> None:
        """Run one convolution, and wait for its end.

        Raises:
            NotImplementedError: The process cannot compute.
        """
        try:
            print(file=self._process.stdin, flush=True)
        except OSError as error:
            raise NotImplementedError(str(error)) from error
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise NotImplementedError("the process has ended")
