"""The settings of one benchmark, and the inputs and calls that its measurements share."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ledger import Ledger
from benchmarks.peers import PEERS, PeerProgram
from benchmarks.processes import worker_process
from benchmarks.variants import FLOAT32, OURS_SIDE, PRECISIONS, PYTORCH_SIDE, VARIANTS


@dataclass(frozen=True)
class Pair:
    """A photograph and a painting.

    Attributes:
        content: The photograph: a path or ``sample:NAME``.
        style: The painting: a path or ``sample:NAME``.
    """

    content: str
    style: str

    @property
    def name(self) -> str:
        """The names of both without folder and ending, which also name a folder."""
        return " + ".join(Path(picture).stem.removeprefix("sample:") for picture in (self.content, self.style))


@dataclass
class Benchmark:
    """Settings of a benchmark.

    Attributes:
        pairs: Pictures of the race; the other measurements use the first pair.
        weights: Weights of VGG-19, as ``backbone.weights`` takes them.
        folder: Folder for measurements, pictures and runs.
        ledger: The measurements so far.
        sizes: Long sides in pixels at which evaluations are timed.
        memory_sizes: Long sides in pixels at which memory is measured.
        area_sizes: Long sides in pixels at which the seconds are measured against the area.
        picture_size: Long side in pixels of the picture whose complete command is timed.
        rounds: Number of alternating rounds of timings.
        target_sizes: Long sides in pixels of the pictures of the race.
        peers: Keys of the programs in the race.
        step_share: Fraction of their steps that all complete runs get.
        precisions: Precisions that are measured.
        times_defaults: Whether the seconds of the published settings, which set the targets, are kept.
    """

    pairs: tuple[Pair, ...]
    weights: str
    folder: Path
    ledger: Ledger
    sizes: tuple[int, ...] = (256, 512)
    memory_sizes: tuple[int, ...] = (512, 1024)
    area_sizes: tuple[int, ...] = (128, 256, 512, 768, 1024)
    picture_size: int = 512
    rounds: int = 5
    target_sizes: tuple[int, ...] = (256,)
    peers: tuple[str, ...] = tuple(PEERS)
    step_share: float = 1.0
    precisions: tuple[str, ...] = PRECISIONS
    times_defaults: bool = True

    def in_precisions(self, names: Iterable[str]) -> list[str]:
        """Return the names of variants without those in a precision that is not measured."""
        left_out = [precision for precision in PRECISIONS if precision not in self.precisions]
        return [name for name in names if not any(precision in name for precision in left_out)]

    def steps(self, steps: int) -> int:
        """Return the steps of a complete run that has this many in full."""
        return max(1, round(self.step_share * steps))

    def overrides(self, size: int, *settings: str, pair: Pair | None = None) -> tuple[str, ...]:
        """Return overrides for the pictures and VGG-19 at one size.

        Args:
            size: Long side in pixels.
            settings: Further overrides.
            pair: Pictures of the race. By default the first pair, made square, so that a size has one area.
        """
        pictures = pair or self.pairs[0]
        square = [] if pair else ["image.fit=exact", "image.style_fit=content"]
        return (
            *("backbone=vgg19", *settings, f"content={pictures.content}", f"style={pictures.style}"),
            *(f"backbone.weights={self.weights}", f"image.size={size}", "image.margin=0", *square),
        )

    def peer_inputs(self, size: int, peer: PeerProgram = PEERS["neural_style"], pair: Pair | None = None) -> Path:
        """Return the file of pictures and weights for the PyTorch side; write it if there is none.

        The PyTorch side computes with the pixels of this program, also for its targets.

        Args:
            size: Long side in pixels.
            peer: The program whose start picture and network are needed.
            pair: As for `overrides`.
        """
        path = self.pair_folder(pair) / f"peer_inputs_{peer.key}_{size}.npz"
        if not path.exists():
            overrides = self.overrides(size, *peer.objective_overrides, f"image={peer.image}", FLOAT32, pair=pair)
            with worker_process() as call:
                call(OURS_SIDE + ":write_peer_inputs", overrides, path)
        return path

    def pair_folder(self, pair: Pair | None) -> Path:
        """Return the folder of a pair's files; by default that of the square pictures."""
        folder = self.folder / (pair.name if pair else "square")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

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
