"""Stylise a photograph: `python scripts/stylize.py content=photo.jpg style=painting.jpg`."""

from nst_tf.cli.main import main

if __name__ == "__main__":
    main()
