"""Damaged and hostile files of a run folder: each is read, left out with a warning, or refused in one line."""

import copy
import json
import logging
import os
import random
import zipfile

import numpy as np
import pytest

from nst_tf.config.rerun import read_recorded_run
from nst_tf.images import read_text, write_picture
from nst_tf.reports import write_report
from nst_tf.reports.reading import find_runs
from nst_tf.runs.checkpoint_file import read_arrays, write_arrays
from nst_tf.runs.folder import RunFolder
from nst_tf.util.errors import InputError

ODD_VALUES = [
    *(None, True, -1, 0, 3.7, 1e308, 10**400, "", "x", "=HYPERLINK(1)", "</script><b>", "\x00", "\ud800", "a\nb"),
    *([], {}, [[]], {"a": {"b": [1]}}, {"source": "/dev/zero", "sha256": ""}, "/etc/passwd", "é" * 999),
]
"""Values put in place of the entries of a record."""

FAST, MANY = 20, 200
"""Number of damaged files that `make test` and `make test-faults` try."""

NUMBERS = [pytest.param(FAST, id="some"), pytest.param(MANY, id="many", marks=pytest.mark.faults)]


def damage_bytes(content, generator):
    """Cut a file, or change, repeat or insert some of its bytes."""
    content = bytearray(content)
    position = generator.randrange(len(content))
    match generator.randrange(5):
        case 0:
            del content[position:]
        case 1:
            content[position] ^= 1 << generator.randrange(8)
        case 2:
            content[position : position + 64] = generator.randbytes(64)
        case 3:
            content[position:position] = generator.randbytes(generator.randrange(1, 300))
        case 4:
            del content[position : position + generator.randrange(1, 300)]
    return bytes(content)


def damage_value(value, generator):
    """Replace one entry of nested plain values by an odd one, or remove it."""
    value = copy.deepcopy(value)
    part = value
    while True:
        key = generator.choice(list(part) if isinstance(part, dict) else range(len(part)))
        if isinstance(part[key], dict | list) and part[key] and generator.random() < 0.7:
            part = part[key]
            continue
        if generator.random() < 0.15:
            del part[key]
        else:
            part[key] = copy.deepcopy(generator.choice(ODD_VALUES))
        return value


def assert_one_line(error, end=""):
    assert "\n" not in str(error)
    assert len(str(error)) < 1500
    assert str(error).endswith(end)
    assert "pickle" not in str(error)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_report_is_written_whatever_the_records_hold(number, made_up_run, tmp_path, caplog):
    generator = random.Random(1)
    sound = made_up_run(tmp_path / "sound", ["seed=1"], record={"scores": {"ssim": 0.5, "judge": "vgg19"}})
    record = json.loads(sound.record.read_text())
    for index in range(number):
        run = RunFolder(tmp_path / f"run_{index}")
        run.make()
        text = json.dumps(damage_value(record, generator))
        run.record.write_bytes(damage_bytes(text.encode(), generator) if index % 4 == 0 else text.encode())
        for name in ("metrics", "config", "overrides"):
            source, target = getattr(sound, name), getattr(run, name)
            target.parent.mkdir(exist_ok=True)
            content = source.read_bytes()
            target.write_bytes(damage_bytes(content, generator) if index % 3 == 0 else content)
        run.picture.write_bytes(sound.picture.read_bytes())
    with caplog.at_level(logging.WARNING):
        runs = find_runs([tmp_path])
        assert number / 2 < len(runs) <= number + 1
        assert write_report([tmp_path], tmp_path / "report").exists()
    assert all(line.isprintable() for line in caplog.messages)


@pytest.mark.timeout(30)
def test_a_record_that_names_a_pipe_or_a_device_does_not_stop_the_report(made_up_run, tmp_path):
    run = made_up_run(tmp_path / "runs" / "0_a", ["seed=1"])
    os.mkfifo(tmp_path / "pipe")
    record = json.loads(run.record.read_text())
    for role, source in {"content": tmp_path / "pipe", "style:1": "/dev/zero"}.items():
        record["inputs"][role]["source"] = str(source)
    run.record.write_text(json.dumps(record))
    run.metrics.unlink()
    os.mkfifo(run.metrics)
    assert write_report([tmp_path / "runs"]).exists()


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", ["record", "config", "overrides"])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(name, made_up_run, tmp_path):
    run = made_up_run(tmp_path / "0_a", ["seed=1"])
    getattr(run, name).unlink()
    os.mkfifo(getattr(run, name))
    if name == "record":
        with pytest.raises(InputError, match="No run in"):
            find_runs([tmp_path])
    else:
        assert len(find_runs([tmp_path])) == 1


STATE = {
    "engine/steps": np.array(7),
    "loop/names": np.array(["content", "style/raw"]),
    "loop/row": np.arange(6, dtype=np.float64).reshape(1, 6),
    "solver/pixels": np.linspace(0, 1, 60, dtype=np.float32).reshape(1, 4, 5, 3),
}


