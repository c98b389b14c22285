"""The loss of STROTSS: self-similarity of the content, relaxed optimal transport to the style, moments and colours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, NamedTuple

from nst_tf.losses.distribution_loss import PositionWeights
from nst_tf.losses.hypercolumn_samples import Grid, sample_between, sample_positions
from nst_tf.losses.layer_loss import check_layers
from nst_tf.losses.loss import DRAW, Features, Loss, Representation
from nst_tf.util.checks import above, at_least, whole_number_or
from nst_tf.util.lazy import tf
from nst_tf.util.nearest import unit
from nst_tf.util.tensors import gram, of_picture

REGION = "region"
"""Name of the pixels of a region, in a representation."""

STYLE_SAMPLES, STYLE_UNITS, STYLE_COLOURS = "style", "style/units", "style/colours"
STYLE_MEAN, STYLE_COVARIANCE, GRID_START = "style/mean", "style/covariance", "grid"
"""Names of the targets beside the content's features, which are named ``content/LAYER``."""

LAYERS = ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3", "conv4_3", "conv5_3")
"""The layers of the published program, which also compares the picture itself: 2179 values a position on VGG-16."""

STYLE_DRAWS = 5
"""Number of draws from the style, each without repetition."""

PARTS = ("content", "remd", "moments", "palette")
"""Names of the parts of the loss."""

COLOUR_AXES = [[0.57735, 0.57735, 0.57735], [-0.57735, 0.788675, -0.211325], [-0.57735, -0.211325, 0.788675]]
"""Axes of colours for the palette: lightness and two differences, each of length 1."""


class StrotssVariant(Enum):
    """The formulas, with α for ``content_weight`` and n positions; D holds the cosine distances of all pairs.

    ``released`` the authors' program: content ``n · mean |D̂(x) − D̂(c)|`` with D̂ = D divided by its columns' sums, and
    ``(α Lc + Lr + Lm + Lp / max(α, 1)) / (α + 2)`` · ``paper`` content ``mean |D̂(x) − D̂(c)|``, and
    ``(α Lc + Lr + Lm + Lp / α) / (2 + α + 1/α)`` · ``futscdav`` that program's: content ``mean |D(x) − D(c)|``,
    covariances over n − 1, colours in [−1, 1], and the total of ``released``.
    """

    released = "released"
    paper = "paper"
    futscdav = "futscdav"


class Positions(Enum):
    """The positions of the picture's grid that are sampled.

    ``joint`` distinct positions · ``pairs`` rows and columns that are drawn separately, as in the programs.
    """

    joint = "joint"
    pairs = "pairs"


class _Formula(NamedTuple):
    """The differences between two variants.

    Attributes:
        normalised: Whether the content's distances are divided by the sums of their columns.
        content_factor: Number of positions to the factor of the content's part.
        palette_factor: α to the factor of the palette's part.
        total: α to the divisor of all parts.
        fewer: Number of samples by which the divisor of a covariance is smaller.
        signed: Whether colours are in [−1, 1].
    """

    normalised: bool
    content_factor: Callable[[tf.Tensor], tf.Tensor | float]
    palette_factor: Callable[[float], float]
    total: Callable[[float], float]
    fewer: int = 0
    signed: bool = False


_RELEASED = _Formula(True, lambda n: n, lambda a: 1 / max(a, 1), lambda a: a + 2)
_FORMULAS: dict[StrotssVariant, _Formula] = {
    StrotssVariant.released: _RELEASED,
    StrotssVariant.paper: _Formula(True, lambda n: 1.0, lambda a: 1 / a, lambda a: 2 + a + 1 / a),
    StrotssVariant.futscdav: _RELEASED._replace(normalised=False, content_factor=lambda n: 1.0, fewer=1, signed=True),
}


