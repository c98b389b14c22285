"""A pool of pictures in the middle of their stylisation, optimised on the student's own features.

An optimiser exploits the differences between student and teacher. The pool therefore contains pictures that are being
optimised on the current student, and the student is trained on them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nst_tf.distillation.crops import Crops
from nst_tf.distillation.matching import COMPARED_LAYERS, CONTENT_LAYER, apply_head, style_grams, transfer_loss
from nst_tf.distillation.settings import GROUP_SIZE
from nst_tf.distillation.student import Student, fold
from nst_tf.util.compilation import compile_function
from nst_tf.util.lazy import tf

STEPS_PER_ROUND = 15
"""Number of Adam's steps in one round of a group."""

ROUNDS_PER_PICTURE = (1, 9)
"""Smallest number of rounds, and one more than the largest, after which a picture is replaced."""

CONTENT_WEIGHTS = (0.003, 0.2)
"""Bounds of the content's weight relative to the style's; log-uniform between them."""

LEARNING_RATES = (0.004, 0.03)
"""Bounds of Adam's rate in units of [0, 1]; log-uniform between them."""


class HalfStylisedPool:
    """The pool of half-stylised pictures.

    Args:
        student: Student whose features the pictures are optimised on.
        photographs: Crops that serve as contents.
        paintings: Crops that serve as styles.
        count: Size of the pool, a multiple of `GROUP_SIZE`.
        size: Side of the crops in pixels.
    """

    def __init__(self, student: Student, photographs: Crops, paintings: Crops, count: int, size: int) -> None:
        self._student, self._photographs, self._paintings = student, photographs, paintings
        self._factors = {tap: tf.Variable(tf.zeros([student.heads[tap].shape[0]] * 2)) for tap in COMPARED_LAYERS}
        self._pictures, self._contents, self._styles = (np.zeros((count, size, size, 3), np.float16) for _ in range(3))
        self._weights = np.zeros(count, np.float32)
        self._rounds = np.zeros(count, np.int64)  # rounds left; a picture with 0 is replaced
        self._compiled_optimize = compile_function(self._optimize, autograph=True)

    def advance(self, number: int, generator: np.random.Generator) -> None:
        """Optimise one group by `STEPS_PER_ROUND` steps, after replacing its pictures that have no rounds left.

        Args:
            number: Number of the round; modulo the number of groups it selects the group.
            generator: Source of the random numbers.
        """
        group = (np.arange(GROUP_SIZE) + GROUP_SIZE * number) % len(self._pictures)
        for index in group[self._rounds[group] == 0]:
            self._replace(index, generator)
        for tap, factor in self._factors.items():
            factor.assign(fold(self._student.heads[tap].numpy()))
        arrays = (self._pictures, self._contents, self._styles, self._weights)
        rate = np.exp(generator.uniform(*np.log(LEARNING_RATES)))
        optimised = self._compiled_optimize(
            *(tf.constant(x[group], tf.float32) for x in arrays), tf.constant(rate, tf.float32)
        )
        self._pictures[group] = optimised.numpy()
        self._rounds[group] -= 1

    def draw(self, count: int, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Draw pictures with their contents, styles and weights.

        Returns:
            Pictures, contents and styles, each ``(count, size, size, 3)`` float32, either all mirrored or none, and the
            weights of the contents ``(count,)``.
        """
        chosen = generator.choice(len(self._pictures), count, replace=False)
        direction = -1 if generator.random() < 0.5 else 1
        arrays = (self._pictures, self._contents, self._styles)
        return (*(array[chosen, :, ::direction].astype(np.float32) for array in arrays), self._weights[chosen])

    def first_pictures(self, count: int) -> np.ndarray:
        """Return the first pictures of the pool, ``(count, size, size, 3)`` float32 in [0, 1]."""
        return self._pictures[:count].astype(np.float32)

    def _replace(self, index: int, generator: np.random.Generator) -> None:
        content, style = self._photographs.draw(1, generator)[0], self._paintings.draw(1, generator)[0]
        noisy = np.clip(0.3 * content + 0.35 + 0.25 * generator.standard_normal(content.shape), 0, 1)
        self._pictures[index] = noisy if generator.random() < 0.2 else content
        self._contents[index], self._styles[index] = content, style
        self._weights[index] = np.exp(generator.uniform(*np.log(CONTENT_WEIGHTS)))
        self._rounds[index] = generator.integers(*ROUNDS_PER_PICTURE)

    def _optimize(
        self, image: tf.Tensor, content: tf.Tensor, style: tf.Tensor, weight: tf.Tensor, rate: tf.Tensor
    ) -> tf.Tensor:
        """Minimise `transfer_loss` on the features of the folded heads with Adam (β₁ 0.8, β₂ 0.95)."""
        P, targets = self._features(content)[CONTENT_LAYER], style_grams(self._features(style))
        m, v = tf.zeros_like(image), tf.zeros_like(image)
        for step in tf.range(1, STEPS_PER_ROUND + 1):
            with tf.GradientTape() as tape:
                tape.watch(image)
                loss = transfer_loss(self._features(image), P, targets, weight)
            gradient, t = tape.gradient(loss, image), tf.cast(step, tf.float32)
            m, v = 0.8 * m + 0.2 * gradient, 0.95 * v + 0.05 * tf.square(gradient)
            update = (m / (1 - tf.pow(0.8, t))) / (tf.sqrt(v / (1 - tf.pow(0.95, t))) + 1e-12)
            image = tf.clip_by_value(image - rate * update, 0.0, 1.0)
        return image

    def _features(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        narrow = self._student(image)
        return {tap: apply_head(narrow[tap], factor) for tap, factor in self._factors.items()}

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays that a checkpoint needs."""
        return {
            "pictures": self._pictures,
            "contents": self._contents,
            "styles": self._styles,
            "weights": self._weights,
            "rounds": self._rounds,
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore the result of `state`."""
        for name, array in self.state().items():
            array[...] = state[name]
