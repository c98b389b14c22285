"""The order of typed arguments, which Hydra's parser restricts."""

import pytest

from nst_tf.cli.arguments import flags_first


@pytest.mark.parametrize("flag", ["-m", "--multirun"])
def test_the_flag_of_a_sweep_may_stand_anywhere(flag):
    settings = ["content=a.jpg", "steps=1,2", "style=b.jpg"]
    for place in range(4):
        assert flags_first([*settings[:place], flag, *settings[place:]]) == [flag, *settings]


def test_other_arguments_keep_their_order():
    arguments = ["--config-dir", "mine", "steps=1", "--cfg", "job"]
    assert flags_first(arguments) == arguments
    assert flags_first(["-m", "steps=1,2", "-m"]) == ["-m", "steps=1,2"]
