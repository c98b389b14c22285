"""Folders that stand for ``/proc`` and the control groups of a machine."""

import pytest

V2_MOUNT = "29 23 0:26 {root} /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"


@pytest.fixture
def control_groups(tmp_path):
    """Function that writes ``/proc/self`` and control groups, ``{folder: {file: content}}``, below ``tmp_path``."""

    def write(groups, cgroup, mountinfo):
        own = tmp_path / "proc/self"
        own.mkdir(parents=True)
        (own / "cgroup").write_text(cgroup + "\n")
        (own / "mountinfo").write_text("\n".join(mountinfo) + "\n")
        for folder, files in groups.items():
            directory = tmp_path / folder
            directory.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                (directory / name).write_text(f"{content}\n")

    return write
