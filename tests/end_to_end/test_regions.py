"""Runs with regions: their columns and inputs, repetition from the picture, and settings as typed."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from nst_tf import stylize
from nst_tf.config.composing import compose_config
from nst_tf.config.settings import fingerprint
from nst_tf.images import Canvas, Propagation, Regions, read_picture
from nst_tf.losses import GramLoss, MRFLoss
from nst_tf.optimization.schedule import Schedule
from nst_tf.util.errors import InputError


@pytest.fixture
def mask(tmp_path, pictures):
    """Path of a mask of the left half of the photograph, at a size of its own."""
    height, width = read_picture(pictures[0]).pixels.shape[:2]
    values = np.zeros((2 * height, 2 * width), np.uint8)
    values[:, :width] = 255
    Image.fromarray(values).save(tmp_path / "left (1).png")
    return str(tmp_path / "left (1).png")


@pytest.mark.slow
def test_a_run_has_a_column_for_each_region_and_is_repeated_from_its_picture(mask, small_config, tmp_path, monkeypatch):
    config = small_config(
        regions=Regions(masks={"sky": mask}, propagation="all"),
        losses=small_config().losses | {"style": GramLoss(layers=["conv1_1", "conv2_1"])},
        image=Canvas(size=48, margin=2, strength=0.9),
        schedule=Schedule(scales=[0.75, 1.0]),
    )
    result = stylize(config, tmp_path / "run")
    columns = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0].split(",")
    assert [name for name in columns if name.startswith("style/")] == [
        "style/raw",
        *("style/sky/conv1_1", "style/sky/conv2_1", "style/rest/conv1_1", "style/rest/conv2_1"),
    ]
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["inputs"]["regions.masks.sky"]["sha256"] == read_picture(mask).sha256
    monkeypatch.chdir(tmp_path)
    repeated = compose_config(f"rerun={tmp_path / 'run' / 'stylized.png'}")
    assert repeated.regions == Regions(masks={"sky": mask}, propagation="all")
    again = stylize(repeated, tmp_path / "again")
    assert again.record["fingerprint"] == result.record["fingerprint"]
    pixels = [np.asarray(Image.open(tmp_path / name / "stylized.png")) for name in ("run", "again")]
    np.testing.assert_array_equal(*pixels)


def test_a_region_without_a_style_shows_the_photograph(mask, small_config, tmp_path):
    regions = Regions(masks={"face": mask}, style_of={"face": "none"}, seam=0)
    config = small_config(regions=regions, steps=2)
    stylize(config, tmp_path / "run")
    result = read_picture(str(tmp_path / "run" / "stylized.png")).pixels
    content = config.image.content(read_picture(config.content))[0]
    left = result.shape[1] // 2
    np.testing.assert_allclose(result[:, : left - 1], content[:, : left - 1], atol=1 / 255)
    assert np.abs(result[:, left + 1 :] - content[:, left + 1 :]).max() > 2 / 255


@pytest.mark.slow
def test_a_seam_shows_the_photograph_or_the_result_in_every_pixel(mask, small_config, tmp_path):
    whole = {"style": dataclasses.replace(small_config().losses["style"], in_regions=False)}
    config = small_config(steps=2, losses=small_config().losses | whole)
    stylize(config, tmp_path / "stylised")
    regions = Regions(masks={"face": mask}, style_of={"face": "none"}, blend="mrf", seam=6)
    stylize(dataclasses.replace(config, regions=regions), tmp_path / "run")
    run, stylised = (read_picture(str(tmp_path / name / "stylized.png")).pixels for name in ("run", "stylised"))
    content = config.image.content(read_picture(config.content))[0]
    is_content, is_stylised = (np.abs(run - each).max(-1) < 1.5 / 255 for each in (content, stylised))
    assert (is_content | is_stylised).all()
    middle = run.shape[1] // 2
    assert is_content[:, : middle - 3].all()
    assert is_stylised[:, middle + 3 :].all()


@pytest.mark.slow
def test_a_run_with_semantic_maps_records_them_and_is_repeated_from_its_picture(mask, small_config, tmp_path):
    losses = small_config().losses | {"style": MRFLoss(layers=["conv2_1"])}
    regions = Regions(map=mask, style_map=small_config().style)
    config = small_config(losses=losses, regions=regions, steps=2)
    result = stylize(config, tmp_path / "run")
    without = stylize(dataclasses.replace(config, regions=Regions()), tmp_path / "without")
    inputs = result.record["inputs"]
    assert inputs["regions.map"]["sha256"] == read_picture(mask).sha256
    assert inputs["regions.style_map"]["sha256"] == read_picture(config.style).sha256
    assert result.record["fingerprint"] != without.record["fingerprint"]
    assert result.record["final"]["style/raw"] > without.record["final"]["style/raw"]  # matches obey the maps
    repeated = compose_config(f"rerun={tmp_path / 'run' / 'stylized.png'}")
    again = stylize(repeated, tmp_path / "again")
    np.testing.assert_array_equal(np.asarray(again.picture), np.asarray(result.picture))


def test_a_mask_that_does_not_fit_is_refused_before_the_run(small_config, tmp_path):
    Image.new("L", (300, 20), 255).save(tmp_path / "wide.png")
    config = small_config(regions=Regions(masks={"sky": str(tmp_path / "wide.png")}))
    with pytest.raises(InputError, match=r"^regions.masks.sky: .* has 300x20 pixels and does not fit the content"):
        stylize(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_regions_are_typed_on_the_command_line(mask):
    typed = compose_config(
        *("content=sample:coffee", "style=[sample:wedges,sample:cat]", f"+regions.masks.sky={mask}"),
        *("regions.style_of={sky:2,rest:none}", "regions.propagation=inside", "image.style_scale=[1,0.5]"),
    )
    assert typed.regions.masks == {"sky": mask}
    assert typed.regions.style_of == {"sky": 2, "rest": "none"}
    assert typed.regions.propagation is Propagation.inside
    assert typed.image.style_scale == [1.0, 0.5]
    assert compose_config("experiment=regions").regions.colours == {"cup": "red", "table": "blue"}
    assert compose_config("experiment=partial_transfer").regions.keeps_content


def test_a_scale_for_each_style_needs_as_many_scales():
    with pytest.raises(InputError, match=r"^image.style_scale=\[1.0, 2.0\]: has 2 entries for 1 style"):
        compose_config("content=sample:cat", "style=sample:wedges", "image.style_scale=[1,2]")


def test_runs_without_regions_keep_their_fingerprint_and_settings_of_regions_change_it():
    config = compose_config("content=sample:cat", "style=sample:wedges")
    plain = fingerprint(config, [])
    regions = Regions(labels="a.png", style_of={"red": 1})
    assert fingerprint(dataclasses.replace(config, regions=regions), []) != plain
    assert fingerprint(dataclasses.replace(config, regions=Regions(labels="a.png")), []) == plain  # known by its hash
