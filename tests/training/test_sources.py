"""The contract of a source of games that every source keeps: self-play here, in processes, games recorded before.

A source of one's own is one class: `loop.run(..., source_of=...)` trains on it, `muzero/training/sources.py` chooses.
"""

from __future__ import annotations

import contextlib
import dataclasses
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
from muzero.training import deliveries, loop, saving
from muzero.training.in_process import InProcess
from muzero.training.processes import Processes
from muzero.training.source import ActorError, Delivery, Files, SnapshotError, Source, SourceOf
from muzero.training.sources import source_of
from selfplay.trajectory import MOVE_FIELDS, Trajectory
from selfplay.trajectory_check import TrajectoryCheck

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
    found = list(islice(finished(source), 12))
    TrajectoryCheck(replay.spec)(found)
    for game in found:
        assert game.discount[-1] == 0.0
        replay.add(game)
    assert replay.added >= config.replay.min_positions
    replay.restore(replay.arrays(), replay.added, replay.max_priority, replay.written)


def test_nobody_waits_who_does_not_want_to(made: Callable[[], Source]) -> None:
    for _ in range(3):
        assert all(isinstance(found, Delivery) for found in made().collect(wait=False))


def test_new_weights_are_taken_at_any_time_and_only_read(made: Callable[[], Source]) -> None:
    source, model = made(), build_model(tiny())
    before = {name: value.numpy().tobytes() for name, value in model.state_dict().items()}
    for progress in (0.0, 0.5, 1.0):
        source.publish(model, progress)
        assert len(list(islice(finished(source), 4))) == 4
    assert {name: value.numpy().tobytes() for name, value in model.state_dict().items()} == before


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
    files, state = deliveries.snapshot(source)
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


# --- sources that break it ------------------------------------------------------------------------------------------


def searched(**changes: Any) -> Trajectory:
    """A sound game of four moves, each of them searched, with `changes`."""
    policy = np.zeros((4, 9), np.float32)
    policy[:, 3:] = 1 / 6
    whole = Trajectory(
        obs=np.zeros((4, 3, 3, 3), np.uint8), action=np.arange(4, dtype=np.int32) + 3,
        reward=np.array([0, 0, 0, 1], np.float32), discount=np.array([-1, -1, -1, 0], np.float32),
        legal=policy > 0, policy=policy, root_value=np.zeros(4, np.float32), exploratory=np.zeros(4, np.bool_),
        searched=np.ones(4, np.bool_))
    return dataclasses.replace(whole, **changes)


def row(*numbers: float, dtype: type[np.generic] = np.float32) -> np.ndarray[Any, Any]:
    return np.array(numbers, dtype)


NAN, INF = np.nan, np.inf
UNSOUND: list[tuple[dict[str, Any], str]] = [
    ({"action": row(3, 4, 5, NAN)}, r"action: expected int32 \[4\], got float32 \[4\]"),
    ({"action": row(3, 4, 5, 9, dtype=np.int32)}, "move 3: action: expected a number from 0 to 8, got 9"),
    ({"action": row(3, -1, 5, 6, dtype=np.int32)}, "move 1: action: expected a number from 0 to 8, got -1"),
    ({"action": row(3, 4, 2, 6, dtype=np.int32)}, "move 2: action: expected one of the legal ones, got 2"),
    ({"action": row(dtype=np.int32)}, "expected at least one move, got none"),
    ({"action": None}, "action: expected int32 .*, got NoneType"),
    ({"reward": row(0, 0, INF, 0)}, "move 2: reward: expected a finite number, got inf"),
    ({"reward": row(0, 0, 1)}, r"reward: expected float32 \[4\], got float32 \[3\]"),
    ({"root_value": row(0, NAN, 0, 0)}, "move 1: root_value: expected a finite number, got nan"),
    ({"discount": row(-5, -1, -1, 0)}, "move 0: discount: expected one of 0, -1, got -5"),
    ({"discount": row(-1, 1, -1, 0)}, "move 1: discount: expected one of 0, -1, got 1"),
    ({"discount": row(-1, 0, -1, 0)}, "move 1: discount: expected 0 after the last move alone, got 0"),
    ({"discount": row(-1, -1, -1, -1)}, "move 3: discount: expected 0 after the last move, unless it is marked expl"),
    ({"policy": searched().policy * 3}, "move 0: policy: expected a sum of 1 where the move was searched, .*, got 0 0"),
    ({"policy": searched().policy - np.eye(4, 9, dtype=np.float32)}, "move 0: policy: expected no chance below 0"),
    ({"policy": searched().policy * NAN}, "move 0: policy: expected no chance below 0, got nan"),
    ({"policy": np.full((4, 9), 1 / 9, np.float32)}, "move 0: policy: expected none on illegal actions"),
    ({"policy": np.zeros((4, 4), np.float32)}, r"policy: expected float32 \[4, 9\], got float32 \[4, 4\]"),
    ({"searched": row(1, 1, 0, 1, dtype=np.bool_)}, "move 2: policy: expected a sum of 1 .*, zeros where it wasn't"),
    ({"searched": row(1, 7, 1, 1, dtype=np.uint8).view(np.bool_)}, "move 1: searched: expected bytes of 0 and 1, got"),
    ({"obs": np.zeros((4, 1, 3, 3), np.uint8)}, r"obs: expected uint8 \[4, 3, 3, 3\], got uint8 \[4, 1, 3, 3\]"),
    ({"obs": np.full((4, 3, 3, 3), 0.7)}, "obs: expected uint8 .*, got float64"),
    ({"obs": torch.zeros(4, 3, 3, 3)}, "obs: expected uint8 .*, got Tensor"),
    *(({"number": number}, f"number: expected a whole number from 0 to .*, got {number}")
      for number in (-1, 1 << 53, 1.0)),
]
"""Changes of a sound game, and what is said of them."""
WRONG: list[tuple[Any, str]] = [
    (None, "expected a list of Delivery, got NoneType"),
    ([None], "expected a list of Delivery, got one with NoneType"),
    ([Delivery([None], 1, 0, [])], "game 0: expected a Trajectory, got NoneType"),  # type: ignore[list-item]
    ([Delivery(None, 1, 0, [])], "games: expected a list, got NoneType"),  # type: ignore[arg-type]
    ([Delivery([], None, 0, [])], "moves: expected a whole number of at least 0, got None"),  # type: ignore[arg-type]
    ([Delivery([], 1, -1, [])], "simulations: expected a whole number of at least 0, got -1"),
    ([Delivery([searched()], 4, 0, [NAN])], "returns: expected finite numbers, got nan"),
    ([Delivery([searched()], 4, 0, [1.0], 2)], "expected at least as many games as returns, .*, got 1, 1 and 2"),
    ([Delivery([], 4, 0, [1.0])], "expected at least as many games as returns, .*, got 0, 1 and 0"),
    *(([Delivery([searched(), searched(**changes)], 8, 0, [])], f"game 1.*{message}") for changes, message in UNSOUND),
]
"""What `collect` may give, and what is said of it."""


