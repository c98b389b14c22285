"""The loss of STROTSS against NumPy, and its draws of positions.

With as many samples as positions, every draw takes all of them, so that the formulas hold whatever the draw.
"""

import numpy as np
import pytest
import tensorflow as tf

from nst_tf.losses import DRAW, StrotssLoss
from nst_tf.losses.hypercolumn_samples import Grid, sample_between, sample_positions
from nst_tf.losses.strotss import GRID_START, PARTS, STYLE_SAMPLES
from nst_tf.util.errors import InputError
from tests.losses.formulas import cosines, slope_of, value_and_slope

RNG = np.random.default_rng(8)
SHAPES = {"image": (8, 12, 3), "conv1": (8, 12, 4), "conv2": (4, 6, 5), "conv3": (2, 3, 6)}
LAYERS = ["conv1", "conv2", "conv3"]
ALL = 8 * 12


def made_up():
    return {name: RNG.uniform(0.1, 1, size=shape) for name, shape in SHAPES.items()}


PICTURE, CONTENT, STYLE, DIRECTION = (made_up() for _ in range(4))


def seed(number=1):
    return tf.constant([number, 0], tf.int32)


def represent(loss, features, draw=None):
    tensors = {name: tf.constant(value[None], tf.float32) for name, value in features.items()}
    return loss.represent({**tensors, DRAW: seed() if draw is None else draw})


def joined(loss, *styles, shares=None, draw=None):
    named = {"content": CONTENT} | {f"style:{n}": style for n, style in enumerate(styles or [STYLE], 1)}
    return loss.join({name: represent(loss, value, draw) for name, value in named.items()}, shares or {})


def columns_between(features):
    """Return the samples of a picture and its layers at every pixel, bilinear at c/2 for each halving."""
    samples = []
    for row in range(8):
        for column in range(12):
            joined = []
            for name, (h, w, _) in SHAPES.items():
                scale = 12 // w
                y, x = row / scale, column / scale
                total = 0
                for i in (0, 1):
                    for j in (0, 1):
                        weight = abs(1 - i - y % 1) * abs(1 - j - x % 1)
                        total = total + weight * features[name][min(int(y) + i, h - 1), min(int(x) + j, w - 1)]
                joined.append(total)
            samples.append(np.concatenate(joined))
    return np.array(samples)


