"""Files of pretrained weights: embedded in this package, in Keras's cache folder, or downloaded once.

`weights.locate` finds a backbone's file here; `nst_tf.feedforward.magenta` downloads its network the same way.
"""

import functools
import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from filelock import FileLock

from nst_tf.util.errors import InputError

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10  # seconds; without a limit, a firewall that drops packets would block the run
READ_TIMEOUT = 60  # seconds between two packets
KERAS_URL = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True)
class Pretrained:
    """A published weights file, which ``backbone.weights=imagenet`` selects.

    Attributes:
        file: Name of the file in `cache_folder`.
        url: Address of the file at its publisher.
        checksum: The publisher's checksum, as ``md5:…`` or ``sha256:…``, hexadecimal. None if none is published: then
            any file of that name is accepted, and `Backbone.identity` records its SHA-256.
    """

    file: str
    url: str
    checksum: str | None

    keyword: ClassVar[str] = "imagenet"

    @classmethod
    def from_keras(cls, path: str, checksum: str | None) -> "Pretrained":
        """Return a file of ``keras.applications`` from its path below `KERAS_URL` and Keras's checksum."""
        return cls(path.rpartition("/")[2], f"{KERAS_URL}/{path}", checksum)

    def locate(self) -> Path:
        """Return the path of the file, downloaded if necessary; see `fetch`."""
        return fetch(self)

    def is_cached(self) -> bool:
        """Return whether the file is in the cache with the right checksum, so that no download is necessary."""
        return _is_intact(cache_folder() / self.file, self)


@dataclass(frozen=True)
class Embedded:
    """A weights file inside this package, which ``backbone.weights=embedded`` selects.

    Attributes:
        path: Path of the file.
        sha256: Checksum of the file, hexadecimal.
    """

    path: Path
    sha256: str

    keyword: ClassVar[str] = "embedded"

    def locate(self) -> Path:
        """Return the path of the file after a check of its checksum.

        Raises:
            InputError: The file is missing or damaged.
        """
        if not self.path.is_file() or digest(self.path, "sha256") != self.sha256:
            raise InputError(
                f"The embedded weights '{self.path}' are missing or damaged (SHA-256 should be {self.sha256}): "
                "install nst_tf again, or set backbone.weights=PATH"
            )
        return self.path


def cache_folder() -> Path:
    """Return Keras's folder of weights: ``$KERAS_HOME/models``, by default ``~/.keras/models``."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"


def digest(path: Path, algorithm: str) -> str:
    """Return the checksum of a file, hexadecimal; an unchanged file is not read again."""
    status = path.stat()
    return _digest(path, algorithm, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=16)
def _digest(path: Path, algorithm: str, modified: int, size: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


OTHER_WEIGHTS = "set backbone.weights=random (untrained filters) or backbone.weights=PATH (a file that you have)"
"""Advice in the error about a backbone's file that cannot be downloaded."""


def fetch(pretrained: Pretrained, alternative: str = OTHER_WEIGHTS) -> Path:
    """Return the cached file, downloading it first if it is absent or damaged.

    A lock makes concurrent runs download a file only once. A cached file with another checksum is kept as
    ``*.corrupt``.

    Args:
        pretrained: The file, its address and its checksum.
        alternative: Advice for the error, beside putting the file into the folder.

    Returns:
        The path in `cache_folder`; if a checksum is published, the file has it.

    Raises:
        InputError: The file is neither cached nor can it be downloaded.
    """
    target = cache_folder() / pretrained.file
    try:
        return target if _is_intact(target, pretrained) else _fetch_once(target, pretrained)
    except (OSError, ValueError) as error:  # pooch: ValueError for a wrong checksum
        raise InputError(
            f"Cannot get {pretrained.file} from {pretrained.url} ({_reason(error)}); put the file into "
            f"{target.parent}, or {alternative}"
        ) from error


def _is_intact(target: Path, pretrained: Pretrained) -> bool:
    if pretrained.checksum is None:
        return target.is_file()
    algorithm, _, value = pretrained.checksum.partition(":")
    return target.is_file() and digest(target, algorithm) == value


def _fetch_once(target: Path, pretrained: Pretrained) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f".{target.name}.lock")):
        if not _is_intact(target, pretrained):  # another run may have downloaded it meanwhile
            _keep_as_corrupt(target)
            _download(target, pretrained)
    return target


def _keep_as_corrupt(target: Path) -> None:
    if target.exists():
        corrupt = target.with_name(f"{target.name}.corrupt")
        target.replace(corrupt)
        log.warning("%s has the wrong checksum; kept as %s, downloading it again", target, corrupt.name)


def _download(target: Path, pretrained: Pretrained) -> None:
    """Download with pooch, which writes to a temporary name, verifies the checksum and then renames."""
    import pooch

    timeout = (CONNECT_TIMEOUT, READ_TIMEOUT)
    pooch.retrieve(
        url=pretrained.url,
        known_hash=pretrained.checksum,
        fname=target.name,
        path=target.parent,
        downloader=pooch.HTTPDownloader(progressbar=True, timeout=timeout),
    )


def _reason(error: Exception) -> str:
    """Return a short reason; the messages of requests are paragraphs that repeat the address."""
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return "the downloaded file has the wrong checksum"
    response = getattr(error, "response", None)
    if response is not None:
        with response:  # pooch leaves a refused connection open
            return f"HTTP {response.status_code}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return type(error).__name__
