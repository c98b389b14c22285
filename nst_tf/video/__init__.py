"""Stylisation of films: frames in and out, optical flow, temporal consistency, and the run of all frames.

The modules imported here hold settings only, and import neither TensorFlow nor a library for films.
"""

from nst_tf.video.consistency import Consistency
from nst_tf.video.flow import Flow, FlowMethod, Preset
from nst_tf.video.settings import Frames, FrameStart, Temporal, VideoConfig

__all__ = ["Consistency", "Flow", "FlowMethod", "FrameStart", "Frames", "Preset", "Temporal", "VideoConfig"]