def columns_below(features):
    """Return the samples of a picture and its layers at every pixel, coordinates halved and rounded down."""
    return np.array(
        [
            np.concatenate([features[name][row * h // 8, column * w // 12] for name, (h, w, _) in SHAPES.items()])
            for row in range(8)
            for column in range(12)
        ]
    )


def transport(costs):
    return max(costs.min(1).mean(), costs.min(0).mean())


def colours_of(x):
    axes = np.array([[1, 1, 1], [-1, 1.36603, -0.36603], [-1, -0.36603, 1.36603]]) / np.sqrt(3)
    return x[:, :3] @ axes.T


def formula(features, alpha, variant):
    """Return the four parts of the loss, from its published definition."""
    features, content, style = (
        {**each, "image": each["image"] * 2 - 1} if variant == "futscdav" else each
        for each in (features, CONTENT, STYLE)
    )
    x, c, s = columns_between(features), columns_between(content), np.tile(columns_below(style), (5, 1))
    similarities = [1 - cosines(each, each) for each in (x, c)]
    if variant != "futscdav":
        similarities = [D / D.sum(axis=0) for D in similarities]
    content_part = np.abs(similarities[0] - similarities[1]).mean() * (len(x) if variant == "released" else 1)
    ddof = 1 if variant == "futscdav" else 0
    moments = np.abs(x.mean(0) - s.mean(0)).mean()
    moments += np.abs(np.cov(x.T, ddof=ddof) - np.cov(s.T, ddof=ddof)).mean()
    a, b = colours_of(x), colours_of(s)
    squares = ((a[:, None] - b) ** 2).sum(-1)
    palette = transport(1 - cosines(a, b) + np.sqrt(np.maximum(squares, 1e-5) / 3))
    if variant == "paper":
        total, palette = 2 + alpha + 1 / alpha, palette / alpha
    else:
        total, palette = alpha + 2, palette / max(alpha, 1)
    parts = [alpha * content_part, transport(1 - cosines(x, s)), moments, palette]
    return dict(zip(PARTS, np.array(parts) / total, strict=True))


@pytest.mark.parametrize("alpha", [4.0, 0.5])
@pytest.mark.parametrize("variant", ["released", "paper", "futscdav"])
def test_parts_and_slope_are_those_of_the_formula(variant, alpha):
    loss = StrotssLoss(
        layers=LAYERS, content_weight=alpha, variant=variant, samples=ALL, style_samples=5 * ALL, redraw="never"
    )
    targets = loss.finalize_targets(joined(loss))
    parts = loss.distance(represent(loss, PICTURE, seed(5)), targets)
    assert {name: float(value[0]) for name, value in parts.items()} == pytest.approx(
        formula(PICTURE, alpha, variant), rel=1e-4
    )

    def raw(features):
        return tf.add_n(list(loss.distance(loss.represent({**features, DRAW: seed()}), targets).values()))

    _, slope = value_and_slope(raw, PICTURE, DIRECTION)
    expected = slope_of(lambda features: sum(formula(features, alpha, variant).values()), PICTURE, DIRECTION)
    assert slope == pytest.approx(expected, rel=2e-3)


def test_the_draw_decides_the_positions_and_the_loss():
    loss = StrotssLoss(layers=LAYERS, samples=20, style_samples=50)
    targets = loss.finalize_targets(joined(loss))
    values = [
        sum(float(v[0]) for v in loss.distance(represent(loss, PICTURE, seed(n)), targets).values()) for n in (1, 1, 2)
    ]
    assert values[0] == values[1] != values[2]
    one, other = (joined(loss, draw=seed(n))[STYLE_SAMPLES] for n in (1, 3))
    assert one.shape == other.shape == (1, 50, 18)
    assert np.abs(one - other).max() > 0.1


def test_joint_positions_are_distinct_points_of_the_grid_and_pairs_need_not_be():
    grid, start = Grid.of(tf.zeros([256, 512, 3])), tf.constant([1, 2])
    assert (grid.row_stride, grid.column_stride) == (2, 3)
    points = {tuple(point) for point in grid.points(start).numpy().tolist()}
    assert points == {(row, column) for row in range(1, 256, 2) for column in range(2, 512, 3)}
    joint = StrotssLoss(layers=LAYERS)._draw(grid, start, seed())
    assert joint.shape == (1024, 2)
    drawn = {tuple(point) for point in joint.numpy().tolist()}
    assert len(drawn) == 1024
    assert drawn <= points
    pairs = StrotssLoss(layers=LAYERS, positions="pairs")._draw(grid, start, seed()).numpy()
    np.testing.assert_array_equal(pairs[:, 0], joint[:, 0])
    assert (pairs[:, 1] != joint[:, 1].numpy()).mean() > 0.9
    assert {tuple(point) for point in pairs.tolist()} <= points


@pytest.mark.parametrize(
    ("height", "width", "strides"), [(48, 64, (1, 1)), (128, 256, (1, 2)), (384, 512, (3, 4)), (256, 256, (2, 2))]
)
def test_the_grid_starts_anywhere_in_its_first_cell(height, width, strides):
    grid = Grid.of(tf.zeros([height, width, 3]))
    assert (grid.row_stride, grid.column_stride) == strides
    starts = {tuple(grid.draw_start(seed(n)).numpy().tolist()) for n in range(200)}
    assert starts == {(row, column) for row in range(strides[0]) for column in range(strides[1])}
    assert min(len(grid.points(tf.constant(start))) for start in starts) == grid.fewest


def test_the_start_of_the_grid_is_drawn_once_in_a_phase():
    loss = StrotssLoss(layers=["conv1"])
    large = {"image": RNG.uniform(size=(256, 256, 3)), "conv1": RNG.uniform(size=(256, 256, 1))}
    starts = [
        tuple(
            loss.join({"content": represent(loss, large, seed(n))} | {"style:1": represent(loss, large)}, {})[
                GRID_START
            ].numpy()[0]
        )
        for n in (1, 1, 2, 3, 4, 5)
    ]
    assert starts[0] == starts[1]
    assert len(set(starts)) > 1


def test_styles_are_sampled_in_proportion_to_their_shares():
    loss = StrotssLoss(layers=LAYERS, style_samples=100)
    dark, light = ({**STYLE, "image": np.full(SHAPES["image"], value)} for value in (0.0, 1.0))
    samples = joined(loss, dark, light, shares={"style:1": 0.25, "style:2": 0.75})[STYLE_SAMPLES][0].numpy()
    assert samples.shape == (100, 18)
    assert (samples[:, 0] == 0).sum() == 25
    alone = joined(loss, dark, light, shares={"style:1": 1.0, "style:2": 0.0})[STYLE_SAMPLES][0].numpy()
    assert not alone[:, 0].any()


def test_a_draw_of_the_style_has_no_position_twice():
    loss = StrotssLoss(layers=LAYERS, style_samples=5 * ALL)
    coordinates = np.stack(np.meshgrid(np.arange(8), np.arange(12), [0], indexing="ij"), -1)[:, :, 0]
    samples = joined(loss, {**STYLE, "image": coordinates})[STYLE_SAMPLES][0, :, :2].numpy().reshape(5, ALL, 2)
    for draw in samples:
        assert len({tuple(position) for position in draw}) == ALL


def test_samples_of_half_precision_features_are_float32():
    tensors = [tf.constant(CONTENT[name], tf.bfloat16) for name in SHAPES]
    positions = tf.constant([[3, 5], [7, 11]])
    for sample in (sample_between, sample_positions):
        assert sample(tensors, positions).dtype == tf.float32
        exact = sample([tf.constant(CONTENT[name], tf.float32) for name in SHAPES], positions)
        np.testing.assert_allclose(sample(tensors, positions), exact, atol=1e-2)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"content_weight": 0.0}, "content_weight=0.0: must be above 0"),
        ({"samples": 1}, "samples=1: must be at least 2"),
        ({"style_samples": 0}, "style_samples=0: must be at least 2"),
        ({"layers": []}, r"layers=\[\]: StrotssLoss has no layers"),
        ({"positions": "grid"}, "positions='grid': must be one of joint, pairs"),
    ],
)
def test_values_out_of_range_are_refused(fields, words):
    with pytest.raises(InputError, match=words):
        StrotssLoss(**{"layers": ["a"], **fields})