@pytest.mark.parametrize("number", NUMBERS)
def test_a_damaged_checkpoint_is_refused_in_one_line_or_read_unchanged(number, tmp_path):
    generator = random.Random(2)
    folder = RunFolder(tmp_path)
    write_arrays(folder.checkpoint, STATE)
    sound = folder.checkpoint.read_bytes()
    refused = 0
    for _ in range(number):
        folder.checkpoint.write_bytes(damage_bytes(sound, generator))
        try:
            arrays = folder.read_checkpoint()
        except InputError as error:
            assert_one_line(error, end=": delete it to begin again")
            refused += 1
        else:
            for name in arrays.keys() & STATE.keys():
                np.testing.assert_array_equal(arrays[name], STATE[name])
    assert refused > number / 2


def hostile_archive(path, name="solver/pixels.npy", content=b"", compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(name, content)


def array_file(shape="(2,)", descr="'<f4'", data=b"\x00" * 8):
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data


@pytest.mark.parametrize(
    ("content", "compression", "reason"),
    [
        (array_file(), zipfile.ZIP_DEFLATED, "compressed"),
        (array_file(shape="(10**12,)"), zipfile.ZIP_STORED, "no valid header"),
        (array_file(shape="(1000000000000,)"), zipfile.ZIP_STORED, "not the size of its shape"),
        (array_file(shape="(-1,)"), zipfile.ZIP_STORED, "not the size of its shape"),
        (array_file(descr="'|O'"), zipfile.ZIP_STORED, "plain numbers or texts"),
        (array_file(descr="[('a', '<f4')]"), zipfile.ZIP_STORED, "plain numbers or texts"),
        (array_file(descr="'<c8'"), zipfile.ZIP_STORED, "plain numbers or texts"),
        (array_file(descr="__import__('os').abort()"), zipfile.ZIP_STORED, "no valid header"),
        (b"\x80\x04N.", zipfile.ZIP_STORED, "no valid header"),
        (b"", zipfile.ZIP_STORED, "no valid header"),
    ],
)
def test_a_hostile_checkpoint_is_refused_before_its_arrays_are_read(content, compression, reason, tmp_path):
    hostile_archive(tmp_path / "a.npz", content=content, compression=compression)
    with pytest.raises(ValueError, match=reason):
        read_arrays(tmp_path / "a.npz")


def test_a_checkpoint_with_other_members_or_of_great_size_is_refused(tmp_path):
    hostile_archive(tmp_path / "a.npz", name="../../evil.sh", content=b"x")
    with pytest.raises(ValueError, match="does not hold the arrays"):
        read_arrays(tmp_path / "a.npz")
    with (tmp_path / "sparse.npz").open("wb") as file:
        file.truncate(2**43)
    with pytest.raises(ValueError, match="MiB of memory are free"):
        read_arrays(tmp_path / "sparse.npz")


@pytest.mark.parametrize("number", NUMBERS)
def test_a_damaged_picture_is_refused_by_rerun_in_one_line_or_read_unchanged(number, recorded_picture, tmp_path):
    generator = random.Random(3)
    sound, path = recorded_picture.read_bytes(), tmp_path / "damaged.png"
    expected, texts = read_recorded_run(str(recorded_picture)), read_text(recorded_picture)
    refused = 0
    for index in range(number):
        if index % 2:
            path.write_bytes(damage_bytes(sound, generator))
        else:
            edited = {
                key: damage_bytes(text.encode(), generator).decode(errors="replace") for key, text in texts.items()
            }
            write_picture(path, np.zeros((4, 4, 3)), text=texts | dict([generator.choice(list(edited.items()))]))
        try:
            run = read_recorded_run(str(path))
            node = run.hydra_node(set())
        except InputError as error:
            assert_one_line(error)
            refused += 1
        else:
            assert node.keys() <= {"defaults", *expected.settings}
            assert "_target_" not in json.dumps(node)
    assert refused > number / 4


@pytest.fixture
def recorded_picture(small_config, tmp_path):
    """A picture with the texts of a run."""
    from nst_tf.config.recorded_text import COMPONENT_TABLES, picture_text
    from nst_tf.config.settings import to_yaml
    from nst_tf.images import read_picture

    config = small_config()
    inputs = {
        role: {"source": source, "sha256": read_picture(source).sha256}
        for role, source in {"content": config.content, "style:1": config.style}.items()
    }
    record = {"inputs": inputs, "weights": None, "precision": "float32", "size_factor": 1.0}
    text = picture_text(to_yaml(config), {name: getattr(config, name) for name in COMPONENT_TABLES}, record)
    path = tmp_path / "sound.png"
    write_picture(path, np.zeros((4, 4, 3)), text=text)
    return path
