"""The loop: teacher and student see the same pictures, and the student follows."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from nst_tf.backbones import Extractor
from nst_tf.distillation.crops import Crops
from nst_tf.distillation.half_stylised import HalfStylised
from nst_tf.distillation.matching import (
    COMPARED,
    STYLE,
    direction_error,
    feature_error,
    gram_error,
    thin,
    through_head,
    transfer_gradient,
)
from nst_tf.distillation.settings import GROUP, Distillation
from nst_tf.distillation.student import FEATURE_SCALE, TAPS, Student
from nst_tf.runs.events import Finished, Iterate, Progressed
from nst_tf.runs.folder import checkpoint_errors
from nst_tf.system.signals import Interrupted, StopRequest
from nst_tf.util.lazy import keras, tf

WARM_UP = 100  # steps
AVERAGING = 0.995  # of the weights that are kept
SHEET = 4  # half-stylised pictures a side of the picture that observers are shown


def term_names(settings: Distillation) -> list[str]:
    """Columns of the record, as those of `nst_tf.optimization.objective.columns`: weighted, raw, and layer by layer."""
    names = ["features", "features/raw", *(f"features/{tap}" for tap in TAPS)]
    names += ["gram", "gram/raw", *(f"gram/{tap}" for tap in STYLE)]
    return [*names, "direction", "direction/raw"] if settings.direction else names


class Trainer:
    """Trains a student and tells of it in events.

    Args:
        settings: How.
        student: With its first weights; after `run` with the averaged ones.
        teacher: The teacher's features of `TAPS`.
        photographs: Crops of photographs.
        paintings: Crops of paintings.
        periods: Numbers of steps at whose multiples somebody wants to look.
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
        self._pool = HalfStylised(student, photographs, paintings, settings.pool, settings.size)
        self._adam = _adam(settings)
        self._adam.build_trainer(student.variables)
        self._averages = [tf.Variable(variable.value) for variable in student.variables]
        self._step, self._seconds, self._request = 0, 0.0, StopRequest()
        self._row = dict.fromkeys(["total", "gradient_norm", *term_names(settings)], float("nan"))

    @property
    def step(self) -> int:
        """Steps taken."""
        return self._step

    def run(self) -> Iterator[Progressed | Finished]:
        """Train to the last step.

        Yields:
            `Progressed` wherever a period divides the step; one `Finished` last. Then the student has the averaged
            weights.
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
            for turn in range(self._settings.pool // GROUP):
                self._request.raise_if_stopped()
                self._pool.move(turn, self._generator(turn - self._settings.pool))

    def _advance(self) -> None:
        """One step; every so often the pool goes on first. What is random depends on the step alone."""
        self._request.raise_if_stopped()
        start, settings = time.perf_counter(), self._settings
        generator = self._generator(self._step)
        if settings.half_stylised and self._step % settings.move_every == 0:
            self._pool.move(self._step // settings.move_every, generator)
        goals = self._pool.draw(settings.half_stylised, generator)
        fresh = settings.batch - settings.half_stylised
        photographs = self._photographs.draw(fresh - fresh // 2, generator)
        batch = np.concatenate([goals[0], photographs, self._paintings.draw(fresh // 2, generator)])
        row = self._train(tf.constant(batch), *(tf.constant(goal) for goal in goals[1:]))
        self._step += 1
        self._row = {name: float(value) for name, value in row.items()}
        self._seconds += time.perf_counter() - start

    def _generator(self, step: int) -> np.random.Generator:
        return np.random.default_rng([self._settings.seed, step % 2**32])

    @tf.function
    def _train(self, image: tf.Tensor, content: tf.Tensor, style: tf.Tensor, weight: tf.Tensor) -> dict[str, tf.Tensor]:
        """One step of Adam; the first pictures of the batch are the half-stylised ones, whose goals follow."""
        settings, variables = self._settings, self.student.variables
        T = {tap: tf.cast(x, tf.float32) / FEATURE_SCALE for tap, x in self._teacher(image).items()}
        with tf.GradientTape() as tape:
            F = self.student(image)
            errors = self._errors({tap: thin(F[tap]) for tap in TAPS}, {tap: thin(T[tap]) for tap in TAPS})
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
        """One step of Adam, and of the averages: ``a ← k a + (1 − k) w`` with ``k`` rising to `AVERAGING`."""
        self._adam.apply(gradients, self.student.variables)
        step = tf.cast(self._adam.iterations, tf.float32)
        kept = tf.minimum(AVERAGING, step / (9.0 + step))
        for average, variable in zip(self._averages, self.student.variables, strict=True):
            average.assign(kept * average + (1 - kept) * variable.value)

    def _errors(
        self, narrow: Mapping[str, tf.Tensor], teacher: Mapping[str, tf.Tensor]
    ) -> dict[str, dict[str, tf.Tensor]]:
        F = {tap: through_head(narrow[tap], self.student.heads[tap].value) for tap in TAPS}
        return {
            "features": {tap: tf.reduce_mean(feature_error(F[tap], teacher[tap])) for tap in TAPS},
            "gram": {tap: tf.reduce_mean(gram_error(F[tap], teacher[tap])) for tap in STYLE},
        }

    def _direction_error(self, image: tf.Tensor, content: tf.Tensor, style: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        """Where the student would move the pixels, against where the teacher would."""
        heads = {tap: self.student.heads[tap].value for tap in COMPARED}

        def student(x: tf.Tensor) -> dict[str, tf.Tensor]:
            narrow = self.student(x)
            return {tap: through_head(narrow[tap], head) for tap, head in heads.items()}

        def teacher(x: tf.Tensor) -> dict[str, tf.Tensor]:
            features = self._teacher(x)
            return {tap: tf.cast(features[tap], tf.float32) for tap in COMPARED}

        followed = transfer_gradient(student, image, content, style, weight)
        return direction_error(followed, tf.stop_gradient(transfer_gradient(teacher, image, content, style, weight)))

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
            picture=lambda: _sheet(self._pool.show(SHEET**2)),
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
        """Go on from a state that a `Iterate` gave.

        Raises:
            InputError: The state is not one of this training.
        """
        with checkpoint_errors():
            for name, variable in self._variables().items():
                variable.assign(state[name])
            self._pool.restore({name: state[f"pool/{name}"] for name in self._pool.state()})
            self._step, self._seconds = int(state["step"]), float(state["seconds"])


def _adam(settings: Distillation) -> keras.optimizers.Adam:
    """Adam whose rate warms up, then falls along a cosine to 0."""
    warm_up = min(WARM_UP, max(1, settings.steps // 10))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, settings.steps - warm_up), warmup_target=settings.learning_rate, warmup_steps=warm_up
    )
    return keras.optimizers.Adam(rate, global_clipnorm=1.0)


def _sheet(pictures: np.ndarray) -> np.ndarray:
    """Pictures ``(n², h, w, 3)`` as one, n a row."""
    side = int(len(pictures) ** 0.5)
    rows = pictures[: side**2].reshape(side, side, *pictures.shape[1:])
    return rows.transpose(0, 2, 1, 3, 4).reshape(side * pictures.shape[1], side * pictures.shape[2], 3)
