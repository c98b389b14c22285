"""Finding, downloading and unpacking of Magenta's network."""

import io
import os
import shutil
import tarfile
from dataclasses import replace

import numpy as np
import pooch
import pytest
import requests

from nst_tf.backbones.download import Pretrained
from nst_tf.feedforward import Magenta, magenta
from nst_tf.util.errors import InputError
from tests.file_server import serving


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "models"


@pytest.fixture
def hub(saved_model, monkeypatch):
    """A local server that offers the archive and records the requested paths."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(saved_model, arcname=".")
    path = "/2?tf-hub-format=compressed"
    with serving({path: buffer.getvalue()}) as server:
        monkeypatch.setattr(magenta, "ARCHIVE", replace(magenta.ARCHIVE, url=f"{server.address}{path}"))
        yield server.seen


def test_the_archive_is_downloaded_once(cache, hub, tiny_styliser):
    folder = Magenta().locate()
    assert folder == Magenta().locate() == cache / "arbitrary-image-stylization-v1-256_2"
    assert hub == ["/2?tf-hub-format=compressed"]
    style = np.full((1, 8, 8, 3), 0.4, np.float32)
    np.testing.assert_allclose(Magenta().network().predict(style), tiny_styliser.predict(style), rtol=1e-5)
    assert [path.name for path in cache.iterdir() if path.is_dir()] == [folder.name]


def test_a_downloaded_model_must_stay_that_of_its_first_use(cache, hub):
    folder = Magenta().locate()
    Magenta().network()
    assert (cache / f"{folder.name}.sha256").read_text().startswith(Magenta().identity()["sha256"])
    data = next((folder / "variables").glob("*.data*"))
    data.write_bytes(data.read_bytes() + b"!")
    with pytest.raises(InputError, match=r"has changed since its first use.*Delete .* if you replaced it yourself"):
        Magenta().network()


def test_a_pipe_among_the_files_is_refused_and_not_opened(tmp_path, saved_model):
    folder = shutil.copytree(saved_model, tmp_path / "copy")
    os.mkfifo(folder / "variables" / "variables.pipe")
    with pytest.raises(InputError, match=r"variables\.pipe' is not a regular file; remove it"):
        Magenta(weights=str(folder)).identity()
    pair = tmp_path / "pair"
    pair.mkdir()
    for name in ("a.tflite", "b.tflite"):
        os.mkfifo(pair / name)
    with pytest.raises(InputError, match=r"must be a folder with"):
        Magenta(weights=str(pair)).identity()


def test_an_archive_that_would_fill_the_disk_is_refused(cache, hub, monkeypatch):
    monkeypatch.setattr(magenta, "LARGEST_NETWORK", 10)
    with pytest.raises(InputError, match=r"Cannot unpack .*more than 0 MiB in it"):
        Magenta().locate()
    assert not any(entry.is_dir() for entry in cache.iterdir())


def test_the_archive_comes_from_tensorflow_hub():
    assert isinstance(magenta.ARCHIVE, Pretrained)
    assert magenta.ARCHIVE.url == (
        "https://tfhub.dev/google/magenta/arbitrary-image-stylization-v1-256/2?tf-hub-format=compressed"
    )


def test_a_failed_download_names_the_remedy_in_one_line(cache, monkeypatch):
    def refuse(*_, **__):
        raise requests.exceptions.ConnectionError("HTTPSConnectionPool:\nMax retries exceeded")

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", refuse)
    with pytest.raises(InputError) as error:
        Magenta().network()
    words = ("tfhub.dev", "ConnectionError", f"unpack it into {cache}", "feedforward.weights=FOLDER")
    assert all(word in str(error.value) for word in words)
    assert "\n" not in str(error.value)
    assert "backbone" not in str(error.value)


def test_an_archive_without_the_model_is_refused_and_leaves_no_folder(cache):
    cache.mkdir(parents=True)
    path = cache / magenta.ARCHIVE.file
    path.write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"Cannot unpack .*delete it"):
        Magenta().locate()
    with tarfile.open(path, "w:gz"):
        pass
    with pytest.raises(InputError, match=r"no saved_model\.pb in it"):
        Magenta().locate()
    assert [entry.name for entry in cache.iterdir() if entry.is_dir()] == []


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"^feedforward\.weights=.*saved_model\.pb.*two \.tflite files.*hub"):
        Magenta(weights=str(tmp_path)).network()


def test_the_identity_depends_on_the_files_and_not_on_their_folder(saved_model, tmp_path):
    copy = shutil.copytree(saved_model, tmp_path / "copy")
    one, same = (Magenta(weights=str(folder)).identity() for folder in (saved_model, copy))
    assert one["sha256"] == same["sha256"]
    data = next((copy / "variables").glob("*.data*"))
    data.write_bytes(data.read_bytes()[:-1] + b"!")
    assert Magenta(weights=str(copy)).identity()["sha256"] != one["sha256"]
