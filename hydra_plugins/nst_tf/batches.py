"""The launcher of ``runtime.batch=B``, which computes B runs of a sweep at once, in the process of the command."""

import copy
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, configure_log
from omegaconf import DictConfig, open_dict, read_write

from nst_tf.util.errors import InputError


class Batches(BasicLauncher):
    """Launcher that computes the runs of a sweep in batches, and then lets Hydra's own launcher report each of them.

    Args:
        batch: Number of runs in a batch.
    """

    def __init__(self, batch: int) -> None:
        super().__init__()
        self._batch = batch

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run all jobs, and return their results in the same order.

        Args:
            job_overrides: The overrides of each job.
            initial_job_idx: Number of the first job within the sweep.
        """
        assert self.config is not None
        assert self.hydra_context is not None
        results: list[JobReturn] = []
        Path(self.config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        for first in range(0, len(job_overrides), self._batch):
            part = job_overrides[first : first + self._batch]
            number = initial_job_idx + first
            loader = self.hydra_context.config_loader
            configure_log(self.config.hydra.job_logging, self.config.hydra.verbose)
            _compute([loader.load_sweep_config(self.config, list(each)) for each in part], number)
            results += super().launch(part, number)
        return results


def _compute(configs: Sequence[DictConfig], first: int) -> None:
    """Compute the runs of a sweep that can share a compiled step; see `nst_tf.api.stylize_batch`.

    Runs that are refused are left to the command, which says why. Equal runs are computed once.

    Args:
        configs: The config of each run as Hydra composed it for a sweep.
        first: Number of the first run within the sweep.
    """
    from nst_tf.api import BatchJob, stylize_batch
    from nst_tf.config.composing import from_hydra
    from nst_tf.config.effects import effective_key
    from nst_tf.optimization.cache import run_cache

    jobs: dict[str, BatchJob] = {}
    sweep = None
    for number, config in enumerate(configs, first):
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = number
        HydraConfig.instance().set_config(config)  # names of folders are resolved with it
        sweep = Path(config.hydra.sweep.dir).absolute()
        try:
            settings = from_hydra(_of_job(config))
            jobs.setdefault(
                effective_key(settings),
                BatchJob(settings, sweep / config.hydra.sweep.subdir, list(config.hydra.overrides.task)),
            )
        except InputError:
            continue
    stylize_batch(list(jobs.values()), run_cache(), sweep)


def _of_job(config: DictConfig) -> DictConfig:
    """Return the config of a run without Hydra's own settings, as a job receives it."""
    job = copy.deepcopy(config)
    with read_write(job), open_dict(job):
        del job["hydra"]
    return job
