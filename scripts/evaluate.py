"""Score pictures with a fixed judge: `python scripts/evaluate.py outputs/runs/lighthouse outputs/sweeps/NAME`.

Each argument is a run folder, a sweep, or a picture together with --content and --style. With --write, the scores are
also written into run.json and TensorBoard of the run folders, as a run with evaluation=on does. `scripts/compare.py`
then shows them.
"""

import sys

from nst_tf.cli.commands import run_command

if __name__ == "__main__":
    sys.exit(run_command("evaluate", sys.argv[1:]))
