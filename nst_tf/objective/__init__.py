"""The objective: one forward and backward pass, from a picture to the total loss, its gradient and its named terms."""

from nst_tf.objective.objective import Objective
from nst_tf.objective.terms import Term, active, columns, taps

__all__ = ["Objective", "Term", "active", "columns", "taps"]
