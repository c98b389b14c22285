"""Tests of the limits that bind a process, on folders that stand for ``/proc`` and the control groups."""

import resource
import subprocess
import sys
from types import SimpleNamespace

import pytest

from nst_tf.system import memory_limits
from nst_tf.system.memory_limits import MB, cgroup_limits
from tests.system.conftest import V2_MOUNT

V1_MOUNT = "35 31 0:32 {root} /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory"
OTHER_MOUNT = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct"


@pytest.fixture
def machine(control_groups, tmp_path):
    """Function that writes control groups, and returns the names and the free MiB of their limits.

    A group is ``{file: content}``; numbers are MiB.
    """

    def write(groups, cgroup, mountinfo):
        texts = {
            folder: {name: content * MB if isinstance(content, int) else content for name, content in files.items()}
            for folder, files in groups.items()
        }
        control_groups(texts, cgroup, mountinfo)
        return {limit.name: limit.free_mb for limit in cgroup_limits(tmp_path)}

    return write


def v2(limit, used, **more):
    return {"memory.max": limit, "memory.current": used} | more


def v1(limit, used, **more):
    return {"memory.limit_in_bytes": limit, "memory.usage_in_bytes": used} | more


def test_every_parent_of_a_group_of_version_2_is_read(machine):
    """Slurm limits the job above the step, and systemd the slice above the service."""
    top = "sys/fs/cgroup"
    groups = {
        top: {},
        f"{top}/system.slice": v2("max", 9000),
        f"{top}/system.slice/job_7": v2(1000, 400),
        f"{top}/system.slice/job_7/step_0": v2("max", 300),
        f"{top}/system.slice/job_7/step_0/task": v2(900, 200),
    }
    found = machine(groups, "0::/system.slice/job_7/step_0/task", [V2_MOUNT.format(root="/")])
    assert found == {
        "the control group /sys/fs/cgroup/system.slice/job_7/step_0/task of 900 MiB": 700,
        "the control group /sys/fs/cgroup/system.slice/job_7 of 1000 MiB": 600,
    }


def test_the_limit_of_a_group_of_version_1_is_read_and_that_of_other_controllers_is_not(machine):
    group = {"sys/fs/cgroup/memory": v1(str(2**63 - 4096), 9000), "sys/fs/cgroup/memory/box": v1(700, 100)}
    found = machine(group, "5:cpu,cpuacct:/else\n4:memory:/box\n0::/", [OTHER_MOUNT, V1_MOUNT.format(root="/")])
    assert found == {"the control group /sys/fs/cgroup/memory/box of 700 MiB": 600}


@pytest.mark.parametrize("group", ["/docker/3f", "/docker/3f/sub", "/../other", "/elsewhere"])
def test_in_a_container_the_mounted_group_is_that_of_the_container(machine, group):
    groups = {"sys/fs/cgroup/memory": v1(700, 100)}
    found = machine(groups, f"4:memory:{group}", [V1_MOUNT.format(root="/docker/3f")])
    assert found == {"the control group /sys/fs/cgroup/memory of 700 MiB": 600}


def test_the_lower_of_both_limits_of_version_2_holds(machine):
    groups = {"sys/fs/cgroup/a": v2(900, 100, **{"memory.high": 500})}
    assert list(machine(groups, "0::/a", [V2_MOUNT.format(root="/")]).values()) == [400]


def test_file_cache_that_the_kernel_frees_first_is_available(machine):
    statistics = f"anon {50 * MB}\ninactive_file {30 * MB}\nactive_file {20 * MB}"
    groups = {"sys/fs/cgroup/a": v2(200, 100, **{"memory.stat": statistics})}
    assert list(machine(groups, "0::/a", [V2_MOUNT.format(root="/")]).values()) == [130]


def test_a_group_above_its_limit_has_nothing_left(machine):
    assert list(machine({"sys/fs/cgroup/a": v2(100, 150)}, "0::/a", [V2_MOUNT.format(root="/")]).values()) == [0]


@pytest.mark.parametrize(
    ("files", "cgroup", "mountinfo"),
    [
        ({}, "0::/a", [V2_MOUNT.format(root="/")]),
        (v2("", 1), "0::/a", [V2_MOUNT.format(root="/")]),
        (v2("much", 1), "0::/a", [V2_MOUNT.format(root="/")]),
        ({"memory.max": 100}, "0::/a", [V2_MOUNT.format(root="/")]),
        (v2(100, 1), "nonsense", [V2_MOUNT.format(root="/")]),
        (v2(100, 1), "0::/a", ["nonsense", "1 2 - x"]),
    ],
)
def test_files_that_are_missing_or_unreadable_set_no_limit(machine, files, cgroup, mountinfo):
    assert machine({"sys/fs/cgroup/a": files}, cgroup, mountinfo) == {}


def test_a_group_with_a_space_in_its_path_is_found(machine):
    mount = V2_MOUNT.format(root="/").replace("/sys/fs/cgroup", r"/my\040groups")
    assert list(machine({"my groups/a b": v2(100, 40)}, "0::/a b", [mount]).values()) == [60]


def test_a_system_without_proc_has_no_control_groups(tmp_path):
    assert cgroup_limits(tmp_path) == []


def test_limits_of_the_shell_leave_what_is_not_taken(monkeypatch):
    limits = {resource.RLIMIT_AS: 4000 * MB, resource.RLIMIT_DATA: resource.RLIM_INFINITY}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits[kind], resource.RLIM_INFINITY))
    process = SimpleNamespace(vms=1500 * MB, data=700 * MB)
    assert memory_limits.resource_limits(process) == [
        ("RLIMIT_AS (ulimit -v) of 4000 MiB", (2500 - 320) / memory_limits.ADDRESSES_PER_MB)
    ]
    limits[resource.RLIMIT_DATA] = 600 * MB
    assert memory_limits.resource_limits(process)[1] == ("RLIMIT_DATA (ulimit -d) of 600 MiB", 0)


PROGRAM = """
import resource
from nst_tf.system.memory import tightest_limit
resource.setrlimit(resource.{kind}, ({limit}, {limit}))
print(*tightest_limit("/CPU:0"), sep="|")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not enforce these limits")
@pytest.mark.parametrize("kind", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_a_process_under_ulimit_reads_its_limit(kind):
    program = PROGRAM.format(kind=kind, limit=1000 * MB)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    name, _, free = done.stdout.strip().partition("|")
    assert name.startswith(kind)
    assert 100 < float(free) < 1000 / memory_limits.ADDRESSES_PER_MB
