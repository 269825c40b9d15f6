"""The contract of a source of games that every source keeps: self-play here, in processes, games recorded before.

A source of one's own is one class: `loop.run(..., source_of=...)` trains on it, `muzero/training/sources.py` chooses.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import last, tiny

import games
from games.symmetry import symmetries
from muzero.config import Config
from muzero.model.build import build_model
from muzero.model.learned import LearnedModel
from muzero.replay.buffer import Replay
from muzero.storage import checkpoint
from muzero.training import loop
from muzero.training.in_process import InProcess
from muzero.training.processes import Processes
from muzero.training.source import Delivery, Files, Source, SourceOf
from muzero.training.sources import source_of
from selfplay.trajectory import MOVE_FIELDS, Trajectory

torch.set_num_threads(1)
TRIES = 2_000
"""Calls of `collect` after which games that don't come count as missing."""


def finished(source: Source) -> Iterator[Trajectory]:
    """The games that come, one by one."""
    for _ in range(TRIES):
        for found in source.collect(wait=True):
            assert found.moves >= 0
            assert found.simulations >= 0
            assert 0 <= found.cut <= len(found.returns) <= len(found.games)
            yield from found.games
    pytest.fail("no games came")


RECORDED = list(islice(finished(InProcess(tiny(train__seed=5))), 40))


class Recorded:
    """Serves games that were recorded before, again and again; nobody plays, so it needs no weights."""

    repeatable = True

    def __init__(self, config: Config, start: int = 0) -> None:
        self.next = 0
        self.published: list[float] = []

    def collect(self, wait: bool) -> list[Delivery]:
        if not wait:
            return []
        game = RECORDED[self.next % len(RECORDED)]
        self.next += 1
        return [Delivery([game], len(game), 0, [float(game.reward[-1])])]

    def publish(self, model: LearnedModel, progress: float) -> None:
        self.published.append(progress)

    def snapshot(self) -> tuple[Files, dict[str, Any]]:
        return {}, {"recorded": self.next}

    def restore(self, files: Mapping[str, Mapping[str, Any]], state: Mapping[str, Any]) -> int | None:
        if "recorded" not in state:
            return None
        self.next = checkpoint.count_of(state, "recorded")
        return 0

    def close(self) -> None:
        pass


SOURCES: dict[str, tuple[SourceOf, int]] = {
    "in process": (source_of, 0), "processes": (source_of, 1), "recorded": (Recorded, 0)}
"""name -> what makes it, and `train.actors`"""


@pytest.fixture(params=SOURCES)
def made(request: pytest.FixtureRequest) -> Iterator[Callable[[], Source]]:
    """Makes sources of one kind, each of the same config; all are closed at the end."""
    make, actors = SOURCES[request.param]
    with contextlib.ExitStack() as closed:
        yield lambda: closed.enter_context(contextlib.closing(make(tiny(train__actors=actors), 0)))
    assert multiprocessing.active_children() == []


def equal(one: Trajectory, other: Trajectory) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("obs", *MOVE_FIELDS))


def test_it_is_chosen_by_the_config() -> None:
    for actors, kind in ((0, InProcess), (1, Processes)):
        with contextlib.closing(source_of(tiny(train__actors=actors), 0)) as source:
            assert type(source) is kind


def test_whole_games_come_that_a_replay_takes(made: Callable[[], Source]) -> None:
    source, config = made(), tiny()
    replay = Replay(games.spec(config.game), config.replay, symmetries(config.game))
    for game in islice(finished(source), 12):
        assert {len(getattr(game, name)) for name in MOVE_FIELDS} == {len(game)}
        assert all(getattr(game, name).dtype == field.dtype for name, field in MOVE_FIELDS.items())
        assert game.discount[-1] == 0.0
        replay.add(game)
    assert replay.ready
    replay.restore(replay.arrays(), replay.added, replay.max_priority, replay.written)


def test_nobody_waits_who_does_not_want_to(made: Callable[[], Source]) -> None:
    for _ in range(3):
        assert all(isinstance(found, Delivery) for found in made().collect(wait=False))


def test_new_weights_are_taken_at_any_time(made: Callable[[], Source]) -> None:
    source, model = made(), build_model(tiny())
    for progress in (0.0, 0.5, 1.0):
        source.publish(model, progress)
        assert len(list(islice(finished(source), 4))) == 4


def test_equal_seeds_give_equal_games_where_it_says_so(made: Callable[[], Source]) -> None:
    one, other = made(), made()
    assert type(one.repeatable) is bool
    if one.repeatable:
        assert all(map(equal, islice(finished(one), 12), islice(finished(other), 12)))


def test_it_goes_on_from_its_snapshot(made: Callable[[], Source]) -> None:
    source, other, model = made(), made(), build_model(tiny())
    assert other.restore({}, {}) is None, "of a checkpoint without its games"
    source.publish(model, 0.5)
    assert len(list(islice(finished(source), 9))) == 9
    files, state = source.snapshot()
    tensors = {stem: {name: torch.as_tensor(value).clone() for name, value in arrays.items()}
               for stem, arrays in files.items()}
    begun_anew = other.restore(tensors, json.loads(json.dumps(state)))
    assert begun_anew == (0 if source.repeatable else None)
    if source.repeatable:
        # In the middle of a delivery the rest of it is no part of the snapshot.
        assert all(map(equal, islice(finished(source), 12), islice(finished(other), 12)))
    else:
        assert (files, state) == ({}, {})


@pytest.mark.parametrize("kind", SOURCES)
def test_a_training_runs_on_it_and_goes_on(kind: str, tmp_path: Path) -> None:
    make, actors = SOURCES[kind]
    config = tiny(train__actors=actors, replay__prioritized=True)
    half = tiny(train__actors=actors, replay__prioritized=True, train__steps=9)
    assert loop.run(half, tmp_path / "parts", source_of=make) == 0
    assert loop.run(config, tmp_path / "parts", source_of=make) == 0
    assert loop.run(config, tmp_path / "whole", source_of=make) == 0
    parts, whole = last(tmp_path / "parts"), last(tmp_path / "whole")
    assert checkpoint.load(parts, ()).step == checkpoint.load(whole, ()).step == config.train.steps
    if actors == 0:
        assert checkpoint.same_content(parts, whole) == []


def test_a_training_on_recorded_games_learns_from_nothing_else(tmp_path: Path) -> None:
    run = loop.Run(tiny(), tmp_path, source_of=Recorded)
    with contextlib.closing(run):
        while run.state.learner.steps < 5:
            run.advance()
        source = run.state.source
        assert isinstance(source, Recorded)
        assert run.state.games == source.next
        assert run.state.replay.added == sum(len(game) for game in islice(RECORDED * 9, source.next))
        assert source.published[0] == 0.0
        assert len(source.published) == 2, "at steps 0 and 3"


def test_a_run_goes_on_with_another_source(tmp_path: Path) -> None:
    assert loop.run(tiny(train__steps=6), tmp_path) == 0
    assert loop.run(tiny(train__steps=9), tmp_path, source_of=Recorded) == 0
    assert loop.run(tiny(train__steps=12), tmp_path) == 0
    assert "recorded" not in checkpoint.load(last(tmp_path)).state
