"""Make one small run with a fault: `python tests/faults/run_with_fault.py JSON`.

The JSON describes both:

    {"folder": "run", "content": "c.png", "style": "s.png", "changes": {"steps": 6}, "fault": {"kill_at_event": 7}}
"""

import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nst_tf import Config
from nst_tf.api import stylize
from nst_tf.backbones import VGG19
from nst_tf.cli.errors import exit_code, report_errors
from nst_tf.images import Canvas
from nst_tf.losses import ContentLoss, GramLoss
from nst_tf.observers import OBSERVERS
from nst_tf.optimizers import Adam
from nst_tf.system.runtime import Precision, Runtime

STEPS = 6


def run(order: dict[str, Any]) -> int:
    """Run a small experiment as the command line does, and return the exit code."""
    config = Config(
        **{
            "content": order["content"],
            "style": order["style"],
            "steps": STEPS,
            "backbone": VGG19(weights="random"),
            "losses": {
                "content": ContentLoss(layers=["conv1_1"]),
                "style": GramLoss(layers=["conv1_1", "conv2_1"], weight=10.0),
            },
            "optimizer": Adam(learning_rate=0.02),
            "image": Canvas(size=32),
            "runtime": Runtime(precision=Precision.float32, threads=1),
            "tracking": {name: OBSERVERS[name](every=1) for name in ("metrics", "snapshots", "checkpoints")},
            **order["changes"],
        }
    )
    return exit_code([report_errors(lambda: stylize(config, order["folder"]).status)])


def set_fault(fault: dict[str, int], folder: str) -> None:
    """Prepare the fault of a run in the process of that run."""
    if size := fault.get("largest_file"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    if megabytes := fault.get("more_memory_mb"):
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()  # noqa: SIM115, PTH123
        resource.setrlimit(resource.RLIMIT_AS, (used + megabytes * 2**20,) * 2)
    if number := fault.get("kill_at_event"):
        _act_at(number, lambda: os.kill(os.getpid(), signal.SIGKILL))
    if number := fault.get("vanish_at_event"):
        _act_at(number, lambda: _remove_unfinished(Path(folder)))


def _remove_unfinished(folder: Path) -> None:
    """Remove a run folder without a picture."""
    if not (folder / "stylized.png").exists():
        shutil.rmtree(folder, ignore_errors=True)


def _act_at(number: int, action: Callable[[], None]) -> None:
    """Act before or after the nth operation on a file of this process: an even number acts after it."""
    count = 0

    def counting(operation: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            is_last = count == number // 2
            if is_last and number % 2:
                action()
            try:
                return operation(*arguments, **named)
            finally:
                if is_last and not number % 2:
                    action()

        return counted

    for name in ("fsync", "replace", "posix_fallocate", "unlink", "mkdir"):
        setattr(os, name, counting(getattr(os, name)))


if __name__ == "__main__":
    ORDER = json.loads(sys.argv[1])
    set_fault(ORDER["fault"], ORDER["folder"])
    sys.exit(run(ORDER))
