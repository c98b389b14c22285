"""The training loop: the student learns the teacher's features of the same pictures."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from nst_tf.backbones import Extractor
from nst_tf.distillation.crops import Crops
from nst_tf.distillation.half_stylised import HalfStylisedPool
from nst_tf.distillation.matching import (
    COMPARED_LAYERS,
    STYLE_LAYERS,
    apply_head,
    direction_error,
    feature_error,
    gram_error,
    subsample,
    transfer_gradient,
)
from nst_tf.distillation.settings import GROUP_SIZE, Distillation
from nst_tf.distillation.student import FEATURE_SCALE, TAPS, Student
from nst_tf.runs.events import Finished, Iterate, Progressed
from nst_tf.runs.folder import checkpoint_errors
from nst_tf.system.signals import Interrupted, StopRequest
from nst_tf.util.compilation import compile_function
from nst_tf.util.lazy import keras, tf

WARM_UP_STEPS = 100
"""Number of steps in which the learning rate rises from 0; at most a tenth of all steps."""

AVERAGE_DECAY = 0.995
"""Decay of the exponential moving average of the weights. The averaged weights are exported."""

SHEET_SIDE = 4
"""Number of rows, and of half-stylised pictures in each row, of the contact sheet that observers receive."""


def term_names(settings: Distillation) -> list[str]:
    """Return the names of the recorded terms: every term weighted and raw, features and Gram matrices also by layer."""
    names = ["features", "features/raw", *(f"features/{tap}" for tap in TAPS)]
    names += ["gram", "gram/raw", *(f"gram/{tap}" for tap in STYLE_LAYERS)]
    return [*names, "direction", "direction/raw"] if settings.direction else names


class Trainer:
    """Trainer of a student, which reports its progress as events.

    Args:
        settings: Settings of the training.
        student: Student with its first weights; after `run` it has the averaged weights.
        teacher: Extractor of the teacher's features at `TAPS`.
        photographs: Crops of photographs.
        paintings: Crops of paintings.
        periods: Numbers of steps at whose multiples `run` yields an iterate.
    """

    def __init__(
        self,
        settings: Distillation,
        student: Student,
        teacher: Extractor,
        photographs: Crops,
        paintings: Crops,
        periods: Sequence[int],
    ) -> None:
        self._settings, self.student, self._teacher, self._periods = settings, student, teacher, periods
        self._photographs, self._paintings = photographs, paintings
        self._pool = HalfStylisedPool(student, photographs, paintings, settings.pool, settings.size)
        self._adam = _adam(settings)
        self._adam.build(student.variables)
        self._averages = [tf.Variable(variable.value) for variable in student.variables]
        self._step, self._seconds, self._request = 0, 0.0, StopRequest()
        self._row = dict.fromkeys(["total", "gradient_norm", *term_names(settings)], float("nan"))
        self._compiled_train = compile_function(self._train, autograph=True)

    @property
    def step(self) -> int:
        """Number of completed steps."""
        return self._step

    def run(self) -> Iterator[Progressed | Finished]:
        """Train to the last step.

        Yields:
            `Progressed` at every step that is a multiple of a period, and one `Finished` at the end. The student
            receives the averaged weights after the last event, so the caller must exhaust the generator.
        """
        with self._request.catch_signals():
            outcome = ("completed", f"{self._settings.steps} steps")
            try:
                self._fill_pool()
                while self._step < self._settings.steps:
                    self._advance()
                    if not math.isfinite(self._row["gradient_norm"]):
                        outcome = ("diverged", f"the gradient became {self._row['gradient_norm']} at step {self._step}")
                        break
                    if any(self._step % period == 0 for period in self._periods):
                        yield Progressed(self._iterate())
            except Interrupted:
                outcome = ("interrupted", "asked to stop")
        yield Finished(*outcome, self._iterate())
        for variable, average in zip(self.student.variables, self._averages, strict=True):
            variable.assign(average)

    def _fill_pool(self) -> None:
        if self._step == 0 and self._settings.half_stylised:
            for number in range(self._settings.pool // GROUP_SIZE):
                self._request.raise_if_stopped()
                self._pool.advance(number, self._generator(number - self._settings.pool))

    def _advance(self) -> None:
        """Take one step, after optimising a group of the pool if that is due.

        Random numbers depend on seed and step alone, so that a resumed training repeats them.
        """
        self._request.raise_if_stopped()
        start, settings = time.perf_counter(), self._settings
        generator = self._generator(self._step)
        if settings.half_stylised and self._step % settings.advance_every == 0:
            self._pool.advance(self._step // settings.advance_every, generator)
        half_stylised, *goals = self._pool.draw(settings.half_stylised, generator)
        crops = settings.batch - settings.half_stylised
        photographs = self._photographs.draw(crops - crops // 2, generator)
        batch = np.concatenate([half_stylised, photographs, self._paintings.draw(crops // 2, generator)])
        row = self._compiled_train(tf.constant(batch), *(tf.constant(goal) for goal in goals))
        self._step += 1
        self._row = {name: float(value) for name, value in row.items()}
        self._seconds += time.perf_counter() - start

    def _generator(self, step: int) -> np.random.Generator:
        return np.random.default_rng([self._settings.seed, step % 2**32])

    def _train(self, image: tf.Tensor, content: tf.Tensor, style: tf.Tensor, weight: tf.Tensor) -> dict[str, tf.Tensor]:
        """Take one step of Adam and return the losses of the step by name.

        Args:
            image: Batch ``(B, H, W, 3)``, in which the n half-stylised pictures come first.
            content: Contents of the half-stylised pictures, ``(n, H, W, 3)``.
            style: Styles of the half-stylised pictures, ``(n, H, W, 3)``.
            weight: Weights of the contents, ``(n,)``.
        """
        settings, variables = self._settings, self.student.variables
        T = {tap: tf.cast(x, tf.float32) / FEATURE_SCALE for tap, x in self._teacher(image).items()}
        with tf.GradientTape() as tape:
            F = self.student(image)
            errors = self._errors({tap: subsample(F[tap]) for tap in TAPS}, {tap: subsample(T[tap]) for tap in TAPS})
            raw = {name: tf.add_n(list(layers.values())) / len(layers) for name, layers in errors.items()}
            weighted = {"features": raw["features"], "gram": settings.gram * raw["gram"]}
            if settings.direction:
                goal = (image[: settings.half_stylised], content, style, weight)
                raw["direction"] = tf.reduce_mean(self._direction_error(*goal))
                weighted["direction"] = settings.direction * raw["direction"]
            total = tf.add_n(list(weighted.values()))
        gradients = tape.gradient(total, variables)
        norm = tf.linalg.global_norm(gradients)
        if tf.math.is_finite(norm):
            self._update(gradients)
        row = {"total": total, "gradient_norm": norm, **weighted}
        row |= {f"{name}/raw": value for name, value in raw.items()}
        return row | {f"{name}/{tap}": value for name, layers in errors.items() for tap, value in layers.items()}

    def _update(self, gradients: Sequence[tf.Tensor]) -> None:
        """Update the weights with Adam, and their averages with ``a ← k a + (1 − k) w``, k = min(decay, n / (9 + n)).

        n is the number of the step, from 1. `tf.train.ExponentialMovingAverage` with ``num_updates = n − 1`` has the
        same k, but it is not used: it computes ``a − (1 − k)(a − w)``, whose rounding changes the exported weights, and
        it would need a counter of its own in the checkpoints.
        """
        self._adam.apply(gradients, self.student.variables)
        step = tf.cast(self._adam.iterations, tf.float32)
        decay = tf.minimum(AVERAGE_DECAY, step / (9.0 + step))
        for average, variable in zip(self._averages, self.student.variables, strict=True):
            average.assign(decay * average + (1 - decay) * variable.value)

    def _errors(
        self, narrow: Mapping[str, tf.Tensor], teacher: Mapping[str, tf.Tensor]
    ) -> dict[str, dict[str, tf.Tensor]]:
        F = {tap: apply_head(narrow[tap], self.student.heads[tap].value) for tap in TAPS}
        return {
            "features": {tap: tf.reduce_mean(feature_error(F[tap], teacher[tap])) for tap in TAPS},
            "gram": {tap: tf.reduce_mean(gram_error(F[tap], teacher[tap])) for tap in STYLE_LAYERS},
        }

    def _direction_error(self, image: tf.Tensor, content: tf.Tensor, style: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        """Compute `direction_error` between the pixel gradients of student and teacher, ``(n,)``; see `_train`."""
        heads = {tap: self.student.heads[tap].value for tap in COMPARED_LAYERS}

        def student(x: tf.Tensor) -> dict[str, tf.Tensor]:
            narrow = self.student(x)
            return {tap: apply_head(narrow[tap], head) for tap, head in heads.items()}

        def teacher(x: tf.Tensor) -> dict[str, tf.Tensor]:
            features = self._teacher(x)
            return {tap: tf.cast(features[tap], tf.float32) for tap in COMPARED_LAYERS}

        gradient = transfer_gradient(student, image, content, style, weight)
        return direction_error(gradient, tf.stop_gradient(transfer_gradient(teacher, image, content, style, weight)))

    def _iterate(self) -> Iterate:
        values = dict(self._row)
        return Iterate(
            step=self._step,
            steps=self._settings.steps,
            evaluations=self._step,
            seconds=self._seconds,
            total=values.pop("total"),
            gradient_norm=values.pop("gradient_norm"),
            terms=values,
            picture=lambda: _contact_sheet(self._pool.first_pictures(SHEET_SIDE**2)),
            state=self._state,
        )

    def _state(self) -> dict[str, np.ndarray]:
        variables = {name: variable.numpy() for name, variable in self._variables().items()}
        pool = {f"pool/{name}": array for name, array in self._pool.state().items()}
        return variables | pool | {"step": np.array(self._step), "seconds": np.array(self._seconds)}

    def _variables(self) -> dict[str, tf.Variable | keras.Variable]:
        groups = {"weights": self.student.variables, "averages": self._averages, "adam": self._adam.variables}
        return {f"{group}/{n}": variable for group, each in groups.items() for n, variable in enumerate(each)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from the state of an `Iterate`.

        Args:
            state: Named arrays, the result of `Iterate.state`.

        Raises:
            InputError: The state belongs to another training.
        """
        with checkpoint_errors():
            for name, variable in self._variables().items():
                variable.assign(state[name])
            self._pool.restore({name: state[f"pool/{name}"] for name in self._pool.state()})
            self._step, self._seconds = int(state["step"]), float(state["seconds"])


def _adam(settings: Distillation) -> keras.optimizers.Adam:
    """Build Adam with a rate that warms up and then falls along a cosine to 0."""
    warm_up = min(WARM_UP_STEPS, max(1, settings.steps // 10))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, settings.steps - warm_up), warmup_target=settings.learning_rate, warmup_steps=warm_up
    )
    return keras.optimizers.Adam(rate, global_clipnorm=1.0)


def _contact_sheet(pictures: np.ndarray) -> np.ndarray:
    """Arrange pictures ``(n², h, w, 3)`` in n rows of n."""
    side = int(len(pictures) ** 0.5)
    rows = pictures[: side**2].reshape(side, side, *pictures.shape[1:])
    return rows.transpose(0, 2, 1, 3, 4).reshape(side * pictures.shape[1], side * pictures.shape[2], 3)
