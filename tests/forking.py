"""This process imports TensorFlow and the program once. Then it forks itself for each script that it is told to run.

Importing takes longer than a small run. TensorFlow starts its threads with the first operation, so that a fork before
it is safe. Orders come as JSON in single messages of the socket whose number is the first argument, and
`tests.forked_scripts` sends them. An order to run a script carries two descriptors, for stdout and stderr, and is
answered with the number of its process:

    {"script": "scripts/stylize.py", "words": ["steps=1"], "folder": "runs", "environment": {"COLUMNS": "200"}}

The order ``{"process": NUMBER}`` is answered with the exit status of that process, or with null while it runs. A number
is not given to another process before that, so that signals reach the right one.
"""

import json
import os
import runpy
import socket
import sys
from pathlib import Path


def serve(orders):
    """Answer orders until the other side closes the socket; return in each forked process with its own order."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(orders, 2**20, 2)
        if not message:
            sys.exit()
        order = json.loads(message)
        if "process" in order:
            process, status = os.waitpid(order["process"], os.WNOHANG)
            answer = status if process else None
        elif answer := os.fork():
            for descriptor in descriptors:
                os.close(descriptor)
        else:
            orders.close()
            return order, descriptors
        orders.send(json.dumps(answer).encode())


def run(order, descriptors):
    """Become a process as if Python had been started with the script of the order."""
    for number, descriptor in enumerate([os.open(os.devnull, os.O_RDONLY), *descriptors]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    sys.argv = [order["script"], *order["words"]]
    sys.path[0] = str(Path(order["script"]).parent)
    runpy.run_path(order["script"], run_name="__main__")


if __name__ == "__main__":
    import nst_tf.api
    import nst_tf.cli.main
    import nst_tf.observers.running_tensorboard  # noqa: F401
    from nst_tf.util.lazy import keras, tf

    _ = keras.Model, tf.Variable
    run(*serve(socket.socket(fileno=int(sys.argv[1]))))
