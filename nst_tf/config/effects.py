"""Settings that cannot change the result of an experiment, because other settings switch off what reads them."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

from nst_tf.backbones import Backbone
from nst_tf.config.keys import role_of
from nst_tf.config.overrides import override_key
from nst_tf.config.settings import component_names, flatten
from nst_tf.config.tree import Config, Method
from nst_tf.evaluation import EvaluationConfig
from nst_tf.evaluation.settings import LPIPS_MEASURE
from nst_tf.images import Canvas, SeamBlend
from nst_tf.images.choices import StyleFit
from nst_tf.losses import Loss, TotalVariationLoss
from nst_tf.losses.layer_loss import Balance, LayerLoss
from nst_tf.losses.smoothing import Smoothing
from nst_tf.losses.total_variation import Variation
from nst_tf.optimization.phases import active_in, tapped_in
from nst_tf.optimization.schedule import Schedule
from nst_tf.optimizers import SGD, Basis, Optimizer
from nst_tf.optimizers.first_order import FirstOrder

Unread = tuple[str, str]
"""Key of a setting, or of a group of settings, and the reason why nothing reads it."""


def overrides_without_effect(config: Config, overrides: Sequence[str]) -> dict[str, list[str]]:
    """Return those overrides that cannot change the result, by the reason.

    Args:
        config: The settings.
        overrides: The overrides that led to them.
    """
    by_reason: dict[str, list[str]] = {}
    for text in overrides:
        key = override_key(text)
        if key == "seed" and config.seed in _following_seeds(config):
            continue
        if reason := reason_without_effect(config, key):
            by_reason.setdefault(reason, []).append(text)
    return by_reason


def phase_settings_without_effect(config: Config) -> list[str]:
    """Return the settings of phases that nothing reads, because the losses or the optimiser do not have them."""
    if config.method is not Method.optimize:
        return []
    return config.schedule.unmatched(config.losses, config.optimizer)


def reason_without_effect(config: Config, key: str) -> str | None:
    """Return why no part of a run reads a setting, or None if a part may read it.

    ``seed`` is the seed of the run alone, and not of the backbone and the losses, which follow it by default.

    Args:
        config: The settings.
        key: Dotted key of a setting or of a group of settings.
    """
    if role_of(key).method not in (None, config.method.name):
        return f"method={config.method.name}"
    for unread, reason in _unread(config):
        if key == unread or key.startswith(f"{unread}."):
            return reason
    return None


def _unread(config: Config) -> Iterator[Unread]:
    """Yield the settings that nothing reads; those that the method does not read are not among them."""
    yield from _unread_in_pictures(config)
    yield from _unread_in_regions(config)
    yield from _unread_in_evaluation(config.evaluation)
    if config.method is not Method.optimize:
        return
    yield from _unread_seeds(config)
    yield from _unread_in_optimizer(config.optimizer)
    yield from _unread_in_parametrisation(config)
    yield from _unread_in_schedule(config.schedule)
    phased = {name for phase in config.schedule.plan() for name in phase.losses}
    for name, loss in config.losses.items():
        if name not in phased:
            yield from _unread_in_loss(f"losses.{name}", loss, len(config.styles))


def _unread_in_pictures(config: Config) -> Iterator[Unread]:
    canvas = config.image
    if len(config.styles) == 1:
        yield "style_weights", "one style"
    if canvas.style_fit is StyleFit.content:
        for name in ("style_size", "style_scale", "enlarge_style"):
            yield f"image.{name}", "image.style_fit=content"
    if len(canvas.starts) == 1:
        yield "image.start_weights", "one image.start"
    if not _starts_from_noise(canvas):
        for name in ("noise", "noise_scale"):
            yield f"image.{name}", "image.start without noise"


def _unread_in_regions(config: Config) -> Iterator[Unread]:
    regions = config.regions
    if not regions.enabled:
        unread = [each.name for each in fields(regions) if each.name not in ("map", "style_map")]
        keys = [*(f"regions.{name}" for name in unread), *(f"losses.{name}.in_regions" for name in config.losses)]
        yield from ((key, "no regions.labels and no regions.masks") for key in keys)
    elif not regions.keeps_content:
        yield from ((f"regions.{name}", "no region with style_of=none") for name in ("blend", "seam"))
    elif regions.blend is SeamBlend.hard:
        yield "regions.seam", "regions.blend=hard"
    if not any(getattr(loss, "reads_maps", False) for loss in config.losses.values()):
        yield from ((f"regions.{name}", "no loss that matches patches") for name in ("map", "style_map"))


def _unread_seeds(config: Config) -> Iterator[Unread]:
    if not tapped_in(config.schedule.plan(), config.losses):
        yield "backbone", "no loss reads a layer"
    elif not _backbone_draws(config.backbone):
        yield "backbone.seed", "no random weights"
    losses = active_in(config.schedule.plan(), config.losses)
    balanced = any(isinstance(loss, LayerLoss) and loss.balance is Balance.gradient for loss in losses)
    if not (_starts_from_noise(config.image) or balanced or any(loss.draws for loss in losses)):
        yield "seed", "no noise, no random weights, no random directions"


def _following_seeds(config: Config) -> list[int]:
    """Return the seeds of backbone and losses that are read; ``seed`` sets them unless they are set themselves."""
    if config.method is not Method.optimize:
        return []
    seeds = [getattr(loss, "seed", None) for loss in active_in(config.schedule.plan(), config.losses)]
    draws = bool(tapped_in(config.schedule.plan(), config.losses)) and _backbone_draws(config.backbone)
    return [seed for seed in [*seeds, config.backbone.seed if draws else None] if seed is not None]


def _backbone_draws(backbone: Backbone) -> bool:
    """Return whether a network has random weights, so that its seed makes another network."""
    return backbone.static_config() != replace(backbone, seed=backbone.seed + 1).static_config()


def _unread_in_evaluation(evaluation: EvaluationConfig) -> Iterator[Unread]:
    if not evaluation.enabled:
        for name in (field.name for field in fields(evaluation) if field.name != "enabled"):
            yield f"evaluation.{name}", "evaluation=off"
    elif LPIPS_MEASURE not in evaluation.measures:
        for name in ("lpips_network", "lpips_linear"):
            yield f"evaluation.{name}", "evaluation.measures without lpips"


def _unread_in_optimizer(optimizer: Optimizer) -> Iterator[Unread]:
    if isinstance(optimizer, FirstOrder) and optimizer.decay_rate == 1:
        for name in ("decay_steps", "staircase"):
            yield f"optimizer.{name}", "optimizer.decay_rate=1"
    if isinstance(optimizer, SGD) and optimizer.momentum == 0:
        yield "optimizer.nesterov", "optimizer.momentum=0"


def _unread_in_parametrisation(config: Config) -> Iterator[Unread]:
    parametrisation = config.parametrisation
    reason = f"parametrisation={parametrisation.basis.name}"
    if parametrisation.basis is not Basis.laplacian_pyramid:
        yield from ((f"parametrisation.{name}", reason) for name in ("levels", "resampling"))
    if parametrisation.basis is not Basis.fourier:
        yield "parametrisation.decay", reason
    if not parametrisation.is_pixels:
        yield from ((f"optimizer.{name}", reason) for name in ("clamp", "preconditioner_power"))


def _unread_in_schedule(schedule: Schedule) -> Iterator[Unread]:
    if len(schedule.plan()) == 1:
        for name in ("step_shares", "keep_state"):
            yield f"schedule.{name}", "one scale"
    if schedule.stop_change is None:
        yield "schedule.stop_window", "schedule.stop_change=null"


def _unread_in_loss(place: str, loss: Loss, styles: int) -> Iterator[Unread]:
    if loss.weight == 0:
        for name in (field.name for field in fields(loss) if field.name != "weight"):
            yield f"{place}.{name}", f"{place}.weight=0"
    if isinstance(loss, LayerLoss):
        if loss.smoothing is not Smoothing.softmax:
            yield f"{place}.temperature", f"{place}.smoothing={loss.smoothing.name}"
        if loss.smoothing is not Smoothing.scale:
            yield f"{place}.factor", f"{place}.smoothing={loss.smoothing.name}"
        if loss.reference != "style" or styles == 1:
            yield f"{place}.blend", "one style" if styles == 1 else f"{place}.reference={loss.reference}"
    if isinstance(loss, TotalVariationLoss) and loss.variation not in (Variation.power, Variation.power_mean):
        yield f"{place}.exponent", f"{place}.variation={loss.variation.name}"


def _starts_from_noise(canvas: Canvas) -> bool:
    return "noise" in canvas.starts


def effective_key(config: Config) -> str:
    """Return a SHA-256 over the settings of a run that can change its folder, except for its name.

    Machine, observers and evaluation count, and so do the paths of pictures and weights.
    """
    kinds = {f"losses.{name}": type(loss).__name__ for name, loss in config.losses.items()}
    settings = flatten(config) | component_names(config) | kinds
    effective = [
        f"{key}={value}"
        for key, value in settings.items()
        if key != "name" and (key in kinds or reason_without_effect(config, key) is None)
    ]
    return hashlib.sha256("\n".join(sorted(effective)).encode(errors="backslashreplace")).hexdigest()
