"""The number of threads: the candidates of a machine, and the fastest of them."""

import pytest

from nst_tf.system import measurement, threads
from tests.system.conftest import V2_MOUNT

CPU_MOUNT = "33 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct"


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Function that pretends a machine with a number of logical processors and of cores."""
    monkeypatch.setenv(measurement.MEASURE_VARIABLE, "1")
    monkeypatch.setenv(measurement.CACHE_VARIABLE, str(tmp_path))

    def pretend(usable, cores):
        monkeypatch.setattr("nst_tf.system.hardware.usable_cpus", lambda: usable)
        monkeypatch.setattr("psutil.cpu_count", lambda logical=True: cores)

    return pretend


@pytest.mark.parametrize(
    ("usable", "cores", "quota", "candidates"),
    [
        (2, 2, None, [2]),
        (16, 8, "max 100000", [16, 8]),
        (64, 32, "150000 100000", [2, 64, 32]),
        (4, 8, "max", [4]),  # a process that may not use all processors
        (8, 8, "400000", [4, 8]),
        (8, None, "nonsense", [8]),
    ],
)
def test_candidates_are_the_granted_the_logical_and_the_physical_processors(
    machine, control_groups, tmp_path, usable, cores, quota, candidates
):
    machine(usable, cores)
    control_groups({"sys/fs/cgroup": {} if quota is None else {"cpu.max": quota}}, "0::/", [V2_MOUNT.format(root="/")])
    assert threads.thread_candidates(tmp_path) == candidates


def test_the_lowest_quota_of_a_group_and_its_parents_holds(control_groups, tmp_path):
    groups = {"sys/fs/cgroup/job": {"cpu.max": "300000 100000"}, "sys/fs/cgroup/job/step": {"cpu.max": "500000 100000"}}
    control_groups(groups, "0::/job/step", [V2_MOUNT.format(root="/")])
    assert threads.granted_cpus(tmp_path) == 3


@pytest.mark.parametrize(("quota", "granted"), [("-1", None), ("150000", 2)])
def test_a_quota_of_version_1_is_read(control_groups, tmp_path, quota, granted):
    files = {"cpu.cfs_quota_us": quota, "cpu.cfs_period_us": "100000"}
    control_groups({"sys/fs/cgroup/cpu,cpuacct/box": files}, "4:cpu,cpuacct:/box", [CPU_MOUNT])
    assert threads.granted_cpus(tmp_path) == granted


@pytest.mark.parametrize(("seconds", "count"), [({"16": 1.0, "8": 0.8}, 8), ({"16": 1.0, "8": 0.99}, 16), ({}, 16)])
def test_the_fastest_number_of_threads_is_measured_once(machine, monkeypatch, seconds, count):
    machine(16, 8)
    measured = []
    monkeypatch.setattr(threads, "_measure", lambda candidates: measured.append(candidates) or seconds)
    assert [threads.fastest_threads() for _ in range(2)] == [count, count]
    assert measured == [[16, 8]]


def test_nothing_is_measured_without_alternatives_or_when_measurements_are_off(machine, monkeypatch):
    monkeypatch.setattr(threads, "_measure", None)
    machine(2, 2)
    assert threads.fastest_threads() == 2
    machine(16, 8)
    monkeypatch.setenv(measurement.MEASURE_VARIABLE, "0")
    assert threads.fastest_threads() == 16


@pytest.mark.slow
def test_each_number_of_threads_is_timed_in_a_process_of_its_own():
    seconds = threads._measure([1, 2])
    assert sorted(seconds) == ["1", "2"]
    assert all(0 < value < 10 for value in seconds.values())


def test_a_worker_that_ends_is_left_out(monkeypatch):
    monkeypatch.setattr("sys.executable", "/bin/false")
    assert threads._measure([1]) == {}
