"""Pictures on their way from a photograph to a painting, as the student itself leads them.

What the optimiser exploits is where student and teacher disagree. So a pool of pictures is kept under optimisation
against the student of the moment, and they are part of what it is trained on.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nst_tf.distillation.crops import Crops
from nst_tf.distillation.matching import COMPARED, CONTENT, grams, through_head, transfer_loss
from nst_tf.distillation.settings import GROUP
from nst_tf.distillation.student import Student, fold
from nst_tf.util.lazy import tf

STEPS = 15  # of Adam, each time
LIVES = (1, 9)  # rounds after which a picture is replaced: from, below
WEIGHTS = (0.003, 0.2)  # of content against style, log-uniform
RATES = (0.004, 0.03)  # of Adam, in units of [0, 1], log-uniform


class HalfStylised:
    """The pool.

    Args:
        student: Whose features lead.
        photographs: Contents.
        paintings: Styles.
        count: Size of the pool, a multiple of `GROUP`.
        size: Side of the crops in pixels.
    """

    def __init__(self, student: Student, photographs: Crops, paintings: Crops, count: int, size: int) -> None:
        self._student, self._photographs, self._paintings = student, photographs, paintings
        self._factors = {tap: tf.Variable(tf.zeros([student.heads[tap].shape[0]] * 2)) for tap in COMPARED}
        self._pictures, self._contents, self._styles = (np.zeros((count, size, size, 3), np.float16) for _ in range(3))
        self._weights = np.zeros(count, np.float32)
        self._rounds = np.zeros(count, np.int64)  # left; 0: to be replaced

    def move(self, turn: int, generator: np.random.Generator) -> None:
        """Take a group further by `STEPS` steps; pictures that have lived their time begin anew.

        Args:
            turn: Its number modulo the number of groups says which group.
            generator: Source of every choice.
        """
        group = (np.arange(GROUP) + GROUP * turn) % len(self._pictures)
        for index in group[self._rounds[group] == 0]:
            self._begin(index, generator)
        for tap, factor in self._factors.items():
            factor.assign(fold(self._student.heads[tap].numpy()))
        stacks = (self._pictures, self._contents, self._styles, self._weights)
        rate = np.exp(generator.uniform(*np.log(RATES)))
        moved = self._descend(*(tf.constant(x[group], tf.float32) for x in stacks), tf.constant(rate, tf.float32))
        self._pictures[group] = moved.numpy()
        self._rounds[group] -= 1

    def draw(self, count: int, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Some pictures with their goals.

        Returns:
            Pictures, contents and styles, ``(count, size, size, 3)`` float32, all mirrored or none, and the contents'
            weights ``(count,)``.
        """
        chosen = generator.choice(len(self._pictures), count, replace=False)
        way = -1 if generator.random() < 0.5 else 1
        stacks = (self._pictures, self._contents, self._styles)
        return (*(stack[chosen, :, ::way].astype(np.float32) for stack in stacks), self._weights[chosen])

    def show(self, count: int) -> np.ndarray:
        """The first pictures, ``(count, size, size, 3)`` float32 in [0, 1]."""
        return self._pictures[:count].astype(np.float32)

    def _begin(self, index: int, generator: np.random.Generator) -> None:
        content, style = self._photographs.draw(1, generator)[0], self._paintings.draw(1, generator)[0]
        noisy = np.clip(0.3 * content + 0.35 + 0.25 * generator.standard_normal(content.shape), 0, 1)
        self._pictures[index] = noisy if generator.random() < 0.2 else content
        self._contents[index], self._styles[index] = content, style
        self._weights[index] = np.exp(generator.uniform(*np.log(WEIGHTS)))
        self._rounds[index] = generator.integers(*LIVES)

    @tf.function
    def _descend(
        self, image: tf.Tensor, content: tf.Tensor, style: tf.Tensor, weight: tf.Tensor, rate: tf.Tensor
    ) -> tf.Tensor:
        """Adam (β 0.8 and 0.95) on `transfer_loss` through the folded heads."""
        P, targets = self._features(content)[CONTENT], grams(self._features(style))
        m, v = tf.zeros_like(image), tf.zeros_like(image)
        for step in tf.range(1, STEPS + 1):
            with tf.GradientTape() as tape:
                tape.watch(image)
                loss = transfer_loss(self._features(image), P, targets, weight)
            gradient, t = tape.gradient(loss, image), tf.cast(step, tf.float32)
            m, v = 0.8 * m + 0.2 * gradient, 0.95 * v + 0.05 * tf.square(gradient)
            move = (m / (1 - tf.pow(0.8, t))) / (tf.sqrt(v / (1 - tf.pow(0.95, t))) + 1e-12)
            image = tf.clip_by_value(image - rate * move, 0.0, 1.0)
        return image

    def _features(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        narrow = self._student(image)
        return {tap: through_head(narrow[tap], factor) for tap, factor in self._factors.items()}

    def state(self) -> dict[str, np.ndarray]:
        """All that a checkpoint needs."""
        return {
            "pictures": self._pictures,
            "contents": self._contents,
            "styles": self._styles,
            "weights": self._weights,
            "rounds": self._rounds,
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take up a `state`."""
        for name, array in self.state().items():
            array[...] = state[name]
