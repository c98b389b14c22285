"""Reading, writing, resizing and recolouring pictures with NumPy; every picture is RGB float32 in [0, 1]."""

from nst_tf.images.canvas import TILE_OFF, Canvas, crop, extend
from nst_tf.images.choices import Colour, Finishing, Fit, StyleFit
from nst_tf.images.files import read_text, to_bytes, write_picture
from nst_tf.images.masks import resize_mask
from nst_tf.images.noise import Noise
from nst_tf.images.picture import Picture, read_picture
from nst_tf.images.recolouring import Recolouring
from nst_tf.images.regions import Propagation, RegionMasks, Regions
from nst_tf.images.resizing import resize
from nst_tf.images.samples import SAMPLES, sample_names
from nst_tf.images.saving import Saving
from nst_tf.images.seams import SeamBlend
from nst_tf.images.transparency import opaque_regions

__all__ = [
    "SAMPLES",
    "TILE_OFF",
    "Canvas",
    "Colour",
    "Finishing",
    "Fit",
    "Noise",
    "Picture",
    "Propagation",
    "Recolouring",
    "RegionMasks",
    "Regions",
    "Saving",
    "SeamBlend",
    "StyleFit",
    "crop",
    "extend",
    "opaque_regions",
    "read_picture",
    "read_text",
    "resize",
    "resize_mask",
    "sample_names",
    "to_bytes",
    "write_picture",
]