class Sound(Recorded):
    """Delivers a sound game, and wants a name of each kind kept."""

    given: Any = (Delivery([searched()], 4, 0, [1.0]),)
    kept: Any = ({"mine": {"x": np.zeros(3, np.float32)}}, {"mine": 7})

    def collect(self, wait: bool) -> list[Delivery]:
        return self.given  # type: ignore[no-any-return]

    def snapshot(self) -> tuple[Files, dict[str, Any]]:
        return self.kept  # type: ignore[no-any-return]


def test_the_games_that_are_spoilt_here_are_sound(tmp_path: Path) -> None:
    assert loop.run(tiny(train__steps=2), tmp_path, source_of=Sound) == 0
    assert checkpoint.load(last(tmp_path)).state["mine"] == 7


@pytest.mark.parametrize(("given", "message"), WRONG)
def test_what_no_game_gives_is_told_before_it_is_taken(given: Any, message: str, tmp_path: Path) -> None:
    """And the run goes on from there with another source."""
    run = loop.Run(tiny(), tmp_path, source_of=type("Wrong", (Sound,), {"given": given}))
    with contextlib.closing(run):
        with pytest.raises(ActorError, match=rf"^Wrong\.collect: .*{message}"):
            run.take_games(wait=True)
        assert run.state.replay.added == run.state.games == 0


def test_a_run_goes_on_after_what_no_game_gives(tmp_path: Path) -> None:
    wrong = [Delivery([searched(root_value=row(0, NAN, 0, 0))], 4, 0, [1.0])]
    with pytest.raises(ActorError, match="root_value"):
        loop.run(tiny(train__steps=2), tmp_path, source_of=type("Wrong", (Sound,), {"given": wrong}))
    assert loop.run(tiny(train__steps=2), tmp_path, source_of=Sound) == 0


@pytest.mark.parametrize(("kept", "message"), [
    (None, "expected two dictionaries, tensor files and JSON values, got None"),
    (({}, None), "expected two dictionaries"),
    (({"weights": {}}, {}), "a tensor file to have a name of its own, got 'weights', which the run itself keeps"),
    (({"trained": {}}, {}), "a tensor file to have a name of its own, got 'trained'"),
    (({}, {"added": 7}), "a value to have a name of its own, got 'added', .*as it does cut, drawn, games"),
])
def test_a_snapshot_that_would_harm_the_run_is_told_and_the_rest_is_saved(
    kept: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(SnapshotError, match=rf"^Wrong\.snapshot: .*{message}"):
        loop.run(tiny(train__steps=2), tmp_path, source_of=type("Wrong", (Sound,), {"kept": kept}))
    assert checkpoint.load(last(tmp_path)).step == 2
    assert loop.run(tiny(train__steps=4), tmp_path, source_of=Sound) == 0


def test_every_name_that_a_run_keeps_is_its_own(tmp_path: Path) -> None:
    config = tiny(learner__reanalyse_fraction=0.5, learner__ema=0.9, held_out__fraction=0.1)
    with contextlib.closing(loop.Run(config, tmp_path, source_of=Sound)) as run:
        assert saving._tensor_files(run.state).keys() == deliveries.OWN_FILES
        assert saving._counts(run.state).keys() == deliveries.OWN_VALUES
