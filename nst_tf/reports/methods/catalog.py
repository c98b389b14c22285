"""The methods that a comparison expects, and published values of others, as `methods.yaml` lists them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nst_tf.reports.systems import require_cell_text
from nst_tf.util.errors import InputError, message_of

FILE = Path(__file__).with_name("methods.yaml")
"""The list that belongs to the package."""


@dataclass(frozen=True)
class Method:
    """A method of the table. All texts are Markdown.

    Attributes:
        title: Authors, or name of the program.
        overrides: Overrides that configure the method.
        claims: The results that the paper or the program states.
        settings: How the settings were chosen.
        finding: What the measured values say about the claims; empty until somebody has read them.
    """

    title: str
    overrides: tuple[str, ...]
    claims: str = ""
    settings: str = ""
    finding: str = ""

    def __post_init__(self) -> None:
        for name, text in vars(self).items():
            if name != "overrides" and (text or name == "title"):
                require_cell_text(name, text)


@dataclass(frozen=True)
class PublishedTable:
    """A table that a paper prints.

    Attributes:
        title: The paper and the table.
        note: What its values mean.
        columns: Headings of the columns of numbers.
        decimals: Number of printed decimals of each column.
        rows: Numbers by method.
    """

    title: str
    note: str
    columns: tuple[str, ...]
    decimals: tuple[int, ...]
    rows: dict[str, list[float]]

    def __post_init__(self) -> None:
        for method, numbers in self.rows.items():
            if len(numbers) != len(self.columns):
                raise InputError(f"{method}: has {len(numbers)} numbers for {len(self.columns)} columns")


@dataclass(frozen=True)
class MethodCatalog:
    """Contents of `methods.yaml`.

    Attributes:
        methods: The methods in the order of the page.
        published: Values of other methods on the same pictures.
    """

    methods: tuple[Method, ...]
    published: PublishedTable

    def method_of(self, overrides: Collection[str]) -> Method | None:
        """Return the method with the most overrides among those whose overrides all stand in a collection."""
        fitting = [method for method in self.methods if set(method.overrides) <= set(overrides)]
        return max(fitting, key=lambda method: len(method.overrides), default=None)


def read_methods(path: Path = FILE) -> MethodCatalog:
    """Read the list of methods.

    Raises:
        InputError: The file cannot be read, an entry has missing or unknown fields, or two methods have the same
            overrides.
    """
    try:
        contents: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        methods = tuple(_method(entry) for entry in contents["methods"])
        published = PublishedTable(**contents["published"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, ValueError, KeyError, InputError) as error:
        raise InputError(f"'{path}' is no table of methods: {message_of(error)}") from error
    _refuse_duplicates(path, methods)
    return MethodCatalog(methods, published)


def _method(entry: dict[str, Any]) -> Method:
    return Method(**entry | {"overrides": tuple(map(str, entry["overrides"]))})


def _refuse_duplicates(path: Path, methods: Sequence[Method]) -> None:
    chosen = [frozenset(method.overrides) for method in methods]
    for method in methods:
        if chosen.count(frozenset(method.overrides)) > 1:
            raise InputError(f"'{path}' is no table of methods: two are {' '.join(method.overrides)}")
