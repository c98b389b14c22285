"""The number of threads: the candidates of a machine, and the fastest of them."""

import pytest

from nst_tf.system import measurement, threads


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Function that pretends a machine: logical processors, cores, and the text of the container's limit."""

    def pretend(usable, cores, quota=None):
        file = tmp_path / "cpu.max"
        if quota is not None:
            file.write_text(quota)
        monkeypatch.setattr(threads, "QUOTA_FILES", (file,))
        monkeypatch.setattr("nst_tf.system.hardware.usable_cpus", lambda: usable)
        monkeypatch.setattr("psutil.cpu_count", lambda logical=True: cores)

    monkeypatch.setenv(measurement.MEASURE_VARIABLE, "1")
    monkeypatch.setenv(measurement.CACHE_VARIABLE, str(tmp_path))
    return pretend


@pytest.mark.parametrize(
    ("usable", "cores", "quota", "candidates"),
    [
        (2, 2, None, [2]),
        (16, 8, "max 100000\n", [16, 8]),
        (64, 32, "150000 100000\n", [2, 64, 32]),
        (4, 8, "-1\n", [4]),  # version 1 without a limit, and a process that may not use all processors
        (8, 8, "400000\n", [4, 8]),
        (8, None, "nonsense", [8]),
    ],
)
def test_candidates_are_the_granted_the_logical_and_the_physical_processors(machine, usable, cores, quota, candidates):
    machine(usable, cores, quota)
    assert threads.thread_candidates() == candidates


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
