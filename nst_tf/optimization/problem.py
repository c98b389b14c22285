"""What a run optimises: pictures, network, losses and optimiser, brought together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from nst_tf.backbones import Extractor
from nst_tf.images import Canvas, Noise, Picture
from nst_tf.losses import Loss
from nst_tf.optimization.cache import RunCache
from nst_tf.optimization.footprint import Footprint
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.schedule import Schedule
from nst_tf.optimizers import Optimizer
from nst_tf.util.lazy import tf


@dataclass
class Problem:
    """Everything a run optimises, without a word on where it is kept.

    Attributes:
        extractor: Picture to the features that the losses compare.
        losses: Named losses.
        optimizer: What moves the pixels.
        canvas: Sizes, colours and start.
        schedule: Scales and stop rules.
        steps: Solver steps over all scales.
        seed: Of the start's noise.
        content: The photograph at its own size.
        styles: The paintings at their own sizes.
        shares: One share a style, summing to 1.
        cache: Where targets and compiled steps are made, or are at hand from a run before.
    """

    extractor: Extractor
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
        """Content and styles as they are compared at a part of the full size, ``(1, H, W, 3)`` float32 each."""
        content = self.canvas.content(self.content, factor)
        return content, self.canvas.styles(self.styles, content, factor)

    def objective(self, content: np.ndarray, styles: Sequence[np.ndarray]) -> Objective:
        """What the optimiser lowers, its targets and the balance of its layers computed from `pictures`.

        Layers are balanced at the start as the canvas gives it at this size, not at what a smaller scale left, so
        that a continued run finds the same balance.

        Raises:
            InputError: See `Objective.prepare`.
        """
        objective = self.cache.objective(self.extractor, self.losses, content, styles, self.shares)
        if not objective.gradient_balanced:
            return objective
        noise = replace(self.canvas, start="noise", start_weights=None, noise=Noise.uniform, noise_scale=1.0)
        start, elsewhere = (canvas.start_image(content, styles, self.seed) for canvas in (self.canvas, noise))
        return objective.balance_gradients(tf.constant(start), tf.constant(elsewhere))

    def footprint(self) -> Footprint:
        """What decides how much memory the full size takes."""
        content = self.canvas.shape(self.content)
        styles = [self.canvas.style_shape(style, content) for style in self.styles]
        copies = self.optimizer.image_copies + bool(self.schedule.average)
        return Footprint(self.extractor, content, styles, copies)
