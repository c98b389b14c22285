"""Magenta's arbitrary image stylization v1-256: where it lies, and what of it is at hand (config group ``feedforward``)."""

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
NAME = "arbitrary-image-stylization-v1-256_2"
ARCHIVE = Pretrained(
    file=f"{NAME}.tar.gz",
    url="https://tfhub.dev/google/magenta/arbitrary-image-stylization-v1-256/2?tf-hub-format=compressed",
    checksum=None,
)
GRAPH = "saved_model.pb"
"""The file that makes a folder a SavedModel."""


@dataclass
class Magenta:
    """The network of Ghiasi et al. 2017 as Magenta trained it.

    Attributes:
        weights: ``hub``: TensorFlow Hub's SavedModel, downloaded once into Keras's folder of weights · a folder with a
            SavedModel · a folder with the pair of TFLite models, which computes at one size.
    """

    weights: str = field(default=HUB, metadata=role(in_run_name=False))

    def network(self, threads: int | None = None) -> StyleNetwork:
        """Load it.

        Args:
            threads: For TFLite models, which TensorFlow's own threads do not serve; None for the interpreter's choice.

        Raises:
            InputError: It cannot be had, or is no such network.
        """
        folder = self.locate()
        if (folder / GRAPH).is_file():
            from nst_tf.feedforward.saved_model import read_saved_model

            return read_saved_model(folder)
        from nst_tf.feedforward.tflite import read_pair

        return read_pair(_pair(folder), threads)

    def identity(self) -> dict[str, str | None]:
        """What tells this network from another: ``name``, ``weights`` as configured, ``path``, ``sha256`` of it all."""
        folder = self.locate()
        saved = [folder / GRAPH, *sorted(folder.glob("variables/variables.*"))]
        files = saved if saved[0].is_file() else _pair(folder)
        lines = [f"{path.name} {digest(path, 'sha256')}" for path in files]
        total = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return {"name": "magenta", "weights": self.weights, "path": str(folder), "sha256": total}

    def locate(self) -> Path:
        """Its folder, downloaded if need be.

        Raises:
            InputError: There is no such folder, none of its forms is in it, or it cannot be downloaded.
        """
        if self.weights == HUB:
            return _unpacked()
        folder = Path(self.weights).expanduser().absolute()
        if not (folder / GRAPH).is_file() and len(_pair(folder)) != 2:
            raise InputError(
                f"feedforward.weights={self.weights}: no folder with a {GRAPH}, nor with two .tflite files; "
                f"give one, or {HUB} to download TensorFlow Hub's"
            )
        return folder


def _pair(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.tflite"))


def _unpacked() -> Path:
    """TensorFlow Hub's SavedModel beside its archive, which a folder of that name stands in for."""
    folder = cache_folder() / NAME
    if (folder / GRAPH).is_file():
        return folder
    archive = fetch(ARCHIVE, f"unpack it into {folder}, or set feedforward.weights=FOLDER")
    with FileLock(folder.with_name(f".{NAME}.lock")):
        if not (folder / GRAPH).is_file():  # another run may have been faster
            _unpack(archive, folder)
    return folder


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent) as near, tarfile.open(archive, "r:gz") as content:
            whole = Path(near) / NAME
            content.extractall(whole, filter="data")
            if not (whole / GRAPH).is_file():
                raise tarfile.TarError(f"no {GRAPH} in it")  # noqa: TRY301
            whole.rename(folder)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InputError(f"Cannot unpack '{archive}' ({error}): delete it, to download it again") from error
