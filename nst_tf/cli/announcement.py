"""The line that says what a run will do, before TensorFlow is loaded."""

from pathlib import Path
from typing import Any

from nst_tf.config.settings import component_names
from nst_tf.config.tree import Config, Method
from nst_tf.distillation.settings import Distillation
from nst_tf.images import Canvas
from nst_tf.images.choices import Fit


def announcement(settings: Config | Distillation, folder: Path) -> str:
    """Return one line with pictures, size, network, optimiser, steps and folder of a run.

    Args:
        settings: The settings of the run.
        folder: Its folder.
    """
    parts = _distillation(settings) if isinstance(settings, Distillation) else _stylisation(settings)
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    return f"{', '.join(parts)}; folder {shown}"


def _stylisation(config: Config) -> list[str]:
    pictures = _joined(config, " in the style of ")
    if config.method is Method.feedforward:
        return [pictures, _size(config.image), "one forward pass"]
    if config.method is Method.recolour:
        return [_joined(config, " in the colours of "), _size(config.image)]
    names = component_names(config)
    plan, unit = config.schedule.plan(), "phases" if config.schedule.phases else "scales"
    parts = [f"{len(plan)} {unit}"] if len(plan) > 1 else []
    return [pictures, _size(config.image), *parts, names["backbone"], names["optimizer"], f"{config.steps} steps"]


def _joined(config: Config, words: str) -> str:
    """Return the names of content and styles with words between them; those of one alone if the other is missing."""
    content = getattr(config, "video", config.content)  # a film stands in the place of the content
    return words.join(text for text in (_names([content]), _names(config.styles)) if text)


def _distillation(settings: Distillation) -> list[str]:
    pictures = _names([settings.photographs, settings.paintings, *settings.samples])
    return [f"training of vgg19_lite on {pictures}", f"teacher {settings.teacher.name}", f"{settings.steps} steps"]


def _names(sources: list[Any]) -> str:
    """Return the names of the pictures that are given, without their folders."""
    return " and ".join(Path(str(source)).name for source in sources if source is not None)


def _size(canvas: Canvas) -> str:
    if canvas.fit is Fit.exact:
        return f"{canvas.width or canvas.size}x{canvas.height or canvas.size} pixels"
    return f"{canvas.fit.name.replace('_', ' ')} {canvas.size} pixels"
