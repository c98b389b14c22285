"""The sweeper of ``sweep=search_weights``: Optuna chooses the settings of each run by the scores of earlier ones.

The underscore in the module's name keeps Hydra from importing it, and Optuna with it, for every command.
"""

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra_plugins.hydra_optuna_sweeper.optuna_sweeper import OptunaSweeper
from omegaconf import DictConfig

from nst_tf.util.errors import InputError


class Search(OptunaSweeper):
    """Hydra's Optuna sweeper, which continues the study in the sweep's folder.

    Args:
        minimise: Names of the scores whose sum is minimised; see `nst_tf.evaluation.search.NAMES`.
        settings: Arguments of Hydra's sweeper.
    """

    def __init__(self, minimise: Sequence[str], **settings: Any) -> None:
        super().__init__(**settings)
        self._minimise = minimise

    def setup(self, *, hydra_context: Any, task_function: Any, config: DictConfig) -> None:
        """Refuse scores that no run will have, and folders of pictures, before the first run."""
        from nst_tf.config.overrides import PICTURE_KEYS  # not while Hydra looks for plugins
        from nst_tf.evaluation.search import check

        typed = OverridesParser.create().parse_overrides(list(config.hydra.overrides.task))
        if any(each.get_key_element() in PICTURE_KEYS and each.is_sweep_override() for each in typed):
            raise InputError("A search is made for one content and one style. Name one picture each, and no folder")
        check(self._minimise, judged=config.evaluation.enabled)
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> None:
        """Repeat the trials that were interrupted, and run further ones until ``n_trials`` are complete.

        Raises:
            InputError: No run has the scores that are to be minimised.
        """
        self.sweeper.n_trials = _remaining_trials(self.sweeper)
        try:
            super().sweep(arguments)
        except InputError:
            raise
        except ValueError as error:  # Optuna has no best trial
            if _complete_trials(_study(self.sweeper)):
                raise
            names = f"hydra.sweeper.minimise={list(self._minimise)}"
            raise InputError(f"{names}: no run of the search has that; the lines above say why") from error


def _remaining_trials(sweeper: Any) -> int:
    """Queue the trials again that were running when the search was killed, and return the number of trials to go."""
    from optuna.trial import TrialState

    study = _study(sweeper)
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)
    return sweeper.n_trials - _complete_trials(study)


def _study(sweeper: Any) -> Any:
    """Load the study of the sweep's folder, or create it."""
    import optuna

    return optuna.create_study(
        study_name=sweeper.study_name, storage=sweeper.storage, direction="minimize", load_if_exists=True
    )


def _complete_trials(study: Any) -> int:
    """Return the number of trials that have a score."""
    from optuna.trial import TrialState

    return len(study.get_trials(states=[TrialState.COMPLETE]))
