"""A stylisation problem: pictures, network, losses and optimiser, ready for the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from nst_tf.backbones import Extractor
from nst_tf.images import Canvas, Noise, Picture
from nst_tf.losses import Loss
from nst_tf.optimization.cache import RunCache
from nst_tf.optimization.execution import Execution
from nst_tf.optimization.footprint import Footprint, MemoryPlan, check_fits, fits_easily, fitting_factor
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.schedule import Schedule
from nst_tf.optimizers import Optimizer
from nst_tf.system.memory import resident_mb
from nst_tf.util.lazy import tf


@dataclass
class Problem:
    """A stylisation problem, independent of the run folder that records its solution.

    Attributes:
        extractor: The network: picture to the features that the losses compare.
        execution: How the network computes.
        losses: Named losses.
        optimizer: Settings of the optimiser.
        canvas: Sizes, colours and start.
        schedule: Scales and stop rules.
        steps: Solver steps over all scales.
        seed: Seed of the start's noise.
        content: The content picture at its own size.
        styles: The style pictures at their own sizes.
        shares: Share of each style, summing to 1.
        cache: Builds targets and compiled loops, or reuses those of earlier runs.
    """

    extractor: Extractor
    execution: Execution
    losses: Mapping[str, Loss]
    optimizer: Optimizer
    canvas: Canvas
    schedule: Schedule
    steps: int
    seed: int
    content: Picture
    styles: Sequence[Picture]
    shares: Sequence[float]
    cache: RunCache = field(default_factory=RunCache)

    def pictures(self, factor: float = 1.0) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return content and styles at ``factor`` times the full size, ``(1, H, W, 3)`` float32 each."""
        content = self.canvas.content(self.content, factor)
        return content, self.canvas.styles(self.styles, content, factor)

    def objective(self, content: np.ndarray, styles: Sequence[np.ndarray]) -> Objective:
        """Return the objective, with targets from these pictures and layers balanced if a loss asks for it.

        Layers are balanced at the start that the canvas gives for this size. The picture of a smaller scale is not
        used, so that a resumed run has the same balance.

        Args:
            content: ``(1, H, W, 3)``, as `pictures` returns it.
            styles: ``(1, h, w, 3)`` each, as `pictures` returns them.

        Raises:
            InputError: See `Objective.prepare`.
        """
        objective = self.cache.objective(self.extractor, self.losses, content, styles, self.shares)
        if not objective.gradient_balanced:
            return objective
        white_noise = replace(self.canvas, start="noise", start_weights=None, noise=Noise.uniform, noise_scale=1.0)
        start, noise = (canvas.start_image(content, styles, self.seed) for canvas in (self.canvas, white_noise))
        return objective.balance_gradients(tf.constant(start), tf.constant(noise))

    def footprint(self) -> Footprint:
        """Return what determines the memory of the full size."""
        content = self.canvas.shape(self.content)
        styles = [self.canvas.style_shape(style, content) for style in self.styles]
        copies = self.optimizer.image_copies + bool(self.schedule.average)
        return Footprint(self.extractor, content, styles, copies, self.optimizer)

    def fit_memory(self, device: str, size_factor: float | None = None) -> tuple[Problem, MemoryPlan]:
        """Return the problem at a size that fits into the available memory, and the plan for the record.

        The cache is emptied first unless the problem needs little. Without ``image.fit_memory`` the size stays.

        Args:
            device: TensorFlow's name of the device.
            size_factor: Factor of the requested size that an earlier part of the run used; None for a new run.

        Raises:
            InputError: The problem does not fit, and ``image.fit_memory`` is off.
        """
        footprint = self.footprint()
        if not fits_easily(footprint, device):
            self.cache.clear()
        factor = size_factor or (fitting_factor(footprint, device) if self.canvas.fit_memory else 1.0)
        problem = self if factor >= 1 else replace(self, canvas=self.canvas.smaller(factor))
        needed, available = check_fits(problem.footprint(), device)
        return problem, MemoryPlan(factor, needed, available, resident_mb())
