"""Recorders for tests on a CPU: work is made repeatable by doing it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Again:
    """Does the work at once, and remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def warm(self, work: Callable[[], T]) -> T:
        self.calls.append("warm")
        return work()

    def record(self, work: Callable[[], T]) -> Callable[[], T]:
        self.calls.append("record")

        def repeat() -> T:
            self.calls.append("repeat")
            return work()

        return repeat

    def wait(self) -> None:
        self.calls.append("wait")


class Late(Again):
    """Does recorded work when it is waited for, as a device may; what it gives is nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.work: Callable[[], object] | None = None

    def record(self, work: Callable[[], T]) -> Callable[[], T]:
        self.calls.append("record")

        def repeat() -> T:
            assert self.work is None, "two launches in flight"
            self.calls.append("repeat")
            self.work = work
            return None  # type: ignore[return-value]

        return repeat

    def wait(self) -> None:
        super().wait()
        assert self.work is not None, "nothing was launched"
        self.work()
        self.work = None
