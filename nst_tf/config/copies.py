"""The copy of the result that ``output`` asks for: its path, checked before the run, and its file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nst_tf.backbones import digest
from nst_tf.config.inputs import input_record
from nst_tf.config.tree import Config
from nst_tf.images.metadata import Metadata
from nst_tf.runs.result import Result
from nst_tf.util.errors import InputError
from nst_tf.util.paths import user_path


def copy_path(config: Config, record: Mapping[str, Any]) -> Path | None:
    """Return the path of the copy, or None without one.

    Args:
        config: A config that holds its pictures.
        record: Content of `run.json` of the run that is resumed, which may have written the file at that path.

    Raises:
        InputError: The file cannot be written, or is one that the run must not replace.
    """
    if config.output is None:
        return None
    inputs = [picture["path"] for picture in input_record(config).values() if "path" in picture]
    content: Any = config.content if config.content is not None else config.styles[0]
    is_own = has_written(record, user_path(config.output))
    return config.saving.check(config.output, inputs, is_own, content.metadata)


def has_written(record: Mapping[str, Any], copy: Path) -> bool:
    """Return whether the file at a path is the copy that a run has written and recorded."""
    written = record.get("output") or {}
    return written.get("path") == str(copy) and copy.is_file() and written.get("sha256") == digest(copy, "sha256")


def write_copy(
    config: Config, path: Path, result: Result, picture: np.ndarray, alpha: np.ndarray | None, metadata: Metadata
) -> None:
    """Write the copy, and record its path and hash.

    Args:
        config: The experiment.
        path: Path of the copy.
        result: The result, whose folder is complete.
        picture: ``(H, W, 3)`` in [0, 1].
        alpha: ``(H, W)`` in [0, 1]; None for an opaque picture.
        metadata: Metadata of the content.

    Raises:
        InputError: The copy cannot be written.
    """
    try:
        config.saving.write(path, picture, alpha, metadata)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"output={config.output}: {reason}. The picture is '{result.folder.picture}'.") from error
    result.record["output"] = {"path": str(path), "sha256": digest(path, "sha256")}
    result.folder.write_record(result.record)
