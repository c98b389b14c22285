"""The border of a result looks like its inside: saturation and chroma of its outermost pixels."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from nst_tf import Config, stylize
from nst_tf.api import build_problem
from nst_tf.backbones import BACKBONES
from nst_tf.images import Canvas, crop, read_picture
from nst_tf.losses import ContentLoss, GramLoss

PAIRS = (
    *(("chelsea", "night_swirls"), ("coffee", "wave_woodcut"), ("astronaut", "river_dots")),
    *(("rocket", "harbour_mosaic"), ("motorcycle", "wedges"), ("hubble", "night_swirls")),
)
INSIDE = slice(3, 9)
"""Rings of pixels, counted from the border, with which the outermost ring is compared."""


def saturation(pixels):
    return pixels.max(axis=-1) - pixels.min(axis=-1)


def chroma(pixels):
    return np.linalg.norm(pixels - (pixels @ np.float32([0.299, 0.587, 0.114]))[..., None], axis=-1)


def rings(values, count=INSIDE.stop):
    """Return the mean of the values in each ring of pixels, the outermost first."""
    rows, columns = (np.minimum(np.arange(n), np.arange(n)[::-1]) for n in values.shape)
    distance = np.minimum(rows[:, None], columns[None])
    return np.array([values[distance == ring].mean() for ring in range(count)])


def border_ratio(measure, pixels):
    """Return the ratio of the outermost ring to the rings inside."""
    means = rings(measure(pixels))
    return means[0] / means[INSIDE].mean()


def test_rings_are_counted_from_the_border():
    values = np.zeros((7, 9))
    values[1:-1, 1:-1], values[2:-2, 2:-2], values[3, 3:-3] = 1, 2, 3
    np.testing.assert_array_equal(rings(values, 4), [0, 1, 2, 3])


@pytest.mark.slow
def test_the_outermost_pixels_are_as_colourful_as_those_inside(tmp_path):
    """Without a margin the ring deviates by about 15 %; the photographs themselves deviate by a few percent."""

    def ratios(content, style, margin):
        config = Config(
            content=f"sample:{content}", style=f"sample:{style}", steps=40, image=Canvas(size=160, margin=margin)
        )
        config = dataclasses.replace(config, tracking={})
        picture = stylize(config, tmp_path / f"{content}_{margin}").folder.picture
        return [border_ratio(measure, read_picture(str(picture)).pixels) for measure in (saturation, chroma)]

    deviations = {
        margin: np.abs(np.log([ratios(*pair, margin) for pair in PAIRS])).mean(axis=0) for margin in (0, "auto")
    }
    assert (deviations["auto"] < 0.07).all()
    assert (deviations["auto"] < 0.7 * deviations[0]).all()


def _reach(network, margin):
    """Return the mean gradient in the last row and column of a picture of 75 × 99, relative to that of all pixels."""
    pixels = np.random.default_rng(0).random((75, 99, 3), dtype=np.float32)
    config = Config(
        content=pixels,
        style=pixels[::-1],
        backbone=BACKBONES[network](weights="random"),
        losses={"content": ContentLoss(layers=["stage4"]), "style": GramLoss(layers=["stage4"])},
        image=Canvas(size=99, margin=margin),
    )
    problem = build_problem(config)
    content, styles = problem.pictures()
    gradient = problem.objective(content, styles)(tf.constant(content[:, ::-1].copy())).gradient.numpy()
    size = crop(np.abs(gradient), margin)[0]
    return size[-1].mean() / size.mean(), size[:, -1].mean() / size.mean()


@pytest.mark.slow
@pytest.mark.parametrize("network", ["inception_v3", "vgg19"])
def test_deep_layers_reach_the_last_pixels_with_a_margin(network):
    """Poolings and unpadded convolutions leave out up to 13 rows at the bottom and columns at the right."""
    assert max(_reach(network, 0)) < 0.35
    assert min(_reach(network, 16)) > 0.5
