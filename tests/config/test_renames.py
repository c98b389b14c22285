"""Names of 0.1.0 are accepted in commands, sweeps, pictures, run folders and Python, with one line for each."""

import logging

import pytest

from nst_tf import Config
from nst_tf.config.composing import compose_config
from nst_tf.config.renames import current_override, current_overrides, current_settings
from nst_tf.config.tree import Method
from nst_tf.feedforward import Magenta
from nst_tf.optimizers import LBFGS
from nst_tf.util.deprecation import announce_renamed
from nst_tf.util.errors import InputError

OVERRIDES = {
    "optimizer.metric_power=0.5": "optimizer.preconditioner_power=0.5",
    "optimizer.metric_power=0,0.5": "optimizer.preconditioner_power=0,0.5",
    "+optimizer.metric_power=0": "+optimizer.preconditioner_power=0",
    "++losses.grain.peaks=true": "++losses.grain.diagnostics=true",
    "losses.style={peaks: true, weight: 3}": "losses.style={diagnostics: true, weight: 3}",
    "losses={style: {peaks: true}}": "losses={style: {diagnostics: true}}",
    "library=magenta": "feedforward=magenta",
    "library.weights=folder": "feedforward.weights=folder",
    "~library": "~feedforward",
    "method=optimise": "method=optimize",
    "method=library,optimise": "method=feedforward,optimize",
    "method=choice(library, optimise)": "method=choice(feedforward, optimize)",
}

UNCHANGED = [
    *("-m", "--config-dir=library", "content=library", "content='{peaks: 1}.png'", "losses.peaks.weight=3"),
    *("name=optimise", "style=[library,peaks]", "schema/loss@losses.peaks=gram", "hydra.run.dir=library"),
    *("experiment=library_one_style", "steps=5", "optimizer=lbfgs"),
]


@pytest.fixture(autouse=True)
def _no_announcement_yet():
    announce_renamed.cache_clear()


@pytest.mark.parametrize(("old", "new"), OVERRIDES.items(), ids=OVERRIDES)
def test_an_override_of_0_1_0_is_rewritten(old, new):
    assert current_override(old) == new
    assert current_override(new) == new


@pytest.mark.parametrize("override", UNCHANGED)
def test_an_override_without_old_names_is_left_as_typed(override):
    assert current_override(override) == override


def test_each_old_name_is_announced_once_with_the_new_one(caplog):
    for _ in range(2):
        current_overrides(["+optimizer.metric_power=0", "steps=5", "method=library"])
    assert caplog.messages == [
        "optimizer.metric_power is now called optimizer.preconditioner_power; "
        "the old name is accepted until the next release",
        "method=library is now called method=feedforward; the old name is accepted until the next release",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_a_config_is_composed_from_old_names():
    old = compose_config("optimizer.metric_power=0.5", "losses.style.peaks=true", "method=library", "library.weights=a")
    new = compose_config(
        "optimizer.preconditioner_power=0.5",
        "losses.style.diagnostics=true",
        "method=feedforward",
        "feedforward.weights=a",
    )
    assert old == new
    assert (new.method, new.feedforward) == (Method.feedforward, Magenta(weights="a"))


def test_nested_settings_of_0_1_0_are_renamed_silently(caplog):
    old = {
        "method": "optimise",
        "content": "library",
        "losses": {"peaks": {"peaks": False, "layers": ["peaks"]}},
        "optimizer": {"metric_power": 0.5, "history": 2},
        "library": {"weights": "hub"},
    }
    assert current_settings(old) == {
        "method": "optimize",
        "content": "library",
        "losses": {"peaks": {"diagnostics": False, "layers": ["peaks"]}},
        "optimizer": {"preconditioner_power": 0.5, "history": 2},
        "feedforward": {"weights": "hub"},
    }
    assert caplog.messages == []


def test_python_accepts_old_names_and_values(caplog):
    assert Config(method="optimise") == Config(method="optimize")
    assert Config(method="library").method is Method.feedforward
    assert Config(library=Magenta(weights="a")).feedforward == Magenta(weights="a")
    assert LBFGS(metric_power=0.5) == LBFGS(preconditioner_power=0.5)
    assert [message.partition(";")[0] for message in caplog.messages] == [
        "method=optimise is now called method=optimize",
        "method=library is now called method=feedforward",
        "library is now called feedforward",
        "metric_power is now called preconditioner_power",
    ]


def test_an_unknown_method_lists_only_the_current_names():
    with pytest.raises(InputError, match=r"^method='magic': must be one of optimize, feedforward, recolour$"):
        Config(method="magic")
