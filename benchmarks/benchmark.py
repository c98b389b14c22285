"""The settings of one benchmark, and the inputs and calls that its measurements share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ledger import Ledger
from benchmarks.processes import worker_process
from benchmarks.variants import FLOAT32, OURS_SIDE, PYTORCH_SIDE, VARIANTS


@dataclass
class Benchmark:
    """Settings of a benchmark.

    Attributes:
        content: The photograph: a path or ``sample:NAME``.
        style: The painting: a path or ``sample:NAME``.
        weights: Weights of VGG-19, as ``backbone.weights`` takes them.
        folder: Folder for measurements, pictures and runs.
        ledger: The measurements so far.
        sizes: Long sides in pixels at which evaluations are timed.
        memory_sizes: Long sides in pixels at which memory is measured.
        area_sizes: Long sides in pixels at which the seconds are measured against the area.
        rounds: Number of alternating rounds of timings.
        target_size: Long side in pixels of the pictures whose loss is a target.
        step_share: Fraction of their steps that all complete runs get.
    """

    content: str
    style: str
    weights: str
    folder: Path
    ledger: Ledger
    sizes: tuple[int, ...] = (256, 512)
    memory_sizes: tuple[int, ...] = (512, 1024)
    area_sizes: tuple[int, ...] = (128, 256, 512, 768, 1024)
    rounds: int = 5
    target_size: int = 256
    step_share: float = 1.0

    def overrides(self, size: int, *settings: str, square: bool = True) -> tuple[str, ...]:
        """Return overrides for the pictures and VGG-19 at one size; timings use square pictures."""
        fit = ["image.fit=exact", "image.style_fit=content"] if square else []
        return (
            *("backbone=vgg19", *settings, f"content={self.content}", f"style={self.style}"),
            *(f"backbone.weights={self.weights}", f"image.size={size}", *fit),
        )

    def peer_inputs(self, size: int, *, square: bool = True, experiment: str = "neural_style") -> Path:
        """Return the file of pictures and weights for the PyTorch side; write it if there is none."""
        path = self.folder / f"peer_inputs_{experiment}_{size}{'_square' * square}.npz"
        if not path.exists():
            overrides = self.overrides(size, f"experiment={experiment}", FLOAT32, square=square)
            with worker_process() as call:
                call(OURS_SIDE + ":write_peer_inputs", overrides, path)
        return path

    def measure_variant(self, call: Callable[..., Any], function: str, variant: str, size: int, *arguments: int) -> Any:
        """Call a function that both sides have, for the evaluations of one of `VARIANTS`.

        Args:
            call: Calls a function in a worker process.
            function: Name of the function.
            variant: A key of `VARIANTS`.
            size: Long side of the picture in pixels.
            arguments: Further arguments of the function.
        """
        overrides = VARIANTS[variant]
        if overrides is None:
            return call(f"{PYTORCH_SIDE}:{function}", self.peer_inputs(size), variant.split()[1], *arguments)
        settings = self.overrides(size, "experiment=neural_style", *overrides)
        return call(f"{OURS_SIDE}:{function}", settings, *arguments)
