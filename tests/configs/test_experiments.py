"""Each experiment's first losses against its paper's formulas, written again here from raw features.

The formulas speak of Keras's own layer names, F and P of features ``(M, N)``, G and A of Gram matrices.
"""

import csv
import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest

from nst_tf.api import stylize
from nst_tf.backbones import Pooling
from nst_tf.config.inputs import read_inputs
from nst_tf.images import Picture
from nst_tf.observers import Metrics
from nst_tf.optimizers import SGD, Adam, ScipyLBFGS, Units
from tests.configs.conftest import OF_NO_PAPER

BLOCKS = [f"block{block}_conv1" for block in range(1, 6)]


def gram(F):
    return F.T @ F


def half_sum(difference):
    return 0.5 * (difference**2).sum()


def gatys_style(F, A, share=1.0):
    M, N = F.shape
    return share * ((gram(F) - gram(A)) ** 2).sum() / (4 * N**2 * M**2)


def chandra_style(weight):
    return lambda F, A: weight * ((gram(F) - gram(A)) ** 2).mean() / F.size


def pixel_differences(x):
    return np.diff(x, axis=0), np.diff(x, axis=1)


def wasserstein(F, A):
    """W₂² of the features' Gaussians over the filters, every variance raised by 1e-4."""
    S, T = (np.cov(x.T, bias=True) + 1e-4 * np.eye(x.shape[1]) for x in (F, A))
    values, vectors = np.linalg.eigh(T)
    axes = vectors * np.sqrt(values)  # T = axes axesᵀ
    roots = np.sqrt(np.linalg.eigvalsh(axes.T @ S @ axes).clip(0))
    return (((F.mean(0) - A.mean(0)) ** 2).sum() + np.trace(S + T) - 2 * roots.sum()) / F.shape[1]


def nine_points(x):
    """Mean squared slope: straight and diagonal neighbours, the border repeated."""
    wide = np.pad(x, [(1, 1), (1, 1), (0, 0)], mode="edge")
    down, right = wide[2:, 1:-1] - wide[1:-1, 1:-1], wide[1:-1, 2:] - wide[1:-1, 1:-1]
    falling, rising = wide[1:, 1:] - wide[:-1, :-1], wide[1:, :-1] - wide[:-1, 1:]
    straight, diagonal = ((a**2).mean() + (b**2).mean() for a, b in ((down, right), (falling, rising)))
    return 2 * (straight / 3 + diagonal / 12)


def keras_example(F, A, height=32, width=32):
    """The Keras example's style loss, its size that of the test's square picture."""
    return ((gram(F) - gram(A)) ** 2).sum() / (4 * 3**2 * (height * width) ** 2)


def keras_example_variation(x):
    """Σ (Δv² + Δh²)^1.25 in 0..255, over pixels with a neighbour below and one to the right."""
    down, right = pixel_differences(255 * x)
    return ((down[:, :-1] ** 2 + right[:-1] ** 2) ** 1.25).sum()


def gupta(style, module=keras.applications.vgg19, size=40):
    """Gupta et al. 2019: content at the last of the style layers, each with its share of 1."""
    return {
        "content": (0.025, {style[-1]: lambda F, P: half_sum(F - P)}),
        "style": (5.0, {layer: lambda F, A: gatys_style(F, A, 1 / len(style)) for layer in style}),
        "total_variation": (0.1, keras_example_variation),
        "pooling": Pooling.max,
        "preprocess": module.preprocess_input,
        "size": size,
    }


TITU_LAYERS = [f"block{block}_conv{n}" for block, count in enumerate((2, 2, 3, 3, 3), 1) for n in range(1, count + 1)]


def titu_style():
    """Σ_n 2^(n−12) (E_n − E_{n+1}) gathered by layer: E_n comes once with 2^(n−12) and once with −2^(n−13)."""
    counts = dict.fromkeys(TITU_LAYERS, 0.0)
    for n in range(1, 13):
        counts[TITU_LAYERS[n - 1]] += 2.0 ** (n - 12)
        counts[TITU_LAYERS[n]] -= 2.0 ** (n - 12)
    return {layer: (lambda F, A, w=w: w * keras_example(F - 1, A - 1)) for layer, w in counts.items()}


