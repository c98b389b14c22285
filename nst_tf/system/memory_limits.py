"""Limits of the memory of this process: free memory of the machine, Linux's control groups, and resource limits.

See `nst_tf.system.control_groups`, `getrlimit(2)`, and the kernel's documentation of the memory controllers of both
versions.
"""

from __future__ import annotations

import math
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from nst_tf.system.control_groups import control_groups, read_lines, read_number

MB = 2**20
"""Bytes in a MiB."""

UNLIMITED = 2**60
"""Bytes from which on a limit is none: version 1 writes the largest number of pages where nothing is limited."""


ADDRESSES_PER_MB = 1.6
"""Address space or data that a MiB of resident memory takes, with the arenas that malloc reserves for each thread.

Measured: 1.2 to 1.6 MiB in runs at 128 to 768 pixels.
"""


RESERVED_MB = 320
"""Address space in MiB that malloc and the threads of a run reserve without using it: arenas of 64 MiB, and stacks.

A run whose address space ends is not refused memory in an orderly way: TensorFlow's libraries crash.
"""


class MemoryLimit(NamedTuple):
    """A limit of the memory that this process may still take.

    Attributes:
        name: What limits the memory, as a message names it.
        free_mb: MiB that are left, at least 0.
    """

    name: str
    free_mb: float


@dataclass(frozen=True)
class Interface:
    """Names in the directory of a control group.

    Attributes:
        limits: Files with a limit in bytes; the least of them holds. Above ``memory.high`` of version 2 the kernel
            slows the processes of the group down until they release memory.
        used: File with the bytes in use, including the cache of files.
        reclaimable: Entry of ``memory.stat`` with the bytes of the file cache that the kernel frees first.
    """

    limits: tuple[str, ...]
    used: str
    reclaimable: str


INTERFACES = {
    1: Interface(("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file"),
    2: Interface(("memory.max", "memory.high"), "memory.current", "inactive_file"),
}
"""The memory controllers of both versions."""


def memory_limits(root: Path = Path("/")) -> list[MemoryLimit]:
    """Return every limit that binds this process on the CPU, the tightest first.

    Args:
        root: Folder below which ``proc`` and the control groups lie.
    """
    import psutil  # takes a tenth of a second, which a refused command need not wait for

    machine = MemoryLimit("the free memory of the machine", psutil.virtual_memory().available / MB)
    limits = [machine, *cgroup_limits(root), *resource_limits(psutil.Process().memory_info())]
    return sorted(limits, key=lambda limit: limit.free_mb)


def cgroup_limits(root: Path = Path("/")) -> list[MemoryLimit]:
    """Return the limits of this process's control groups and of all their parents; none outside Linux.

    A file that is missing or cannot be read sets no limit.

    Args:
        root: Folder below which ``proc`` and the control groups lie.
    """
    return [
        limit
        for version, directory in control_groups("memory", root)
        if (limit := _group_limit(INTERFACES[version], directory, root)) is not None
    ]


def resource_limits(memory: Any) -> list[MemoryLimit]:
    """Return the limits of the shell: ``ulimit -v`` (address space) and ``ulimit -d`` (data).

    What they leave is reduced by `RESERVED_MB` and divided by `ADDRESSES_PER_MB`, so that it compares with resident
    memory.

    Args:
        memory: The process's memory, as `psutil.Process.memory_info` returns it: ``vms`` and ``data`` in bytes.
    """
    used = {"RLIMIT_AS": ("ulimit -v", memory.vms), "RLIMIT_DATA": ("ulimit -d", getattr(memory, "data", 0))}
    limits = []
    for constant, (command, taken) in used.items():
        soft, _ = resource.getrlimit(getattr(resource, constant))
        if soft != resource.RLIM_INFINITY:
            limits.append(
                _limit(
                    f"{constant} ({command}) of {soft / MB:.0f} MiB",
                    (soft - taken - RESERVED_MB * MB) / ADDRESSES_PER_MB,
                )
            )
    return limits


def _limit(name: str, free: float) -> MemoryLimit:
    return MemoryLimit(name, max(0.0, free / MB))


def _group_limit(interface: Interface, directory: Path, root: Path) -> MemoryLimit | None:
    """Return the limit of one group; None if it has none."""
    limits = [read_number(directory / name) for name in interface.limits]
    limit = min((value for value in limits if value is not None and value < UNLIMITED), default=math.inf)
    used = read_number(directory / interface.used)
    if used is None or not math.isfinite(limit):
        return None
    entries = (line.split() for line in read_lines(directory / "memory.stat"))
    cache = next((int(e[1]) for e in entries if len(e) == 2 and e[0] == interface.reclaimable and e[1].isdigit()), 0)
    place = "/" / directory.relative_to(root)
    return _limit(f"the control group {place} of {limit / MB:.0f} MiB", limit - used + min(cache, used))
