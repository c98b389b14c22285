"""Tests of the stop request: the first Ctrl-C or SIGTERM sets a flag, the second has its usual effect."""

import signal
import threading

import pytest

from nst_tf.system.signals import Interrupted, StopRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops_the_work_at_the_next_check(number):
    request = StopRequest()
    with request.catch_signals():
        request.raise_if_stopped()
        signal.raise_signal(number)
        with pytest.raises(Interrupted):
            request.raise_if_stopped()


@pytest.fixture
def usual_handler():
    """Install Python's own SIGINT handler; a shell's background jobs ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("usual_handler")
def test_the_second_signal_has_its_usual_effect():
    request = StopRequest()
    with request.catch_signals():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_previous_handlers_are_restored():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with StopRequest().catch_signals():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_thread_other_than_the_main_one_installs_no_handlers():
    seen = []

    def work():
        with StopRequest().catch_signals():
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
