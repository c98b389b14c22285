"""Typed paths are relative to the folder of the command."""

from pathlib import Path

import pytest

from nst_tf.util.paths import command_folder, path_exists, printable, user_path


def test_a_relative_path_starts_from_the_folder_of_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert user_path("x/y.png") == tmp_path / "x" / "y.png"
    with command_folder("/elsewhere"):
        assert user_path("y.png") == Path("/elsewhere/y.png")
        assert user_path("/absolute.png") == Path("/absolute.png")
    assert user_path("y.png") == tmp_path / "y.png"


def test_the_folder_of_the_command_is_restored_after_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="refused"), command_folder("/elsewhere"):
        raise ValueError("refused")
    assert user_path("y.png") == tmp_path / "y.png"


def test_a_tilde_is_the_home_folder_and_otherwise_part_of_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/of-somebody")
    assert user_path("~/x.h5") == Path("/home/of-somebody/x.h5")
    assert user_path("~no-such-user.png") == tmp_path / "~no-such-user.png"


@pytest.mark.parametrize("text", ["", "nowhere", "x\0y", "x" * 5000])
def test_a_text_that_names_no_file_does_not_exist(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not path_exists(text)


def test_a_name_that_is_not_utf8_is_printed_with_escapes():
    assert printable("é\udce9") == "é\\udce9"
