"""Transparent parts of a painting and of a photograph have no part in the losses."""

import numpy as np
import pytest

from nst_tf import Config
from nst_tf.api import build_problem
from nst_tf.backbones import VGG19
from nst_tf.images import Canvas, Picture, opaque_regions
from nst_tf.losses import ContentLoss, GramLoss
from nst_tf.util.errors import InputError

RNG = np.random.default_rng(0)
LAYER = "conv2_1"


def picture(alpha=None, height=32, width=48, source="a.png"):
    pixels = RNG.random((height, width, 3), dtype=np.float32)
    return Picture(pixels, None if alpha is None else np.full((height, width), 1, np.float32) * alpha, source)


LEFT = np.float32([1] * 24 + [0] * 24)


def problem_of(content, style, **image):
    return build_problem(
        Config(
            content=content,
            style=style,
            backbone=VGG19(weights="random"),
            losses={"content": ContentLoss(layers=[LAYER]), "style": GramLoss(layers=[LAYER])},
            image=Canvas(size=48, margin=0, **image),
        )
    )


def values(problem, image):
    objective = problem.objective(*problem.pictures())
    return {name: float(value[0]) for name, value in objective.values(image)[1].items()}


def features(problem, pixels):
    return problem.extractor(pixels)[LAYER].numpy()[0].astype(np.float64)


def test_opaque_pictures_have_no_masks():
    assert opaque_regions([], picture(), [picture()], (32, 48), [(32, 48)]) == []


def test_masks_are_the_alpha_channels_with_the_margin_of_the_picture():
    (region,) = opaque_regions([], picture(LEFT), [picture(), picture(LEFT)], (32, 48), [(32, 48), (16, 24)], 2)
    assert region.name == ""
    assert region.content.shape == (36, 52)
    assert region.styles["style:1"] is None
    np.testing.assert_array_equal(region.styles["style:2"], np.tile(LEFT[::2], (16, 1)))


def test_a_transparent_half_of_the_style_is_left_out_of_its_gram_matrix():
    """The Gram matrix of the target is that of the opaque positions alone: Σ w f fᵀ over the left half."""
    content, style = picture(), picture(LEFT)
    problem = problem_of(content, style)
    (image, (painting,)) = problem.pictures()
    plane = np.asarray(LEFT.reshape(-1, 2).mean(axis=1))  # conv2_1 has half the resolution
    F = features(problem, painting)
    G = features(problem, image)
    weighted = np.einsum("hwc,hwd,w->cd", F, F, plane) / (F.shape[0] * plane.sum())
    whole = np.einsum("hwc,hwd->cd", G, G) / (G.shape[0] * G.shape[1])
    ratio = ((whole - weighted) ** 2).sum()
    everything = np.einsum("hwc,hwd->cd", F, F) / (F.shape[0] * F.shape[1])
    unweighted = ((whole - everything) ** 2).sum()
    opaque = problem_of(content, Picture(style.pixels, None, "b.png"))
    measured = values(problem, image)["style/raw"] / values(opaque, image)["style/raw"]
    assert measured == pytest.approx(ratio / unweighted, rel=1e-3)


def test_what_a_transparent_part_shows_does_not_matter():
    content, style = picture(), picture(LEFT)
    # The network sees a few pixels across the edge of the mask, so the change stays away from it
    changed = style.pixels.copy()
    changed[:, 36:] = 1
    first, second = problem_of(content, style), problem_of(content, Picture(changed, style.alpha, "b.png"))
    image = first.pictures()[0]
    assert values(second, image)["style/raw"] == pytest.approx(values(first, image)["style/raw"], rel=1e-5)


def test_transparent_parts_of_the_photograph_are_left_out_of_the_content_loss():
    problem = problem_of(picture(LEFT), picture())
    image = problem.pictures()[0].copy()
    image[:, :, 36:] = RNG.random(image[:, :, 36:].shape)
    assert values(problem, image)["content/raw"] == pytest.approx(0, abs=1e-6)
    image[:, :, :12] = 0
    assert values(problem, image)["content/raw"] > 1


def test_a_picture_that_is_transparent_all_over_is_refused():
    with pytest.raises(InputError, match=r"^style=a\.png: is transparent all over"):
        opaque_regions([], picture(), [picture(np.float32(0))], (32, 48), [(32, 48)])
