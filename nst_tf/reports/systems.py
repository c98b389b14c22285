"""The systems of the papers, as `systems.yaml` lists them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nst_tf.config.overrides import override_key
from nst_tf.util.errors import InputError, message_of

FILE = Path(__file__).with_name("systems.yaml")
"""The list that belongs to the package."""


@dataclass(frozen=True)
class System:
    """One system of a paper. All texts are Markdown.

    Attributes:
        number: Number of the paper, with a letter for the system where the paper has several: ``1a``.
        title: Authors, and title of the paper or name of the system.
        experiment: The option of ``experiment=`` that configures the system.
        says: The paper's results other than the figures in ``printed`` of the experiment.
        differs: Differences from the paper, choices where the paper gives no value, and the reasons.
    """

    number: str
    title: str
    experiment: str
    says: str
    differs: str

    def __post_init__(self) -> None:
        for name, text in vars(self).items():
            require_cell_text(name, text)


def require_cell_text(name: str, text: Any) -> None:
    """Refuse a value that cannot stand in a cell of a Markdown table.

    Raises:
        InputError: The value is no text, empty, or has a line break or ``|``.
    """
    if not (isinstance(text, str) and text.strip()) or "|" in text or "\n" in text:
        raise InputError(f"{name}={text!r}: must be text of one line without |, which would end a table's cell")


@dataclass(frozen=True)
class SystemCatalog:
    """Contents of `systems.yaml`.

    Attributes:
        systems: The systems in the order of the papers.
        departures: Reasons for departures from an experiment, by override or by key.
    """

    systems: tuple[System, ...]
    departures: Mapping[str, str]

    def reason_for(self, override: str) -> str | None:
        """Return the reason for an override, or for its key; None where neither is listed."""
        return self.departures.get(override, self.departures.get(override_key(override)))


def read_systems(path: Path = FILE) -> SystemCatalog:
    """Read the list of systems.

    Raises:
        InputError: The file cannot be read, an entry has missing or unknown fields, or two entries have one experiment.
    """
    try:
        contents: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        catalog = SystemCatalog(tuple(System(**entry) for entry in contents["systems"]), dict(contents["departures"]))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, ValueError, KeyError, InputError) as error:
        raise InputError(f"'{path}' is no table of systems: {message_of(error)}") from error
    experiments = [system.experiment for system in catalog.systems]
    if duplicates := {name for name in experiments if experiments.count(name) > 1}:
        raise InputError(f"'{path}' is no table of systems: two are experiment={min(duplicates)}")
    return catalog
