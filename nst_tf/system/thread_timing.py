"""Run convolutions with a number of threads: the process that `nst_tf.system.threads` starts for each candidate.

``python -m nst_tf.system.thread_timing N`` runs one convolution, forward and backward, for each line of its standard
input, and answers each with a line.
"""

import sys

from nst_tf.util.lazy import tf

SIDE, CHANNELS = 64, 128
"""Height and width in pixels, and number of channels, of the timed convolution."""


def main() -> None:
    """Answer lines until the standard input ends."""
    threads = int(sys.argv[1])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.set_visible_devices([], "GPU")
    x, kernel = tf.fill([1, SIDE, SIDE, CHANNELS], 0.5), tf.fill([3, 3, CHANNELS, CHANNELS], 0.01)
    options = {"strides": [1, 1, 1, 1], "padding": "SAME"}
    for _ in sys.stdin:
        y = tf.raw_ops.Conv2D(input=x, filter=kernel, **options)
        tf.raw_ops.Conv2DBackpropInput(input_sizes=tf.shape(x), filter=kernel, out_backprop=y, **options)
        print(flush=True)


if __name__ == "__main__":
    main()
