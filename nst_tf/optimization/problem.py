"""A stylisation problem: pictures, network, losses and optimiser, ready for the engine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nst_tf.backbones import Extractor
from nst_tf.images import (
    TILE_OFF,
    Canvas,
    Finishing,
    Noise,
    Picture,
    RegionMasks,
    Regions,
    StyleFit,
    crop,
    extend,
    opaque_regions,
    resize,
)
from nst_tf.losses import Loss
from nst_tf.optimization.cache import RunCache
from nst_tf.optimization.execution import Execution
from nst_tf.optimization.footprint import (
    Footprint,
    MemoryPlan,
    allows_larger,
    check_fits,
    fits,
    fits_easily,
    fitting_factor,
    fitting_tile,
)
from nst_tf.optimization.layer_gradients import joint_layers
from nst_tf.optimization.objective import Objective
from nst_tf.optimization.phases import Phase, PhaseStart, active_in, terms_in
from nst_tf.optimization.schedule import Schedule
from nst_tf.optimization.terms import Draws, active_losses
from nst_tf.optimization.tile_sums import tile_obstacle
from nst_tf.optimizers import Optimizer, Parametrisation, finest_level, resize_bilinear
from nst_tf.system.memory import resident_mb
from nst_tf.util.errors import InputError
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
        regions: Regions of the content and of the styles, with their masks read.
        parametrisation: The variables that the optimiser moves.
        tile: Side of the square that a tile owns, in pixels; None computes the whole picture at once.
        targets: Targets of losses without references: the name of a loss to its arrays ``(H, W, C)`` in
            [0, 1], at any size.
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
    regions: Regions = field(default_factory=Regions)
    parametrisation: Parametrisation = field(default_factory=Parametrisation)
    tile: int | None = None
    targets: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    cache: RunCache = field(default_factory=RunCache)

    def pictures(self, factor: float = 1.0) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return content and styles at ``factor`` times the full size, ``(1, H, W, 3)`` float32 each.

        The content is extended by the margin, and so are styles that have its shape.
        """
        content, margin = self.canvas.content(self.content, factor), self.canvas.margin_at(factor)
        styles = self.canvas.styles(self.styles, content, factor)
        if self.canvas.style_fit is StyleFit.content:
            styles = [extend(style, margin) for style in styles]
        return extend(content, margin), styles

    def enlarge(self, image: np.ndarray, factor: float, next_factor: float) -> np.ndarray:
        """Return the optimised picture of a scale at the size of the next one, with the margin of that.

        Args:
            image: ``(1, H, W, 3)``, with its margin.
            factor: Fraction of the full size that the picture has.
            next_factor: Fraction of the full size that it gets.
        """
        inner = crop(image, self.canvas.margin_at(factor))[0]
        resized = resize(inner, *self.canvas.shape(self.content, next_factor))[None]
        return extend(resized, self.canvas.margin_at(next_factor))

    def start(
        self,
        phase: Phase,
        content: np.ndarray,
        styles: Sequence[np.ndarray],
        before: tuple[np.ndarray, float] | None,
    ) -> np.ndarray:
        """Return the start picture of a phase, ``(1, H, W, 3)`` with its margin.

        Args:
            phase: The phase.
            content: ``(1, H, W, 3)``, as `pictures` returns it.
            styles: ``(1, h, w, 3)`` each, as `pictures` returns them.
            before: The picture of the phase before and the fraction of the full size that it has; None in the first.
        """
        if phase.start is PhaseStart.content:
            return content
        height, width = content.shape[1:3]
        detail = finest_level(tf.constant(content)).numpy()
        if phase.start is PhaseStart.mean_laplacian:
            shares = zip(self.shares, styles, strict=True)
            return (sum(share * style.mean(axis=(1, 2), keepdims=True) for share, style in shares) + detail).astype(
                np.float32
            )
        if before is None:
            start = self.canvas.start_image(content, styles, self.seed, self.canvas.margin_at(phase.scale))
        elif phase.start is PhaseStart.last:
            return self.enlarge(before[0], before[1], phase.scale)
        else:
            inner = crop(before[0], self.canvas.margin_at(before[1]))
            margin = self.canvas.margin_at(phase.scale)
            inner = resize_bilinear(tf.constant(inner), height - 2 * margin, width - 2 * margin)
            start = extend(inner.numpy(), margin)
        return start if phase.start is PhaseStart.last else start + detail

    @property
    def term_names(self) -> list[str]:
        """Names of the terms that any phase reports."""
        return terms_in(self.schedule.plan(), self.losses, self.region_names)

    def region_masks(self, styles: Sequence[np.ndarray], factor: float = 1.0) -> list[RegionMasks]:
        """Return the regions that take a style, with masks at ``factor`` times the full size.

        The transparent parts of content and styles are left out of all of them, and of the whole picture.

        Args:
            styles: ``(1, h, w, 3)`` each, as `pictures` returns them.
            factor: Fraction of the full size.

        Raises:
            InputError: See `Regions.at`.
        """
        margin, fits_content = self.canvas.margin_at(factor), self.canvas.style_fit is StyleFit.content
        shape = self.canvas.shape(self.content, factor)
        shapes = [shape if fits_content else (style.shape[1], style.shape[2]) for style in styles]
        regions = self.regions.at(self.content, self.styles, shape, shapes)
        extended = [region.extended(margin, margin if fits_content else 0) for region in regions]
        return opaque_regions(extended, self.content, self.styles, shape, shapes, margin, fits_content)

    @property
    def region_names(self) -> list[str]:
        """Names of the regions that take a style; empty for the whole picture."""
        return self.regions.names(self.content)

    def finish(self, image: np.ndarray, factor: float = 1.0) -> np.ndarray:
        """Turn the optimised picture of a scale into the result, ``(1, H, W, 3)`` float32 in [0, 1].

        Args:
            image: ``(1, H, W, 3)``, with the margin.
            factor: Fraction of the full size.
        """
        shape, margin = self.canvas.shape(self.content, factor), self.canvas.margin_at(factor)
        styles, seen = self._finishing_styles(factor), None
        if self.regions.seam_follows_result:
            seen = self.canvas.finish(image, self.content, margin, None, styles)[0]
        kept = self.regions.kept(self.content, *shape, factor, seen)
        return self.canvas.finish(image, self.content, margin, kept, styles)

    def _finishing_styles(self, factor: float) -> list[np.ndarray]:
        """Return the styles ``(1, h, w, 3)`` that ``image.finishing`` reads; empty if it does nothing."""
        if self.canvas.finishing is Finishing.none:
            return []
        return self.canvas.styles(self.styles, self.canvas.content(self.content, factor), factor)

    def objective(self, content: np.ndarray, styles: Sequence[np.ndarray], number: int = -1) -> Objective:
        """Return the objective of a phase, with targets from these pictures and layers balanced if a loss asks for it.

        Layers are balanced at the start that the canvas gives for this size. The picture of a smaller scale is not
        used, so that a resumed run has the same balance.

        Args:
            content: ``(1, H, W, 3)``, as `pictures` returns it.
            styles: ``(1, h, w, 3)`` each, as `pictures` returns them.
            number: Number of the phase, from 0; by default the last.

        Raises:
            InputError: See `Objective.prepare`.
        """
        phases = self.schedule.plan()
        number, phase = number % len(phases), phases[number]
        factor, losses = phase.scale, phase.losses_of(self.losses)
        objective = self.cache.objective(
            self.extractor,
            losses,
            content,
            styles,
            self.shares,
            self.region_masks(styles, factor),
            self.tile,
            Draws(self.seed, number) if any(loss.draws for loss in active_losses(losses).values()) else None,
        )
        if self.targets:
            objective = objective.with_targets(self._targets_at(factor))
        if not objective.gradient_balanced:
            return objective
        white_noise = replace(self.canvas, start="noise", start_weights=None, noise=Noise.uniform, noise_scale=1.0)
        margin = self.canvas.margin_at(factor)
        start, noise = (canvas.start_image(content, styles, self.seed, margin) for canvas in (self.canvas, white_noise))
        return objective.balance_gradients(tf.constant(start), tf.constant(noise))

    def _targets_at(self, factor: float) -> dict[str, dict[str, tf.Tensor]]:
        """Return the given targets at a fraction of the full size, with the margin, ``(1, H, W, C)`` each."""
        shape, margin = self.canvas.shape(self.content, factor), self.canvas.margin_at(factor)
        return {
            name: {key: tf.constant(extend(resize(array, *shape)[None], margin)) for key, array in arrays.items()}
            for name, arrays in self.targets.items()
        }

    def footprint(self) -> Footprint:
        """Return what determines the memory of the full size."""
        content = self.canvas.extended_shape(self.content)
        styles = [
            self.canvas.style_shape(style, content, number=number) for number, style in enumerate(self.styles, start=1)
        ]
        variables = self.parametrisation.variables_per_pixel
        copies = math.ceil(variables * self.optimizer.image_copies) + bool(self.schedule.average)
        active = active_in(self.schedule.plan(), self.losses)
        targets = list(dict.fromkeys(layer for loss in active if loss.positional for layer in loss.taps))
        margin, joint = self.canvas.margin_at(1.0), joint_layers(active)
        return Footprint(self.extractor, content, styles, copies, self.optimizer, self.tile, targets, margin, joint)

    def _tile_obstacle(self) -> str | None:
        """Return why the problem cannot be computed tile by tile, in any of its phases; None if it can."""
        phases = [active_losses(phase.losses_of(self.losses)) for phase in self.schedule.plan()]
        obstacles = (tile_obstacle(self.extractor, losses) for losses in phases)
        return next((obstacle for obstacle in obstacles if obstacle), None)

    def fit_memory(self, device: str, record: Mapping[str, Any] | None = None) -> tuple[Problem, MemoryPlan]:
        """Return the problem with tiles, history and size that fit into the available memory, and the plan.

        The cache is emptied first unless the problem needs little. With ``image.tile=auto``, tiles are used if the
        picture does not fit at once; see `nst_tf.optimization.footprint.fitting_tile` for their size and the history.
        Without ``image.fit_memory`` the size stays.

        Args:
            device: TensorFlow's name of the device.
            record: Content of `run.json` of the run that is resumed, which keeps its plan.

        Raises:
            InputError: The problem does not fit, and ``image.fit_memory`` is off; or it cannot use tiles as asked.
        """
        if not fits_easily(self.footprint(), device):
            self.cache.clear()
        recorded = record or {}
        problem = self._resumed(recorded) if "size_factor" in recorded else self._with_tiles(device)
        footprint = problem.footprint()
        factor = recorded.get("size_factor") or (fitting_factor(footprint, device) if self.canvas.fit_memory else 1.0)
        if factor < 1:
            problem = replace(problem, canvas=problem.canvas.smaller(factor))
        needed, available = check_fits(problem.footprint(), device)
        history = getattr(problem.optimizer, "history", None) if problem.optimizer is not self.optimizer else None
        return problem, MemoryPlan(factor, needed, available, resident_mb(), problem.tile, history)

    def _resumed(self, record: Mapping[str, Any]) -> Problem:
        """Return the problem with the tiles and the history of the run that is resumed."""
        history = {"history": record["history"]} if "history" in record else {}
        return replace(self, tile=record.get("tile"), optimizer=replace(self.optimizer, **history))

    def _with_tiles(self, device: str) -> Problem:
        """Return the problem with the tiles that ``image.tile`` asks for, and the history that fits beside them."""
        tile, footprint = self.canvas.tile_side, self.footprint()
        reason = None if self.canvas.tile == TILE_OFF else self._tile_obstacle()
        if tile is not None and reason is not None:
            raise InputError(f"image.tile={tile}: {reason} Set image.tile=off.")
        if self.canvas.tile == TILE_OFF or reason or (tile is None and fits(footprint, device)):
            return self
        tiled = fitting_tile(replace(footprint, tile=tile), device)
        if tile is None and allows_larger(footprint, tiled, device):
            return self
        optimizer = self.optimizer if tiled.optimizer is None else tiled.optimizer
        return replace(self, tile=tiled.tile, optimizer=optimizer)
