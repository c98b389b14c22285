"""Address, name and checksum of every published file are those that Keras itself uses."""

import json
import os
import re
import subprocess
import sys

import pytest

from nst_tf.backbones import BACKBONES
from nst_tf.backbones.download import Pretrained

PUBLISHED = {name: network for name, network in BACKBONES.items() if isinstance(network.pretrained, Pretrained)}

DOWNLOAD = """
import io, json, os, pathlib, sys, urllib.request, urllib.response
import keras, tensorflow as tf

def answer(url, *args, **kwargs):
    requested.append(url)
    return urllib.response.addinfourl(io.BytesIO(b"other content"), {}, url)

urllib.request.urlopen = answer
folder = pathlib.Path(os.environ["KERAS_HOME"], "models")
facts = {}
for name in sys.argv[2:]:
    requested = []
    before = set(folder.glob("*"))
    with tf.Graph().as_default(), keras.StatelessScope():
        try:
            getattr(keras.applications, name)(weights="imagenet", include_top=False, input_shape=(224, 224, 3))
        except (ValueError, OSError) as error:
            message = str(error)
    files = [path.name for path in set(folder.glob("*")) - before]
    facts[name] = (requested, files, message)
pathlib.Path(sys.argv[1]).write_text(json.dumps(facts))
"""
"""Program that lets Keras download something else, and writes the addresses, the files and the error."""


@pytest.mark.slow
def test_published_files_are_those_that_keras_downloads(tmp_path):
    functions = {name: network.application.name for name, network in PUBLISHED.items()}
    arguments = [sys.executable, "-c", DOWNLOAD, str(tmp_path / "facts.json"), *functions.values()]
    subprocess.run(arguments, check=True, env={**os.environ, "KERAS_HOME": str(tmp_path)})
    facts = json.loads((tmp_path / "facts.json").read_text())
    for name, function in functions.items():
        published, (requested, files, message) = PUBLISHED[name].pretrained, facts[function]
        assert requested == [published.url]
        assert files == [published.file]
        refused = re.search(r"hash does not match the provided value of (\w+)", message)
        if published.checksum is None:
            assert refused is None
        else:
            algorithm, value = published.checksum.split(":")
            assert refused.group(1) == value
            assert algorithm == ("md5" if len(value) == 32 else "sha256")
