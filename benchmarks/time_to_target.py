"""Time to target: seconds until this program's saved picture has the loss of another program's saved picture.

A peer runs to its end with its own settings. All pictures are read from their 8-bit PNG files, and their losses are
computed in float32 by the same network, with the peer's own objective.
"""

import logging
import tempfile
from pathlib import Path

from benchmarks.benchmark import Benchmark
from benchmarks.ledger import Measurement
from benchmarks.processes import worker_process
from benchmarks.variants import FLOAT32, OURS_SIDE, PEERS, TARGET_STEPS, TARGET_VARIANTS, PeerProgram

log = logging.getLogger(__name__)

CURVE_INTERVAL = 50
"""Evaluations between the points of a peer's loss curve."""

SNAPSHOT_INTERVAL = 5
"""Steps between the snapshots whose losses are compared with the target."""


def measure_time_to_target(benchmark: Benchmark) -> None:
    """Run every peer, and measure the time in which each variant reaches the loss of the peer's picture."""
    size, ledger = benchmark.target_size, benchmark.ledger
    for peer in PEERS:
        objective = benchmark.overrides(size, *peer.objective_overrides, square=False)
        if not ledger.values("target seconds", peer.name, size):
            _run_peer(benchmark, peer, objective)
        (target_loss,) = ledger.values("target loss", peer.name, size)
        (peer_seconds,) = ledger.values("target seconds", peer.name, size)
        for name, overrides in TARGET_VARIANTS.items():
            contestant = f"{name}, {peer.experiment}"
            if ledger.values("target seconds", contestant, size):
                continue
            seconds, loss = _reach_target(benchmark, objective, overrides, target_loss)
            ledger.add(
                Measurement("target loss", contestant, size, loss, "loss"),
                Measurement("target seconds", contestant, size, seconds, "s"),
            )
            log.info("%s: %.1f s to loss %.6g, %.1f times as fast", contestant, seconds, loss, peer_seconds / seconds)


def _run_peer(benchmark: Benchmark, peer: PeerProgram, objective: tuple[str, ...]) -> None:
    """Run a peer, and record its loss curve, its seconds and the loss of its saved picture."""
    size, steps = benchmark.target_size, max(1, round(benchmark.step_share * peer.steps))
    picture = benchmark.folder / f"peer_{peer.experiment}_{size}.png"
    if peer.function is None:
        experiment = f"experiment={peer.experiment}"
        settings = benchmark.overrides(size, experiment, FLOAT32, f"steps={steps}", square=False)
        with worker_process() as call:
            seconds, losses = call(OURS_SIDE + ":run_experiment", settings, picture)
    else:
        sizes = [round(size * scale) for scale in peer.scales]
        inputs = [benchmark.peer_inputs(side, square=False, experiment=peer.experiment) for side in sizes]
        with worker_process() as call:
            seconds, losses = call(peer.function, inputs, steps, picture)
    with worker_process() as call:
        (total,) = call(OURS_SIDE + ":picture_losses", objective, [str(picture)])
    curve = [(number, loss) for number, loss in enumerate(losses, 1) if number % CURVE_INTERVAL == 0]
    benchmark.ledger.add(
        *(Measurement("target curve", f"{peer.name}, {number}", size, loss, "loss") for number, loss in curve),
        Measurement("target loss", peer.name, size, total, "loss"),
        Measurement("target seconds", peer.name, size, seconds, "s"),
    )
    log.info("%s: %.1f s, loss of the saved picture %.6g", peer.name, seconds, total)


def _reach_target(
    benchmark: Benchmark, objective: tuple[str, ...], overrides: tuple[str, ...], target_loss: float
) -> tuple[float, float]:
    """Run a variant with snapshots.

    Returns:
        Seconds and loss of the first snapshot that reaches the target. Where none does: infinity and the smallest loss.
    """
    settings = (*objective, *overrides, f"steps={round(benchmark.step_share * TARGET_STEPS)}")
    with tempfile.TemporaryDirectory(dir=benchmark.folder) as folder, worker_process() as call:
        snapshots = call(OURS_SIDE + ":run_with_snapshots", settings, Path(folder) / "run", SNAPSHOT_INTERVAL)
        losses = call(OURS_SIDE + ":picture_losses", objective, [file for _, file in snapshots])
    for (seconds, _), loss in zip(snapshots, losses, strict=True):
        if loss <= target_loss:
            return seconds, loss
    return float("inf"), min(losses)
