"""Reading, writing, resizing and recolouring pictures with NumPy; every picture is RGB float32 in [0, 1]."""

from nst_tf.images.canvas import Canvas
from nst_tf.images.choices import Colour, Fit, StyleFit
from nst_tf.images.files import read_text, to_bytes, write_picture
from nst_tf.images.noise import Noise
from nst_tf.images.picture import Picture, read_picture
from nst_tf.images.resizing import resize
from nst_tf.images.samples import SAMPLES, sample_names

__all__ = [
    "SAMPLES",
    "Canvas",
    "Colour",
    "Fit",
    "Noise",
    "Picture",
    "StyleFit",
    "read_picture",
    "read_text",
    "resize",
    "sample_names",
    "to_bytes",
    "write_picture",
]
