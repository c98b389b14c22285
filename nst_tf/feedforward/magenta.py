"""Magenta's arbitrary image stylization v1-256: its files and its loading (config group ``feedforward``)."""

import hashlib
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from nst_tf.backbones.download import Pretrained, cache_folder, digest, fetch
from nst_tf.feedforward.network import StyleNetwork
from nst_tf.util.errors import InputError
from nst_tf.util.roles import role

HUB = "hub"
"""Value of ``feedforward.weights`` that downloads TensorFlow Hub's SavedModel."""

NAME = "arbitrary-image-stylization-v1-256_2"
ARCHIVE = Pretrained(
    file=f"{NAME}.tar.gz",
    url="https://tfhub.dev/google/magenta/arbitrary-image-stylization-v1-256/2?tf-hub-format=compressed",
    checksum=None,
)
SAVED_MODEL = "saved_model.pb"
"""Name of the file that every SavedModel folder contains."""


@dataclass
class Magenta:
    """Settings of the network of Ghiasi et al. 2017 as Magenta trained it.

    Attributes:
        weights: ``hub`` is TensorFlow Hub's SavedModel, downloaded once into Keras's folder of weights. Otherwise the
            path of a folder with a SavedModel, or with the pair of TFLite models, which computes at one size.
    """

    weights: str = field(default=HUB, metadata=role(in_run_name=False))

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

            return read_saved_model(folder)
        from nst_tf.feedforward.tflite import read_pair

        return read_pair(_tflite_files(folder), threads)

    def identity(self) -> dict[str, str | None]:
        """Return the network's ``name``, ``weights`` as configured, ``path``, and the ``sha256`` of its files."""
        folder = self.locate()
        saved = [folder / SAVED_MODEL, *sorted(folder.glob("variables/variables.*"))]
        files = saved if saved[0].is_file() else _tflite_files(folder)
        lines = [f"{path.name} {digest(path, 'sha256')}" for path in files]
        total = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return {"name": "magenta", "weights": self.weights, "path": str(folder), "sha256": total}

    def locate(self) -> Path:
        """Return the folder of the network, after downloading it if necessary.

        Raises:
            InputError: The folder does not exist, contains neither form of the network, or cannot be downloaded.
        """
        if self.weights == HUB:
            return _downloaded_folder()
        folder = Path(self.weights).expanduser().absolute()
        if not (folder / SAVED_MODEL).is_file() and len(_tflite_files(folder)) != 2:
            raise InputError(
                f"feedforward.weights={self.weights}: must be a folder with a {SAVED_MODEL} or with two .tflite "
                f"files, or {HUB}, which downloads TensorFlow Hub's"
            )
        return folder


def _tflite_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.tflite"))


def _downloaded_folder() -> Path:
    """Return the folder of TensorFlow Hub's SavedModel; an existing folder is used without the archive."""
    folder = cache_folder() / NAME
    if (folder / SAVED_MODEL).is_file():
        return folder
    archive = fetch(ARCHIVE, f"unpack it into {folder}, or set feedforward.weights=FOLDER")
    with FileLock(folder.with_name(f".{NAME}.lock")):
        if not (folder / SAVED_MODEL).is_file():  # another run may have unpacked it meanwhile
            _unpack(archive, folder)
    return folder


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent) as nearby, tarfile.open(archive, "r:gz") as content:
            unpacked = Path(nearby) / NAME
            content.extractall(unpacked, filter="data")
            if not (unpacked / SAVED_MODEL).is_file():
                raise tarfile.TarError(f"no {SAVED_MODEL} in it")  # noqa: TRY301
            unpacked.rename(folder)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InputError(
            f"Cannot unpack '{archive}' ({error}): delete it and run the command again to download it"
        ) from error
