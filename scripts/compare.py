"""Compare runs: `python scripts/compare.py outputs/sweeps/NAME`.

Each argument is the folder of a run, a film or a sweep, or a folder of these. A sweep writes the same report when it
ends.
"""

import sys

from nst_tf.cli.commands import run_command

if __name__ == "__main__":
    sys.exit(run_command("compare", sys.argv[1:]))