TORCH_SCALE = 1 / (255 * (0.229 + 0.224 + 0.225) / 3)
VGG19_STAGES = ["block1_conv2", "block2_conv2", "block3_conv4", "block4_conv4", "block5_conv4"]
RESNET50_STAGES = ["conv1_relu", *(f"conv{stage}_block{last}_out" for stage, last in ((2, 3), (3, 4), (4, 6), (5, 3)))]
RESNET50_12 = [
    *("conv1_relu", "conv2_block1_out", "conv2_block2_out", "conv2_block3_out", "conv3_block2_out", "conv3_block4_out"),
    *("conv4_block2_out", "conv4_block4_out", "conv4_block6_out"),
    *("conv5_block1_out", "conv5_block2_out", "conv5_block3_out"),
]
FIFTH = {layer: lambda F, A: gatys_style(F, A, 1 / 5) for layer in BLOCKS}
GATYS = {
    "content": (1.0, {"block4_conv2": lambda F, P: half_sum(F - P)}),
    "style": (1e3, FIFTH),
    "pooling": Pooling.average,
}
ARADWAD = GATYS | {"pooling": Pooling.max}

PAPERS = {
    "gatys2016": GATYS,
    "aradwad_gauri": ARADWAD,
    "aradwad_gauri_three_styles": ARADWAD,
    "content_reconstruction": {"content": GATYS["content"], "pooling": Pooling.max},
    "texture_synthesis": {"style": GATYS["style"], "pooling": Pooling.max},
    "nguyen_le": {
        "content": (
            1.0,
            {
                layer: (lambda F, P: half_sum(F - P))
                for layer in ("block1_conv2", "block2_conv2", "block3_conv3")  # convolutions 2, 4, 7
            },
        ),
        "style": (
            1e-10,
            {
                layer: (lambda F, A: half_sum(gram(F) - gram(A)))
                for layer in ("block1_conv2", "block2_conv2", "block4_conv2", "block5_conv1")  # 2, 4, 10, 13
            },
        ),
        "pooling": Pooling.max,
    },
    "chandra2019": {
        "content": (1.0, {"block4_conv2": lambda F, P: ((F - P) ** 2).mean()}),
        "style": (
            1e6,
            {layer: chandra_style(w) for layer, w in zip(BLOCKS, (1, 0.75, 0.2, 0.2, 0.2), strict=True)},
        ),
        "pooling": Pooling.average,
        "scale": TORCH_SCALE,
    },
    "malathi": {
        "content": (1.0, {"block4_conv2": lambda F, P: ((F - P) ** 2).sum()}),
        "style": (1e-9, {layer: (lambda F, A: ((gram(F) - gram(A)) ** 2).sum()) for layer in BLOCKS}),
        "total_variation": (
            10.0,
            lambda x: sum((d**2).sum() for d in pixel_differences(255 * x)),
        ),
        "pooling": Pooling.average,
    },
    "gupta2019": gupta(VGG19_STAGES),
    "gupta2019_vgg19": gupta(VGG19_STAGES),
    "gupta2019_vgg16": gupta(["block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3"]),
    "gupta2019_resnet50": gupta(RESNET50_STAGES, keras.applications.resnet50, 64),
    "gupta2019_resnet50_12": gupta(RESNET50_12, keras.applications.resnet50, 64),
    "gupta2019_inception_v3": gupta(
        ["activation_2", "activation_4", "mixed2", "mixed7", "mixed10"], keras.applications.inception_v3, 96
    ),
    "neural_style": {
        "content": (5.0, {"block4_conv2": lambda F, P: ((F - P) ** 2).mean()}),
        "style": (
            100.0,
            {layer: (lambda F, A: ((gram(F) / F.size - gram(A) / A.size) ** 2).mean()) for layer in BLOCKS},
        ),
        "total_variation": (1e-3, lambda x: sum(np.abs(d).sum() for d in pixel_differences(255 * x))),
        "pooling": Pooling.max,
    },
    "tf_tutorial": {
        "content": (1e4, {"block5_conv2": lambda F, P: ((F - P) ** 2).mean()}),
        "style": (
            1e-2,
            {layer: (lambda F, A: ((gram(F) / len(F) - gram(A) / len(A)) ** 2).mean() / 5) for layer in BLOCKS},
        ),
        "total_variation": (30.0, lambda x: sum(np.abs(d).sum() for d in pixel_differences(x))),
        "pooling": Pooling.max,
    },
    "crowsonkb": {
        "content": (0.015, {"block4_conv2": lambda F, P: ((F - P) ** 2).mean()}),
        "style": (
            1.0,
            {
                layer: (lambda F, A, w=w: w / 341 * wasserstein(F, A))
                for layer, w in zip(BLOCKS, (256, 64, 16, 4, 1), strict=True)
            },
        ),
        "total_variation": (2.0, nine_points),
        "pooling": Pooling.max,
        "scale": TORCH_SCALE,
    },
    "keras_io": {
        "content": (2.5e-8, {"block5_conv2": lambda F, P: ((F - P) ** 2).sum()}),
        "style": (1e-6, {layer: (lambda F, A: keras_example(F, A, 32, 40) / 5) for layer in BLOCKS}),
        "total_variation": (1e-6, keras_example_variation),
        "pooling": Pooling.max,
    },
    "anishathalye": {
        "content": (5.0, {"block4_conv2": lambda F, P: ((F - P) ** 2).mean()}),
        "style": (
            500.0,
            {layer: (lambda F, A: ((gram(F) / F.size - gram(A) / A.size) ** 2).mean() / 5) for layer in BLOCKS},
        ),
        "total_variation": (100.0, lambda x: sum((d**2).mean() for d in pixel_differences(255 * x))),
        "pooling": Pooling.max,
    },
    "titu1994": {
        "content": (0.025, {"block5_conv2": lambda F, P: ((F - P) ** 2).sum()}),
        "style": (1.0, titu_style()),
        "total_variation": (8.5e-5, keras_example_variation),
        "pooling": Pooling.max,
    },
    "gatys_pytorch": {
        "content": (1.0, {"block4_conv2": lambda F, P: ((F - P) ** 2).mean()}),
        "style": (
            1e3,
            {
                layer: (lambda F, A: ((gram(F) / len(F) - gram(A) / len(A)) ** 2).mean() / F.shape[1] ** 2)
                for layer in BLOCKS
            },
        ),
        "pooling": Pooling.max,
    },
}


