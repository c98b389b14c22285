"""The machine and its processor, as Linux describes them."""

import hashlib
import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
"""Linux's description of the processor, as lines ``key : value`` for each core."""


def describe_machine() -> str:
    """Return cores, processor and memory in one line: ``2 cores, Intel(R) Xeon(R) Processor, 24 GiB``."""
    import psutil  # imported where it is used, as in `memory_limits`

    return f"{psutil.cpu_count()} cores, {processor_name()}, {psutil.virtual_memory().total / 2**30:.0f} GiB"


def processor_name() -> str:
    """Return the processor's model, from Linux if it names one, else from Python's `platform.processor`."""
    models = [value.strip() for key, value in _cpuinfo_pairs() if key == "model name"]
    return models[0] if models else platform.processor()


def instruction_sets() -> set[str]:
    """Return the names of the processor's instruction sets, such as ``avx2``; the empty set outside Linux."""
    return {word for key, value in _cpuinfo_pairs() if key in ("flags", "features") for word in value.split()}


def processor_identity() -> dict[str, str]:
    """Return the processor's model and a digest of its instruction sets.

    Virtual machines with different instruction sets may name the same model.
    """
    digest = hashlib.sha256(" ".join(sorted(instruction_sets())).encode()).hexdigest()
    return {"processor": processor_name(), "architecture": platform.machine(), "instruction_sets": digest[:16]}


def usable_cpus() -> int:
    """Return the number of logical processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpuinfo_pairs() -> list[tuple[str, str]]:
    """Return `CPUINFO` as pairs of a lower-case key and its value; no pairs if there is no such file."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    pairs = (line.partition(":") for line in lines)
    return [(key.strip().lower(), value) for key, _, value in pairs]
