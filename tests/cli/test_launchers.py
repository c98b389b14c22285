"""A sweep on Slurm or Ray is launched without TensorFlow, and what is sent to the workers can be read there."""

import json
import subprocess
import sys

import pytest

LAUNCH = """
import contextlib, io, json, sys, types
for name in ("tensorflow", "keras"):
    sys.modules[name] = None  # an import raises ImportError
import cloudpickle
import hydra_plugins
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.plugins.launcher import Launcher
from nst_tf.cli.commands import main

class Queue(Launcher):
    '''Pickles what the launchers of Slurm and Ray send to a worker, and starts no job.'''

    __module__ = "hydra_plugins.queue"

    def __init__(self, **settings):
        self.settings = settings

    def setup(self, *, hydra_context, task_function, config):
        self.context, self.task, self.config = hydra_context, task_function, config

    def launch(self, job_overrides, initial_job_idx):
        setup_globals()
        for overrides in job_overrides:
            sent = (self.context, self.task, self.config, list(overrides), Singleton.get_state())
            with open(f"{len(jobs)}.pickle", "wb") as file:
                cloudpickle.dump(sent, file)
            config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
            HydraConfig.instance().set_config(config)
            jobs.append(config.runtime.threads)
        return [JobReturn(status=JobStatus.COMPLETED) for _ in job_overrides]

jobs, codes = [], []
sys.modules["hydra_plugins.queue"] = hydra_plugins.queue = types.ModuleType("hydra_plugins.queue")
hydra_plugins.queue.Queue = Queue
Plugins.instance().register(Queue)
target = {"_target_": "hydra_plugins.queue.Queue"}
ConfigStore.instance().store("submitit_slurm", target, group="hydra/launcher")
ConfigStore.instance().store("ray", target, group="hydra/launcher")
pictures = ["content=sample:coffee", "style=sample:night_swirls"]
for launcher in ("slurm", "ray"):
    sys.argv[1:] = ["-m", f"launcher={launcher}", *pictures, "steps=1,2", f"name={launcher}"]
    with contextlib.redirect_stdout(sys.stderr):
        try:
            main()
        except SystemExit as end:
            codes.append(end.code)
print(json.dumps([codes, jobs, [name for name in sys.modules if name.startswith("tensorflow.")]]))
"""

WORK = """
import pickle, sys
with open(sys.argv[1], "rb") as file:
    context, task, config, overrides, singletons = pickle.load(file)
from hydra.core.singleton import Singleton
from hydra.core.utils import setup_globals
Singleton.set_state(singletons)
setup_globals()
print(callable(task), context.config_loader.load_sweep_config(config, overrides).steps)
"""


def test_a_worker_composes_the_config_that_was_sent(launched):
    done = run(WORK, launched[0], "3.pickle")
    assert done.stdout == "True 2\n", done.stderr


def test_slurm_and_ray_are_launched_without_tensorflow(launched):
    _, codes, threads, modules = launched
    assert codes == [0, 0]
    assert threads == [2, 2, 1, 1]
    assert modules == []


@pytest.fixture(scope="module")
def launched(tmp_path_factory):
    """The folder of two sweeps, with the exit codes, the threads of each job, and TensorFlow's modules."""
    pytest.importorskip("cloudpickle")
    folder = tmp_path_factory.mktemp("launched")
    done = run(LAUNCH, folder)
    assert done.returncode == 0, done.stderr
    return folder, *json.loads(done.stdout.splitlines()[-1])


def run(program, folder, *words):
    """Run a Python program in a process of its own."""
    command = [sys.executable, "-c", program, *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
