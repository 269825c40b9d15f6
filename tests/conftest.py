"""What holds for every test."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Signals as in a terminal, also where the tests run in the background or under nohup, which ignore some; programs
    that tests start would inherit that."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
