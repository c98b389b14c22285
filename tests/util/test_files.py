"""Reserved disk space, which the next write of a file fills."""

import os

import pytest

from nst_tf.util.files import release_space, reserve_space, write_atomically


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "picture.png"


def test_a_reserved_write_fills_the_space_and_frees_the_rest(path):
    reserve_space(path, 100_000)
    (reserve,) = path.parent.iterdir()
    assert reserve.stat().st_blocks * 512 >= 100_000
    number = reserve.stat().st_ino
    write_atomically(path, b"content", reserved=True)
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == b"content"
    assert path.stat().st_ino == number
    assert path.stat().st_blocks * 512 < 100_000


def test_a_reserved_write_may_be_larger_than_the_space(path):
    reserve_space(path, 10)
    write_atomically(path, b"x" * 10_000, reserved=True)
    assert path.read_bytes() == b"x" * 10_000


def test_a_reserved_write_without_space_is_an_ordinary_one(path):
    write_atomically(path, b"content", reserved=True)
    assert path.read_bytes() == b"content"
    write_atomically(path, b"new", reserved=True)
    assert path.read_bytes() == b"new"


def test_an_ordinary_write_leaves_the_space(path):
    reserve_space(path, 10)
    write_atomically(path, b"content")
    assert len(list(path.parent.iterdir())) == 2
    release_space(path)
    release_space(path)
    assert list(path.parent.iterdir()) == [path]


def test_files_have_the_usual_permissions(path):
    reserve_space(path, 10)
    write_atomically(path, b"content", reserved=True)
    usual = path.with_name("usual")
    usual.touch()
    assert path.stat().st_mode == usual.stat().st_mode


def test_a_link_in_the_place_of_the_space_is_not_followed(path, tmp_path):
    target = tmp_path / "thesis.tex"
    target.write_text("chapter")
    path.parent.mkdir()
    link = path.with_name(f".{path.name}.partial")
    link.symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        write_atomically(path, b"content", reserved=True)
    link.symlink_to(target)
    reserve_space(path, 10)
    write_atomically(path, b"content", reserved=True)
    assert target.read_text() == "chapter"
    assert path.read_bytes() == b"content"


def test_a_disk_without_the_space_names_the_file(path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*picture\.png'"):
        reserve_space(path, 10)
