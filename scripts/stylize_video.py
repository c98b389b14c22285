"""Stylise a film: `python scripts/stylize_video.py video=clip.mp4 style=painting.jpg`."""

from nst_tf.cli.main import main

if __name__ == "__main__":
    main("video")
