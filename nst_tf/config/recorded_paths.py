"""Relative paths of a recorded run, in a command that is typed in another folder."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nst_tf.util.paths import path_exists, user_path


def with_absolute_paths(settings: Mapping[str, Any], run: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return settings and facts of a recorded run with absolute paths, where relative ones name other files here.

    A relative path stays as it is in the folder in which the run was started, and where the recorded file no longer
    exists, because the folder of the pictures may have been moved as a whole.

    Args:
        settings: Settings of the run as plain values.
        run: Facts about the run. Each of its ``inputs`` and its ``weights`` may have the absolute ``path`` of a file.

    Returns:
        Copies of both.
    """
    settings, run = dict(settings), dict(run)
    inputs: Mapping[str, Mapping[str, str]] = run.get("inputs") or {}
    for role in ("content", "style"):
        if role in settings:
            settings[role] = _replaced(settings[role], _moved(inputs, role))
    if "image" in settings:
        for key in ("start", "colour_from"):
            settings["image"] = _with_replaced(settings["image"], key, _moved(inputs, key))
    if "regions" in settings:
        settings["regions"] = _replaced(settings["regions"], _moved(inputs, "regions"))
    run["inputs"] = {role: {**picture, "source": _place(picture, "source")} for role, picture in inputs.items()}
    if weights := run.get("weights"):
        place, network = _place(weights, "weights"), "feedforward" if _is_feedforward(settings) else "backbone"
        settings[network] = _with_replaced(settings[network], "weights", {weights["weights"]: place})
        run["weights"] = {**weights, "weights": place}
    return settings, run


def _is_feedforward(settings: Mapping[str, Any]) -> bool:
    return settings.get("method") == "feedforward"


def _moved(inputs: Mapping[str, Mapping[str, str]], role: str) -> dict[str, str]:
    """Return the path to use by typed path, for one role: ``style`` stands for ``style:1`` and ``style:2``."""
    pictures = [picture for name, picture in inputs.items() if re.split("[:.]", name)[0] == role]
    return {picture["source"]: _place(picture, "source") for picture in pictures}


def _place(recorded: Mapping[str, Any], key: str) -> str:
    """Return the recorded absolute path if the typed path is relative and means another file here; else the latter."""
    typed, path = recorded[key], recorded.get("path") or ""
    is_relative = path.endswith(f"/{Path(typed)}")  # not so for keywords, samples and paths with `~`
    return path if is_relative and path != str(user_path(typed)) and path_exists(path) else typed


def _with_replaced(group: Mapping[str, Any], key: str, places: Mapping[str, str]) -> dict[str, Any]:
    return {**group, key: _replaced(group.get(key), places)} if key in group else dict(group)


def _replaced(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_replaced(item, places) for item in value]
    if isinstance(value, Mapping):
        return {key: _replaced(item, places) for key, item in value.items()}
    return places.get(value, value) if isinstance(value, str) else value
