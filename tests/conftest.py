"""What holds for every test."""

from __future__ import annotations

import os
import signal


def pytest_configure() -> None:
    """One thread for the arithmetic of a test, before torch is loaded: more wait for each other where cores are busy.

    Signals as in a terminal, also where the tests run in the background or under nohup, which ignore some; programs
    that tests start would inherit that."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