PAPERS |= dict.fromkeys(("ruder2016", "ruder2016_multipass"), PAPERS["neural_style"])  # of a frame, see tests/video

FORMULAS_ELSEWHERE = {
    "heitz2021": "configs/test_later_experiments.py",
    "luan2017": "configs/test_later_experiments.py",
    "nnfm": "configs/test_later_experiments.py",
    "nnst": "losses/test_hypercolumns.py",
    "risser2017": "configs/test_later_experiments.py",
    "risser2017_transfer": "configs/test_later_experiments.py",
    "strotss": "losses/test_strotss.py",
    **dict.fromkeys(("cnnmrf", "neural_doodle", "gatys2017", "castillo2017"), "configs/test_patch_experiments.py"),
}
"""Experiments whose losses are no sums over layers, and the tests of their formulas."""


def test_every_experiment_has_its_formulas_here(request):
    from nst_tf.config.composing import configs_folder

    experiments = {path.stem for path in (configs_folder() / "experiment").glob("*.yaml")}
    without_losses = {"library_one_style", "library_three_styles"}
    assert set(PAPERS) == experiments - without_losses - OF_NO_PAPER - set(FORMULAS_ELSEWHERE)
    assert all((Path(__file__).parents[1] / path).is_file() for path in FORMULAS_ELSEWHERE.values())