@dataclass
class StrotssLoss(Loss):
    """``weight · (α Lc + Lr + Lm + Lp / max(α, 1)) / (α + 2)`` per picture; other totals see `StrotssVariant`.

    The picture x and the content c are sampled at the same random positions, and the style s at others. A sample joins
    the colour and the features of all layers there. With C for the cosine distances of samples of x and s:

    - content: ``Lc``, the difference of the self-similarities of x and c
    - remd: ``Lr = max(mean_i min_j C, mean_j min_i C)``, the relaxed earth mover's distance
    - moments: ``Lm = mean |Δμ| + mean |ΔΣ|`` of mean and covariance
    - palette: ``Lp``, as Lr on the colours, where C is the sum of cosine and Euclidean distance

    Several styles are sampled together, each in proportion to its share.

    Attributes:
        layers: Layer names, in any form that the backbone accepts, from the first one on. Default: `LAYERS`.
        content_weight: α, above 0. Default 16; the program halves it from size to size.
        variant: See `StrotssVariant`; default ``released``.
        positions: See `Positions`; default ``joint``.
        samples: Number of positions of the picture, at most as many as its grid has. Default 1024.
        style_samples: Number of positions of the styles. Default 5000.
        redraw: When positions of the picture are drawn: ``never``, ``phase`` or a number of steps. Default ``phase``;
            the program draws at every step. The style's are drawn once in a phase.

    Reference:
        Kolkin, Salavon & Shakhnarovich 2019, *Style Transfer by Relaxed Optimal Transport and Self-Similarity*.
    """

    layers: list[str] = field(default_factory=lambda: list(LAYERS))
    content_weight: float = 16.0
    variant: StrotssVariant = StrotssVariant.released
    positions: Positions = Positions.joint
    samples: int = 1024
    style_samples: int = 5000
    redraw: Any = "phase"

    joint: ClassVar[bool] = True
    draws: ClassVar[bool] = True
    weighs_positions: ClassVar[bool] = True
    reference: ClassVar[str] = "style"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_layers(self, self.layers)
        self.redraw = whole_number_or("redraw", self.redraw, "never", "phase")
        above("content_weight", self.content_weight, 0)
        at_least("samples", self.samples, 2)
        at_least("style_samples", self.style_samples, 2)

    @property
    def taps(self) -> Sequence[str]:
        """The layers, as given."""
        return self.layers

    @property
    def part_names(self) -> Sequence[str]:
        """``content``, ``remd``, ``moments`` and ``palette``."""
        return PARTS

    def references(self, styles: int) -> Sequence[str]:
        """Return the content and every style."""
        return ["content", *(f"style:{number}" for number in range(1, styles + 1))]

    @property
    def weighed_layers(self) -> Sequence[str]:
        """The first layer, whose weights say which pixels belong to a region."""
        return self.layers[:1]

    def represent(self, features: Features, weights: PositionWeights | None = None) -> Representation:
        """Return the colours and features themselves, ``(B, h, w, C)`` each, and the draw.

        With weights, the pixels of a region are also returned, ``(1, H, W, 1)`` boolean: those of at least half.
        """
        colours = features["image"] * 2.0 - 1.0 if self._formula.signed else features["image"]
        region = {REGION: _pixels(weights[self.layers[0]], colours)} if weights else {}
        return {"image": colours, **{name: features[name] for name in (*self.layers, DRAW)}, **region}

    def join(self, representations: Mapping[str, Representation], shares: Mapping[str, float]) -> Representation:
        """Return the content's features, samples of the styles ``(1, m, C)``, and the start of the grid ``(1, 2)``."""
        content = representations["content"]
        styles = [(values, shares.get(name, 1.0)) for name, values in representations.items() if name != "content"]
        samples = tf.concat(
            [self._style_samples(values, share, number) for number, (values, share) in enumerate(styles)], axis=0
        )
        features = {f"content/{name}": content[name] for name in ("image", *self.layers)}
        start = Grid.of(content["image"][0]).draw_start(_fold(content[DRAW], 0))
        return {**features, STYLE_SAMPLES: samples[None], GRID_START: start[None]}

    def _style_samples(self, values: Representation, share: float, number: int) -> tf.Tensor:
        """Sample one style in proportion to its share, ``(m, C)`` float32."""
        count = round(self.style_samples / STYLE_DRAWS * share)
        region = of_picture(values[REGION], 0) if REGION in values else None
        pixels = _inside(Grid.of(values["image"][0]).pixels, region)
        draws = []
        for draw in range(STYLE_DRAWS if count else 0):
            positions = _choose(pixels, count, _fold(values[DRAW], 1, number, draw))
            draws.append(sample_positions([values[name][0] for name in ("image", *self.layers)], positions))
        return tf.concat(draws, axis=0) if draws else tf.zeros([0, self._filters(values)])

    def _filters(self, values: Representation) -> int:
        return sum(values[name].shape[-1] for name in ("image", *self.layers))

    def finalize_targets(self, representation: Representation) -> Representation:
        """Replace the style's samples by what the loss compares: directions, colours, mean and covariance."""
        targets = dict(representation)
        samples = targets.pop(STYLE_SAMPLES)  # (1, m, C)
        mean, covariance = _moments(samples[0], self._formula.fewer)
        statistics = {STYLE_MEAN: mean[None], STYLE_COVARIANCE: covariance[None]}
        return {**targets, STYLE_UNITS: unit(samples), STYLE_COLOURS: samples[..., :3], **statistics}

    def distance(self, representation: Representation, targets: Representation) -> dict[str, tf.Tensor]:
        """Compute the four parts with their factors, ``(B,)`` float32 each."""
        pictures = []
        for n in range(representation["image"].shape[0]):
            features = {name: value if name == DRAW else of_picture(value, n) for name, value in representation.items()}
            pictures.append(self._parts(features, {name: of_picture(value, n) for name, value in targets.items()}))
        return {part: tf.stack([parts[part] for parts in pictures]) for part in PARTS}

    def _parts(self, features: Mapping[str, tf.Tensor], targets: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Compute the four parts of one picture; its features and those of the content are ``(h, w, C)``."""
        names = ("image", *self.layers)
        positions = self._draw(Grid.of(features["image"]), targets[GRID_START], features[DRAW], features.get(REGION))
        x = sample_between([features[name] for name in names], positions)  # (n, C)
        c = tf.stop_gradient(sample_between([targets[f"content/{name}"] for name in names], positions))
        directions = unit(x)
        formula, alpha = self._formula, self.content_weight
        mean, covariance = _moments(x, formula.fewer)
        moments = tf.reduce_mean(tf.abs(mean - targets[STYLE_MEAN]))
        moments += tf.reduce_mean(tf.abs(covariance - targets[STYLE_COVARIANCE]))
        total = formula.total(alpha)
        return {
            "content": alpha / total * self._content(directions, unit(c)),
            "remd": relaxed_transport(directions, targets[STYLE_UNITS]) / total,
            "moments": moments / total,
            "palette": formula.palette_factor(alpha) / total * _palette(x[:, :3], targets[STYLE_COLOURS]),
        }

    def _draw(self, grid: Grid, start: tf.Tensor, draw: tf.Tensor, region: tf.Tensor | None = None) -> tf.Tensor:
        """Draw positions of the picture, ``(n, 2)`` int32, in a region ``(H, W, 1)`` or in all of it."""
        points = _inside(grid.points(start), region)
        chosen = _choose(points, min(self.samples, grid.fewest), _fold(draw, 2))
        if self.positions is Positions.joint:
            return chosen
        columns = _choose(points, min(self.samples, grid.fewest), _fold(draw, 3))
        return tf.stack([chosen[:, 0], columns[:, 1]], axis=1)

    def _content(self, x: tf.Tensor, c: tf.Tensor) -> tf.Tensor:
        """Compute Lc of the directions ``(n, C)`` of samples of picture and content."""
        similarities = [1.0 - tf.matmul(each, each, transpose_b=True) for each in (x, c)]  # (n, n)
        if self._formula.normalised:
            similarities = [D / tf.reduce_sum(D, axis=0) for D in similarities]
        difference = tf.reduce_mean(tf.abs(similarities[0] - similarities[1]))
        return self._formula.content_factor(tf.cast(tf.shape(x)[0], tf.float32)) * difference

    @property
    def _formula(self) -> _Formula:
        return _FORMULAS[self.variant]


def relaxed_transport(x: tf.Tensor, s: tf.Tensor) -> tf.Tensor:
    """Compute the relaxed earth mover's distance ``max(mean_i min_j C, mean_j min_i C)`` with ``C = 1 − <x_i, s_j>``.

    The pairs of the smallest costs are found without a gradient and compared again, which gives the same gradient for
    a fraction of the time.

    Args:
        x: Unit vectors ``(n, C)``.
        s: Unit vectors ``(m, C)``, without a gradient.
    """
    products = tf.matmul(tf.stop_gradient(x), s, transpose_b=True)  # (n, m)
    of_x = tf.reduce_sum(x * tf.gather(s, tf.argmax(products, axis=1)), axis=1)
    of_s = tf.reduce_sum(tf.gather(x, tf.argmax(products, axis=0)) * s, axis=1)
    return 1.0 - tf.minimum(tf.reduce_mean(of_x), tf.reduce_mean(of_s))


def _palette(x: tf.Tensor, s: tf.Tensor) -> tf.Tensor:
    """Compute Lp of colours ``(n, 3)`` and ``(m, 3)``: as `relaxed_transport`, with another cost."""
    a, b = (tf.matmul(colours, COLOUR_AXES, transpose_b=True) for colours in (x, s))
    squares = tf.reduce_sum(tf.square(a), axis=1)[:, None] + tf.reduce_sum(tf.square(b), axis=1)
    squares -= 2.0 * tf.matmul(a, b, transpose_b=True)
    costs = 1.0 - tf.matmul(unit(a), unit(b), transpose_b=True) + tf.sqrt(tf.maximum(squares, 1e-5) / 3.0)
    return tf.maximum(tf.reduce_mean(tf.reduce_min(costs, axis=1)), tf.reduce_mean(tf.reduce_min(costs, axis=0)))


def _moments(x: tf.Tensor, fewer: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Compute mean ``(C,)`` and covariance ``(C, C)`` of samples ``(n, C)``, the latter over ``n − fewer``."""
    mean = tf.reduce_mean(x, axis=0)
    return mean, gram((x - mean)[None, :, None])[0] / tf.cast(tf.shape(x)[0] - fewer, tf.float32)


def _pixels(weights: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """Return which pixels of pictures ``(B, H, W, 3)`` have a weight of at least ½, or the largest if none has."""
    resized = tf.image.resize(weights, image.shape[1:3])
    return resized >= tf.minimum(tf.reduce_max(resized), 0.5)


def _inside(points: tf.Tensor, region: tf.Tensor | None) -> tf.Tensor:
    """Return the points ``(n, 2)`` that are in a region ``(H, W, 1)``, or all if there is no region or none is."""
    if region is None:
        return points
    inside = tf.gather_nd(region[..., 0], points)
    return tf.boolean_mask(points, inside | ~tf.reduce_any(inside))


def _choose(points: tf.Tensor, count: int, seed: tf.Tensor) -> tf.Tensor:
    """Choose ``count`` of the points ``(n, 2)``, each at most once, or all of them if there are fewer."""
    available = tf.shape(points)[0]
    uniform = tf.random.stateless_uniform([available], seed)
    return tf.gather(points, tf.math.top_k(uniform, tf.minimum(count, available)).indices)


def _fold(draw: tf.Tensor, *numbers: int) -> tf.Tensor:
    """Derive a seed ``(2,)`` from a draw and numbers."""
    for number in numbers:
        draw = tf.random.experimental.stateless_fold_in(draw, number)
    return draw
