"""The choice by measurement: rounds, the shortest times, noise, and the file that keeps the seconds."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.system import measurement
from nst_tf.system.measurement import fastest, measure, measured_once, synchronised

KEY = {"measured": "test", "threads": 2}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of the measurements, empty."""
    monkeypatch.setenv(measurement.CACHE_VARIABLE, str(tmp_path))
    return tmp_path / "measurements"


class Machine:
    """A clock that only calls of the candidates move, with the next of several durations."""

    def __init__(self, **durations):
        self.now, self.calls, self.left = 0.0, [], {name: iter(each) for name, each in durations.items()}

    def candidates(self):
        return {name: lambda name=name: self.run(name) for name in self.left}

    def run(self, name):
        self.calls.append(name)
        self.now += next(self.left[name])

    def clock(self):
        return self.now


def test_measure_calls_the_candidates_in_turns_and_returns_their_shortest_times():
    machine = Machine(a=[90, 5, 3], b=[80, 1, 7])
    seconds = measure(machine.candidates(), budget=1.0, clock=machine.clock)
    assert seconds == {"a": 3, "b": 1}  # the first call of each is not counted
    assert machine.calls == ["a", "b"] * 3  # two rounds, although the budget is spent after the first


def test_measure_stops_after_ten_rounds_within_its_budget():
    machine = Machine(a=[0.001] * 99)
    measure(machine.candidates(), budget=1.0, clock=machine.clock)
    assert len(machine.calls) == 11


def test_a_candidate_that_the_machine_cannot_compute_is_left_out():
    def refuse():
        raise tf.errors.AbortedError(None, None, "could not create a primitive descriptor")

    machine = Machine(a=[1.0] * 4)
    assert measure(machine.candidates() | {"b": refuse}, 0.5, machine.clock) == {"a": 1.0}


def test_a_candidate_without_enough_memory_ends_the_measurement():
    def exhaust():
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    with pytest.raises(tf.errors.ResourceExhaustedError):
        measure({"a": exhaust})


def test_synchronised_calls_are_counted_and_end_with_a_value_that_is_read():
    calls = []

    def run():
        calls.append(len(calls))
        return tf.fill([2, 3], tf.cast(len(calls), tf.bfloat16))

    value = synchronised(run, 4)()
    assert len(calls) == 4
    assert (type(value), value.tolist()) == (np.ndarray, [4.0])


@pytest.mark.parametrize(
    ("seconds", "choice"),
    [
        ({"a": 1.00, "b": 0.98}, "a"),  # within the noise, the preferred one
        ({"a": 1.00, "b": 0.90}, "b"),
        ({"b": 2.0, "c": 1.0}, "c"),  # the preferred one could not be measured
        ({}, "a"),
    ],
)
def test_the_fastest_is_chosen_unless_the_difference_is_noise(seconds, choice):
    assert fastest(seconds, preferred="a") == choice


def test_seconds_are_measured_once_for_a_key_and_again_for_another(cache):
    calls = []

    def measured():
        calls.append(1)
        return {"a": 0.5, "b": 0.25}

    for _ in range(2):
        assert measured_once(KEY, measured) == {"a": 0.5, "b": 0.25}
    assert len(calls) == 1
    (file,) = cache.glob("*.json")
    assert json.loads(file.read_text()) == {"key": KEY, "seconds": {"a": 0.5, "b": 0.25}}
    measured_once(KEY | {"threads": 1}, measured)
    assert len(calls) == 2


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[1]",
        "\ufeff{}",
        "[" * 5000,
        json.dumps({"key": KEY}),
        json.dumps({"key": {}, "seconds": {"a": 1.0}}),
        json.dumps({"key": KEY, "seconds": {"a": -1.0}}),
        json.dumps({"key": KEY, "seconds": {"a": math.nan}}),
        json.dumps({"key": KEY, "seconds": {"a": True}}),
        json.dumps({"key": KEY, "seconds": {"a": 1.0}, "more": "x" * 2**17}),
        b"\xff\xfe\x00",
    ],
    ids=lambda content: repr(content)[:24],
)
def test_a_damaged_file_is_measured_anew_and_replaced(content, cache):
    measured_once(KEY, lambda: {"a": 9.0})
    (file,) = cache.glob("*.json")
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert measured_once(KEY, lambda: {"a": 0.5}) == {"a": 0.5}
    assert json.loads(file.read_text())["seconds"] == {"a": 0.5}


def test_a_pipe_in_place_of_the_file_is_not_read(cache):
    measured_once(KEY, lambda: {"a": 9.0})
    (file,) = cache.glob("*.json")
    file.unlink()
    os.mkfifo(file)
    assert measured_once(KEY, lambda: {"a": 0.5}) == {"a": 0.5}


def test_nothing_is_kept_where_the_folder_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(measurement.CACHE_VARIABLE, str(tmp_path / "file"))
    assert measured_once(KEY, lambda: {"a": 0.5}) == {"a": 0.5}


def test_measurements_are_in_the_users_cache_folder_unless_a_variable_names_another(monkeypatch):
    monkeypatch.delenv(measurement.CACHE_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert measurement.cache_folder().parts[-2:] == ("nst_tf", "measurements")
    monkeypatch.setenv(measurement.CACHE_VARIABLE, "/elsewhere")
    assert measurement.cache_folder() == Path("/elsewhere/measurements")
