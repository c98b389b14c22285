"""Optimisers: settings that create solvers, one algorithm per file."""

from nst_tf.optimizers.adam import Adam
from nst_tf.optimizers.first_order import FirstOrder, FirstOrderSolver
from nst_tf.optimizers.laplacian import Resampling, finest_level, resize_bilinear
from nst_tf.optimizers.lbfgs import LBFGS, LBFGSSolver
from nst_tf.optimizers.parametrisation import Basis, Parametrisation
from nst_tf.optimizers.rmsprop import RMSprop
from nst_tf.optimizers.scipy_lbfgs import ScipyLBFGS, ScipyLBFGSSolver
from nst_tf.optimizers.sgd import SGD
from nst_tf.optimizers.solver import EvaluateFunction, Evaluation, Optimizer, Solver, Step
from nst_tf.optimizers.units import Units

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adam": Adam,
    "lbfgs": LBFGS,
    "rmsprop": RMSprop,
    "scipy_lbfgs": ScipyLBFGS,
    "sgd": SGD,
}
"""Name in a config to class of the optimiser."""

__all__ = [
    "LBFGS",
    "OPTIMIZERS",
    "SGD",
    "Adam",
    "Basis",
    "EvaluateFunction",
    "Evaluation",
    "FirstOrder",
    "FirstOrderSolver",
    "LBFGSSolver",
    "Optimizer",
    "Parametrisation",
    "RMSprop",
    "Resampling",
    "ScipyLBFGS",
    "ScipyLBFGSSolver",
    "Solver",
    "Step",
    "Units",
    "finest_level",
    "resize_bilinear",
]
