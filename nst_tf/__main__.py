"""``python -m nst_tf`` is the command ``nst-tf``."""

from nst_tf.cli.commands import main

if __name__ == "__main__":
    main()
