"""The precision of a sweep: chosen once, kept in the sweep's folder, and the same for every process."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from nst_tf.runs.shared_precision import FILE, shared_precision


def test_the_first_run_chooses_and_all_others_take_its_choice(tmp_path):
    sweep = tmp_path / "sweep"
    choices = iter(["mixed_bfloat16", "float32"])
    found = [shared_precision(sweep, lambda: {"precision": next(choices), "machine": "2 cores"}) for _ in range(3)]
    assert found == ["mixed_bfloat16"] * 3
    assert json.loads((sweep / FILE).read_text()) == {"precision": "mixed_bfloat16", "machine": "2 cores"}


def test_runs_that_start_together_choose_once(tmp_path):
    chosen = []

    def run(number):
        def choose():
            chosen.append(number)
            return {"precision": "float32" if number % 2 else "mixed_bfloat16"}

        return shared_precision(tmp_path, choose)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(run, range(8)))
    assert len(chosen) == 1
    assert len(set(found)) == 1


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"precision": "auto"}', '{"precision": ["float32"]}', "\ufeff"])
def test_a_damaged_file_is_replaced(content, tmp_path):
    (tmp_path / FILE).write_text(content)
    assert shared_precision(tmp_path, lambda: {"precision": "float32"}) == "float32"
    assert json.loads((tmp_path / FILE).read_text()) == {"precision": "float32"}


def test_a_run_chooses_for_itself_where_the_folder_cannot_be_made(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    assert shared_precision(tmp_path / "file" / "sweep", lambda: {"precision": "float32"}) == "float32"
    assert "Cannot keep the precision of the sweep" in caplog.text
