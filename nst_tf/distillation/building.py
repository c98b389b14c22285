"""From settings to a trainer, and from a trained student to a file."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nst_tf.backbones import hdf5
from nst_tf.distillation.crops import Crops, read_folder, sample_paintings
from nst_tf.distillation.pruning import prune
from nst_tf.distillation.settings import Distillation
from nst_tf.distillation.student import TAPS, Student
from nst_tf.distillation.trainer import Trainer
from nst_tf.util.errors import InputError

log = logging.getLogger(__name__)

PHOTOGRAPH_ZOOM, PAINTING_ZOOM = (0.8, 2.2), (0.8, 6.0)


@dataclass(frozen=True)
class TrainingPictures:
    """What a student is shown.

    Attributes:
        photographs: Crops of photographs.
        paintings: Crops of paintings.
        counts: How many pictures of each kind there are.
        sha256: Over all their pixels.
    """

    photographs: Crops
    paintings: Crops
    counts: dict[str, int]
    sha256: str


def read_training_pictures(settings: Distillation) -> TrainingPictures:
    """Read the pictures.

    Raises:
        InputError: A folder is missing or empty, or a picture broken.
    """
    if settings.photographs is None:
        raise InputError("photographs is missing: give photographs=FOLDER")
    paintings = [] if settings.paintings is None else read_folder(settings.paintings, settings.exclude, "paintings")
    paintings += sample_paintings(settings.samples)
    if not paintings:
        raise InputError("paintings is missing: give a folder, or samples")
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
) -> Trainer:
    """A trainer whose student has its first weights, or those of a state.

    Raises:
        InputError: The teacher cannot be loaded, or lacks a layer.
    """
    precision = settings.runtime.policy()
    teacher = settings.teacher.extractor(TAPS, precision)
    student = Student(_channels(settings), precision)
    if state is None:
        explained = prune(student, settings.teacher, _start_batches(settings, pictures), precision)
        log.info("The first weights explain %s", ", ".join(f"{tap} {part:.1%}" for tap, part in explained.items()))
    trainer = Trainer(settings, student, teacher, pictures.photographs, pictures.paintings, periods)
    if state is not None:
        trainer.restore(state)
    return trainer


def export(student: Student, path: Path) -> None:
    """Write a trained student as a weights file of ``vgg19_lite``, float16."""
    hdf5.write(path, {layer: [_half(array) for array in arrays] for layer, arrays in student.weights().items()})


def _half(array: np.ndarray) -> np.ndarray:
    """In float16; what is too large for it becomes its largest number."""
    limit = float(np.finfo(np.float16).max)
    return np.clip(array, -limit, limit).astype(np.float16)


def _channels(settings: Distillation) -> dict[str, int]:
    """The teacher's filters by convolution."""
    shapes = dict(settings.teacher.architecture().weights)
    return {tap: shapes[settings.teacher.resolve(tap)][0][-1] for tap in TAPS}


def _start_batches(settings: Distillation, pictures: TrainingPictures) -> list[np.ndarray]:
    """Two thirds photographs, one third paintings, eight at a time."""
    generator = np.random.default_rng([settings.seed, 2**32])
    third = settings.start_pictures // 3
    photographs = pictures.photographs.draw(settings.start_pictures - third, generator)
    drawn = np.concatenate([photographs, pictures.paintings.draw(third, generator)]) if third else photographs
    return np.array_split(drawn, max(1, len(drawn) // 8))
