"""Linux's control groups: which of them bind this process, in both versions of the interface.

A limit of any parent of a control group binds the group too: Slurm limits the job above the step, and systemd the slice
above the service. So every group from the process's own up to the root is found. No library in use does so: psutil
reports the machine alone, and joblib and Ray read the innermost group.

See `cgroups(7)` and `proc(5)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TypeAlias

Mount: TypeAlias = tuple[PurePosixPath, PurePosixPath]
"""The group that a hierarchy mounts, and the folder where it does."""


def control_groups(controller: str, root: Path = Path("/")) -> Iterator[tuple[int, Path]]:
    """Yield every group that binds this process: the version of its interface, and its folder.

    A group comes before its parents. Outside Linux there is none.

    Args:
        controller: Name of the controller: ``memory`` or ``cpu``.
        root: Folder below which ``proc`` and the control groups lie.
    """
    mounts = _mounts(controller, read_lines(root / "proc/self/mountinfo"))
    for line in read_lines(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        version = 1 if controller in controllers.split(",") else 2 if controllers == "" else 0
        if version in mounts:
            for directory in _with_parents(root, mounts[version], PurePosixPath(group)):
                yield version, directory


def _mounts(controller: str, mountinfo: list[str]) -> dict[int, Mount]:
    """Return the mount of each version of the interface.

    In a container without a namespace of its own, the mounted group is the container's.

    Args:
        controller: See `control_groups`.
        mountinfo: Lines ``ID PARENT MAJOR:MINOR ROOT FOLDER OPTIONS [TAGS] - TYPE SOURCE SUPER_OPTIONS``.
    """
    found: dict[int, Mount] = {}
    for line in mountinfo:
        place, separator, filesystem = line.partition(" - ")
        before, after = place.split(), filesystem.split()
        if not separator or len(before) < 5 or len(after) < 3:
            continue
        mount = (PurePosixPath(_unescaped(before[3])), PurePosixPath(_unescaped(before[4])))
        if after[0] == "cgroup2":
            found.setdefault(2, mount)
        elif after[0] == "cgroup" and controller in after[2].split(","):
            found.setdefault(1, mount)
    return found


def _unescaped(path: str) -> str:
    r"""Return a path of mountinfo, which writes space, tab, newline and backslash as ``\040`` and the like."""
    for code in (0o40, 0o11, 0o12, 0o134):
        path = path.replace(f"\\{code:03o}", chr(code))
    return path


def _with_parents(root: Path, mount: Mount, group: PurePosixPath) -> Iterator[Path]:
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


def read_number(path: Path) -> int | None:
    """Return the number in a file; None for ``max`` and for a file that cannot be read."""
    text = "".join(read_lines(path)).strip()
    return int(text) if text.isdigit() else None


def read_lines(path: Path) -> list[str]:
    """Return the lines of a file; none if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
