"""Tests of the cache: a run that reuses networks, targets and compiled loops gives the bits of a run without."""

import gc
from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops
from tensorflow.python.framework.func_graph import FuncGraph

from nst_tf import stylize
from nst_tf.backbones import VGG19, Backbone, VGG19Lite
from nst_tf.images import Canvas, read_picture
from nst_tf.losses import ContentLoss, GramLoss, GramReduction, TotalVariationLoss
from nst_tf.losses.loss import PictureLoss
from nst_tf.losses.sliced_wasserstein import SlicedWassersteinLoss
from nst_tf.losses.strotss import StrotssLoss
from nst_tf.optimization.cache import _LOOPS_IN_MEMORY, Cache, RunCache
from nst_tf.optimization.execution import Execution
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.schedule import Schedule
from nst_tf.optimization.tiled_objective import TiledObjective
from nst_tf.optimizers import LBFGS, OPTIMIZERS, SGD, Adam
from nst_tf.system.runtime import JitCompile, Runtime
from nst_tf.util.errors import InputError


def losses(content=1.0, style=10.0, total_variation=0.1, **gram):
    return {
        "content": ContentLoss(layers=["conv2_1"], weight=content),
        "style": GramLoss(layers=["conv1_1", "conv2_1"], weight=style, **gram),
        "total_variation": TotalVariationLoss(weight=total_variation),
    }


def metrics(folder):
    rows = [row.split(",") for row in (folder / "metrics.csv").read_text().splitlines()]
    seconds = rows[0].index("seconds")
    return [row[:seconds] + row[seconds + 1 :] for row in rows]


def assert_same(one, other):
    pixels = [read_picture(str(folder / "stylized.png")).pixels for folder in (one, other)]
    np.testing.assert_array_equal(*pixels)
    assert metrics(one) == metrics(other)


@pytest.fixture
def compiled(monkeypatch):
    """Counts of networks built, of targets computed, and of objectives traced."""
    counts = {"network": 0, "targets": 0, "traces": 0}

    def count_calls(owner, name, key, condition=lambda: True):
        original = getattr(owner, name)

        def wrapper(*args, **kwargs):
            counts[key] += condition()
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, wrapper)

    count_calls(Backbone, "extractor", "network")
    count_calls(Objective, "prepare", "targets")
    count_calls(Objective, "differentiate", "traces", condition=lambda: not tf.executing_eagerly())
    return counts


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in ("rmsprop", "sgd", "scipy_lbfgs", "lbfgs") else name
        for name in OPTIMIZERS
    ],
)
def test_a_run_that_differs_in_weights_compiles_nothing_and_equals_a_run_without_cache(
    name, small_config, tmp_path, compiled
):
    optimizer = OPTIMIZERS[name]()
    cache = RunCache(keeps=True)
    stylize(small_config(optimizer=optimizer), tmp_path / "first", cache=cache)
    first = dict(compiled)
    assert all(first.values())
    second = {"optimizer": optimizer, "losses": losses(content=0.5, style=33.0, total_variation=0.7)}
    stylize(small_config(**second), tmp_path / "second", cache=cache)
    assert compiled == first
    stylize(small_config(**second), tmp_path / "without_cache")
    assert_same(tmp_path / "second", tmp_path / "without_cache")
    assert metrics(tmp_path / "second") != metrics(tmp_path / "first")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"optimizer": Adam(learning_rate=0.005)}, marks=pytest.mark.slow),
        pytest.param({"image": Canvas(size=32, start="noise", margin=0)}, marks=pytest.mark.slow),
        {"image": Canvas(size=32, start="noise", margin=0), "seed": 7},
        pytest.param({"steps": 9}, marks=pytest.mark.slow),
    ],
    ids=["learning rate", "start", "seed", "steps"],
)
def test_another_learning_rate_start_seed_or_number_of_steps_compiles_nothing(
    changes, small_config, tmp_path, compiled
):
    if "seed" in changes:
        changes = changes | {"backbone": VGG19(weights="random")}
    cache = RunCache(keeps=True)
    stylize(small_config(), tmp_path / "first", cache=cache)
    first = dict(compiled)
    stylize(small_config(**changes), tmp_path / "second", cache=cache)
    assert compiled == first
    stylize(small_config(**changes), tmp_path / "without_cache")
    assert_same(tmp_path / "second", tmp_path / "without_cache")
    assert metrics(tmp_path / "second") != metrics(tmp_path / "first")


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"losses": losses(reduction=GramReduction.mean)},
        {"losses": losses(total_variation=0.0)},
        {"losses": losses(layer_weights=[1.0, 3.0])},
        {"optimizer": Adam(learning_rate=0.02, beta_1=0.5)},
        {"optimizer": Adam(learning_rate=0.02, decay_rate=0.9)},
        {"optimizer": Adam(learning_rate=0.02, clamp=True)},
        {"optimizer": Adam(learning_rate=2.0, units="byte")},
        {"optimizer": SGD(learning_rate=1e-12)},
        {"image": Canvas(size=40)},
        {"image": Canvas(size=32, style_size=24)},
        {"schedule": Schedule(average=0.9)},
        {"schedule": Schedule(scales=[0.5, 1.0])},
        {"schedule": Schedule(scales=[0.99, 1.0], keep_state=True)},  # two scales of one size
        {"backbone": VGG19(weights="random", pooling="average")},
        {"backbone": VGG19(weights="random", seed=3)},
        {"style": "sample:wedges"},
        {"content": "sample:coffee"},
    ],
    ids=str,
)
def test_another_static_setting_gives_the_bits_of_a_run_without_cache(changes, small_config, tmp_path):
    """The settings change and change back, and each run equals one without a cache."""
    cache = RunCache(keeps=True)
    for name, config in {"first": {}, "second": changes, "third": {}}.items():
        stylize(small_config(**config), tmp_path / name, cache=cache)
        stylize(small_config(**config), tmp_path / f"{name} without cache")
        assert_same(tmp_path / name, tmp_path / f"{name} without cache")


