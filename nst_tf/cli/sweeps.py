"""What a sweep leaves beside its runs: a report, and the columns of TensorBoard's table."""

import contextlib
import sys
from pathlib import Path
from typing import Any, ClassVar

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from nst_tf.cli.hydra_errors import one_line


def register_plugins() -> None:
    """Make launcher and sweeper known to Hydra, whose own search does not look into a checkout installed in place."""
    from hydra_plugins.nst_tf.processes import Processes

    Plugins.instance().register(Processes)
    with contextlib.suppress(ImportError):  # without Optuna
        from hydra_plugins.nst_tf._search import Search

        Plugins.instance().register(Search)


class SweepReport(Callback):
    """Writes a sweep's report when it ends, however it does.

    Hydra tells where the sweep lies as it begins, and nothing of one that an error or Ctrl-C ends.
    """

    begun: ClassVar[list[Path]] = []

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Remember the sweep's folder, and tell TensorBoard what its runs differ in."""
        from nst_tf.observers import write_hparams_config

        folder = Path(config.hydra.sweep.dir)
        self.begun.append(folder)
        with contextlib.suppress(OSError):
            write_hparams_config(folder / "tensorboard", varied(config), weighted(config), self._scores(config))

    def _scores(self, config: DictConfig) -> list[str]:
        from nst_tf.reports.table import SCORES

        return list(SCORES) if OmegaConf.select(config, "evaluation.enabled") else []

    @classmethod
    def write(cls) -> None:
        """Write what has begun; a report that cannot be written is one line and changes no status."""
        from nst_tf.reports import write_report

        while cls.begun:
            folder = cls.begun.pop()
            if not any(folder.glob("*/run.json")):
                continue
            try:
                print(f"  report       {write_report([folder])}", flush=True)
            except Exception as error:
                print(f"warning: no report: {type(error).__name__}: {one_line(error)}", file=sys.stderr)


def varied(config: DictConfig) -> list[str]:
    """Keys in which the runs of a sweep differ: those with several values, and all that its YAML sweeps over."""
    typed = OverridesParser.create().parse_overrides(list(config.hydra.overrides.task))
    keys = [override.get_key_element() for override in typed if override.is_sweep_override()]
    return list(dict.fromkeys([*(config.hydra.sweeper.get("params") or {}), *keys]))


def weighted(config: DictConfig) -> list[str]:
    """Losses that a run of a sweep can have: without those of weight 0, unless what varies may change that."""
    keys = varied(config)
    single = [key for key in keys if "." in key or (key in config and not OmegaConf.is_dict(config[key]))]
    if single != keys:  # whole groups vary, an experiment perhaps
        return list(config.losses)
    return [name for name, loss in config.losses.items() if loss.weight or f"losses.{name}.weight" in keys]
