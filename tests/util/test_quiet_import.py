"""TensorFlow is loaded without its lines on stderr, and its errors stay visible.

The tests put a small module in TensorFlow's place, which writes to the file descriptor of stderr as TensorFlow does.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

STAND_IN = """
import os
from types import SimpleNamespace
os.write(2, b"I0000 oneDNN custom operations are on\\n")
{then}
config = SimpleNamespace(list_physical_devices=lambda: os.write(2, b"I0000 no GPU\\n"))
get_logger = lambda: SimpleNamespace(setLevel=lambda level: None)
value = 7
"""


def run(tmp_path, then="", environment=(), program="from nst_tf.util.lazy import tf\nprint(tf.value)"):
    (tmp_path / "tensorflow.py").write_text(STAND_IN.format(then=then))
    inherited = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    paths = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path.cwd())])}
    env = inherited | paths | dict(environment)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, check=False)


def test_the_first_use_of_tensorflow_prints_nothing(tmp_path):
    done = run(tmp_path)
    assert (done.stdout, done.stderr) == ("7\n", "")


@pytest.mark.parametrize("level", ["0", "3"])
def test_a_log_level_of_the_user_counts(tmp_path, level):
    done = run(tmp_path, environment={"TF_CPP_MIN_LOG_LEVEL": level})
    assert done.stderr == "I0000 oneDNN custom operations are on\n"


def test_a_failed_import_shows_what_was_written_before(tmp_path):
    done = run(tmp_path, then="raise ImportError('libcuda is missing')")
    assert done.stderr.startswith("I0000 oneDNN custom operations are on\n")
    assert done.stderr.endswith("ImportError: libcuda is missing\n")


def test_threads_that_use_tensorflow_first_at_once_leave_stderr_intact(tmp_path):
    program = """
import sys, threading
from nst_tf.util.lazy import tf
threads = [threading.Thread(target=lambda: tf.value) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print("still here", file=sys.stderr)
"""
    done = run(tmp_path, then="import time; time.sleep(0.05)", program=program)
    assert done.stderr == "still here\n"


OBJECTS = "import gc\nenabled = gc.isenabled()\nmany = [[number] for number in range(100_000)]"
COLLECTIONS = """
import atexit, gc
{before}
walks = []
gc.callbacks.append(lambda phase, info: walks.append(phase))
atexit.register(lambda: print("at the end", gc.get_freeze_count() > 100_000))
from nst_tf.util.lazy import tf
del walks[:]
print(tf.enabled, walks, gc.isenabled(), gc.get_freeze_count(), gc.is_tracked(tf.many))
print(len(gc.get_objects(0)) + len(gc.get_objects(1)) < 50_000)
"""


@pytest.mark.parametrize(("before", "enabled"), [("", True), ("gc.disable()", False)])
def test_the_import_and_the_end_of_the_process_walk_through_none_of_its_objects(tmp_path, before, enabled):
    done = run(tmp_path, then=OBJECTS, program=COLLECTIONS.format(before=before))
    assert (done.stdout, done.stderr) == (f"False [] {enabled} 0 True\nTrue\nat the end True\n", "")


def test_a_further_attribute_of_an_imported_module_leaves_young_objects_young(tmp_path):
    program = """
import gc
from nst_tf.util.lazy import tf
_ = tf.value
young = [[]]
_ = tf.config
print(any(each is young for each in gc.get_objects(0)))
"""
    assert run(tmp_path, program=program).stdout == "True\n"


def test_what_the_user_has_frozen_stays_frozen(tmp_path):
    program = "import gc\ngc.freeze()\nfrom nst_tf.util.lazy import tf\nprint(tf.value, gc.get_freeze_count() > 1000)"
    assert run(tmp_path, program=program).stdout == "7 True\n"
