"""Magenta's arbitrary image stylization v1-256: its files and its loading (config group ``feedforward``)."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from nst_tf.backbones.download import Pretrained, cache_folder, check_first_use, digest, fetch, record_first_use
from nst_tf.feedforward.network import StyleNetwork
from nst_tf.util.checks import convert_fields
from nst_tf.util.errors import InputError
from nst_tf.util.lazy import filelock, tarfile
from nst_tf.util.paths import user_path
from nst_tf.util.roles import role

HUB = "hub"
"""Value of ``feedforward.weights`` that downloads TensorFlow Hub's SavedModel."""

NAME = "arbitrary-image-stylization-v1-256_2"
ARCHIVE = Pretrained(
    file=f"{NAME}.tar.gz",
    url="https://tfhub.dev/google/magenta/arbitrary-image-stylization-v1-256/2?tf-hub-format=compressed",
    checksum=None,
)
LARGEST_NETWORK = 1 << 30
"""Largest number of bytes that are unpacked; the network has about 90 million."""
SAVED_MODEL = "saved_model.pb"
"""Name of the file that every SavedModel folder contains."""


@dataclass
class Magenta:
    """Settings of the network of Ghiasi et al. 2017 as Magenta trained it.

    Attributes:
        weights: ``hub`` is TensorFlow Hub's SavedModel, downloaded once into Keras's folder of weights. Otherwise the
            path of a folder with a SavedModel, or with the pair of TFLite models, which computes at one size.
    """

    weights: str = field(default=HUB, metadata=role(in_run_name=False, takes="path"))

    def __post_init__(self) -> None:
        convert_fields(self, "feedforward.")

    def network(self, threads: int | None = None) -> StyleNetwork:
        """Load the network.

        Args:
            threads: Threads of the TFLite interpreter, which does not use TensorFlow's; None for its own choice.

        Raises:
            InputError: The network cannot be found, downloaded or loaded, or the files hold another network.
        """
        folder = self.locate()
        if (folder / SAVED_MODEL).is_file():
            from nst_tf.feedforward.saved_model import read_saved_model

            network = read_saved_model(folder)
            if self.weights == HUB:
                record_first_use(folder, _total_sha256(folder))
            return network
        from nst_tf.feedforward.tflite import read_pair

        return read_pair(_tflite_files(folder), threads)

    def identity(self) -> dict[str, str | None]:
        """Return the network's ``name``, ``weights`` as configured, ``path``, and the ``sha256`` of its files."""
        folder = self.locate()
        return {"name": "magenta", "weights": self.weights, "path": str(folder), "sha256": _total_sha256(folder)}

    def locate(self) -> Path:
        """Return the folder of the network, after downloading it if necessary.

        Raises:
            InputError: The folder does not exist, contains neither form of the network, cannot be downloaded, or is a
                downloaded one that has changed since its first use.
        """
        if self.weights == HUB:
            return _downloaded_folder()
        folder = user_path(self.weights)
        if not (folder / SAVED_MODEL).is_file() and len(_tflite_files(folder)) != 2:
            raise InputError(
                f"feedforward.weights={self.weights}: must be a folder with a {SAVED_MODEL} or with two .tflite "
                f"files, or {HUB}, which downloads TensorFlow Hub's"
            )
        _refuse_pipes(folder)
        return folder


def _tflite_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.tflite") if path.is_file())


def _total_sha256(folder: Path) -> str:
    """Return the SHA-256 over names and checksums of the network's files."""
    saved = [folder / SAVED_MODEL, *sorted(folder.glob("variables/variables.*"))]
    files = saved if saved[0].is_file() else _tflite_files(folder)
    lines = [f"{path.name} {digest(path, 'sha256')}" for path in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _refuse_pipes(folder: Path) -> None:
    """Refuse pipes and devices beside the network, because reading them may never end."""
    for path in (*folder.glob("*"), *folder.glob("variables/*")):
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise InputError(f"feedforward.weights: '{path}' is not a regular file; remove it")


def _downloaded_folder() -> Path:
    """Return the folder of TensorFlow Hub's SavedModel; an existing folder is used without the archive."""
    folder = cache_folder() / NAME
    if not (folder / SAVED_MODEL).is_file():
        _download(folder)
    _refuse_pipes(folder)
    check_first_use(folder, _total_sha256(folder))
    return folder


def _download(folder: Path) -> None:
    archive = fetch(ARCHIVE, f"unpack it into {folder}, or set feedforward.weights=FOLDER")
    with filelock.FileLock(folder.with_name(f".{NAME}.lock")):
        if not (folder / SAVED_MODEL).is_file():  # another run may have unpacked it meanwhile
            _unpack(archive, folder)


def _limited(largest: int) -> Callable[[tarfile.TarInfo, str], tarfile.TarInfo]:
    """Return tarfile's filter ``data`` with a limit on the bytes of all files together."""
    total = 0

    def check(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo:
        nonlocal total
        total += member.size
        if total > largest:
            raise tarfile.TarError(f"more than {largest >> 20} MiB in it")
        return tarfile.data_filter(member, folder)

    return check


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent) as nearby, tarfile.open(archive, "r:gz") as content:
            unpacked = Path(nearby) / NAME
            content.extractall(unpacked, filter=_limited(LARGEST_NETWORK))
            if not (unpacked / SAVED_MODEL).is_file():
                raise tarfile.TarError(f"no {SAVED_MODEL} in it")  # noqa: TRY301
            unpacked.rename(folder)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InputError(
            f"Cannot unpack '{archive}' ({error}): delete it and run the command again to download it"
        ) from error
