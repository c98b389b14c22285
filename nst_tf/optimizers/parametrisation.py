"""The variables that an optimiser moves: the pixels, or numbers of which the picture is a linear function."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from nst_tf.optimizers.laplacian import Resampling, collapse, decompose, level_sizes
from nst_tf.optimizers.solver import EvaluateFunction, Evaluation, Optimizer, Solver, Step
from nst_tf.util.checks import at_least, convert_fields
from nst_tf.util.lazy import tf
from nst_tf.util.roles import role


class Basis(Enum):
    """The linear function ``x = S z`` from variables z to the picture x.

    ``pixels`` x = z · ``laplacian_pyramid`` the sum of a Laplacian pyramid's levels, enlarged: a change of a coarse
    level moves many pixels at once (Kolkin et al. 2019) · ``fourier`` the inverse discrete Fourier transform of z,
    scaled by ``|k|^−decay`` (Olah et al. 2017, *Feature Visualization*).
    """

    pixels = "pixels"
    laplacian_pyramid = "laplacian_pyramid"
    fourier = "fourier"


@dataclass
class Parametrisation:
    """Settings of the variables that the optimiser moves (config group ``parametrisation``).

    Losses and gradients are those of the picture; the optimiser sees ``∂L/∂z = Sᵀ ∂L/∂x``. Its bounds (``clamp``) and
    L-BFGS's preconditioner hold for pixels, so other variables do without them. Learning rates then count in units of
    the variables.

    Attributes:
        basis: See `Basis`; default ``pixels``.
        levels: Levels of ``laplacian_pyramid`` beside the rest. Halving ends before a side would be below 2. Default 5.
        resampling: See `nst_tf.optimizers.laplacian.Resampling`; default ``half_pixel``.
        decay: Exponent of ``fourier``, at least 0. Default 1; 0 gives an orthonormal transform.

    Reference:
        Kolkin, Salavon & Shakhnarovich 2019, *Style Transfer by Relaxed Optimal Transport and Self-Similarity*.
    """

    basis: Basis = field(default=Basis.pixels, metadata=role(implied_value="pixels"))
    levels: int = field(default=5, metadata=role(implied_value=5))
    resampling: Resampling = field(default=Resampling.half_pixel, metadata=role(implied_value="half_pixel"))
    decay: float = field(default=1.0, metadata=role(implied_value=1.0))

    def __post_init__(self) -> None:
        convert_fields(self, "parametrisation.")
        at_least("parametrisation.levels", self.levels, 1)
        at_least("parametrisation.decay", self.decay, 0)

    @property
    def is_pixels(self) -> bool:
        """True if the variables are the pixels themselves."""
        return self.basis is Basis.pixels

    @property
    def variables_per_pixel(self) -> float:
        """Number of variables for each pixel, about, which the memory estimate needs."""
        return 4 / 3 if self.basis is Basis.laplacian_pyramid else 1.0

    def solver(self, optimizer: Optimizer, image: tf.Tensor) -> Solver:
        """Return the optimiser's solver, which moves these variables from the picture ``(B, H, W, 3)`` on."""
        return optimizer.solver(image) if self.is_pixels else ParametrisedSolver(self, optimizer, image)

    def analyse(self, image: tf.Tensor) -> tf.Tensor:
        """Return variables ``(B, n, 1, 3)`` whose picture is ``image``, ``(B, H, W, 3)``."""
        if self.basis is Basis.laplacian_pyramid:
            return tf.concat([_flat(part) for part in decompose(image, self.levels, self.resampling)], axis=1)
        if self.basis is Basis.fourier:
            waves = _planes_to_waves(image) / self._spectrum(*image.shape[1:3])
            return tf.concat([_flat(_to_channels_last(part)) for part in (tf.math.real(waves), tf.math.imag(waves))], 1)
        return image

    def synthesise(self, z: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Return the picture ``S z``, ``(B, height, width, 3)``, of variables as `analyse` returns them."""
        if self.basis is Basis.laplacian_pyramid:
            sizes = level_sizes(height, width, self.levels)
            parts = tf.split(z, [h * w for h, w in sizes], axis=1)
            shaped = [tf.reshape(part, [-1, h, w, 3]) for part, (h, w) in zip(parts, sizes, strict=True)]
            return collapse(shaped, self.resampling)
        if self.basis is Basis.fourier:
            real, imaginary = (
                tf.transpose(tf.reshape(part, [-1, height, width // 2 + 1, 3]), [0, 3, 1, 2])
                for part in tf.split(z, 2, axis=1)
            )
            waves = tf.complex(real, imaginary) * self._spectrum(height, width)
            return _to_channels_last(tf.signal.irfft2d(waves, [height, width])) * np.sqrt(height * width)
        return z

    def adjoint(self, gradient: tf.Tensor) -> tf.Tensor:
        """Return ``Sᵀ g`` of a gradient ``(B, H, W, 3)`` with respect to the picture, in the form of the variables."""
        height, width = gradient.shape[1:3]
        z = tf.zeros_like(self.analyse(tf.zeros_like(gradient)))
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(z)
            image = self.synthesise(z, height, width)
        return tape.gradient(image, z, output_gradients=gradient)

    def _spectrum(self, height: int, width: int) -> np.ndarray:
        """Return ``(½ / |k|)^decay`` of each frequency in cycles per pixel, at least one cycle per picture."""
        k = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
        return ((0.5 / np.maximum(k, 1 / max(height, width))) ** self.decay).astype(np.complex64)


def _flat(x: tf.Tensor) -> tf.Tensor:
    """Return ``(B, h, w, 3)`` as ``(B, h·w, 1, 3)``."""
    return tf.reshape(x, [-1, x.shape[1] * x.shape[2], 1, 3])


def _to_channels_last(planes: tf.Tensor) -> tf.Tensor:
    return tf.transpose(planes, [0, 2, 3, 1])


def _planes_to_waves(image: tf.Tensor) -> tf.Tensor:
    """Return the orthonormal transform of each channel, ``(B, 3, H, W // 2 + 1)`` complex64."""
    height, width = image.shape[1:3]
    return tf.signal.rfft2d(tf.transpose(image, [0, 3, 1, 2])) / tf.cast(np.sqrt(height * width), tf.complex64)


class ParametrisedSolver(Solver):
    """A solver that moves the variables of a `Parametrisation`; the picture is their linear function.

    The evaluations of its steps have the gradient with respect to the variables.
    """

    def __init__(self, parametrisation: Parametrisation, optimizer: Optimizer, image: tf.Tensor) -> None:
        """Start from ``image``, ``(B, H, W, 3)``."""
        self._parametrisation = parametrisation
        self._shape = (int(image.shape[1]), int(image.shape[2]))
        self._inner = optimizer.for_variables().solver(parametrisation.analyse(image))
        self.compiled = self._inner.compiled  # type: ignore[misc]
        self.batch_axes = self._inner.batch_axes  # type: ignore[misc]

    def image(self) -> tf.Tensor:
        """Return the current picture, ``(B, H, W, 3)``."""
        return self._parametrisation.synthesise(self._inner.image(), *self._shape)

    def begin(self, evaluation: Evaluation) -> None:
        """Take the evaluation at the start picture."""
        self._inner.begin(self._of_variables(evaluation))

    def step(self, evaluate: EvaluateFunction) -> Step:
        """Take a step of the optimiser in the variables."""

        def evaluate_variables(z: tf.Tensor) -> Evaluation:
            return self._of_variables(evaluate(self._parametrisation.synthesise(z, *self._shape)))

        return self._inner.step(evaluate_variables)

    def _of_variables(self, evaluation: Evaluation) -> Evaluation:
        return evaluation._replace(gradient=self._parametrisation.adjoint(evaluation.gradient))

    def state(self) -> dict[str, np.ndarray]:
        """Return the state of the optimiser's solver."""
        return self._inner.state()

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue from a `state`."""
        self._inner.restore(state)

    def reset(self, optimizer: Optimizer, image: tf.Tensor) -> None:
        """Start from another picture."""
        self._inner.reset(optimizer.for_variables(), self._parametrisation.analyse(image))
