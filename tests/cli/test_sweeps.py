"""The columns of TensorBoard's table, which a sweep writes before its runs; old names in a sweep's YAML."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from hydra_plugins.nst_tf.pairs import Pairs
from nst_tf.cli.sweeps import RUN_NAMES, SweepSettings, possible_losses, varied_keys
from nst_tf.config.pairs import PAIRS_TARGET
from nst_tf.runs.folder import RunFolder


def sweep(*typed, params=None, folder="missing", names=RUN_NAMES):
    losses = {"content": {"weight": 1.0}, "total_variation": {"weight": 0.0}}
    hydra = {
        "overrides": {"task": list(typed), "hydra": []},
        "sweeper": {"params": params},
        "sweep": {"dir": str(folder), "subdir": names},
        "job": {"num": 0},
    }
    config = OmegaConf.create({"content": None, "steps": 5, "losses": losses, "hydra": hydra})
    OmegaConf.set_struct(config, True)
    return config


def test_varied_keys_have_several_values_or_an_interval():
    config = sweep("content=a,b", "steps=3", params={"losses.content.weight": "interval(1, 2)"})
    assert varied_keys(config) == ["losses.content.weight", "content"]


@pytest.mark.parametrize(
    ("typed", "losses"),
    [
        ("content=a,b", ["content"]),
        ("losses.content.weight=0,1", ["content"]),
        ("losses.total_variation.weight=0,1", ["content", "total_variation"]),
        ("experiment=one,another", ["content", "total_variation"]),
        ("losses=one,another", ["content", "total_variation"]),
    ],
)
def test_a_loss_of_weight_0_has_a_column_only_if_its_weight_may_vary(typed, losses):
    assert possible_losses(sweep(typed)) == losses


def test_a_sweep_in_yaml_may_use_old_names():
    params = {
        "optimizer.metric_power": "0,0.5",
        "method": "optimise,library",
        "losses.content.weight": "interval(1, 2)",
    }
    config = sweep(params=params)
    OmegaConf.set_readonly(config.hydra, True)
    SweepSettings().on_multirun_start(config)
    assert config.hydra.sweeper.params == {
        "optimizer.preconditioner_power": "0,0.5",
        "method": "optimize,feedforward",
        "losses.content.weight": "interval(1, 2)",
    }
    assert OmegaConf.is_readonly(config.hydra)


def test_a_sweep_in_yaml_may_name_folders_and_lists_of_pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in ("b.jpg", "a.jpg"):
        (tmp_path / "photos" / name).touch()
    config = sweep(params={"content": "photos/", "steps": "1,2"})
    SweepSettings().on_multirun_start(config)
    assert config.hydra.sweeper.params == {"content": "photos/a.jpg,photos/b.jpg", "steps": "1,2"}
    assert names_of_runs(config) == "${hydra.job.num}_${run_name:${hydra.overrides.task},[content,steps]}"
    (tmp_path / "pairs.csv").write_text("content,style\nsample:cat,sample:wedges\n")
    config = sweep(params={"pairs": "pairs.csv"})
    SweepSettings().on_multirun_start(config)
    assert config.hydra.sweeper._target_ == PAIRS_TARGET
    assert config.hydra.sweeper.params == {"content": "sample:cat", "style": "sample:wedges"}


def names_of_runs(config):
    """Return the template of the names that the runs get by an override, or None."""
    overrides = OmegaConf.to_container(config.hydra.overrides.hydra, resolve=False)
    return overrides[0].partition("=")[2].strip("'") if overrides else None


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        (["steps=4", "seed=1,2"], "${hydra.job.num}_${run_name:${hydra.overrides.task},[seed]}"),
        (["steps=4", "launcher=a,b"], None),  # is not in names
        (["steps=4"], None),
    ],
)
def test_runs_are_named_after_the_settings_that_vary(typed, named):
    config = sweep(*typed)
    SweepSettings().on_multirun_start(config)
    assert names_of_runs(config) == named


def test_names_that_the_user_or_a_search_has_set_stay():
    config = sweep("seed=1,2", names="${hydra.job.num}")
    SweepSettings().on_multirun_start(config)
    assert names_of_runs(config) is None


def test_a_sweep_of_an_earlier_version_keeps_its_names(tmp_path):
    run = RunFolder(tmp_path / "0_steps=4,seed=1")
    run.make()
    run.write_record({"status": "completed"})
    run.write_overrides(["steps=4", "seed=1"])
    config = sweep("steps=4", "seed=1,2", folder=tmp_path)
    SweepSettings().on_multirun_start(config)
    assert names_of_runs(config) is None
    run.path.rename(tmp_path / "0_seed=1")
    SweepSettings().on_multirun_start(config)
    assert names_of_runs(config) is not None


def test_a_list_of_pairs_is_not_crossed_and_other_settings_are():
    parse = OverridesParser.create().parse_overrides
    batches = Pairs(None)._split(parse(["seed=0,1", "content=a,b", "style=x,y", "steps=3"]), 3)
    runs = [run for batch in batches for run in batch]
    assert runs == [
        [f"content={content}", f"style={style}", f"seed={seed}", "steps=3"]
        for content, style in (("a", "x"), ("b", "y"))
        for seed in (0, 1)
    ]
    assert [len(batch) for batch in batches] == [3, 1]


def test_a_sweep_without_parameters_is_left_alone():
    config = sweep("content=a,b")
    SweepSettings().on_multirun_start(config)
    assert config.hydra.sweeper.params is None
