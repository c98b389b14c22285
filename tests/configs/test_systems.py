"""The table of the papers' systems agrees with the experiments and with the sweep over them."""

from pathlib import Path

import pytest
import yaml

from nst_tf.config.composing import configs_folder
from nst_tf.config.settings import flatten
from nst_tf.reports.systems import read_systems
from nst_tf.util.errors import InputError
from tests.configs.conftest import OF_NO_PAPER

KNOWN = read_systems()
EXPERIMENTS = {path.stem for path in configs_folder().glob("experiment/*.yaml")}
NO_SYSTEMS = {
    *OF_NO_PAPER,
    *("gatys2016", "content_reconstruction", "texture_synthesis"),
    "gupta2019",  # one setting for any network; its five systems have experiments of their own
    *("neural_style", "tf_tutorial", "crowsonkb", "keras_io", "anishathalye", "titu1994", "gatys_pytorch"),
    *("nnst", "strotss", "ruder2016", "ruder2016_multipass"),
    *("nnfm", "heitz2021", "risser2017", "risser2017_transfer", "luan2017"),
    *("cnnmrf", "neural_doodle", "gatys2017", "castillo2017"),
}
"""Experiments that are no system of the five papers."""

ENTRY = {"number": "1", "title": "One", "experiment": "nguyen_le", "says": "much", "differs": "little"}


def test_every_paper_experiment_is_a_system_and_every_system_an_experiment():
    systems = [system.experiment for system in KNOWN.systems]
    assert sorted([*systems, *NO_SYSTEMS]) == sorted(EXPERIMENTS)


def test_the_systems_are_numbered_in_the_papers_order():
    numbers = [system.number for system in KNOWN.systems]
    assert numbers == ["0", "1a", "1b", "1c", "1d", *["2"] * 5, "3", "4"]


def test_the_sweep_runs_every_system_in_the_tables_order_and_judges():
    sweep = yaml.safe_load((configs_folder() / "sweep" / "papers.yaml").read_text(encoding="utf-8"))
    grid = sweep["hydra"]["sweeper"]["params"]["experiment"].split(",")
    assert grid == [system.experiment for system in KNOWN.systems]
    assert {"override /evaluation": "on"} in sweep["defaults"]


@pytest.mark.parametrize("system", KNOWN.systems, ids=lambda system: system.experiment)
def test_a_system_uses_as_many_styles_as_its_paper(system, composed):
    config = composed(f"experiment={system.experiment}", "style=[a,b,c]", "sweep=papers")
    assert config.styles == (["a", "b", "c"] if system.number in ("1b", "1d") else ["a"])
    assert config.evaluation.enabled


@pytest.mark.parametrize("departure", KNOWN.departures)
def test_every_departure_can_be_typed(departure, composed):
    config = composed("experiment=gupta2019_vgg19", *([departure] if "=" in departure else []))
    key = departure.partition("=")[0]
    assert key in flatten(config) or any(name.startswith(f"{key}.") for name in flatten(config)) or key == "layers"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("systems: [", "is no table of systems"),
        ("departures: {}\n", "'systems'"),
        (yaml.safe_dump({"systems": [ENTRY | {"colour": "red"}], "departures": {}}), "colour"),
        (yaml.safe_dump({"systems": [ENTRY | {"says": "a|b"}], "departures": {}}), "says='a|b': must be text of one"),
        (yaml.safe_dump({"systems": [ENTRY | {"number": 1}], "departures": {}}), "number=1: must be text"),
        (yaml.safe_dump({"systems": [ENTRY, ENTRY], "departures": {}}), "two are experiment=nguyen_le"),
    ],
)
def test_an_invalid_table_is_refused_in_one_line(text, words, tmp_path):
    path = Path(tmp_path) / "systems.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as refusal:
        read_systems(path)
    assert words in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_reason_of_an_override_comes_before_that_of_its_key(tmp_path):
    path = tmp_path / "systems.yaml"
    departures = {"steps": "other steps", "steps=5": "five", "backbone": "another"}
    path.write_text(yaml.safe_dump({"systems": [ENTRY], "departures": departures}))
    known = read_systems(path)
    assert [known.reason_for(text) for text in ("steps=5", "+steps=6", "seed=1")] == ["five", "other steps", None]
