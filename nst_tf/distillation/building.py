"""Construction of the trainer from its settings, and export of the trained student to a weights file."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nst_tf.backbones import hdf5
from nst_tf.distillation.crops import Crops, read_folder, sample_paintings
from nst_tf.distillation.pruning import prune
from nst_tf.distillation.settings import Distillation
from nst_tf.distillation.student import TAPS, Student
from nst_tf.distillation.trainer import Trainer
from nst_tf.optimization.execution import Execution, choose_execution
from nst_tf.system.runtime import JitCompile
from nst_tf.util.errors import InputError

log = logging.getLogger(__name__)

PHOTOGRAPH_ZOOM, PAINTING_ZOOM = (0.8, 2.2), (0.8, 6.0)
"""Smallest and largest side of the square that is cut out, in sides of a crop."""


@dataclass(frozen=True)
class TrainingPictures:
    """Pictures that a student is trained on.

    Attributes:
        photographs: Crops of photographs.
        paintings: Crops of paintings.
        counts: Number of pictures of each kind.
        sha256: Hex digest of the pixels of all pictures.
    """

    photographs: Crops
    paintings: Crops
    counts: dict[str, int]
    sha256: str


def read_training_pictures(settings: Distillation) -> TrainingPictures:
    """Read the pictures that the settings name.

    Raises:
        InputError: A folder is missing or empty, or a picture is broken.
    """
    if settings.photographs is None:
        raise InputError("photographs is missing: give photographs=FOLDER")
    paintings = [] if settings.paintings is None else read_folder(settings.paintings, settings.exclude, "paintings")
    paintings += sample_paintings(settings.samples)
    if not paintings:
        raise InputError("paintings is missing: give paintings=FOLDER, or samples")
    photographs = read_folder(settings.photographs, role="photographs")
    digest = hashlib.sha256()
    for pixels in (*photographs, *paintings):
        digest.update(pixels.tobytes())
    return TrainingPictures(
        photographs=Crops(photographs, settings.size, PHOTOGRAPH_ZOOM),
        paintings=Crops(paintings, settings.size, PAINTING_ZOOM),
        counts={"photographs": len(photographs), "paintings": len(paintings)},
        sha256=digest.hexdigest(),
    )


def build_trainer(
    settings: Distillation,
    pictures: TrainingPictures,
    periods: Sequence[int],
    state: Mapping[str, np.ndarray] | None = None,
    execution: Execution | None = None,
) -> Trainer:
    """Build the trainer with a student that starts from the pruned teacher, or from a checkpoint.

    Args:
        settings: Settings of the training.
        pictures: Pictures to train on.
        periods: Numbers of steps at whose multiples the trainer yields an iterate.
        state: State of a checkpoint; None starts from the first step.
        execution: How the networks compute. Default: `training_execution`.

    Raises:
        InputError: The teacher cannot be loaded or lacks a layer, or the state belongs to another training.
    """
    execution = execution or training_execution(settings)
    precision = execution.precision
    teacher = settings.teacher.extractor(TAPS, precision, convolution=execution.convolution)
    student = Student(_teacher_channels(settings), precision)
    if state is None:
        explained = prune(student, settings.teacher, _start_batches(settings, pictures), precision)
        log.info(
            "Energy of the teacher's features that the pruned student explains: %s",
            ", ".join(f"{tap} {part:.1%}" for tap, part in explained.items()),
        )
    trainer = Trainer(settings, student, teacher, pictures.photographs, pictures.paintings, periods)
    if state is not None:
        trainer.restore(state)
    return trainer


def training_execution(
    settings: Distillation, record: Mapping[str, Any] | None = None, sweep: Path | None = None
) -> Execution:
    """Choose how the networks compute, by the teacher's convolutions, see `choose_execution`.

    Raises:
        InputError: The teacher lacks a layer of VGG-19. A layer of another network in its place would train a student
            whose layers do not have the meaning of their names.
    """
    for tap in TAPS:
        if (stand_in := settings.teacher.counterpart(tap)) is not None:
            raise InputError(
                f"backbone@teacher={settings.teacher.name}: Unknown layer {tap!r}, and {stand_in} cannot stand for it "
                "in a training. Choose backbone@teacher=vgg19."
            )
    size = (settings.size, settings.size)
    runtime = replace(settings.runtime, jit_compile=JitCompile.never)  # the trainer compiles its own step
    return choose_execution(settings.teacher, TAPS, runtime, size, record, sweep)


def export(student: Student, path: Path) -> None:
    """Write a trained student as a weights file of ``vgg19_lite`` in float16, into the space reserved for it."""
    arrays = {layer: [_to_float16(array) for array in arrays] for layer, arrays in student.weights().items()}
    hdf5.write(path, arrays, reserved=True)


def exported_size(student: Student) -> int:
    """Return the bytes of a student's weights in float16, which the compressed file does not exceed."""
    return sum(2 * array.size for arrays in student.weights().values() for array in arrays)


def _to_float16(array: np.ndarray) -> np.ndarray:
    """Convert to float16 and clip to its largest finite number."""
    limit = float(np.finfo(np.float16).max)
    return np.clip(array, -limit, limit).astype(np.float16)


def _teacher_channels(settings: Distillation) -> dict[str, int]:
    shapes = dict(settings.teacher.architecture().weights)
    return {tap: shapes[settings.teacher.resolve(tap)][0][-1] for tap in TAPS}


def _start_batches(settings: Distillation, pictures: TrainingPictures) -> list[np.ndarray]:
    """Draw the crops for the closed-form start, two thirds photographs and one third paintings, in batches of 8."""
    generator = np.random.default_rng([settings.seed, 2**32])
    third = settings.start_pictures // 3
    photographs = pictures.photographs.draw(settings.start_pictures - third, generator)
    drawn = np.concatenate([photographs, pictures.paintings.draw(third, generator)]) if third else photographs
    return np.array_split(drawn, max(1, len(drawn) // 8))
