"""Other programs, their objectives, and the settings in which each of them takes part in the race.

This module imports neither side, so that the process that starts the others can read it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.variants import FLOAT32, PYTORCH_SIDE


class Solver(StrEnum):
    """PyTorch's optimisers that the other programs use."""

    lbfgs = "lbfgs"
    adam = "adam"


@dataclass(frozen=True)
class PyTorchMethod:
    """The optimisation of a picture by a program in PyTorch, with the variable in the program's own units.

    Attributes:
        solver: PyTorch's optimiser. L-BFGS takes unit steps and keeps 100 curvature pairs.
        start: The start picture: ``content``, or ``noise`` as the program draws it.
        learning_rate: Learning rate of Adam.
        betas: Decays of Adam's two moments.
        scales: Sizes of the picture as fractions of the last one.
        step_shares: Shares of the steps for the sizes; they are scaled to the number of steps.
        bounded: Whether the pixels are clipped to the range of 8 bits after each step.
        average: Decay of the moving average of the iterates, which is saved and starts the next size; 0 for none.
        keep_moments: Whether Adam's moments are resized for the next size.
    """

    solver: Solver = Solver.lbfgs
    start: str = "content"
    learning_rate: float = 1.0
    betas: tuple[float, float] = (0.9, 0.999)
    scales: tuple[float, ...] = (1.0,)
    step_shares: tuple[float, ...] = (1.0,)
    bounded: bool = False
    average: float = 0.0
    keep_moments: bool = False


@dataclass(frozen=True)
class Setting:
    """One setting of another program.

    Attributes:
        name: Name on the page.
        steps: Steps of the program's optimiser.
        method: How PyTorch computes it; None where this program computes it.
        overrides: Function from the long side in pixels to the overrides with which this program computes it.
    """

    name: str
    steps: int
    method: PyTorchMethod | None = None
    overrides: Callable[[int], tuple[str, ...]] | None = None


