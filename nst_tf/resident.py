"""The memory that this process itself has held."""

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")
KIB = 1024


def peak_mb() -> float:
    """Most resident memory so far, in MiB.

    On Linux from the process's own high-water mark: what ``getrusage`` tells there begins with the peak of the process
    that started this one.
    """
    try:
        lines = STATUS.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / KIB
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / KIB**2 if sys.platform == "darwin" else peak / KIB