@pytest.mark.slow
@pytest.mark.parametrize("schedule", [Schedule(scales=[0.5, 1.0]), Schedule(average=0.9)], ids=str)
def test_scales_and_averages_start_afresh_in_a_second_run(schedule, small_config, tmp_path, compiled):
    cache = RunCache(keeps=True)
    for name, weight in {"first": 10.0, "second": 20.0}.items():
        before = dict(compiled)
        config = small_config(schedule=schedule, steps=6, losses=losses(style=weight))
        stylize(config, tmp_path / name, cache=cache)
    assert compiled == before
    stylize(config, tmp_path / "without_cache")
    assert_same(tmp_path / "second", tmp_path / "without_cache")


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [SGD(learning_rate=1.0), LBFGS(first_step=1e30, clamp=False)], ids=str)
def test_a_run_after_a_diverged_one_equals_a_run_without_cache(optimizer, small_config, tmp_path):
    """The diverged run may leave NaN in the solver's variables."""
    cache = RunCache(keeps=True)
    wild, tame = small_config(optimizer=optimizer), small_config(optimizer=optimizer, losses=losses(style=1e-4))
    stylize(wild, tmp_path / "wild", cache=cache)
    stylize(tame, tmp_path / "tame", cache=cache)
    stylize(tame, tmp_path / "without_cache")
    assert_same(tmp_path / "tame", tmp_path / "without_cache")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adam", "lbfgs", "scipy_lbfgs"])
def test_a_run_resumes_with_a_cache_that_another_run_has_used(name, small_config, tmp_path):
    cache = RunCache(keeps=True)
    optimizer = OPTIMIZERS[name]()
    stylize(small_config(optimizer=optimizer, losses=losses(style=3.0)), tmp_path / "other", cache=cache)
    for steps in (4, 9):
        stylize(small_config(optimizer=optimizer, steps=steps), tmp_path / "run", cache=cache)
    stylize(small_config(optimizer=optimizer, steps=9), tmp_path / "whole")
    assert_same(tmp_path / "run", tmp_path / "whole")


@pytest.mark.slow
def test_a_run_short_of_memory_empties_the_cache_but_for_the_network(small_config, tmp_path, monkeypatch, compiled):
    cache = RunCache(keeps=True)
    stylize(small_config(), tmp_path / "first", cache=cache)
    first = dict(compiled)
    monkeypatch.setattr("nst_tf.optimization.problem.fits_easily", lambda *_: False)
    stylize(small_config(seed=1), tmp_path / "second", cache=cache)
    assert compiled["network"] == first["network"]
    assert compiled["targets"] == 2 * first["targets"]
    assert compiled["traces"] == 2 * first["traces"]


def test_a_network_whose_weights_come_from_a_file_serves_every_seed(compiled):
    def extractor(cache, **settings):
        return cache.extractor(VGG19Lite(**settings), ["conv1_1"], Runtime(), Execution("float32"))

    cache = RunCache(keeps=True)
    for seed in (0, 1, 2):
        cache.begin_run()
        extractor(cache, seed=seed)
    assert compiled["network"] == 1
    for settings in ({"weights": "random"}, {"missing_weights": "random"}):
        for seed in (3, 4):
            cache.begin_run()
            extractor(cache, seed=seed, **settings)
    assert compiled["network"] == 5


