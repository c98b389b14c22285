"""Scripts that run in forked processes of one that has imported TensorFlow, see `tests.forking`."""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

SERVER = Path(__file__).with_name("forking.py")
POLL_SECONDS = 0.01


def start_script(script, *words, folder, **environment):
    """Start a Python script in a folder, with environment variables beside those of this process."""
    command = [sys.executable, str(script), *map(str, words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, text=True, env=os.environ | environment)


class ForkedScript:
    """A running script, with what the tests use of `subprocess.Popen`."""

    def __init__(self, ask, pid, stdout, stderr):
        self._ask = ask
        self._outputs = (stdout, stderr)
        self.pid = pid
        self.returncode = None

    def poll(self):
        """Return the exit code, negative for a signal, or None while the script runs."""
        if self.returncode is None and (status := self._ask({"process": self.pid})) is not None:
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, timeout):
        """Wait for the end, and return the exit code."""
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            self._check(deadline, timeout)
            time.sleep(POLL_SECONDS)
        return self.returncode

    def communicate(self, timeout=240):
        """Wait for the end, and return what was written to stdout and stderr; kill a script that takes longer."""
        deadline = time.monotonic() + timeout
        parts = {output: [] for output in self._outputs}
        with selectors.DefaultSelector() as selector:
            for output in self._outputs:
                selector.register(output, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select(deadline - time.monotonic()):
                    if part := os.read(key.fd, 2**16):
                        parts[key.fd].append(part)
                    else:
                        selector.unregister(key.fd)
                        os.close(key.fd)
                self._check(deadline, timeout)
        self.wait(deadline - time.monotonic())
        return tuple(b"".join(parts[output]).decode(errors="replace") for output in self._outputs)

    def _check(self, deadline, timeout):
        """Kill the script after the deadline, and raise."""
        if time.monotonic() > deadline:
            self.send_signal(signal.SIGKILL)
            raise TimeoutError(f"the script took more than {timeout} s")


class ForkedScripts:
    """The process that imports TensorFlow once, and forks. It is started with the first script."""

    def __init__(self):
        self._server = None

    def start(self, script, *words, folder, **environment):
        """Start a script as `start_script` does, but with the imports done; elsewhere than on Linux, without a fork."""
        if sys.platform != "linux":
            return start_script(script, *words, folder=folder, **environment)
        if self._server is None:
            self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                command = [sys.executable, str(SERVER), str(theirs.fileno())]
                paths = {"PYTHONPATH": str(SERVER.parents[1])}
                self._server = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=os.environ | paths)
        order = {"script": str(script), "words": [str(word) for word in words], "folder": str(folder)}
        order["environment"] = os.environ | environment
        (stdout, out), (stderr, err) = os.pipe(), os.pipe()
        pid = self._ask(order, [out, err])
        os.close(out)
        os.close(err)
        return ForkedScript(self._ask, pid, stdout, stderr)

    def __call__(self, script, *words, folder):
        """Run a script; return its exit code, stdout and stderr."""
        process = self.start(script, *words, folder=folder)
        out, error = process.communicate(timeout=240)
        return process.returncode, out, error

    def _ask(self, order, descriptors=()):
        socket.send_fds(self._orders, [json.dumps(order).encode()], descriptors)
        return json.loads(self._orders.recv(2**10))

    def close(self):
        if self._server is not None:
            self._orders.close()
            self._server.wait(60)
