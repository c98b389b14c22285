"""``output=`` writes a copy of the result, and a run that is continued keeps size and margin."""

import json

import numpy as np
import pytest
from PIL import Image

from nst_tf import stylize
from nst_tf.images import Canvas, Saving, read_picture
from nst_tf.util.errors import InputError


@pytest.fixture
def config(small_config):
    """Function that returns the config of a run of one step that only writes its picture."""

    def build(**changes):
        return small_config(**({"steps": 1, "tracking": {}} | changes))

    return build


def test_a_copy_is_written_and_recorded_and_left_as_it_is(config, tmp_path):
    copy = tmp_path / "result.png"
    result = stylize(config(output=str(copy), saving=Saving(bits=16)), tmp_path / "run")
    np.testing.assert_array_equal(read_picture(str(copy)).pixels, np.asarray(Image.open(copy), np.float32) / 255)
    saved = read_picture(str(result.folder.picture)).pixels
    np.testing.assert_allclose(read_picture(str(copy)).pixels, saved, atol=1.01 / 255)
    assert result.record["output"]["path"] == str(copy)
    before = copy.stat().st_mtime_ns
    again = stylize(config(output=str(copy), saving=Saving(bits=16)), tmp_path / "run")
    assert again.reason.startswith("already done")
    assert copy.stat().st_mtime_ns == before


def test_a_finished_run_writes_another_copy_from_its_picture(config, tmp_path):
    stylize(config(), tmp_path / "run")
    result = stylize(config(output=str(tmp_path / "late.png")), tmp_path / "run")
    assert result.reason.startswith("already done")
    saved = read_picture(str(result.folder.picture)).pixels
    np.testing.assert_array_equal(read_picture(str(tmp_path / "late.png")).pixels, saved)


def test_a_file_of_somebody_else_is_refused_before_the_run(config, tmp_path):
    (tmp_path / "there.png").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"there\.png: the file exists"):
        stylize(config(output=str(tmp_path / "there.png")), tmp_path / "run")
    assert (tmp_path / "there.png").read_bytes() == b"mine"
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_of_a_version_without_margins_continues_without_one(config, tmp_path):
    first = stylize(config(image=Canvas(size=32, margin=0)), tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record.pop("margin") == 0
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    auto = config(image=Canvas(size=32))
    again = stylize(auto, tmp_path / "run")
    assert again.reason.startswith("already done")
    assert first.record["fingerprint"] == again.record["fingerprint"]
    new = stylize(auto, tmp_path / "new")
    assert new.record["margin"] == 1
    assert new.record["fingerprint"] != first.record["fingerprint"]
    assert (new.record["height"], new.record["width"]) == (first.record["height"], first.record["width"])
    with pytest.raises(InputError, match="holds a run of other settings"):
        stylize(config(image=Canvas(size=32, margin=0)), tmp_path / "new")
