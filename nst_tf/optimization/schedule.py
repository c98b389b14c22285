"""The schedule of a run: its scales, their shares of the steps, and the rules that end it early."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from nst_tf.losses import Loss
from nst_tf.optimization.phases import Phase
from nst_tf.optimizers import Optimizer
from nst_tf.util.checks import above, at_least, convert_fields, fraction
from nst_tf.util.errors import InputError
from nst_tf.util.roles import role


@dataclass
class Schedule:
    """Settings of the scales, coarse to fine, and of the rules that end a run early.

    Attributes:
        scales: Factors of the full size, rising to 1. The enlarged picture of one scale is the start of the next.
            Default ``[1.0]``, a single size.
        step_shares: Share of the run's steps for each scale. None, the default, gives equal shares. A scale that
            converges early leaves its steps to the next.
        phases: The phases of the run in order, each with its own scale, steps, settings of losses and optimiser, and
            start, see `nst_tf.optimization.phases.Phase`; the scale of the last is 1. They take the place of ``scales``
            and ``step_shares``. Empty, the default, makes one phase of each scale.
        stop_change: Largest change of the loss, in percent over ``stop_window`` steps, that counts as convergence.
            None, the default, never stops. Ruder, Dosovitskiy & Brox 2016 use 0.01 over 50 steps.
        stop_window: Number of steps that ``stop_change`` refers to. Default 50.
        growth: Factor of the start's loss above which the run has diverged. Default 1e4.
        average: Decay d of the exponential moving average of a scale's pictures, including its start x₀:
            ``Σ dⁿ⁻ⁱ xᵢ / Σ dⁿ⁻ⁱ`` after n steps. With an average, it is the picture that is saved, shown, enlarged for
            the next scale, and whose losses are reported. Convergence and divergence depend on the last picture
            alone. 0, the default, keeps no average.
        keep_state: Whether the optimiser keeps its moments, enlarged with the picture, and its step count at the next
            scale. By default it starts afresh.
    """

    scales: list[float] = field(default_factory=lambda: [1.0])
    step_shares: list[float] | None = None
    phases: list[Phase] = field(default_factory=list, metadata=role(implied_value=([], "[]")))
    stop_change: float | None = None
    stop_window: int = 50
    growth: float = 1e4
    average: float = 0.0
    keep_state: bool = False

    def __post_init__(self) -> None:
        convert_fields(self, "schedule.")
        check_scales("schedule.scales", self.scales)
        if self.step_shares is not None and len(self.step_shares) != len(self.scales):
            raise InputError(
                f"schedule.step_shares has {len(self.step_shares)} entries for {len(self.scales)} scales: "
                "give one for each scale, or null for equal shares"
            )
        for share in self.step_shares or []:
            above("schedule.step_shares", share, 0)
        self._check_phases()
        if self.stop_change is not None:
            above("schedule.stop_change", self.stop_change, 0)
        at_least("schedule.stop_window", self.stop_window, 1)
        above("schedule.growth", self.growth, 1)
        fraction("schedule.average", self.average)

    def _check_phases(self) -> None:
        if not self.phases:
            return
        if self.scales != [1.0] or self.step_shares is not None:
            raise InputError(
                f"schedule.scales={self.scales}: the schedule has phases, which have scales and shares of their own. "
                "Set schedule.scales=[1.0] and schedule.step_shares=null, or schedule.phases=[]."
            )
        if self.phases[-1].scale != 1:
            raise InputError(
                f"schedule.phases: the last has scale={self.phases[-1].scale}; it must be 1, the size of the result"
            )

    def plan(self) -> list[Phase]:
        """Return the phases of the run: ``phases``, or one for each of ``scales``."""
        shares = self.step_shares or [1.0] * len(self.scales)
        return self.phases or [Phase(scale, share) for scale, share in zip(self.scales, shares, strict=True)]

    def unmatched(self, losses: Mapping[str, Loss], optimizer: Optimizer) -> list[str]:
        """Return the keys of ``phases`` that nothing reads, each once, such as ``losses.style.content_weight``."""
        keys = [key for phase in self.phases for key in phase.unmatched(losses, optimizer)]
        return list(dict.fromkeys(keys))

    def ends(self, steps: int) -> list[int]:
        """Return the step at which each phase ends, of ``steps`` over all phases; the last is ``steps``."""
        shares = [phase.share for phase in self.plan()]
        return [round(steps * sum(shares[: n + 1]) / sum(shares)) for n in range(len(shares))]

    @property
    def stop_period(self) -> int:
        """Steps between two checks of the stop rule: a tenth of the window."""
        return max(1, self.stop_window // 10)

    def stop_rule(self) -> "StopRule":
        """Return a new rule for one scale."""
        return StopRule(self.stop_change, self.stop_window)


def check_scales(key: str, scales: Sequence[float]) -> None:
    """Refuse scales that do not rise from above 0 to 1.

    Args:
        key: The setting, for the message.
        scales: Its value.
    """
    rising = all(low < high for low, high in pairwise([0.0, *scales]))  # false for NaN
    if not (rising and scales and scales[-1] == 1):
        raise InputError(f"{key}={scales}: must be factors above 0 that rise to 1.0, such as [0.5,1.0]")


class StopRule:
    """Keeps the recent losses and detects when they have stopped changing.

    Args:
        change: Largest change that counts as convergence, in percent; None for a rule that never stops.
        window: Number of steps over which the change is taken.
    """

    def __init__(self, change: float | None, window: int) -> None:
        self._change, self._window = change, window
        self._losses: deque[tuple[int, float]] = deque()

    def __call__(self, step: int, total: float) -> bool:
        """Return whether the loss changed by at most ``change`` percent since ``window`` or more steps ago.

        Args:
            step: The present step.
            total: The loss at this step, which the rule keeps.
        """
        self._losses.append((step, total))
        while len(self._losses) > 1 and self._losses[1][0] <= step - self._window:
            self._losses.popleft()
        earlier_step, earlier_total = self._losses[0]
        if self._change is None or earlier_step > step - self._window:
            return False
        return abs(total - earlier_total) <= abs(earlier_total) * self._change / 100

    @property
    def history(self) -> list[tuple[int, float]]:
        """Pairs of a step and its loss, for a checkpoint."""
        return list(self._losses)

    def restore(self, history: list[tuple[int, float]]) -> None:
        """Replace the kept losses by the `history` of another rule."""
        self._losses = deque((int(step), float(total)) for step, total in history)
