"""``sweep=search_weights``: settings that Optuna looks for, run after run, by what a judge says of the pictures."""

from collections.abc import Sequence
from typing import Any

from hydra_plugins.hydra_optuna_sweeper.optuna_sweeper import OptunaSweeper
from omegaconf import DictConfig

from nst_tf.util.errors import InputError


class Search(OptunaSweeper):
    """Hydra's sweeper with Optuna, which goes on with a study that is there.

    Args:
        minimise: Some of `nst_tf.evaluation.search.NAMES`.
        settings: Hydra's own.
    """

    def __init__(self, minimise: Sequence[str], **settings: Any) -> None:
        super().__init__(**settings)
        self._minimise = minimise

    def setup(self, *, hydra_context: Any, task_function: Any, config: DictConfig) -> None:
        """Refuse what no run will have as a score."""
        from nst_tf.evaluation.search import check  # not while Hydra looks for plugins

        check(self._minimise, judged=config.evaluation.enabled)
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> None:
        """Try again what was cut short, then as many as are missing of ``n_trials``.

        Raises:
            InputError: No run has what is to be minimised.
        """
        self.sweeper.n_trials = _missing(self.sweeper)
        try:
            super().sweep(arguments)
        except InputError:
            raise
        except ValueError as error:
            if _completed(_study(self.sweeper)):
                raise
            names = f"hydra.sweeper.minimise={list(self._minimise)}"
            raise InputError(f"{names}: no run of the search has that; what became of them is said above") from error


def _missing(sweeper: Any) -> int:
    """Trials still to go; those that were under way when the search was killed are queued again."""
    from optuna.trial import TrialState

    study = _study(sweeper)
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)
    return sweeper.n_trials - _completed(study)


def _study(sweeper: Any) -> Any:
    """The one that is there, or a new one."""
    import optuna

    return optuna.create_study(
        study_name=sweeper.study_name, storage=sweeper.storage, direction="minimize", load_if_exists=True
    )


def _completed(study: Any) -> int:
    """Trials that have a score."""
    from optuna.trial import TrialState

    return len(study.get_trials(states=[TrialState.COMPLETE]))