@pytest.mark.parametrize(
    "name", [name if name == "gatys2016" else pytest.param(name, marks=pytest.mark.slow) for name in PAPERS]
)
def test_the_first_row_of_metrics_equals_the_papers_formulas(name, composed, pictures, tmp_path):
    paper = PAPERS[name]
    three = "three" in name
    styles = [pictures[1], pictures[0], "sample:grass"] if three else [pictures[1]]
    shares = [0.5, 0.3, 0.2] if three else [1.0]
    config = composed(
        f"experiment={name}",
        f"content={pictures[0]}",
        f"style=[{','.join(styles)}]",
        *(["style_weights=[0.5,0.3,0.2]"] if three else []),
        *(["image.style_fit=content"] if "size" in paper else []),  # else too small a painting stays so
        "backbone.weights=random",
        "schedule.scales=[1.0]",
        "schedule.step_shares=null",
        f"image.size={paper.get('size', 32)}",
        "image.start=noise",
        "runtime.precision=float32",
        "steps=1",
    )
    assert config.backbone.pooling is paper["pooling"]
    first_evaluation = {
        "optimizer": ScipyLBFGS(),  # compiles no step
        "schedule": dataclasses.replace(config.schedule, keep_state=False),  # which SciPy's cannot do
        "tracking": {"metrics": Metrics(every=1)},
    }
    stylize(dataclasses.replace(config, **first_evaluation), tmp_path / "run")
    row = first_row(tmp_path / "run")

    features = RawFeatures(config, paper)
    total = 0.0
    for term in ("content", "style", "total_variation"):
        if term not in paper:
            continue
        weight, formula = paper[term]
        layers = features.layers(term, formula, shares)
        raw = formula(features.start) if term == "total_variation" else sum(layers)
        total += weight * raw
        assert row[f"{term}/raw"] == pytest.approx(raw, rel=2e-3), term
        assert row[term] == pytest.approx(weight * raw, rel=2e-3), term
        measured = [value for key, value in row.items() if key.startswith(f"{term}/") and key != f"{term}/raw"]
        assert measured == pytest.approx(layers, rel=2e-3), term
    assert row["total"] == pytest.approx(total, rel=2e-3)
    assert {key.partition("/")[0] for key in row} - COUNTERS == set(paper) - {"pooling", "scale", "preprocess", "size"}


COUNTERS = {"step", "evaluations", "seconds", "total"}


def first_row(folder):
    with (folder / "metrics.csv").open() as file:
        return {key: float(value) for key, value in next(csv.DictReader(file)).items()}


class RawFeatures:
    """Features of the start, the content and the styles by Keras layer name, flattened to (M, N) in float64."""

    def __init__(self, config, paper):
        content, styles = read_inputs(config)
        self._scale = paper.get("scale", 1.0)
        self._preprocess = paper.get("preprocess", keras.applications.vgg19.preprocess_input)
        names = [layer for term in ("content", "style") if term in paper for layer in paper[term][1]]
        self._extractor = config.backbone.extractor(list(dict.fromkeys(names)))
        content = config.image.content(content)
        styles = config.image.styles(styles, content)
        start = config.image.start_image(content, styles, config.seed)
        self.start = start[0].astype(np.float64)
        self._x, self._content = self._features(start), self._features(content)
        self._styles = [self._features(style) for style in styles]

    def _features(self, image):
        batch = self._extractor.model(self._preprocess(image.astype(np.float32) * 255.0))
        return {
            name: self._scale * np.asarray(value)[0].reshape(-1, value.shape[-1]).astype(np.float64)
            for name, value in batch.items()
        }

    def layers(self, term, formula, shares):
        if term == "content":
            return [f(self._x[layer], self._content[layer]) for layer, f in formula.items()]
        if term == "style":
            return [
                sum(share * f(self._x[layer], style[layer]) for share, style in zip(shares, self._styles, strict=True))
                for layer, f in formula.items()
            ]
        return []


PRINTED = {  # measure, step, value; as the papers have them
    "gupta2019_vgg19": [("total", 1, 8079787520), ("seconds", 1, 115), ("seconds_per_step", 1, 115)],
    "gupta2019_vgg16": [("total", 1, 2885143808), ("seconds", 1, 100), ("seconds_per_step", 1, 100)],
    "gupta2019_resnet50": [("total", 1, 43073176), ("seconds", 1, 64), ("seconds_per_step", 1, 64)],
    "gupta2019_resnet50_12": [("total", 1, None), ("seconds", 1, None), ("seconds_per_step", 1, None)],
    "gupta2019_inception_v3": [("total", 1, 369.4181213378906), ("seconds", 1, 47), ("seconds_per_step", 1, 47)],
    "aradwad_gauri": [("seconds_per_step", 0, 8)],
    "aradwad_gauri_three_styles": [("seconds_per_step", 0, 8)],
    "chandra2019": [("total", 400, 3145412.75), ("total", 800, 2023719.125)],
}


