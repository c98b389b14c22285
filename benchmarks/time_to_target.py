"""The race: seconds until a saved picture has the loss of the picture that another program saves by default.

The other program runs to its end with its published setting; the loss of its picture is the target. Then its other
settings, and this program, run until a snapshot reaches the target. All pictures are read from 8-bit PNG files, and
their losses are computed in float32 from the same pixels, by the program's own formula in PyTorch and by this program's
formula. Both must agree; the first one counts.
"""

import logging
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.benchmark import Benchmark, Pair
from benchmarks.ledger import Measurement
from benchmarks.peers import PEERS, PeerProgram, Setting
from benchmarks.processes import Call, worker_process
from benchmarks.snapshots import PeerRun
from benchmarks.variants import OURS_SIDE, TARGET_STEPS, TARGET_VARIANTS
from nst_tf.util.errors import InputError

log = logging.getLogger(__name__)

RUNS = "benchmarks.pytorch_runs"
"""Module of the complete runs in PyTorch."""

CURVE_INTERVAL = 50
"""Steps between the points of a program's loss curve."""

SNAPSHOT_INTERVAL = 5
"""Steps between the snapshots whose losses are compared with the target."""

STOP_SHARE = 0.97
"""Share of the target's loss by this program's formula at which this program ends its run.

It is below 1, because rounding to 8 bits raises the loss, and the loss of an iterate may be computed in bfloat16.
"""

TOLERANCE = 2e-3
"""Largest relative difference between both sides' losses of one picture."""


def measure_time_to_target(benchmark: Benchmark) -> None:
    """Run the race for every size, pair and program; contestants that have been measured do not run again."""
    for size in benchmark.target_sizes:
        for pair in benchmark.pairs:
            for key in benchmark.peers:
                with worker_process() as peers_scorer, worker_process() as our_scorer:
                    _Race(benchmark, PEERS[key], pair, size, peers_scorer, our_scorer).run()


