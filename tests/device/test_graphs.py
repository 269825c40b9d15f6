"""What a recorder asks of CUDA, in which order: told by stand-ins, as no GPU is needed to count the calls."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from muzero.device.graphs import CudaGraphs, Sent


class Stream:
    """A stream that writes down what it is asked."""

    def __init__(self, calls: list[str], name: str) -> None:
        self.calls, self.name = calls, name

    def wait_stream(self, other: Stream) -> None:
        self.calls.append(f"{self.name} waits for {other.name}")

    def synchronize(self) -> None:
        self.calls.append(f"host waits for {self.name}")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Everything CUDA was asked."""
    found: list[str] = []

    @contextlib.contextmanager
    def on(stream: Stream) -> Iterator[None]:
        found.append(f"on {stream.name}")
        yield
        found.append(f"off {stream.name}")

    @contextlib.contextmanager
    def graph(recording: Any, *, pool: str, stream: Stream, capture_error_mode: str) -> Iterator[None]:
        found.append(f"record on {stream.name} in {pool}, errors {capture_error_mode}")
        yield
        found.append("recorded")

    class Graph:
        def replay(self) -> None:
            found.append("replay")

    monkeypatch.setattr(torch.cuda, "Stream", lambda: Stream(found, "own"))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: Stream(found, "caller's"))
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: "pool")
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    return found


def used(graphs: CudaGraphs, calls: list[str]) -> list[str]:
    """What is asked by one warm-up, one recording and one repetition."""

    def work() -> int:
        calls.append("work")
        return 7

    assert graphs.warm(work) == 7
    repeat = graphs.record(work)
    assert repeat() == 7
    return calls


def test_a_search_replays_on_its_own_stream_and_its_host_waits(calls: list[str]) -> None:
    graphs = CudaGraphs(own_stream=True)
    assert used(graphs, calls) == [
        "own waits for caller's", "on own", "work", "off own", "host waits for own",
        "record on own in pool, errors global", "work", "recorded",
        "on own", "replay", "off own"]
    graphs.wait()
    assert calls[-1] == "host waits for own"


def test_a_learning_step_replays_in_the_callers_order_and_nobody_waits(calls: list[str]) -> None:
    assert used(CudaGraphs(own_stream=False), calls) == [
        "own waits for caller's", "on own", "work", "off own", "caller's waits for own",
        "record on own in pool, errors thread_local", "work", "recorded", "replay"]


def test_what_is_sent_stays_as_it_was() -> None:
    tensor = torch.arange(3.0, requires_grad=True)
    sent = Sent(tensor)
    tensor.detach().zero_()
    found = sent.read()
    assert found.tolist() == [0.0, 1.0, 2.0]
    assert not found.requires_grad
