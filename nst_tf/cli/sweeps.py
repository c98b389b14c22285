"""Files that a sweep leaves beside its runs: a report, and the columns of TensorBoard's table."""

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, flag_override

from nst_tf.cli.hydra_errors import one_line
from nst_tf.cli.video import is_film_sweep
from nst_tf.config.keys import role_of
from nst_tf.config.overrides import PICTURE_KEYS, folder_name, run_name


def register_plugins() -> None:
    """Register launcher and sweepers; Hydra's own search misses them in an editable install."""
    from hydra_plugins.nst_tf.batches import Batches
    from hydra_plugins.nst_tf.pairs import Pairs
    from hydra_plugins.nst_tf.processes import Processes

    Plugins.instance().register(Batches)
    Plugins.instance().register(Processes)
    Plugins.instance().register(Pairs)
    with contextlib.suppress(ImportError):  # Optuna is an extra
        from hydra_plugins.nst_tf._search import Search

        Plugins.instance().register(Search)


RUN_NAMES = "${hydra.job.num}_${folder_name:${hydra.overrides.task}}"
"""Names of run folders that the configs give: every setting that was typed. Only these are made shorter."""

SUBDIR = "hydra.sweep.subdir"
"""Key of the name of a run's folder in a sweep."""


class SweepSettings(Callback):
    """Prepares the settings of a sweep before Hydra makes the sweeper.

    A sweep in YAML (``hydra.sweeper.params``) becomes what it would be if it were typed: current names, quotes, folders
    of pictures. The folder of each run gets a name of the settings that vary.
    """

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Change the settings of the sweep in place."""
        with flag_override(config.hydra, ["readonly", "struct"], [False, False]):
            _rewrite_parameters(config.hydra)
            _name_runs(config)
            _compute_in_batches(config)


def _compute_in_batches(config: DictConfig) -> None:
    """Choose the launcher of ``runtime.batch``, where the runs would be computed one by one in this process."""
    batch = OmegaConf.select(config, "runtime.batch", default=1)
    if batch > 1 and not is_film_sweep(config) and str(config.hydra.launcher._target_).endswith("BasicLauncher"):
        config.hydra.launcher = {"_target_": "hydra_plugins.nst_tf.batches.Batches", "batch": batch}


def _rewrite_parameters(hydra: DictConfig) -> None:
    from nst_tf.config.composing import typed_overrides
    from nst_tf.config.overrides import escape_interpolations
    from nst_tf.config.pairs import PAIRS_TARGET, SWEEPER, expand_pictures

    if not (params := hydra.sweeper.get("params")):
        return
    arguments = typed_overrides([*(f"{key}={value}" for key, value in params.items()), "-m"])
    overrides = [text for text in expand_pictures(arguments).arguments if text != "-m"]
    if SWEEPER in overrides:
        overrides.remove(SWEEPER)
        hydra.sweeper._target_ = PAIRS_TARGET
    hydra.sweeper.params = dict(escape_interpolations(text).split("=", 1) for text in overrides)


def _name_runs(config: DictConfig) -> None:
    """Let the folders of the runs be named after the settings that vary.

    Hydra composes the config of each run from overrides, so that the name must be one of these. A sweep whose runs
    were named by an earlier version keeps their names, so that it continues.
    """
    varied = [key for key in varied_keys(config) if key in PICTURE_KEYS or role_of(key).in_run_name]
    names = config.hydra.sweep._get_node("subdir")
    if varied and names._value() == RUN_NAMES and not _has_earlier_names(Path(config.hydra.sweep.dir), varied):
        template = f"${{hydra.job.num}}_${{run_name:${{hydra.overrides.task}},[{','.join(varied)}]}}"
        config.hydra.overrides.hydra.append(f"{SUBDIR}='{template}'")


def _has_earlier_names(sweep: Path, varied: Sequence[str]) -> bool:
    """Return whether a run of a sweep has the name that earlier versions gave, and not the present one."""
    from nst_tf.runs.folder import RunFolder

    for path in sorted(path.parent for path in sweep.glob("*/run.json")):
        number, _, name = path.name.partition("_")
        overrides = RunFolder(path).read_overrides()
        if number.isdecimal() and overrides:
            return name == folder_name(overrides) != run_name(overrides, varied)
    return False


class SweepReport(Callback):
    """Writes the report of a sweep when the command ends.

    Hydra calls `on_multirun_start` with the sweep's folder, but calls nothing at the end of a sweep that an error or
    Ctrl-C has stopped. The command line therefore calls `write` itself.
    """

    folders: ClassVar[dict[Path, list[str]]] = {}
    """Folders of the sweeps that have started and have no report yet, with the keys that vary."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Remember the sweep's folder, and write which settings TensorBoard's table compares."""
        from nst_tf.observers.hparams_table import write_hparams_config

        folder, varied = Path(config.hydra.sweep.dir), varied_keys(config)
        self.folders[folder] = varied
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            if is_film_sweep(config):
                return
            if os.access(folder, os.W_OK):  # TensorFlow writes lines of its own about a folder that is read-only
                write_hparams_config(folder, varied, possible_losses(config), self._scores(config))

    def _scores(self, config: DictConfig) -> list[str]:
        from nst_tf.reports.table import SCORES

        return list(SCORES) if OmegaConf.select(config, "evaluation.enabled") else []

    @classmethod
    def write(cls) -> None:
        """Write the reports that are due. An error is one line on stderr and leaves the command's status unchanged."""
        while cls.folders:
            folder, varied = cls.folders.popitem()
            try:
                if (page := _write_report(folder, varied)) is not None:
                    print(f"  report       {page}", flush=True)
            except Exception as error:
                print(f"warning: no report: {type(error).__name__}: {one_line(error)}", file=sys.stderr)


def _write_report(sweep: Path, varied: Sequence[str]) -> Path | None:
    """Write the report of a sweep of runs or films; None for a sweep that has neither."""
    if any(sweep.glob("*/video.json")):
        from nst_tf.video.comparison import write_comparison

        return write_comparison([sweep])
    if not any(sweep.glob("*/run.json")):
        return None
    with contextlib.suppress(OSError):
        _write_final_columns(sweep, varied)
    from nst_tf.reports import write_report

    return write_report([sweep])


def _write_final_columns(sweep: Path, varied: Sequence[str]) -> None:
    """Let TensorBoard's table have the losses and scores that the runs have, instead of those that were possible."""
    from nst_tf.observers.hparams_table import recorded_columns, write_hparams_config
    from nst_tf.runs.folder import read_records

    write_hparams_config(sweep, varied, *recorded_columns(read_records(sweep)))


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
