"""Files that a sweep leaves beside its runs: a report, and the columns of TensorBoard's table."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Any, ClassVar

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, flag_override

from nst_tf.cli.hydra_errors import one_line


def register_plugins() -> None:
    """Register launcher and sweeper; Hydra's own search misses them in an editable install."""
    from hydra_plugins.nst_tf.processes import Processes

    Plugins.instance().register(Processes)
    with contextlib.suppress(ImportError):  # Optuna is an extra
        from hydra_plugins.nst_tf._search import Search

        Plugins.instance().register(Search)


class OldNames(Callback):
    """Rewrites a sweep in YAML (``hydra.sweeper.params``) as if typed: current names, quotes where they are needed."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Rewrite the sweeper's parameters before Hydra makes the sweeper."""
        from nst_tf.config.composing import typed_overrides
        from nst_tf.config.overrides import escape_interpolations

        if not (params := config.hydra.sweeper.get("params")):
            return
        overrides = typed_overrides([*(f"{key}={value}" for key, value in params.items()), "-m"])[:-1]
        with flag_override(config.hydra, ["readonly", "struct"], [False, False]):
            config.hydra.sweeper.params = dict(escape_interpolations(text).split("=", 1) for text in overrides)


class SweepReport(Callback):
    """Writes the report of a sweep when the command ends.

    Hydra calls `on_multirun_start` with the sweep's folder, but calls nothing at the end of a sweep that an error or
    Ctrl-C has stopped. The command line therefore calls `write` itself.
    """

    folders: ClassVar[list[Path]] = []
    """Folders of the sweeps that have started and have no report yet."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Remember the sweep's folder, and write which settings TensorBoard's table compares."""
        from nst_tf.observers.hparams_table import write_hparams_config

        folder = Path(config.hydra.sweep.dir)
        self.folders.append(folder)
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):  # TensorFlow writes lines of its own about a folder that is read-only
                write_hparams_config(
                    folder / "tensorboard", varied_keys(config), possible_losses(config), self._scores(config)
                )

    def _scores(self, config: DictConfig) -> list[str]:
        from nst_tf.reports.table import SCORES

        return list(SCORES) if OmegaConf.select(config, "evaluation.enabled") else []

    @classmethod
    def write(cls) -> None:
        """Write the reports that are due. An error is one line on stderr and leaves the command's status unchanged."""
        while cls.folders:
            folder = cls.folders.pop()
            if not any(folder.glob("*/run.json")):
                continue
            from nst_tf.reports import write_report

            try:
                print(f"  report       {write_report([folder])}", flush=True)
            except Exception as error:
                print(f"warning: no report: {type(error).__name__}: {one_line(error)}", file=sys.stderr)


def varied_keys(config: DictConfig) -> list[str]:
    """Return the keys in which the runs of a sweep differ: those of the sweeper's YAML, then those typed."""
    typed = OverridesParser.create().parse_overrides(list(config.hydra.overrides.task))
    keys = [override.get_key_element() for override in typed if override.is_sweep_override()]
    return list(dict.fromkeys([*(config.hydra.sweeper.get("params") or {}), *keys]))


def possible_losses(config: DictConfig) -> list[str]:
    """Return the losses that a run of the sweep can have: those with a weight, or with a weight that may vary."""
    keys = varied_keys(config)
    if any(_is_group(key, config) for key in keys):  # an experiment, perhaps, which may set any weight
        return list(config.losses)
    return [name for name, loss in config.losses.items() if loss.weight or f"losses.{name}.weight" in keys]


def _is_group(key: str, config: DictConfig) -> bool:
    return "." not in key and (key not in config or OmegaConf.is_dict(config[key]))
