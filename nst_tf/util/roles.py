"""Metadata of a setting: what it means for fingerprints, names, reports and HParams.

A field of a settings dataclass declares its role once, ``field(default=…, metadata=role(in_fingerprint=False))``, and
`nst_tf.config.keys` answers every question about a dotted key from these declarations.
"""

from dataclasses import dataclass
from typing import Any

ROLE = "role"
"""Key of a field's metadata."""


@dataclass(frozen=True)
class Role:
    """What a setting means beyond its own value; a group passes each restriction on to the settings in it.

    Attributes:
        in_fingerprint: Whether it decides the result, so that a run folder refuses a run with another value.
        in_run_name: Whether it tells the runs of a sweep apart in their folder names.
        in_sweep_name: Whether a sweep with another value is another sweep.
        is_axis: Whether a report may lay out runs by it.
        in_objective: Whether it changes what the losses measure, so that totals under two values do not compare.
        in_hparams: Whether TensorBoard's HParams show it.
        method: The only method that reads it, ``optimize`` or ``feedforward``; None where both do.
        groups: Hydra's groups that set it beside the group of its own name.
        old_name: Its name in the release before this one, which is still accepted.
        old_values: Pairs of a value's name and its name in the release before, which is still accepted.
    """

    in_fingerprint: bool = True
    in_run_name: bool = True
    in_sweep_name: bool = True
    is_axis: bool = True
    in_objective: bool = True
    in_hparams: bool = True
    method: str | None = None
    groups: tuple[str, ...] = ()
    old_name: str | None = None
    old_values: tuple[tuple[str, str], ...] = ()


def role(**declared: Any) -> dict[str, Role]:
    """Return a field's ``metadata`` with the `Role` of these attributes."""
    return {ROLE: Role(**declared)}


WATCHING = role(in_fingerprint=False, in_run_name=False, in_sweep_name=False, is_axis=False, in_objective=False)
"""Metadata of settings that say how a run is watched or judged, not what it computes."""
