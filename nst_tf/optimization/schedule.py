"""How the steps of a run are spread over sizes, and when a run stops of itself."""

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

from nst_tf.util.checks import above, at_least, fraction
from nst_tf.util.errors import InputError


@dataclass
class Schedule:
    """Sizes to go through, coarse to fine, and the rules that end a run early.

    Attributes:
        scales: Factors of the full size, rising to 1; ``[1.0]`` is a single size. The picture of one scale,
            enlarged, starts the next.
        step_shares: Each scale's share of the run's steps; None for equal shares. A scale that converges early
            leaves its steps to the next.
        stop_change: Converged when the loss changed by less than this many percent over ``stop_window`` steps;
            None never stops on that. Ruder et al. 2016 use 0.01 over 50.
        stop_window: See ``stop_change``. Default 50 steps.
        growth: Diverged when the loss exceeds this many times the start's. Default 1e4.
        average: Decay d of a mean over the pictures of a scale, its start x₀ included: after n steps
            ``Σ dⁿ⁻ⁱ xᵢ / Σ dⁿ⁻ⁱ``. That mean is then the run's picture: the one that is saved, shown, enlarged for the
            next scale, and whose losses are told; those of the last picture alone decide about convergence and
            divergence. 0, the default, takes the last picture itself.
        keep_state: Whether the optimiser takes its moments along to the next scale, enlarged with the picture, and goes
            on counting its steps; by default it begins anew.
    """

    scales: list[float] = field(default_factory=lambda: [1.0])
    step_shares: list[float] | None = None
    stop_change: float | None = None
    stop_window: int = 50
    growth: float = 1e4
    average: float = 0.0
    keep_state: bool = False

    def __post_init__(self) -> None:
        rising = all(low < high for low, high in pairwise([0.0, *self.scales]))  # false for NaN
        if not (rising and self.scales and self.scales[-1] == 1):
            raise InputError(f"schedule.scales={self.scales}: must be factors above 0 that rise to 1.0")
        if self.step_shares is not None and len(self.step_shares) != len(self.scales):
            raise InputError(
                f"schedule.step_shares has {len(self.step_shares)} entries for {len(self.scales)} scales: "
                "give one a scale, or null for equal shares"
            )
        for share in self.step_shares or []:
            above("schedule.step_shares", share, 0)
        if self.stop_change is not None:
            above("schedule.stop_change", self.stop_change, 0)
        at_least("schedule.stop_window", self.stop_window, 1)
        above("schedule.growth", self.growth, 1)
        fraction("schedule.average", self.average)

    def ends(self, steps: int) -> list[int]:
        """The step each scale ends at, of ``steps`` in all; the last is ``steps``."""
        shares = self.step_shares or [1.0] * len(self.scales)
        return [round(steps * sum(shares[: n + 1]) / sum(shares)) for n in range(len(shares))]

    @property
    def stop_period(self) -> int:
        """Steps between looks of the stop rule: a tenth of the window."""
        return max(1, self.stop_window // 10)

    def stop_rule(self) -> "StopRule":
        """A fresh rule for one scale."""
        return StopRule(self.stop_change, self.stop_window)


class StopRule:
    """Remembers losses and says when they have stopped changing.

    Args:
        change: Percent, or None to never stop.
        window: Steps to look back.
    """

    def __init__(self, change: float | None, window: int) -> None:
        self._change, self._window = change, window
        self._losses: deque[tuple[int, float]] = deque()

    def __call__(self, step: int, total: float) -> bool:
        """Whether the loss has changed by less than ``change`` percent since ``window`` steps ago or earlier."""
        self._losses.append((step, total))
        while len(self._losses) > 1 and self._losses[1][0] <= step - self._window:
            self._losses.popleft()
        then, before = self._losses[0]
        if self._change is None or then > step - self._window:
            return False
        return abs(total - before) <= abs(before) * self._change / 100

    @property
    def history(self) -> list[tuple[int, float]]:
        """The remembered losses, for a checkpoint."""
        return list(self._losses)

    def restore(self, history: list[tuple[int, float]]) -> None:
        """Take up remembered losses."""
        self._losses = deque((int(step), float(total)) for step, total in history)
