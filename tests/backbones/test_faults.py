"""Damaged weights files of every format: each gives its weights or one line, and none hangs."""

import json
import struct

import numpy as np
import pytest

from nst_tf.backbones import hdf5, trial, weights
from nst_tf.backbones.architecture import Architecture
from nst_tf.util.errors import InputError
from tests.backbones.pytorch_files import pytorch_file, torch_arrays

NAMES = ("features.0", "features.2", "features.5", "features.7")


def keras3(model, folder):
    path = folder / "sound.h5"
    hdf5.write(path, {layer.name: layer.get_weights() for layer in model.layers if layer.weights})
    return path.read_bytes()


def legacy_keras(model, folder):
    path = folder / "whole.h5"
    model.save(path)
    return path.read_bytes()


def pytorch_zip(model, folder):
    return pytorch_file(torch_arrays(model, NAMES))


def pytorch_legacy(model, folder):
    return pytorch_file(torch_arrays(model, NAMES), legacy=True)


def safetensors(model, folder):
    header, data = {}, b""
    for key, array in torch_arrays(model, NAMES).items():
        header[key] = {"dtype": "F32", "shape": array.shape, "data_offsets": [len(data), len(data) + array.nbytes]}
        data += np.ascontiguousarray(array).tobytes()
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


FORMATS = (keras3, legacy_keras, pytorch_zip, pytorch_legacy, safetensors)


def damaged(sound, generator):
    """Return a damaged copy: cut, with changed bits, with a block of zeros or of noise, or with bytes put in."""
    data, kind = bytearray(sound), generator.integers(6)
    where = int(generator.integers(len(data)))
    length = int(generator.integers(1, 64))
    if kind == 0:
        return bytes(data[:where])
    if kind == 1:
        data[where : where + length] = bytes(len(data[where : where + length]))
    elif kind == 2:
        data[where : where + length] = generator.bytes(len(data[where : where + length]))
    elif kind == 3:
        data[where:where] = generator.bytes(length)
    else:  # formats keep most of their structure at the beginning
        reach = len(data) if kind == 4 else min(len(data), 2048)
        for position in generator.integers(reach, size=generator.integers(1, 5)):
            data[position] ^= 1 << int(generator.integers(8))
    return bytes(data)


def assert_loads_or_refuses_in_one_line(path, architecture):
    names = architecture.layers_with_weights
    weights.known_origin(str(path))
    try:
        arrays = weights.format_of(path).read(path, "tiny", architecture, names)
    except InputError as error:
        message = str(error)
        assert "\n" not in message
        assert str(path) in message
        assert len(message) < 700
        return 0
    assert {name: tuple(array.shape for array in arrays[name]) for name in names} == dict(architecture.weights)
    return 1


@pytest.fixture(autouse=True)
def short_trials(monkeypatch):
    """A file that makes the HDF5 library hang is given up after 10 seconds."""
    monkeypatch.setattr(trial, "SECONDS", 10)


def check(write, count, seed, model, folder):
    sound, generator = write(model, folder), np.random.default_rng(seed)
    architecture = Architecture.from_model(model)
    path = folder / "damaged"
    path.write_bytes(sound)
    assert assert_loads_or_refuses_in_one_line(path, architecture) == 1
    loaded = 0
    for n in range(count):
        path = folder / f"damaged_{n}"
        path.write_bytes(damaged(sound, generator))
        loaded += assert_loads_or_refuses_in_one_line(path, architecture)
        path.unlink()
    return loaded


@pytest.mark.parametrize("write", FORMATS)
def test_a_few_damaged_files_give_their_weights_or_one_line(write, tiny_model, tmp_path):
    assert check(write, 8, 0, tiny_model, tmp_path) < 8


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(1, 5))
@pytest.mark.parametrize("write", FORMATS)
def test_damaged_files_give_their_weights_or_one_line(write, seed, tiny_model, tmp_path):
    assert check(write, 60, seed, tiny_model, tmp_path) < 60


@pytest.mark.faults
@pytest.mark.parametrize("write", FORMATS)
def test_every_cut_of_a_file_is_refused_or_complete(write, tiny_model, tmp_path):
    """A cut may fall into trailing bytes that no weight needs."""
    sound, architecture = write(tiny_model, tmp_path), Architecture.from_model(tiny_model)
    for n, length in enumerate(np.linspace(0, len(sound) - 1, 60, dtype=int)):
        path = tmp_path / f"cut_{n}"
        path.write_bytes(sound[:length])
        assert_loads_or_refuses_in_one_line(path, architecture)
