"""Observers: the progress bar of a run, and the files that are written during the run.

The engine does not know the observers; they receive its events through `nst_tf.runs.observer_list`. The modules
imported here hold settings only, and import neither TensorFlow nor TensorBoard.
"""

from collections.abc import Iterable

from nst_tf.observers.checkpoints import Checkpoints
from nst_tf.observers.film import Film
from nst_tf.observers.metrics import Metrics
from nst_tf.observers.mlflow import MLflow
from nst_tf.observers.observer import Observer, RunningObserver, is_due
from nst_tf.observers.progress import Progress
from nst_tf.observers.snapshots import Snapshots
from nst_tf.observers.tensorboard import TensorBoard

OBSERVERS: dict[str, type[Observer]] = {
    "metrics": Metrics,
    "tensorboard": TensorBoard,
    "snapshots": Snapshots,
    "film": Film,
    "mlflow": MLflow,
    "progress": Progress,
    "checkpoints": Checkpoints,
}
"""Classes of the observers by their names in a config, in the order in which they receive each event.

The checkpoints are last: a run must not be resumed after a step that the other observers have not recorded.
"""


def standard_observers() -> dict[str, Observer]:
    """Return the observers of ``tracking=standard`` with their defaults, by name."""
    return {name: kind() for name, kind in OBSERVERS.items() if kind.is_standard}


def ordered_observers(observers: Iterable[Observer]) -> list[Observer]:
    """Return the observers in the order of `OBSERVERS`; other classes come before the checkpoints."""
    kinds = list(OBSERVERS.values())
    before_checkpoints = kinds.index(Checkpoints) - 0.5

    def position(observer: Observer) -> float:
        return kinds.index(type(observer)) if type(observer) in kinds else before_checkpoints

    return sorted(observers, key=position)


__all__ = [
    "OBSERVERS",
    "Checkpoints",
    "Film",
    "MLflow",
    "Metrics",
    "Observer",
    "Progress",
    "RunningObserver",
    "Snapshots",
    "TensorBoard",
    "is_due",
    "ordered_observers",
    "standard_observers",
]