@dataclass(frozen=True)
class PeerProgram:
    """Another program. The loss of the picture that its default setting saves is the target of the race.

    Attributes:
        key: Name in commands and measurements.
        name: Name on the page.
        objective: ``module:class`` of its objective in PyTorch.
        objective_overrides: Overrides for the same network and losses in this program, and for the painting's shape
            where the other program has its own; without an optimiser.
        formula: The objective on the page.
        default: The published setting.
        others: Other settings that the program offers; the one that reaches the target first is its best.
        image: Group ``image`` of the start picture.
    """

    key: str
    name: str
    objective: str
    objective_overrides: tuple[str, ...]
    formula: str
    default: Setting
    others: tuple[Setting, ...] = ()
    image: str = "no_margin"

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The default setting and the others."""
        return (self.default, *self.others)


def _crowsonkb(scales: tuple[float, ...], step_shares: tuple[float, ...]) -> PyTorchMethod:
    return PyTorchMethod(
        Solver.adam,
        learning_rate=0.02,
        betas=(0.9, 0.99),
        scales=scales,
        step_shares=step_shares,
        bounded=True,
        average=0.99,
        keep_moments=True,
    )


CROWSONKB_SCALES, CROWSONKB_SHARES = (0.25, 2**-1.5, 0.5, 2**-0.5, 1.0), (2, 1, 1, 1, 1)
"""Sizes of style-transfer-pytorch, and the shares of its steps."""

KERAS_LONG_SIDE = 600
"""Long side of a photograph of 3:2 with the 400 rows of the Keras example, for which its learning rate is meant."""


def _keras_example(size: int) -> tuple[str, ...]:
    """Return the overrides of the Keras example, whose learning rate must shrink with the area."""
    rate = 100 * min(1.0, (size / KERAS_LONG_SIDE) ** 2)
    return ("experiment=keras_io", "image.fit=long_side", FLOAT32, f"optimizer.learning_rate={rate:.6g}")


def _tutorial(*changes: str) -> Callable[[int], tuple[str, ...]]:
    return lambda size: ("experiment=tf_tutorial", FLOAT32, *changes)


PEERS = {
    peer.key: peer
    for peer in (
        PeerProgram(
            key="neural_style",
            name="neural-style-pt",
            objective=PYTORCH_SIDE + ":NeuralStyle",
            objective_overrides=("loss=neural_style", "layers=neural_style", "weights=neural_style"),
            formula="`5 · mean (F−P)² + 100 · Σ mean (ΔG)² + 1e-3 · Σ |Δ|`",
            default=Setting("L-BFGS from noise", 1000, PyTorchMethod(start="noise")),
            others=(
                Setting("L-BFGS, `-init image`", 1000, PyTorchMethod()),
                Setting("Adam, `-init image`", 1000, PyTorchMethod(Solver.adam)),
            ),
            image="neural_style",
        ),
        PeerProgram(
            key="pastiche",
            name="pastiche",
            objective=PYTORCH_SIDE + ":Pastiche",
            objective_overrides=(
                *("loss=gatys_pytorch", "layers=gatys_pytorch", "weights=gatys_pytorch"),
                *("losses.content.weight=0.01", "losses.style.weight=10"),
            ),
            formula="`0.01 · mean (F−P)² + Σ 10/C² · mean (ΔG)²`",
            default=Setting("L-BFGS from the photograph", 1000, PyTorchMethod()),
            others=(
                Setting("L-BFGS, half the size first", 1000, PyTorchMethod(scales=(0.5, 1.0), step_shares=(1, 1))),
                Setting("Adam", 1000, PyTorchMethod(Solver.adam)),
            ),
        ),
        PeerProgram(
            key="crowsonkb",
            name="style-transfer-pytorch",
            objective="benchmarks.crowsonkb:Crowsonkb",
            objective_overrides=(
                *("loss=crowsonkb", "layers=crowsonkb", "weights=crowsonkb"),
                "backbone.preprocessing=torch_on_caffe",
            ),
            formula="`0.015 · mean (F−P)² + Σ w W₂² / C + 2 · V`",
            default=Setting("five sizes", 3000, _crowsonkb(CROWSONKB_SCALES, CROWSONKB_SHARES)),
            others=(
                Setting("five sizes, a third of the steps", 1000, _crowsonkb(CROWSONKB_SCALES, CROWSONKB_SHARES)),
                Setting("one size", 1500, _crowsonkb((1.0,), (1,))),
            ),
        ),
        PeerProgram(
            key="tf_tutorial",
            name="TensorFlow's tutorial",
            objective=PYTORCH_SIDE + ":TensorFlowTutorial",
            objective_overrides=("loss=tf_tutorial", "layers=keras_io", "weights=tf_tutorial"),
            formula="`1e4 · mean (F−P)² + 2e-3 · Σ mean (ΔG)² + 30 · Σ |Δ|`",
            default=Setting("Adam", 1000, overrides=_tutorial()),
            others=(
                Setting(
                    "Adam, β₁ and ε of Keras",
                    1000,
                    overrides=_tutorial("optimizer.beta_1=0.9", "optimizer.epsilon=1e-7"),
                ),
            ),
        ),
        PeerProgram(
            key="keras_io",
            name="Keras's example",
            objective=PYTORCH_SIDE + ":KerasExample",
            objective_overrides=(
                *("loss=keras_io", "layers=keras_io", "weights=keras_io"),
                "image.style_fit=content",  # its Gram matrices are plain sums, so both pictures need one shape
            ),
            formula="`2.5e-8 · Σ (F−P)² + 2e-7 · Σ Σ (ΔG)² / (36 (HW)²) + 1e-6 · Σ (Δv² + Δh²)^1.25`",
            default=Setting("gradient descent", 4000, overrides=_keras_example),
        ),
    )
}
"""The other programs by their keys."""
