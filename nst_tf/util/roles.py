"""Metadata of settings: their role in fingerprints, names, reports and HParams.

A field of a settings dataclass declares its role once, ``field(default=…, metadata=role(in_fingerprint=False))``, and
`nst_tf.config.keys` answers every question about a dotted key from these declarations.
"""

from dataclasses import dataclass
from typing import Any, Literal

ROLE = "role"
"""Key of the `Role` in a field's metadata."""


@dataclass(frozen=True)
class Role:
    """The role of a setting outside its own component; the settings in a group inherit the group's restrictions.

    Attributes:
        in_fingerprint: Whether the setting decides the result, so that a run folder refuses a run with another value.
        in_run_name: Whether the folder names of a sweep's runs contain the setting.
        in_sweep_name: Whether a sweep with another value counts as another sweep.
        is_axis: Whether a report may arrange runs by the setting.
        in_objective: Whether the setting changes what the losses measure, so that totals under two values are not
            comparable.
        in_hparams: Whether TensorBoard's HParams show the setting.
        method: The only method that reads the setting, ``optimize`` or ``feedforward``; None if several read it.
        groups: Hydra's config groups that set it, beside the group of the same name.
        takes: ``path`` for the path of an existing file or folder, or a list of these; ``name`` for the name of a file
            or folder that may be new; None for any other value. Such a value may be typed without Hydra's quotes.
        implied_value: Value of the setting in versions that did not have it. The fingerprint leaves it out, so that
            their runs can be continued. None for a setting that all versions have. A tuple gives this value first, and
            behind it other words for it: those that stand for a number until the pictures are read, and ``null``.
        old_name: Name in the previous release, still accepted.
        old_values: Pairs of a value's name and its name in the previous release, still accepted.
    """

    in_fingerprint: bool = True
    in_run_name: bool = True
    in_sweep_name: bool = True
    is_axis: bool = True
    in_objective: bool = True
    in_hparams: bool = True
    method: str | None = None
    groups: tuple[str, ...] = ()
    takes: Literal["path", "name"] | None = None
    implied_value: Any = None
    old_name: str | None = None
    old_values: tuple[tuple[str, str], ...] = ()

    def implies(self, value: Any) -> bool:
        """Return whether a setting of this value is left out of the fingerprint."""
        return value in self.implied_value if isinstance(self.implied_value, tuple) else value == self.implied_value

    def current_value(self, value: Any) -> Any:
        """Return the current name of a value that may have its name from the previous release."""
        return _renamed(value, {old: new for new, old in self.old_values})

    def old_value(self, value: Any) -> Any:
        """Return the name that a value had in the previous release."""
        return _renamed(value, dict(self.old_values))


def _renamed(value: Any, names: dict[str, str]) -> Any:
    return names.get(value, value) if isinstance(value, str) else value


def role(**declared: Any) -> dict[str, Role]:
    """Return the ``metadata`` of a dataclass field that declares a `Role` with these attributes."""
    return {ROLE: Role(**declared)}


WATCHING = role(in_fingerprint=False, in_run_name=False, in_sweep_name=False, is_axis=False, in_objective=False)
"""Metadata of the settings of observers and of evaluation, which do not change what a run computes."""