@dataclass
class _Race:
    """The race to one program's picture.

    Attributes:
        benchmark: Settings of the benchmark.
        peer: The program.
        pair: The pictures.
        size: Their long side in pixels.
        peers_scorer: Calls a function in a process that computes losses by the program's formula. It waits while a
            contestant runs.
        our_scorer: Likewise for this program's formula.
    """

    benchmark: Benchmark
    peer: PeerProgram
    pair: Pair
    size: int
    peers_scorer: Call
    our_scorer: Call

    def run(self) -> None:
        """Run the contestants that have not been measured, first the one that sets the target.

        Raises:
            InputError: The two formulas do not agree, so that the race would not be fair.
        """
        variants = self.benchmark.in_precisions(TARGET_VARIANTS)
        if all(map(self._is_measured, [*(setting.name for setting in self.peer.settings), *variants])):
            return
        self._compare_formulas()
        if not self._is_measured(self.peer.default.name):
            self._run_default()
        target = self._values("target loss", self.peer.default.name)[0]
        for setting in self.peer.others:
            if not self._is_measured(setting.name):
                self._run_setting(setting, target)
        for name in variants:
            if not self._is_measured(name):
                overrides = TARGET_VARIANTS[name]
                steps = self.benchmark.steps(TARGET_STEPS)
                self._run_ours(name, self._overrides(*self.peer.objective_overrides, *overrides), steps, target)

    def _compare_formulas(self) -> None:
        """Compare both formulas before the first run, which may take an hour, at the mirrored photograph.

        At the photograph itself, the content loss is 0 whatever its formula is.
        """
        picture = self._picture("mirrored photograph")
        self.our_scorer(OURS_SIDE + ":write_mirrored_content", self._objective_overrides(), picture)
        self._losses(picture)

    def _objective_overrides(self) -> tuple[str, ...]:
        return self._overrides(*self.peer.objective_overrides)

    def _values(self, measurement: str, contestant: str) -> list[float]:
        ledger = self.benchmark.ledger
        return ledger.values(measurement, f"{self.peer.key}: {contestant}", self.size, self.pair.name)

    def _is_measured(self, contestant: str) -> bool:
        return bool(self._values("target seconds", contestant))

    def _overrides(self, *settings: str) -> tuple[str, ...]:
        return self.benchmark.overrides(self.size, *settings, pair=self.pair)

    def _picture(self, contestant: str) -> Path:
        name = "".join(letter if letter.isalnum() else "_" for letter in contestant)
        return self.benchmark.pair_folder(self.pair) / f"{self.peer.key}_{self.size}_{name}.png"

    def _run_default(self) -> None:
        """Run the published setting to its end, and record its loss curve and its picture's loss."""
        setting = self.peer.default
        picture, steps = self._picture(setting.name), self.benchmark.steps(setting.steps)
        if setting.method is not None:
            run = self._run_in_pytorch(setting, picture)
        else:
            overrides = (*self._setting_overrides(setting), f"output={picture}", f"steps={steps}")
            with tempfile.TemporaryDirectory(dir=self.benchmark.folder) as folder, worker_process() as call:
                run = call(OURS_SIDE + ":run_config", overrides, Path(folder) / "run", CURVE_INTERVAL)
        self._record(setting.name, run.seconds if self.benchmark.times_defaults else math.nan, picture)
        curve = [(step, loss) for step, loss in run.curve if step and step % CURVE_INTERVAL == 0]
        self.benchmark.ledger.add(
            *(self._measurement("target curve", f"{setting.name}, {step}", loss, "loss") for step, loss in curve)
        )

    def _run_setting(self, setting: Setting, target: float) -> None:
        """Run another setting of the program until a snapshot reaches the target.

        In PyTorch, it ends when it has taken longer than the program's best one so far, since it cannot be the best.
        """
        if setting.method is None:
            steps = self.benchmark.steps(setting.steps)
            self._run_ours(setting.name, self._setting_overrides(setting), steps, target)
            return
        picture = self._picture(setting.name)
        so_far = [value for known in self.peer.settings for value in self._values("target seconds", known.name)]
        limit = min((value for value in so_far if not math.isnan(value)), default=math.inf)
        run = self._run_in_pytorch(setting, picture, SNAPSHOT_INTERVAL, target, limit)
        last = run.snapshots[-1]
        assert last.loss is not None
        self._record(setting.name, last.seconds if last.loss <= target else math.inf, picture)

    def _run_in_pytorch(self, setting: Setting, picture: Path, *limits: float) -> PeerRun:
        """Run a setting in PyTorch, with the arguments of `run_method` that end a run early."""
        assert setting.method is not None
        sizes = [round(self.size * scale) for scale in setting.method.scales]
        inputs = [self.benchmark.peer_inputs(side, self.peer, self.pair) for side in sizes]
        arguments = (inputs, setting.method, self.benchmark.steps(setting.steps), picture, *limits)
        with worker_process() as call:
            run: PeerRun = call(RUNS + ":run_method", self.peer.objective, *arguments)
        return run

    def _setting_overrides(self, setting: Setting) -> tuple[str, ...]:
        assert setting.overrides is not None
        return self._overrides(*setting.overrides(self.size))

    def _run_ours(self, name: str, overrides: tuple[str, ...], steps: int, target: float) -> None:
        """Run a config of this program, and record the first snapshot that reaches the target, or else the last one."""
        (our_target,) = self._values("target loss by nst_tf", self.peer.default.name)
        settings = (*overrides, f"steps={steps}")
        for stop_below in (STOP_SHARE * our_target, 0.0):  # the second takes all steps if the first ended too early
            with tempfile.TemporaryDirectory(dir=self.benchmark.folder) as folder:
                arguments = (settings, Path(folder) / "run", SNAPSHOT_INTERVAL, stop_below)
                with worker_process() as call:
                    run: PeerRun = call(OURS_SIDE + ":run_config", *arguments)
                losses = self._losses_by_peer([snapshot.file for snapshot in run.snapshots], target)
                snapshot = run.snapshots[len(losses) - 1]
                picture = self._picture(name)
                picture.write_bytes(snapshot.file.read_bytes())
            is_reached = losses[-1] <= target
            if is_reached or run.curve[-1][0] == steps:
                break
        self._record(name, snapshot.seconds if is_reached else math.inf, picture)

    def _losses_by_peer(self, files: list[Path], target: float | None = None) -> list[float]:
        inputs = self.benchmark.peer_inputs(self.size, self.peer, self.pair)
        losses: list[float] = self.peers_scorer(RUNS + ":picture_losses", self.peer.objective, inputs, files, target)
        return losses

    def _losses(self, picture: Path) -> tuple[float, float, float]:
        """Return the loss of a saved picture by both formulas, the program's first, and their relative difference.

        Raises:
            InputError: The two formulas do not agree.
        """
        (loss,) = self._losses_by_peer([picture])
        inputs = self.benchmark.peer_inputs(self.size, self.peer, self.pair)
        converged = self.peers_scorer(RUNS + ":converged_loss", self.peer.objective, inputs, picture)
        (ours,) = self.our_scorer(OURS_SIDE + ":picture_losses", self._objective_overrides(), [picture])
        difference = abs(ours / converged - 1)
        if not difference <= TOLERANCE:
            raise InputError(
                f"'{picture}' has the loss {converged:.6g} by {self.peer.name}'s formula and {ours:.6g} by this "
                f"program's: they differ by more than {TOLERANCE:g} times the loss. If '{inputs.name}' beside it was "
                f"written by an earlier version, remove it"
            )
        return loss, ours, difference

    def _record(self, contestant: str, seconds: float, picture: Path) -> None:
        """Add the seconds of a contestant and the loss of its saved picture by both formulas."""
        loss, ours, difference = self._losses(picture)
        self.benchmark.ledger.add(
            self._measurement("target loss", contestant, loss, "loss"),
            self._measurement("target loss by nst_tf", contestant, ours, "loss"),
            self._measurement("target difference", contestant, difference, "1"),
            self._measurement("target seconds", contestant, seconds, "s"),
        )
        log.info(
            "%s, %s, %d px: %s: %.1f s, loss %.6g", self.peer.key, self.pair.name, self.size, contestant, seconds, loss
        )

    def _measurement(self, measurement: str, contestant: str, value: float, unit: str) -> Measurement:
        return Measurement(measurement, f"{self.peer.key}: {contestant}", self.size, value, unit, self.pair.name)
