"""Train the embedded network: `python scripts/distill.py photographs=FOLDER paintings=FOLDER teacher.weights=FILE`."""

from nst_tf.cli.main import main

if __name__ == "__main__":
    main("distill")
