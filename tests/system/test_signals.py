"""Ctrl-C and SIGTERM: once a request, twice what they always were."""

import signal
import threading

import pytest

from nst_tf.system.signals import Interrupted, StopRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_one_is_a_request_that_is_answered_on_looking_up(number):
    request = StopRequest()
    with request.catch_signals():
        request.raise_if_stopped()
        signal.raise_signal(number)
        with pytest.raises(Interrupted):
            request.raise_if_stopped()


def test_the_second_one_gets_through():
    request = StopRequest()
    with request.catch_signals():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_afterwards_signals_are_as_they_were():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with StopRequest().catch_signals():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_another_thread_leaves_signals_alone():
    seen = []

    def work():
        with StopRequest().catch_signals():
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
