"""File names that are not UTF-8 are written to the files of a run and read back."""

import json

import numpy as np
import yaml

from nst_tf.images import read_text, write_picture
from nst_tf.runs.folder import RunFolder
from nst_tf.util.parsing import parse_json, parse_yaml

NAME = "photo\udce9 \\udce9 é.jpg"


def test_the_record_keeps_a_name_that_is_not_utf8(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_record({"status": "completed", "fingerprint": "0", "name": NAME})
    assert folder.record.read_text(encoding="utf-8")
    assert folder.read_record()["name"] == NAME


def test_the_overrides_keep_a_name_that_is_not_utf8(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_overrides([f"content='{NAME}'", "steps=2"])
    assert folder.read_overrides() == [f"content='{NAME}'", "steps=2"]


def test_the_text_of_a_picture_keeps_a_name_that_is_not_utf8(tmp_path):
    texts = {"yaml": yaml.safe_dump({"content": NAME}, allow_unicode=True), "json": json.dumps({"content": NAME})}
    texts["raw json"] = json.dumps({"content": NAME}, ensure_ascii=False)
    write_picture(tmp_path / "x.png", np.zeros((16, 16, 3), np.float32), text=texts)
    read = read_text(tmp_path / "x.png")
    assert parse_yaml(read["yaml"]) == parse_json(read["json"]) == parse_json(read["raw json"]) == {"content": NAME}
