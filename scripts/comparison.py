"""Write docs/comparison.md from sweeps of several methods: `python scripts/comparison.py outputs/sweeps/small_*`.

Each argument is a run folder, a sweep, or a folder of these. `python scripts/stylize.py sweep=styleid_small …` makes
the runs of one method.
"""

import sys

from nst_tf.cli.commands import run_command

if __name__ == "__main__":
    sys.exit(run_command("comparison", sys.argv[1:]))
