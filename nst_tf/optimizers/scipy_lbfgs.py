"""SciPy's L-BFGS-B, the way the Keras example and papers 1 and 2 drive it: in short runs, each started afresh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import optimize

from nst_tf.optimizers.solver import Evaluation, ObjectiveFunction, Optimizer, Solver, Step
from nst_tf.util.checks import at_least
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import tf


@dataclass
class ScipyLBFGS(Optimizer):
    """Limited-memory BFGS on the host, ``steps`` runs of about ``max_evaluations`` evaluations each.

    A step is one call of `scipy.optimize.minimize(method="L-BFGS-B")` from the current picture with an empty
    history. SciPy looks at the limit between its iterations, so a step may end a line search later. With
    ``clamp`` the pixels are bounded inside the method, not projected after it. One picture at a time.

    Attributes:
        max_evaluations: Evaluations of the objective after which a step ends. Default 20.
        history: Correction pairs kept (SciPy's ``maxcor``). Default 10.
        function_tolerance: SciPy's ``ftol``: relative decrease under which a step ends. Default 0: never.
        gradient_tolerance: SciPy's ``gtol``: largest projected gradient under which a step ends. Default 0: never.

    Reference:
        Zhu, Byrd, Lu & Nocedal 1997, *Algorithm 778: L-BFGS-B*.
    """

    max_evaluations: int = 20
    history: int = 10
    function_tolerance: float = 0.0
    gradient_tolerance: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        least = {"max_evaluations": 1, "history": 1, "function_tolerance": 0, "gradient_tolerance": 0}
        for name, value in least.items():
            at_least(f"optimizer.{name}", getattr(self, name), value)

    @property
    def image_copies(self) -> int:
        """SciPy's workspace of 2m + 5 vectors and our own, in float64."""
        return 2 * (2 * self.history + 12)

    def solver(self, image: tf.Tensor) -> ScipyLBFGSSolver:
        """A solver on the host."""
        return ScipyLBFGSSolver(self, image)


class ScipyLBFGSSolver(Solver):
    """One picture under L-BFGS-B: the state is the float64 pixels; a step carries nothing else over."""

    compiled: ClassVar[bool] = False

    def __init__(self, settings: ScipyLBFGS, image: tf.Tensor) -> None:
        """Start from ``image``, ``(1, H, W, 3)``."""
        if image.shape[0] != 1:
            raise InputError(f"optimizer=scipy_lbfgs takes one picture at a time, not {image.shape[0]}")
        self._settings = settings
        self._shape = tuple(image.shape)
        self.reset(settings, image)

    def reset(self, optimizer: Optimizer, image: tf.Tensor) -> None:
        """Start from another picture."""
        self._pixels = optimizer.units.from_image(image).numpy().astype(np.float64).ravel()
        self._latest: tuple[np.ndarray, Evaluation] | None = None

    def image(self) -> tf.Tensor:
        """The current picture."""
        return self._picture(self._pixels)

    def begin(self, evaluation: Evaluation) -> None:
        """Remember the evaluation at the start picture, which the first step begins with."""
        self._latest = (np.array(self._pixels), evaluation)

    def step(self, objective: ObjectiveFunction) -> Step:
        """Minimise from the current picture with an empty history, then tell of the point SciPy settled on."""
        asked = 0

        def value_and_gradient(z: np.ndarray) -> tuple[float, np.ndarray]:
            nonlocal asked
            asked += not self._is_latest(z)
            evaluation = self._evaluate(objective, z)
            gradient = self._settings.units.gradient(evaluation.gradient).numpy().astype(np.float64).ravel()
            return float(evaluation.total.numpy()[0]), gradient

        before = self._pixels
        result = self._minimize(value_and_gradient)
        asked += not self._is_latest(result.x)
        evaluation = self._evaluate(objective, result.x)
        self._pixels = np.array(result.x)
        stalled = np.array_equal(before, self._pixels)
        return Step(evaluation, tf.constant(asked, tf.int64), tf.constant(stalled))

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

    def _evaluate(self, objective: ObjectiveFunction, z: np.ndarray) -> Evaluation:
        """The objective at ``z``, asked only if ``z`` is not the point it was last asked at."""
        if self._latest is None or not self._is_latest(z):
            self._latest = (np.array(z), objective(self._picture(z)))
        return self._latest[1]

    def state(self) -> dict[str, np.ndarray]:
        """The pixels, and the evaluation there, which the next step begins with."""
        state = {"pixels": self._pixels}
        if self._latest is not None and self._is_latest(self._pixels):
            state |= {name: tensor.numpy() for name, tensor in self._latest[1].named().items()}
        return state

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Take up the pixels and the evaluation there."""
        self._pixels = np.array(state["pixels"])
        self._latest = (self._pixels, Evaluation.of(state)) if "total" in state else None
