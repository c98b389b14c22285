"""Parts of the tests that try very many cases, for machines with little time."""

import math
import os
from fractions import Fraction

FAULTS = Fraction(os.environ.get("NST_TF_FAULTS", "1"))
"""Share of the random faults that are tried; ``NST_TF_FAULTS=0.1 make test-faults`` tries a tenth."""

CROSSINGS = Fraction(os.environ.get("NST_TF_CROSSINGS", "1"))
"""Share of the crossings of options, or of networks and paddings, that are run, or whose memory is measured.

``NST_TF_CROSSINGS=0.25 make test-slow`` tries a quarter.
"""


def is_chosen(number, share):
    """Return whether a case belongs to a share: of the cases 0, 1, 2, … the first, and others at even distances."""
    return math.floor(number * share) > math.floor((number - 1) * share)
