"""SciPy's L-BFGS-B in short runs without shared curvature pairs, as in older Keras examples and papers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nst_tf.optimizers.solver import EvaluateFunction, Evaluation, Optimizer, Solver, Step
from nst_tf.util.checks import at_least
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import LazyModule, tf

if TYPE_CHECKING:
    from scipy import optimize
else:
    optimize = LazyModule("scipy.optimize")  # half a second, which commands without this solver need not wait


@dataclass
class ScipyLBFGS(Optimizer):
    """Settings of limited-memory BFGS on the host, in runs of about ``max_evaluations`` evaluations.

    A step is one call of `scipy.optimize.minimize(method="L-BFGS-B")` from the current picture, without curvature
    pairs. SciPy checks the limit between its iterations, so a step may take one line search more. With ``clamp`` the
    pixels are bounded inside the method, not projected after it. The batch is a single picture.

    Attributes:
        max_evaluations: Number of evaluations of the objective after which a step ends. Default 20.
        history: Number of curvature pairs that are kept (SciPy's ``maxcor``). Default 10.
        function_tolerance: SciPy's ``ftol``: the step ends when the relative decrease is below it. Default 0: never.
        gradient_tolerance: SciPy's ``gtol``: the step ends when the largest entry of the projected
            gradient is below it. Default 0: never.

    Reference:
        Zhu, Byrd, Lu & Nocedal 1997, *Algorithm 778: L-BFGS-B*.
    """

    max_evaluations: int = 20
    history: int = 10
    function_tolerance: float = 0.0
    gradient_tolerance: float = 0.0

    supports_batch: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        least = {"max_evaluations": 1, "history": 1, "function_tolerance": 0, "gradient_tolerance": 0}
        for name, value in least.items():
            at_least(f"optimizer.{name}", getattr(self, name), value)

    @property
    def image_copies(self) -> int:
        """Memory of SciPy's workspace, 2m + 5 vectors, and 7 vectors of the solver, in float64, which count twice."""
        return 2 * (2 * self.history + 12)

    def solver(self, image: tf.Tensor) -> ScipyLBFGSSolver:
        """Create a solver on the host."""
        return ScipyLBFGSSolver(self, image)


class ScipyLBFGSSolver(Solver):
    """L-BFGS-B at work on one picture; between steps it keeps the pixels, in float64, and their evaluation."""

    compiled: ClassVar[bool] = False

    def __init__(self, settings: ScipyLBFGS, image: tf.Tensor) -> None:
        """Start from ``image``, ``(1, H, W, 3)``."""
        if image.shape[0] != 1:
            raise InputError(
                f"optimizer=scipy_lbfgs: takes one picture at a time, not {image.shape[0]}. Choose another optimizer."
            )
        self._settings = settings
        self._shape = tuple(image.shape)
        self.reset(settings, image)

    def reset(self, optimizer: Optimizer, image: tf.Tensor) -> None:
        """Start from another picture."""
        self._pixels = optimizer.units.from_image(image).numpy().astype(np.float64).ravel()
        self._latest: tuple[np.ndarray, Evaluation] | None = None

    def image(self) -> tf.Tensor:
        """Return the current picture, ``(1, H, W, 3)``."""
        return self._picture(self._pixels)

    def begin(self, evaluation: Evaluation) -> None:
        """Store the evaluation at the start picture, with which the first step begins."""
        self._latest = (np.array(self._pixels), evaluation)

    def step(self, evaluate: EvaluateFunction) -> Step:
        """Minimise from the current picture without curvature pairs, and evaluate the point that SciPy returns."""
        evaluations = 0

        def value_and_gradient(z: np.ndarray) -> tuple[float, np.ndarray]:
            nonlocal evaluations
            evaluations += not self._is_latest(z)
            evaluation = self._evaluate(evaluate, z)
            gradient = self._settings.units.gradient(evaluation.gradient).numpy().astype(np.float64).ravel()
            return float(evaluation.total.numpy()[0]), gradient

        before = self._pixels
        result = self._minimize(value_and_gradient)
        evaluations += not self._is_latest(result.x)
        evaluation = self._evaluate(evaluate, result.x)
        self._pixels = np.array(result.x)
        stalled = np.array_equal(before, self._pixels)
        return Step(evaluation, tf.constant(evaluations, tf.int64), tf.constant(stalled))

    def _minimize(self, value_and_gradient: object) -> optimize.OptimizeResult:
        settings = self._settings
        return optimize.minimize(
            value_and_gradient,
            self._pixels,
            jac=True,
            method="L-BFGS-B",
            bounds=self._bounds(),
            options={
                "maxcor": settings.history,
                "maxfun": settings.max_evaluations,
                "maxiter": settings.max_evaluations,
                "ftol": settings.function_tolerance,
                "gtol": settings.gradient_tolerance,
            },
        )

    def _bounds(self) -> optimize.Bounds | None:
        if not self._settings.clamp:
            return None
        ends = [self._settings.units.from_image(tf.fill(self._shape, value)).numpy().ravel() for value in (0.0, 1.0)]
        return optimize.Bounds(*np.asarray(ends, np.float64))

    def _picture(self, z: np.ndarray) -> tf.Tensor:
        return self._settings.units.to_image(tf.constant(z.reshape(self._shape), tf.float32))

    def _is_latest(self, z: np.ndarray) -> bool:
        return self._latest is not None and np.array_equal(self._latest[0], z)

    def _evaluate(self, evaluate: EvaluateFunction, z: np.ndarray) -> Evaluation:
        """Evaluate the objective at ``z``, unless that was the last point."""
        if self._latest is None or not self._is_latest(z):
            self._latest = (np.array(z), evaluate(self._picture(z)))
        return self._latest[1]

    def state(self) -> dict[str, np.ndarray]:
        """Return the pixels and their evaluation, with which the next step begins."""
        state = {"pixels": self._pixels}
        if self._latest is not None and self._is_latest(self._pixels):
            state |= {name: tensor.numpy() for name, tensor in self._latest[1].as_dict().items()}
        return state

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue from the pixels and their evaluation."""
        self._pixels = np.array(state["pixels"])
        self._latest = (self._pixels, Evaluation.from_dict(state)) if "total" in state else None