def test_a_region_takes_its_own_positions_of_picture_content_and_style():
    """The left half of the picture has the right half of the style: the loss is that of the two halves alone."""
    loss = StrotssLoss(layers=["conv1"], samples=ALL, style_samples=5 * ALL)
    left, right = (np.zeros((1, 8, 12, 1), np.float32) for _ in range(2))
    left[:, :, :6], right[:, :, 6:] = 1, 1
    right[:, :4, 4:6] = 0.4  # less than half of a pixel does not count

    def region(features, weights):
        return loss.represent(
            {
                "image": features["image"][None].astype(np.float32),
                "conv1": tf.constant(features["conv1"][None], tf.float32),
            }
            | {DRAW: seed()},
            {"conv1": tf.constant(weights)} if weights is not None else None,
        )

    def halved(features, columns):
        return {name: features[name][:, columns] for name in ("image", "conv1")}

    def total(picture, content, style):
        targets = loss.finalize_targets(loss.join({"content": content, "style:1": style}, {}))
        return {name: float(value[0]) for name, value in loss.distance(picture, targets).items()}

    whole = total(region(PICTURE, left), region(CONTENT, left), region(STYLE, right))
    alone = total(
        *(
            region(halved(each, part), None)
            for each, part in ((PICTURE, slice(0, 6)), (CONTENT, slice(0, 6)), (STYLE, slice(6, 12)))
        )
    )
    assert whole == pytest.approx(alone, rel=1e-4)


def test_each_picture_of_a_batch_is_compared_on_its_own():
    loss = StrotssLoss(layers=LAYERS, samples=ALL, style_samples=5 * ALL)
    targets = loss.finalize_targets(joined(loss))
    alone = [loss.distance(represent(loss, each), targets) for each in (PICTURE, DIRECTION)]
    both = {name: tf.constant(np.stack([PICTURE[name], DIRECTION[name]]), tf.float32) for name in SHAPES}
    for stacked in (targets, {name: tf.concat([value, value], axis=0) for name, value in targets.items()}):
        parts = loss.distance(loss.represent({**both, DRAW: seed()}), stacked)
        for part in PARTS:
            np.testing.assert_allclose(parts[part], tf.concat([each[part] for each in alone], axis=0), rtol=1e-5)
