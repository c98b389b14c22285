"""Runs with tiles: the setting, the plan of memory, its record, and the same losses as without."""

import numpy as np
import pytest

from nst_tf import stylize
from nst_tf.api import build_problem
from nst_tf.images import Canvas
from nst_tf.losses import GramLoss, SlicedWassersteinLoss
from nst_tf.optimization import footprint
from nst_tf.optimization.schedule import Schedule
from nst_tf.optimizers import LBFGS
from nst_tf.util.errors import InputError


@pytest.mark.parametrize(
    ("value", "side", "kept"),
    [("auto", None, "auto"), ("off", None, "off"), (False, None, "off"), ("512", 512, 512), (512, 512, 512)],
)
def test_a_tile_is_a_side_auto_or_off(value, side, kept):
    canvas = Canvas(tile=value)
    assert (canvas.tile_side, canvas.tile) == (side, kept)


@pytest.mark.parametrize("value", ["large", 1.5, 8, -1, None])
def test_any_other_tile_is_refused_with_its_key(value):
    with pytest.raises(InputError, match=r"image\.tile=.*must be"):
        Canvas(tile=value)


@pytest.fixture
def free(monkeypatch):
    """Function that sets the free MiB."""

    def set_free(megabytes):
        monkeypatch.setattr(footprint, "available_mb", lambda device: megabytes)

    return set_free


def needed(problem):
    return footprint.SAFETY * problem.footprint().needed_mb()


def canvas(tile, size=2048):
    return Canvas(size=size, tile=tile, margin=0, style_size=64)


def test_auto_divides_a_picture_that_does_not_fit_at_once(small_config, free):
    problem = build_problem(small_config(image=canvas("auto")))
    free(1.01 * needed(problem))
    assert problem.fit_memory("/CPU:0")[0].tile is None
    free(0.9 * needed(problem))
    fitted, plan = problem.fit_memory("/CPU:0")
    assert fitted.tile in footprint.TILE_SIDES
    assert plan.record()["tile"] == fitted.tile
    assert "history" not in plan.record()
    assert needed(fitted) < 0.9 * needed(problem)


def test_a_run_that_may_shrink_its_picture_uses_tiles_first(small_config, free):
    image = Canvas(size=2048, margin=0, style_size=64, fit_memory=True)
    problem = build_problem(small_config(image=image))
    free(0.9 * needed(problem))
    fitted, plan = problem.fit_memory("/CPU:0")
    assert fitted.tile is not None
    assert plan.size_factor == 1


def test_a_run_that_is_resumed_keeps_tiles_and_history_and_does_not_begin_to_use_them(small_config, free):
    problem = build_problem(small_config(image=canvas("auto", 128), optimizer=LBFGS(history=20)))
    free(100_000)
    fitted, plan = problem.fit_memory("/CPU:0", {"size_factor": 1.0, "tile": 48, "history": 7})
    assert (fitted.tile, fitted.optimizer.history, plan.tile, plan.history) == (48, 7, 48, 7)
    whole, _ = build_problem(small_config(image=canvas(48, 128))).fit_memory("/CPU:0", {"size_factor": 1.0})
    assert whole.tile is None


def test_tiles_that_a_loss_cannot_use_are_refused_and_left_out_by_auto(small_config, free):
    losses = {"style": SlicedWassersteinLoss(layers=["conv1_1"])}
    with pytest.raises(InputError, match=r"image\.tile=32: losses\.style: SlicedWassersteinLoss is no sum"):
        build_problem(small_config(losses=losses, image=canvas(32, 64))).fit_memory("/CPU:0")
    problem = build_problem(small_config(losses=losses, image=canvas("auto")))
    free(0.9 * needed(problem))
    with pytest.raises(InputError, match=r"image\.size"):
        problem.fit_memory("/CPU:0")


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [None, LBFGS(history=3)])
def test_a_run_coarse_to_fine_has_the_losses_of_a_run_without_tiles(small_config, tmp_path, optimizer):
    changes = {"losses": {"style": GramLoss(layers=["conv1_1", "conv2_1"])}, "steps": 6}
    changes |= {"schedule": Schedule(scales=[0.5, 1.0])} | ({"optimizer": optimizer} if optimizer else {})
    whole, tiled = (
        stylize(small_config(image=canvas(tile, 96), **changes), tmp_path / str(tile)) for tile in ("off", 16)
    )
    assert tiled.record["tile"] == 16
    assert "tile" not in whole.record
    np.testing.assert_allclose(tiled.metrics["total"], whole.metrics["total"], rtol=1e-3)
    np.testing.assert_allclose(tiled.metrics["total"][:3], whole.metrics["total"][:3], rtol=2e-5)


@pytest.mark.slow
def test_a_tiled_run_that_is_continued_equals_an_uninterrupted_one(small_config, tmp_path):
    image = canvas(16, 64)
    whole = stylize(small_config(image=image, steps=4), tmp_path / "whole")
    stylize(small_config(image=image, steps=2), tmp_path / "parts")
    continued = stylize(small_config(image=image, steps=4), tmp_path / "parts")
    np.testing.assert_array_equal(np.asarray(continued.picture), np.asarray(whole.picture))
    assert continued.record["tile"] == 16
