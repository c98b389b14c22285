"""The hypercolumn loss against NumPy: resizing, the search, and the distance."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import map_coordinates

from nst_tf.losses import HypercolumnLoss
from nst_tf.losses.hypercolumns import HYPERCOLUMNS
from nst_tf.optimization.objective import Objective
from nst_tf.util.errors import InputError
from tests.losses.formulas import centred, cosines, rows_of, slope_of, value_and_slope

RNG = np.random.default_rng(4)
SHAPES = {"image": (24, 32, 3), "conv1": (24, 32, 4), "conv2": (12, 16, 6), "conv3": (3, 4, 5)}
LAYERS = ["conv1", "conv2", "conv3"]


def made_up(scale=1.0):
    return {name: RNG.uniform(size=shape) * scale for name, shape in SHAPES.items()}


def as_tensors(features, dtype=tf.float32):
    types = {"image": tf.float32}
    return {name: tf.constant(value[None], types.get(name, dtype)) for name, value in features.items()}


def aligned(x, height, width):
    """Resize (h, w, C) bilinearly with aligned corners."""
    grid = np.meshgrid(np.linspace(0, x.shape[0] - 1, height), np.linspace(0, x.shape[1] - 1, width), indexing="ij")
    return np.stack([map_coordinates(x[..., c], grid, order=1) for c in range(x.shape[-1])], axis=-1)


def hypercolumns(features):
    parts = [aligned(features[name], 6, 8) / SHAPES[name][-1] for name in LAYERS]
    return rows_of(np.concatenate(parts, axis=-1))


def test_hypercolumns_are_resized_with_aligned_corners_and_divided_by_their_filters():
    features = made_up()
    loss = HypercolumnLoss(layers=LAYERS)
    np.testing.assert_allclose(
        loss.represent(as_tensors(features))[HYPERCOLUMNS][0], hypercolumns(features), rtol=1e-5, atol=1e-6
    )
    halves = loss.represent(as_tensors(features, tf.bfloat16))[HYPERCOLUMNS]
    assert halves.dtype == tf.float32
    np.testing.assert_allclose(halves[0], hypercolumns(features), atol=2e-3)


def nearest(picture, styles, rows):
    """Return the style's nearest hypercolumn for each of the picture's, of which ``rows`` are centred together."""
    chunks = [picture[start : start + rows] for start in range(0, len(picture), rows)]
    return np.concatenate([styles[cosines(centred(chunk), centred(styles)).argmax(1)] for chunk in chunks])


@pytest.mark.parametrize(("centre", "rows"), [("all", 48), ("chunk", 16)])
def test_the_target_is_the_nearest_hypercolumn_of_all_styles_after_centring(centre, rows, monkeypatch):
    """With 3 styles of 48 hypercolumns, a chunk of 48 leaves 16 positions."""
    monkeypatch.setattr("nst_tf.losses.hypercolumns.CHUNK", 48)
    picture, *styles = (made_up() for _ in range(4))
    loss = HypercolumnLoss(layers=LAYERS, centre=centre)
    joined = loss.join({f"style:{n}": loss.represent(as_tensors(style)) for n, style in enumerate(styles, 1)}, {})
    found = loss.anchor(as_tensors(picture), joined)[HYPERCOLUMNS][0]
    expected = nearest(hypercolumns(picture), np.concatenate([hypercolumns(style) for style in styles]), rows)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_value_and_slope_are_those_of_the_formula():
    """The distance is ``mean (1 − cos)`` of the hypercolumns as they are, without centring."""
    picture, target, direction = made_up(), made_up(), made_up()
    loss = HypercolumnLoss(layers=LAYERS)
    targets = loss.represent(as_tensors(target))

    def formula(features):
        return 1 - np.diag(cosines(hypercolumns(features), hypercolumns(target))).mean()

    def raw(features):
        return tf.add_n(list(loss.distance(loss.represent(features), targets).values()))

    value, slope = value_and_slope(raw, picture, direction)
    assert value == pytest.approx(formula(picture), rel=1e-5)
    assert slope == pytest.approx(slope_of(formula, picture, direction), rel=1e-3)


def test_rotated_copies_of_the_styles_are_references():
    assert HypercolumnLoss(layers=["a"], rotations=False).references(2) == ["style:1", "style:2"]
    names = HypercolumnLoss(layers=["a"]).references(2)
    assert names == [f"style:{n}{angle}" for n in (1, 2) for angle in ("", "@90", "@180", "@270")]


def test_an_objective_matches_a_picture_between_the_present_one_and_the_content_to_rotated_styles():
    image, content, style = (tf.constant(RNG.uniform(size=(1, 16, 24, 3)), tf.float32) for _ in range(3))
    loss = HypercolumnLoss(layers=["a"], content_share=0.75, centre="all")
    objective = Objective.prepare(lambda image: {"a": image}, {"style": loss}, content, [style], [1.0])
    total = float(objective.anchored(image, content)(image).total[0])

    def columns(x):
        return rows_of(aligned(np.asarray(x, np.float64), x.shape[0] // 4, x.shape[1] // 4) / 3)

    keys = np.concatenate([columns(np.rot90(style[0], k)) for k in range(4)])
    targets = nearest(columns(0.25 * image[0] + 0.75 * content[0]), keys, 24)
    assert total == pytest.approx(1 - np.diag(cosines(columns(image[0]), targets)).mean(), rel=1e-4)


def test_a_style_of_share_0_is_not_searched():
    loss = HypercolumnLoss(layers=LAYERS)
    styles = {f"style:{n}": loss.represent(as_tensors(made_up())) for n in (1, 2)}
    joined = loss.join(styles, {"style:1": 0.0, "style:2": 1.0})
    np.testing.assert_array_equal(joined[HYPERCOLUMNS], styles["style:2"][HYPERCOLUMNS])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"content_share": 1.5}, "content_share=1.5: must be at most 1"),
        ({"content_share": -0.5}, "content_share=-0.5: must be at least 0"),
        ({"layers": []}, r"layers=\[\]: HypercolumnLoss has no layers"),
        ({"centre": "mean"}, "centre='mean': must be one of all, chunk"),
    ],
)
def test_values_out_of_range_are_refused(fields, words):
    with pytest.raises(InputError, match=words):
        HypercolumnLoss(**{"layers": ["a"], **fields})