@pytest.mark.slow
@pytest.mark.parametrize("keeps", [True, False])
def test_what_a_run_replaces_is_freed_before_the_next_one_computes(keeps, small_config, tmp_path):
    cache = RunCache(keeps=keeps)
    entries, graphs = set(ops.gradient_registry.list()), []
    gc.collect()
    of_other_tests = set(_LOOPS_IN_MEMORY)
    for number, size in enumerate((32, 36, 40)):
        config = small_config(image=Canvas(size=size), steps=1, tracking={})
        stylize(config, tmp_path / str(number), cache=cache)
        assert len(set(_LOOPS_IN_MEMORY) - of_other_tests) == 1
        gc.collect()
        graphs.append(sum(isinstance(thing, FuncGraph) for thing in gc.get_objects()))
    assert graphs[0] == graphs[1] == graphs[2]
    assert set(ops.gradient_registry.list()) == entries


def test_a_cache_drops_what_the_present_run_has_not_used():
    cache = Cache(keeps=True)
    for key in "ab":
        assert cache.find(key) is None
        cache.put(key, key.upper())
    assert not cache.drop_unused()
    cache.begin_run()
    assert cache.find("a") == "A"
    assert cache.find("c") is None
    assert cache.drop_unused()
    cache.put("c", "C")
    assert cache.find("b") is None
    assert (cache.find("a"), cache.find("c"), len(cache)) == ("A", "C", 2)


def test_a_cache_that_keeps_nothing_stays_empty():
    cache = Cache(keeps=False)
    assert cache.put("a", 1) == 1
    assert cache.find("a") is None


# XLA


@dataclass
class UncompiledLoss(PictureLoss):
    """A loss with a function of Python, which XLA cannot compile."""

    def references(self, styles):
        return []

    def distance(self, representation, targets):
        image = tf.numpy_function(lambda image: image, [representation["image"]], tf.float32)
        return {"image": tf.reduce_sum(representation["image"] - image, [1, 2, 3])}


def losses_of_loop(jit_compile, losses, tile=None):
    """Losses of the start and after two steps of Adam."""
    start = tf.constant(np.random.default_rng(8).uniform(0, 1, (1, 16, 16, 3)), tf.float32)
    arguments = (VGG19Lite().extractor(["conv1_1", "conv2_1"]), losses, 0.5 * start, [1 - start], [1.0])
    objective = Objective.prepare(*arguments) if tile is None else TiledObjective.prepare_tiled(*arguments, [], tile)
    loop = RunCache().loop(objective, Adam(), Schedule(), 0, start, jit_compile=jit_compile)
    return [loop.begin().total, loop.advance(2).total]


@pytest.mark.slow
@pytest.mark.parametrize("tile", [None, 8])
def test_xla_computes_the_same_losses(tile):
    plain, by_xla = (losses_of_loop(JitCompile[name], losses(), tile) for name in ("never", "always"))
    assert by_xla == pytest.approx(plain, rel=1e-4)
    assert by_xla[1] < by_xla[0]


@pytest.mark.parametrize(
    "loss",
    [
        SlicedWassersteinLoss(layers=["conv1_1"], reference="style", redraw=1),
        StrotssLoss(layers=["conv1_1"], samples=16, style_samples=32),
    ],
    ids=["sliced_wasserstein", "strotss"],
)
@pytest.mark.slow
def test_losses_with_random_draws_are_computed_by_xla_only_if_told(loss, caplog):
    plain = losses_of_loop(JitCompile.never, {"drawn": loss})
    with caplog.at_level("INFO"):
        assert losses_of_loop(JitCompile.auto, {"drawn": loss}) == plain
    assert "Computed without XLA, which draws other numbers for losses.drawn" in caplog.messages
    by_xla = losses_of_loop(JitCompile.always, {"drawn": loss})
    assert by_xla[1] < by_xla[0]
    assert by_xla == pytest.approx(plain, rel=0.2)


def test_an_operation_that_xla_lacks_is_named_or_computed_without_xla(caplog):
    with_python = losses() | {"python": UncompiledLoss()}
    message = r"^runtime.jit_compile=always: .*PyFunc.*\. Set runtime.jit_compile=never\.$"
    with pytest.raises(InputError, match=message):
        losses_of_loop(JitCompile.always, with_python)
    with caplog.at_level("INFO"):
        chosen = losses_of_loop(JitCompile.auto, with_python)
    assert chosen == losses_of_loop(JitCompile.never, with_python)
    assert any(message.startswith("Computed without XLA: ") and "PyFunc" in message for message in caplog.messages)
