"""Write docs/reproduction.md from runs of the papers' systems: `python scripts/reproduction.py outputs/sweeps/NAME`.

Each argument is a run folder, a sweep, or a folder of these. `python scripts/stylize.py sweep=papers …` makes the runs.
"""

import sys

from nst_tf.cli.commands import run_command

if __name__ == "__main__":
    sys.exit(run_command("reproduction", sys.argv[1:]))
