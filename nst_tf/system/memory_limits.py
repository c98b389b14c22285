"""Limits of the memory of this process: free memory of the machine, Linux's control groups, and resource limits.

A limit of any parent of a control group binds the group too: Slurm limits the job above the step, and systemd the slice
above the service. So every group from the process's own up to the root is read, in both versions of the interface. No
library in use reads them: psutil reports the machine alone, and joblib and Ray read processors or the innermost group.

See `cgroups(7)`, `proc(5)`, `getrlimit(2)`, and the kernel's documentation of the memory controllers of both versions.
"""

from __future__ import annotations

import math
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

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


VERSION_1 = Interface(("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file")
"""The memory controller of version 1."""

VERSION_2 = Interface(("memory.max", "memory.high"), "memory.current", "inactive_file")
"""The memory controller of version 2."""


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
        for interface, mount, group in _memory_groups(root)
        for directory in _with_parents(root, mount, group)
        if (limit := _group_limit(interface, directory, root)) is not None
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


def _memory_groups(root: Path) -> Iterator[tuple[Interface, tuple[PurePosixPath, PurePosixPath], PurePosixPath]]:
    """Yield for each hierarchy that may limit memory: its interface, its mount, and the path of the process's group.

    A mount is the group that is mounted and the folder where it is. In a container without a namespace of its own,
    that group is the container's.
    """
    mounts = _mounts(_lines(root / "proc/self/mountinfo"))
    for line in _lines(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        interface = VERSION_1 if "memory" in controllers.split(",") else VERSION_2 if controllers == "" else None
        if interface is not None and interface in mounts:
            yield interface, mounts[interface], PurePosixPath(group)


def _mounts(mountinfo: list[str]) -> dict[Interface, tuple[PurePosixPath, PurePosixPath]]:
    """Return the group that each hierarchy mounts and the folder where it does, by interface.

    Args:
        mountinfo: Lines ``ID PARENT MAJOR:MINOR ROOT FOLDER OPTIONS [TAGS] - TYPE SOURCE SUPER_OPTIONS``.
    """
    found: dict[Interface, tuple[PurePosixPath, PurePosixPath]] = {}
    for line in mountinfo:
        place, separator, filesystem = line.partition(" - ")
        before, after = place.split(), filesystem.split()
        if not separator or len(before) < 5 or len(after) < 3:
            continue
        mount = (PurePosixPath(_unescaped(before[3])), PurePosixPath(_unescaped(before[4])))
        if after[0] == "cgroup2":
            found.setdefault(VERSION_2, mount)
        elif after[0] == "cgroup" and "memory" in after[2].split(","):
            found.setdefault(VERSION_1, mount)
    return found


def _unescaped(path: str) -> str:
    r"""Return a path of mountinfo, which writes space, tab, newline and backslash as ``\040`` and the like."""
    for code in (0o40, 0o11, 0o12, 0o134):
        path = path.replace(f"\\{code:03o}", chr(code))
    return path


def _with_parents(root: Path, mount: tuple[PurePosixPath, PurePosixPath], group: PurePosixPath) -> Iterator[Path]:
    """Yield the folder of a group and those of its parents, up to the mounted group.

    A group that does not lie below the mounted one cannot be seen here, as in a container whose ``proc`` names the
    group by the host's path. Then the mounted group alone is read.
    """
    mounted, folder = mount
    top = root / folder.relative_to("/")
    inside = group.is_relative_to(mounted) and ".." not in group.parts
    directory = top / group.relative_to(mounted) if inside else top
    yield directory
    while directory != top:
        directory = directory.parent
        yield directory


def _group_limit(interface: Interface, directory: Path, root: Path) -> MemoryLimit | None:
    """Return the limit of one group; None if it has none."""
    limits = [_number(directory / name) for name in interface.limits]
    limit = min((value for value in limits if value is not None and value < UNLIMITED), default=math.inf)
    used = _number(directory / interface.used)
    if used is None or not math.isfinite(limit):
        return None
    entries = (line.split() for line in _lines(directory / "memory.stat"))
    cache = next((int(e[1]) for e in entries if len(e) == 2 and e[0] == interface.reclaimable and e[1].isdigit()), 0)
    place = "/" / directory.relative_to(root)
    return _limit(f"the control group {place} of {limit / MB:.0f} MiB", limit - used + min(cache, used))


def _number(path: Path) -> int | None:
    """Return the number in a file; None for ``max`` and for a file that cannot be read."""
    text = "".join(_lines(path)).strip()
    return int(text) if text.isdigit() else None


def _lines(path: Path) -> list[str]:
    """Return the lines of a file; none if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
