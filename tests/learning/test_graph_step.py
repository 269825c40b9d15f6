"""Recorded work, with a stand-in for the recorder: inputs that stay in place, and no way round a failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
import torch
from recorders import Again
from test_learner import batch

from muzero.device.graphs import WARM_UPS
from muzero.learning.graph_step import Recorded, RecordingError
from muzero.learning.tensors import Tensors

T = TypeVar("T")
CPU = torch.device("cpu")


def test_every_call_sees_its_own_numbers_in_the_same_place() -> None:
    recorder, places = Again(), []

    def work(data: Tensors) -> float:
        places.append({name: tensor.data_ptr() for name, tensor in data.named().items()})
        return float(data.value.sum())

    recorded = Recorded(work, CPU, recorder)
    for seed in range(WARM_UPS + 3):
        data = Tensors.of(batch(seed))
        assert recorded(data) == float(data.value.sum())
        assert places[-1] == places[0]
        assert not set(places[0].values()) & {tensor.data_ptr() for tensor in data.named().values()}
    assert recorder.calls == ["warm"] * WARM_UPS + ["record", "repeat", "repeat", "repeat"]


def test_each_shape_has_its_own_recording() -> None:
    recorder = Again()
    recorded = Recorded(lambda data: len(data.obs), CPU, recorder)
    for _ in range(WARM_UPS + 1):
        assert [recorded(Tensors.of(batch(0, size))) for size in (3, 8)] == [3, 8]
    assert recorder.calls == ["warm"] * 2 * WARM_UPS + ["record", "repeat"] * 2
    assert [recorded(Tensors.of(batch(1, size))) for size in (3, 8)] == [3, 8]
    assert recorder.calls[-2:] == ["repeat", "repeat"]


def test_a_recording_that_fails_is_told() -> None:
    class Refusing(Again):
        def record(self, work: Callable[[], T]) -> Callable[[], T]:
            raise RuntimeError("operation not permitted when stream is capturing")

    recorded = Recorded(lambda data: 0, CPU, Refusing())
    for _ in range(WARM_UPS):
        recorded(Tensors.of(batch(0)))
    for _ in range(2):
        with pytest.raises(RecordingError, match=r"set learner\.graphs to off, which is slower") as caught:
            recorded(Tensors.of(batch(0)))
        assert "not permitted" in str(caught.value.__cause__)
