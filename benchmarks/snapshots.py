"""The result of a complete run of either side: its seconds, its loss curve and its snapshots."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Snapshot:
    """A picture that was saved during a run.

    Attributes:
        seconds: Seconds of optimisation until then, with compilation and without the saving.
        file: The 8-bit picture. Later snapshots of a run in PyTorch replace it.
        loss: Its loss by the peer's formula; None where it is not computed during the run.
    """

    seconds: float
    file: Path
    loss: float | None = None


@dataclass
class PeerRun:
    """A complete run.

    Attributes:
        seconds: Seconds of optimisation, with compilation and without snapshots.
        curve: Numbers of steps and the loss that the program computes then.
        snapshots: The snapshots in their order.
    """

    seconds: float = 0.0
    curve: list[tuple[int, float]] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
