"""The trial of a file in another process: how programs can end."""

import h5py
import numpy as np
import pytest

from nst_tf.backbones import hdf5_trial, trial
from nst_tf.backbones.hdf5_trial import read_everything


@pytest.fixture
def try_program(tmp_path):
    """Function that tries a file with a program of these lines."""
    (tmp_path / "file").write_bytes(b"content")

    def run(lines):
        program = tmp_path / "program.py"
        program.write_text(lines)
        trial._try.cache_clear()
        return trial.try_file(str(program), tmp_path / "file", "The file")

    return run


def test_a_program_that_ends_well_gives_nothing_and_one_that_fails_its_last_line(try_program):
    assert try_program("import sys; assert open(sys.argv[1]).read() == 'content'") is None
    assert try_program("import sys; sys.stderr.write('noise\\n'); sys.exit('the reason')") == "the reason"


def test_a_crash_is_an_error(try_program, refused):
    with refused("The file is damaged: reading it crashed (signal 6); download it again"):
        try_program("import os; os.abort()")


def test_a_program_that_does_not_end_is_stopped(try_program, refused, monkeypatch):
    monkeypatch.setattr(trial, "SECONDS", 0.5)
    with refused("The file is damaged: reading it did not end within"):
        try_program("while True: pass")


def test_the_package_does_not_shadow_modules_of_a_program(try_program):
    """The folder of a program is not on its path: this package has modules such as ``weights``."""
    assert try_program("import sys; assert not any('program' in p or p == '' for p in sys.path)") is None


def test_the_program_for_hdf5_reads_every_array_once_and_no_link(tmp_path, monkeypatch):
    path, read = tmp_path / "a.h5", []
    with h5py.File(path, "w") as file:
        file["a/b"] = np.ones(3, "f4")
        file["a/same"] = file["a/b"]
        file["a/loop"] = file["a"]
        file["text"] = np.full(3, "a", dtype=h5py.string_dtype())
        file["elsewhere"] = h5py.ExternalLink("other.h5", "/")
        file["huge"] = file.create_dataset("c", (1 << 40,), "f4", chunks=(16,))
    known = hdf5_trial.is_array
    monkeypatch.setattr(hdf5_trial, "is_array", lambda item: known(item) and (read.append(item.name) or True))
    with h5py.File(path) as file:
        read_everything(file)
    assert len(read) == 1
    assert read[0] in ("/a/b", "/a/same")
