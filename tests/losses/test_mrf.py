"""The Markov random field loss and its gradient, against loops over patches in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.losses import MRFLoss
from nst_tf.losses.patches import covering_patches, patch_starts
from nst_tf.util import nearest
from nst_tf.util.errors import InputError
from tests.losses.patch_loops import cosine, matches, mean_cosine, overlapping_mean, patches

RNG = np.random.default_rng(5)
C = 4
PICTURE = np.maximum(RNG.normal(size=(1, 7, 9, C)), 0).astype(np.float32)
STYLE = np.maximum(RNG.normal(size=(1, 8, 6, C)), 0).astype(np.float32)
PICTURE_MAP = np.repeat(np.eye(3)[[0, 1, 2, 0, 1, 2, 0]][None, :, None], 9, axis=2).astype(np.float32)
STYLE_MAP = np.repeat(np.eye(3)[[0, 0, 1, 1, 2, 2, 0, 1]][None, :, None], 6, axis=2).astype(np.float32)


def loss_and_gradient(x=PICTURE, style=STYLE, maps=None, **settings):
    loss = MRFLoss(layers=["a"], **settings)
    given = [{} if maps is None else {"a/map": tf.constant(each)} for each in (maps or (None, None))]
    targets = loss.finalize_targets(loss.represent({"a": tf.constant(style)}, given[1]))

    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss.distance(loss.represent({"a": x}, given[0]), targets)["a"]
    return float(value[0]), tape.gradient(value, x).numpy()


@pytest.mark.parametrize(("size", "stride", "style_stride"), [(3, 1, None), (3, 2, None), (2, 2, 1), (5, 3, 2)])
def test_the_sum_and_its_gradient_are_those_of_a_loop_over_patches(size, stride, style_stride):
    matched = matches(PICTURE, STYLE, size, stride, style_stride or stride)
    expected = sum(((p - q) ** 2).sum() for p, q in zip(patches(PICTURE, size, stride), matched, strict=True))
    count, mean = overlapping_mean(PICTURE, matched, size, stride)
    settings = {"patch_size": size, "stride": stride, "style_stride": style_stride}
    value, gradient = loss_and_gradient(reduction="sum", **settings)
    assert value == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(gradient[0], 2 * count * (PICTURE[0] - mean), atol=1e-4)

    value, gradient = loss_and_gradient(reduction="average", **settings)  # the released program: its gradient is F − T
    assert value == pytest.approx(0.5 * ((PICTURE[0] - mean) ** 2).sum(), rel=1e-5)
    np.testing.assert_allclose(gradient[0], PICTURE[0] - mean, atol=1e-5)

    value, _ = loss_and_gradient(reduction="mean", **settings)
    assert value == pytest.approx(expected / (len(matched) * size**2 * C), rel=1e-5)

    value, _ = loss_and_gradient(reduction="relative", **settings)
    norm = np.mean([(q**2).sum() for q in patches(STYLE, size, style_stride or stride)])
    assert value == pytest.approx(expected / len(matched) / norm, rel=1e-5)


def test_positions_are_compared_each_by_its_own_cosine():
    matched = matches(PICTURE, STYLE, similarity=mean_cosine)
    expected = sum(((p - q) ** 2).sum() for p, q in zip(patches(PICTURE), matched, strict=True))
    assert loss_and_gradient(reduction="sum", similarity="position")[0] == pytest.approx(expected, rel=1e-5)
    assert expected != pytest.approx(loss_and_gradient(reduction="sum")[0], rel=1e-3)


@pytest.mark.parametrize(("similarity", "function"), [("patch", cosine), ("position", mean_cosine)])
@pytest.mark.parametrize("map_weight", [0.0, 0.3, 10.0])
def test_semantic_maps_add_their_weighted_similarity_to_the_score(similarity, function, map_weight):
    maps = (PICTURE_MAP, STYLE_MAP)
    matched = matches(PICTURE, STYLE, similarity=function, maps=maps, map_weight=map_weight)
    expected = sum(((p - q) ** 2).sum() for p, q in zip(patches(PICTURE), matched, strict=True))
    value, _ = loss_and_gradient(maps=maps, reduction="sum", similarity=similarity, map_weight=map_weight)
    assert value == pytest.approx(expected, rel=1e-5)


def test_black_in_a_map_is_a_colour_like_others():
    """With a large weight, patches under black take patches under black alone, and white ones white ones."""
    x, style = PICTURE + 0.1, STYLE + 0.1
    maps = [np.zeros((1, *each.shape[1:3], 3), np.float32) for each in (x, style)]
    for each in maps:
        each[:, 3:] = 1
    value, _ = loss_and_gradient(x, style, maps=maps, reduction="sum", map_weight=30, patch_size=1)
    expected = 0.0
    for part in (slice(0, 3), slice(3, None)):
        matched = matches(x[:, part], style[:, part], size=1)
        expected += sum(((p - q) ** 2).sum() for p, q in zip(patches(x[:, part], 1), matched, strict=True))
    assert value == pytest.approx(expected, rel=1e-5)


def test_a_style_that_contains_the_picture_has_the_distance_0():
    style = np.concatenate([STYLE[:, :7], PICTURE], axis=2)
    value, gradient = loss_and_gradient(style=style, reduction="sum")
    assert value == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(gradient, 0, atol=1e-5)


def test_patches_of_several_styles_are_one_set():
    loss = MRFLoss(layers=["a"], reduction="sum")
    parts = {f"style:{n}": loss.represent({"a": tf.constant(x)}) for n, x in enumerate((STYLE, STYLE[:, :5] + 0.3), 1)}
    targets = loss.finalize_targets(loss.join(parts, {"style:1": 0.5, "style:2": 0.5}))
    own, bank = patches(PICTURE), patches(STYLE) + patches(STYLE[:, :5] + np.float32(0.3))
    best = [np.argmax([cosine(p, q) for q in bank]) for p in own]
    expected = sum(((p - bank[n]) ** 2).sum() for p, n in zip(own, best, strict=True))
    value = loss.distance(loss.represent({"a": tf.constant(PICTURE)}), targets)["a"]
    assert float(value[0]) == pytest.approx(expected, rel=1e-5)
    assert max(best) >= len(patches(STYLE))  # both styles are used
    assert min(best) < len(patches(STYLE))
    with pytest.raises(InputError, match="style_weights: MRFLoss takes the most similar patch of all styles"):
        loss.join(parts, {"style:1": 0.3, "style:2": 0.7})


def test_pictures_of_a_batch_are_matched_each_by_itself():
    loss = MRFLoss(layers=["a"])
    targets, both = loss.prepare({"a": tf.constant(STYLE)}), np.concatenate([PICTURE, PICTURE[:, ::-1] + 0.2])
    together = loss({"a": tf.constant(both)}, targets)
    alone = [float(loss({"a": tf.constant(x[None])}, targets)[0]) for x in both]
    np.testing.assert_allclose(together, alone, rtol=1e-6)
    np.testing.assert_allclose(together, loss.layer_distance(tf.constant(both), tf.constant(STYLE)), rtol=1e-6)


def test_features_of_0_have_the_relative_distance_1_from_one_patch():
    style = STYLE[:, :3, :3]
    assert loss_and_gradient(x=0 * PICTURE, style=style)[0] == pytest.approx(1, rel=1e-6)


def test_blocks_of_similarities_give_the_same_loss(monkeypatch):
    whole = loss_and_gradient(reduction="sum")
    monkeypatch.setattr(nearest.nearest_cosine, "__defaults__", (7,))  # at most 7 similarities at once
    blocks = loss_and_gradient(reduction="sum")
    assert blocks[0] == pytest.approx(whole[0], rel=1e-6)
    np.testing.assert_allclose(blocks[1], whole[1], atol=1e-5)


def test_features_of_bfloat16_are_compared_in_float32():
    exact, _ = loss_and_gradient(reduction="sum")
    loss = MRFLoss(layers=["a"], reduction="sum")
    targets = loss.prepare({"a": tf.cast(STYLE, tf.bfloat16)})
    value = loss({"a": tf.cast(PICTURE, tf.bfloat16)}, targets)
    assert value.dtype == tf.float32
    assert float(value[0]) == pytest.approx(exact, rel=0.01)


def test_patches_reach_the_last_row():
    assert patch_starts(7, 3, 2).tolist() == [0, 2, 4]
    assert patch_starts(8, 3, 2).tolist() == [0, 2, 4, 5]
    assert covering_patches(4, 3, 1).tolist() == [[0, -1, -1], [1, 0, -1], [-1, 1, 0], [-1, -1, 1]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patch_size": 0}, "patch_size=0: must be at least 1"),
        ({"stride": 4}, "stride=4: must be at most patch_size=3"),
        ({"style_stride": 0}, "style_stride=0: must be at least 1"),
        ({"map_weight": -1}, "map_weight=-1.0: must be at least 0"),
        ({"reduction": "half"}, "reduction='half': must be one of sum, mean, average, relative"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        MRFLoss(layers=["a"], **settings)


def test_a_layer_smaller_than_a_patch_is_refused():
    loss = MRFLoss(layers=["conv5_1"])
    with pytest.raises(InputError, match="patch_size=3: a picture has only 5x2 positions in conv5_1"):
        loss.prepare({"conv5_1": tf.zeros([1, 2, 5, 4])})
