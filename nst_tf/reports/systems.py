"""The systems of the papers: what is known of them before anything runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nst_tf.util.errors import InputError

FILE = Path(__file__).with_name("systems.yaml")


@dataclass(frozen=True)
class System:
    """One system of a paper, in Markdown.

    Attributes:
        number: Of the paper, and the system in it: ``1a``.
        title: Who, and what of theirs.
        experiment: The option of ``experiment=`` that is this system.
        says: What the paper says of its results, beside the figures of the experiment's ``printed``.
        differs: What is otherwise here, or read so where the paper does not say, and why.
    """

    number: str
    title: str
    experiment: str
    says: str
    differs: str

    def __post_init__(self) -> None:
        for name, text in vars(self).items():
            if not (isinstance(text, str) and text.strip()) or "|" in text or "\n" in text:
                raise InputError(f"{name}={text!r}: must be text of one line without |, which would end a table's cell")


@dataclass(frozen=True)
class SystemCatalog:
    """What the file holds.

    Attributes:
        systems: In the papers' order.
        departures: An override, or the key of any such, to why it is typed and what it changes.
    """

    systems: tuple[System, ...]
    departures: Mapping[str, str]

    def because(self, override: str) -> str | None:
        """Why an override is typed: said of itself, else of its key; None where nothing is known."""
        return self.departures.get(override, self.departures.get(override.lstrip("+~").partition("=")[0]))


def read_systems(path: Path = FILE) -> SystemCatalog:
    """Read the table.

    Raises:
        InputError: The file cannot be read, or an entry lacks something, has too much, or names an experiment again.
    """
    try:
        said: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        known = SystemCatalog(tuple(System(**entry) for entry in said["systems"]), dict(said["departures"]))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, ValueError, KeyError, InputError) as error:
        raise InputError(f"'{path}' is no table of systems: {' '.join(str(error).split())}") from error
    experiments = [system.experiment for system in known.systems]
    if twice := {name for name in experiments if experiments.count(name) > 1}:
        raise InputError(f"'{path}' is no table of systems: two are experiment={min(twice)}")
    return known
