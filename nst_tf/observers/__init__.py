"""Observers: what watches a run. The engine knows none of them; each takes what it needs from the events."""

from collections.abc import Iterable

from nst_tf.observers.checkpoints import Checkpoints
from nst_tf.observers.metrics import COUNTERS, Metrics
from nst_tf.observers.observer import Observer, is_due
from nst_tf.observers.progress import Progress
from nst_tf.observers.snapshots import Snapshots
from nst_tf.observers.tensorboard import TensorBoard, write_hparams_config, write_scores

OBSERVERS: dict[str, type[Observer]] = {
    "metrics": Metrics,
    "tensorboard": TensorBoard,
    "snapshots": Snapshots,
    "progress": Progress,
    "checkpoints": Checkpoints,
}
"""Name in a config to class, in the order they are told: a checkpoint comes after what it must not outrun."""


def ordered_observers(observers: Iterable[Observer]) -> list[Observer]:
    """Observers in the order they are told: the table's, and classes of one's own before the checkpoints."""
    kinds = list(OBSERVERS.values())
    own = kinds.index(Checkpoints) - 0.5
    return sorted(observers, key=lambda observer: kinds.index(type(observer)) if type(observer) in kinds else own)


__all__ = [
    "COUNTERS",
    "OBSERVERS",
    "Checkpoints",
    "Metrics",
    "Observer",
    "Progress",
    "Snapshots",
    "TensorBoard",
    "is_due",
    "ordered_observers",
    "write_hparams_config",
    "write_scores",
]
