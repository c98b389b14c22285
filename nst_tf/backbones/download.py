"""Where pretrained files come from: this package, Keras's cache, or their publisher, once."""

import functools
import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pooch
from filelock import FileLock

from nst_tf.util.errors import InputError

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10  # seconds; a firewall that drops packets answers never
READ_TIMEOUT = 60  # seconds between two packets
KERAS_APPLICATIONS = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True)
class Pretrained:
    """A published weights file, asked for as ``imagenet``.

    Attributes:
        file: Its name in the cache.
        url: Where its publisher offers it.
        checksum: The publisher's, as ``md5:…`` or ``sha256:…``, hexadecimal; None where it publishes none: then a
            file of that name is taken as it is, and `Backbone.identity` tells what it was.
    """

    file: str
    url: str
    checksum: str | None

    keyword: ClassVar[str] = "imagenet"

    @classmethod
    def of_keras(cls, path: str, checksum: str | None) -> "Pretrained":
        """A file that ``keras.applications`` uses, by its path at their address and the checksum in their source."""
        return cls(path.rpartition("/")[2], f"{KERAS_APPLICATIONS}/{path}", checksum)

    def locate(self) -> Path:
        """Path of the file, downloaded if need be; see `fetch`."""
        return fetch(self)

    def is_at_hand(self) -> bool:
        """Whether the file lies in the cache, its checksum right, so that nothing need be downloaded."""
        return _is_intact(cache_folder() / self.file, self)


@dataclass(frozen=True)
class Embedded:
    """A weights file that lies in this package, asked for as ``embedded``.

    Attributes:
        path: Where it lies.
        sha256: Its checksum, hexadecimal.
    """

    path: Path
    sha256: str

    keyword: ClassVar[str] = "embedded"

    def locate(self) -> Path:
        """Path of the file, its checksum verified.

        Raises:
            InputError: It is missing or damaged.
        """
        if not self.path.is_file() or digest(self.path, "sha256") != self.sha256:
            raise InputError(
                f"The embedded weights '{self.path}' are missing or damaged (SHA-256 should be {self.sha256}): "
                "install nst_tf again, or set backbone.weights=PATH"
            )
        return self.path


def cache_folder() -> Path:
    """Keras's folder of weights, ``$KERAS_HOME/models``, default ``~/.keras/models``."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"


def digest(path: Path, algorithm: str) -> str:
    """Checksum of a file, hexadecimal; a file that has not changed since is not read again."""
    status = path.stat()
    return _digest(path, algorithm, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=16)
def _digest(path: Path, algorithm: str, modified: int, size: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


OTHERWISE = "set backbone.weights=random (untrained filters) or backbone.weights=PATH (a file of your own)"
"""What to do without a backbone's file."""


def fetch(pretrained: Pretrained, otherwise: str = OTHERWISE) -> Path:
    """Return the cached file, downloading it first if it is absent or damaged.

    Runs that start together download once. A cached file with another checksum is kept as ``*.corrupt``.

    Args:
        pretrained: The file, its address and its checksum.
        otherwise: What to do without it, for the error.

    Returns:
        The path in `cache_folder`, its checksum verified if it has one.

    Raises:
        InputError: The file can neither be found nor fetched; names the file, its address, the folder
            to put it in, and what to do without it.
    """
    target = cache_folder() / pretrained.file
    try:
        return target if _is_intact(target, pretrained) else _fetch_once(target, pretrained)
    except (OSError, ValueError) as error:  # pooch: ValueError for a wrong checksum
        raise InputError(
            f"Cannot get {pretrained.file} from {pretrained.url} ({_reason(error)}); put the file into "
            f"{target.parent}, or {otherwise}"
        ) from error


def _is_intact(target: Path, pretrained: Pretrained) -> bool:
    if pretrained.checksum is None:
        return target.is_file()
    algorithm, _, value = pretrained.checksum.partition(":")
    return target.is_file() and digest(target, algorithm) == value


def _fetch_once(target: Path, pretrained: Pretrained) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f".{target.name}.lock")):
        if not _is_intact(target, pretrained):  # another run may have been faster
            _set_aside(target)
            _download(target, pretrained)
    return target


def _set_aside(target: Path) -> None:
    if target.exists():
        corrupt = target.with_name(f"{target.name}.corrupt")
        target.replace(corrupt)
        log.warning("%s has the wrong checksum; kept as %s, downloading it anew", target, corrupt.name)


def _download(target: Path, pretrained: Pretrained) -> None:
    """Let pooch write under a temporary name, verify, then rename."""
    timeout = (CONNECT_TIMEOUT, READ_TIMEOUT)
    pooch.retrieve(
        url=pretrained.url,
        known_hash=pretrained.checksum,
        fname=target.name,
        path=target.parent,
        downloader=pooch.HTTPDownloader(progressbar=True, timeout=timeout),
    )


def _reason(error: Exception) -> str:
    """One short phrase; requests' own texts are paragraphs that quote the address again."""
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return "the downloaded file has the wrong checksum"
    response = getattr(error, "response", None)
    if response is not None:
        with response:  # pooch leaves a refused connection open
            return f"HTTP {response.status_code}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return type(error).__name__
