"""Variants of one evaluation, and complete runs of other programs with their settings."""

from dataclasses import dataclass

OURS_SIDE, PYTORCH_SIDE = "benchmarks.ours", "benchmarks.pytorch"
"""Modules of the two sides."""

GFLOP_PER_PIXEL = 2 * 2 * 361152 / 1e9
"""Operations per pixel of an evaluation on VGG-19 to conv5_1, forward and backward to the pixels, in 10⁹.

361152 multiplications per pixel and pass, each with an addition.
"""

FLOAT32, BFLOAT16, RECOMPUTE = "runtime.precision=float32", "runtime.precision=mixed_bfloat16", "runtime.recompute=true"

VARIANTS = {
    "nst_tf float32": (FLOAT32,),
    "nst_tf float32, recompute": (FLOAT32, RECOMPUTE),
    "nst_tf bfloat16": (BFLOAT16,),
    "nst_tf bfloat16, recompute": (BFLOAT16, RECOMPUTE),
    "PyTorch float32": None,
    "PyTorch bfloat16": None,
}
"""Variants of the same evaluation, with this program's overrides; None for PyTorch, whose precision ends the name."""

TIMED_VARIANTS = ("nst_tf float32", "nst_tf bfloat16", "PyTorch float32", "PyTorch bfloat16")
"""Variants whose seconds are measured."""

MEMORY_VARIANTS = (
    *("nst_tf float32", "nst_tf float32, recompute", "nst_tf bfloat16", "nst_tf bfloat16, recompute"),
    "PyTorch float32",
)
"""Variants whose memory is measured."""

STARTUP_SIZE = 64
"""Long side in pixels of the picture for which the start-up is measured."""

COARSE_TO_FINE = ("schedule=coarse_to_fine", "schedule.scales=[0.5,1.0]", "schedule.step_shares=[1,2]")

TARGET_VARIANTS = {
    "nst_tf float32": (FLOAT32,),
    "nst_tf bfloat16": (BFLOAT16,),
    "nst_tf bfloat16, coarse to fine": (BFLOAT16, *COARSE_TO_FINE),
}
"""Variants whose time to a peer's loss is measured, with the default start, optimiser and bounds of this program."""

TARGET_STEPS = 600
"""Largest number of steps in which they may reach the loss."""


@dataclass(frozen=True)
class PeerProgram:
    """Another program, which runs with its published settings. The loss of its saved picture is the target.

    Attributes:
        name: Name on the page.
        experiment: Experiment of this program with all settings of the peer.
        objective_overrides: Overrides for the network and losses of the peer, without its optimiser.
        function: ``module:function`` of the PyTorch side; None where this program runs the experiment.
        steps: Steps of the peer's optimiser.
        scales: Sizes of the peer's pictures as fractions of the last one.
    """

    name: str
    experiment: str
    objective_overrides: tuple[str, ...]
    function: str | None
    steps: int
    scales: tuple[float, ...] = (1.0,)


PEERS = (
    PeerProgram(
        name="neural-style-pt in PyTorch",
        experiment="neural_style",
        objective_overrides=(
            *("loss=neural_style", "layers=gatys", "weights=neural_style"),
            "losses.style.over_layers=sum",
        ),
        function=PYTORCH_SIDE + ":run_neural_style",
        steps=1000,
    ),
    PeerProgram(
        name="crowsonkb in PyTorch",
        experiment="crowsonkb",
        objective_overrides=(
            *("loss=crowsonkb", "layers=crowsonkb", "weights=crowsonkb"),
            "backbone.preprocessing=torch_on_caffe",
        ),
        function="benchmarks.crowsonkb:run_crowsonkb",
        steps=3000,
        scales=(0.25, 2**-1.5, 0.5, 2**-0.5, 1.0),
    ),
    PeerProgram(
        name="TensorFlow tutorial",
        experiment="tf_tutorial",
        objective_overrides=(
            *("loss=tf_tutorial", "layers=gatys", "weights=tf_tutorial"),
            "losses.content.layers=[conv5_2]",
        ),
        function=None,
        steps=1000,
    ),
)
"""The other programs."""