@pytest.mark.parametrize("name", PAPERS)
def test_printed_figures_are_the_papers(name, composed):
    figures = composed(f"experiment={name}").printed.values()
    assert [(one.measure.name, one.step, one.value) for one in figures] == PRINTED.get(name, [])


def test_the_setting_of_gupta_et_al(composed):
    """Random pixels; SciPy's L-BFGS in ten runs of twenty evaluations; the networks of their comparison."""
    names = {"vgg19": "vgg19", "vgg16": "vgg16", "inception_v3": "inception_v3", "resnet50": "resnet50"}
    for name, backbone in (names | {"resnet50_12": "resnet50"}).items():
        config = composed(f"experiment=gupta2019_{name}")
        assert (config.backbone.name, config.steps, config.optimizer.max_evaluations) == (backbone, 10, 20)
        assert (type(config.optimizer).__name__, config.image.start) == ("ScipyLBFGS", "noise")
    assert composed("experiment=gupta2019", "backbone=resnet50").printed == {}


def keras_caffe(image):
    """Keras's own preprocessing of VGG."""
    return keras.applications.vgg19.preprocess_input(image.astype(np.float32) * 255.0)


def test_keras_io_descends_at_a_rate_that_decays_smoothly(composed):
    config = composed("experiment=keras_io")
    optimizer, rate = config.optimizer, config.optimizer.rate()
    assert (type(optimizer), optimizer.units, optimizer.clamp) == (SGD, Units.byte, False)
    assert [float(rate(step)) for step in (0, 50, 100, 4000)] == pytest.approx([100 * 0.96**n for n in (0, 0.5, 1, 40)])
    photograph, painting = Picture(np.zeros((300, 450, 3), np.float32)), Picture(np.zeros((900, 600, 3), np.float32))
    content = config.image.content(photograph)
    assert content.shape == (1, 400, 600, 3)
    assert config.image.styles([painting], content)[0].shape == (1, 400, 600, 3)


def test_anishathalye_starts_from_faint_noise_and_moves_by_ten_levels(composed):
    config = composed("experiment=anishathalye")
    start = 255 * config.image.start_image(np.zeros((1, 200, 300, 3), np.float32), [], seed=0)[0]
    assert start.std(axis=(0, 1)) == pytest.approx([0.256] * 3, rel=0.02)
    assert start.mean(axis=(0, 1)) == pytest.approx([123.68, 116.779, 103.939], abs=0.01)
    optimizer = config.optimizer
    assert (type(optimizer), optimizer.units, optimizer.clamp) == (Adam, Units.byte, False)
    assert (optimizer.learning_rate, optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == (10, 0.9, 0.999, 1e-8)
    assert optimizer.rate() == 10


def test_titu1994_runs_scipy_ten_times(composed):
    config = composed("experiment=titu1994")
    optimizer = config.optimizer
    assert (type(optimizer), optimizer.units, config.steps, optimizer.max_evaluations) == (
        ScipyLBFGS,
        Units.byte,
        10,
        20,
    )
    assert optimizer.function_tolerance == pytest.approx(1e7 * np.finfo(float).eps, rel=1e-3)
    assert (optimizer.gradient_tolerance, optimizer.history) == (1e-5, 10)
    assert config.image.shape(Picture(np.zeros((300, 450, 3), np.float32))) == (400, 400)


def test_gatys_pytorch_goes_through_two_sizes_by_their_short_sides(composed):
    config = composed("experiment=gatys_pytorch")
    assert config.schedule.ends(config.steps) == [500, 700]
    photograph, painting = Picture(np.zeros((300, 450, 3), np.float32)), Picture(np.zeros((900, 600, 3), np.float32))
    shapes = [config.image.shape(photograph, factor) for factor in config.schedule.scales]
    assert shapes == [(512, 768), (800, 1200)]
    styles = [
        config.image.style_shape(painting, shape, f) for shape, f in zip(shapes, config.schedule.scales, strict=True)
    ]
    assert styles == [(768, 512), (1200, 800)]
    assert (config.optimizer.history, config.optimizer.clamp, config.optimizer.preconditioner_power) == (100, False, 0)
