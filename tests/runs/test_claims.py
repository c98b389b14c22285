"""Commands without a name get folders of their own, even within one second."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from nst_tf.runs.claims import claim_folder
from nst_tf.util.errors import InputError


def test_folders_that_are_taken_get_numbers(tmp_path):
    paths = [claim_folder(tmp_path / "12-00-00").path.name for _ in range(3)]
    assert paths == ["12-00-00", "12-00-00-2", "12-00-00-3"]


def test_an_empty_folder_that_hydra_has_made_is_taken(tmp_path):
    (tmp_path / "12-00-00").mkdir()
    assert claim_folder(tmp_path / "12-00-00").path == tmp_path / "12-00-00"


def test_commands_at_the_same_time_get_different_folders(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: claim_folder(tmp_path / "12-00-00").path, range(16)))
    assert len(set(folders)) == 16


def test_a_folder_that_cannot_be_made_is_an_input_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="Cannot create the run folder"):
        claim_folder(tmp_path / "file" / "run")
