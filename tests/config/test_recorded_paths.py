"""A run is repeated from another folder with the pictures and weights of the folder in which it was started."""

import pytest

from nst_tf.config.recorded_paths import with_absolute_paths


@pytest.fixture
def run(tmp_path):
    """Settings and facts of a run that was started in the folder ``first``."""
    first = tmp_path / "first"
    first.mkdir()
    for name in ("a.png", "b.png", "c.png", "x.h5"):
        (first / name).touch()
    names = {
        "content": "a.png",
        "style:1": "b.png",
        "style:2": "sample:cat",
        "start:1": "c.png",
        "colour_from": "b.png",
    }
    inputs = {role: {"source": name, "sha256": "0", "path": str(first / name)} for role, name in names.items()}
    del inputs["style:2"]["path"]
    settings = {
        "content": "a.png",
        "style": ["b.png", "sample:cat", "unused.png"],
        "image": {"start": ["noise", "c.png"], "colour_from": "b.png", "size": 64},
        "backbone": {"weights": "x.h5"},
    }
    return settings, {"inputs": inputs, "weights": {"weights": "x.h5", "path": str(first / "x.h5"), "sha256": "0"}}


def test_relative_paths_become_absolute_in_another_folder(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings, facts = with_absolute_paths(*run)
    first = tmp_path / "first"
    assert settings == {
        "content": str(first / "a.png"),
        "style": [str(first / "b.png"), "sample:cat", "unused.png"],
        "image": {"start": ["noise", str(first / "c.png")], "colour_from": str(first / "b.png"), "size": 64},
        "backbone": {"weights": str(first / "x.h5")},
    }
    assert facts["inputs"]["start:1"]["source"] == str(first / "c.png")
    assert facts["weights"]["weights"] == str(first / "x.h5")


def test_relative_paths_of_masks_become_absolute_in_another_folder(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings, facts = run
    paths = {"regions.labels": "a.png", "regions.masks.sky": "b.png", "regions.style_masks.sky:2": "c.png"}
    facts["inputs"] |= {
        role: {"source": name, "sha256": "0", "path": str(tmp_path / "first" / name)} for role, name in paths.items()
    }
    masks = {"labels": "a.png", "masks": {"sky": "b.png", "face": "alpha"}, "style_masks": {"sky": [None, "c.png"]}}
    first = tmp_path / "first"
    assert with_absolute_paths(settings | {"regions": masks | {"grow": 1}}, facts)[0]["regions"] == {
        "labels": str(first / "a.png"),
        "masks": {"sky": str(first / "b.png"), "face": "alpha"},
        "style_masks": {"sky": [None, str(first / "c.png")]},
        "grow": 1,
    }


def test_relative_paths_stay_in_the_folder_of_the_run(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "first")
    assert with_absolute_paths(*run) == run


def test_relative_paths_stay_where_the_recorded_files_have_gone(run, tmp_path, monkeypatch):
    (tmp_path / "first").rename(tmp_path / "second")
    monkeypatch.chdir(tmp_path / "second")
    assert with_absolute_paths(*run) == run


def test_keywords_and_records_without_a_path_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vgg19.h5").touch()
    settings = {"content": "a.png", "style": None, "image": {"size": 64}, "backbone": {"weights": "imagenet"}}
    weights = {"weights": "imagenet", "path": str(tmp_path / "vgg19.h5")}
    facts = {"inputs": {"content": {"source": "a.png", "sha256": "0"}}, "weights": weights}
    assert with_absolute_paths(settings, facts) == (settings, facts)
