"""The sweeper of ``pairs=FILE``: a grid in which the n-th content is combined with the n-th style alone."""

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class Pairs(Sweeper):
    """Hydra's sweeper over a grid, with the pairs of content and style as its outermost axis.

    Args:
        max_batch_size: Most runs that are launched at a time; None for all.
        params: Overrides of a sweep in YAML.
    """

    def __init__(self, max_batch_size: int | None, params: dict[str, str] | None = None) -> None:
        # Hydra executes that module again when it looks for plugins, so that a derived class may have an outdated base.
        from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

        self._grid: Any = BasicSweeper(max_batch_size, params)
        setattr(self._grid, "split_arguments", self._split)  # noqa: B010 - mypy refuses the assignment

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Prepare the launcher."""
        self._grid.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> Any:
        """Launch the runs, and return their results."""
        return self._grid.sweep(arguments)

    def _split(self, overrides: Sequence[Override], max_batch_size: int | None) -> list[list[list[str]]]:
        """Return the overrides of each run, in batches; content and style have one value for each pair."""
        from nst_tf.config.overrides import PICTURE_KEYS  # not while Hydra looks for plugins

        split = type(self._grid).split_arguments
        paired = [split([each], None)[0] for each in overrides if each.get_key_element() in PICTURE_KEYS]
        crossed = split([each for each in overrides if each.get_key_element() not in PICTURE_KEYS], None)[0]
        pairs = [[text for (text,) in pair] for pair in zip(*paired, strict=True)]
        runs = [[*pair, *others] for pair in pairs for others in crossed]
        return list(self._grid.split_overrides_to_chunks(runs, max_batch_size))
