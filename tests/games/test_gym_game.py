"""Gymnasium's environments as games: rewards, ends, cuts and observations are the environment's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

import games
from selfplay.players import RandomPlayer
from selfplay.strength.arena import play_alone

LIMIT = 6
"""Moves after which Gymnasium's own time limit cuts a game."""
NAMES = ("vector", "picture", "number")
SPACES = {"vector": Box(-100.0, 100.0, (3,), np.float32), "picture": Box(0, 255, (4, 5, 3), np.uint8),
          "number": Discrete(20)}


class Counter(gymnasium.Env[Any, Any]):
    """Counts moves; actions are 3, 4 and 5, each paid with its number. Action 5 ends it."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(self, kind: str) -> None:
        self.kind, self.moves = kind, 0
        self.action_space: Any = Discrete(3, start=3)
        self.observation_space: Any = SPACES[kind]

    def seen(self) -> Any:
        if self.kind == "vector":
            return np.array([self.moves, -self.moves, 0.5], np.float32)
        if self.kind == "picture":
            return (np.arange(60).reshape(4, 5, 3) + self.moves).astype(np.uint8)
        return self.moves

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed, options=options)
        self.moves = 0
        return self.seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(int(action))
        self.moves += 1
        return self.seen(), float(action), int(action) == 5, False, {}


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    names = {kind: f"Counter{kind.title()}-v0" for kind in NAMES}
    for kind, identity in names.items():
        gymnasium.register(identity, Counter, max_episode_steps=LIMIT, kwargs={"kind": kind},
                           disable_env_checker=True)
    yield
    for identity in names.values():
        del gymnasium.registry[identity]


def counter(kind: str = "vector") -> Any:
    return games.make(f"gym/Counter{kind.title()}-v0", 2, 0)


def moves(*actions: int) -> NDArray[np.int32]:
    return np.array(actions, np.int32)


def test_actions_begin_at_0_and_rewards_are_the_environment_s() -> None:
    batch = counter()
    step = batch.step(moves(0, 1))
    assert step.reward.tolist() == [3.0, 4.0]
    assert batch.returns()[:, 0].tolist() == [3.0, 4.0]
    assert batch.action_name(0, 1) == "4"


def test_an_end_ends_and_the_time_limit_cuts() -> None:
    batch = counter()
    for move in range(1, LIMIT):
        step = batch.step(moves(0, 1))
        assert step.discount.tolist() == [1.0, 1.0]
        assert not step.truncated.any(), move
    step = batch.step(moves(0, 2))
    assert step.truncated.tolist() == [True, False], "ended at the very move of the limit: it is over, not cut"
    assert step.discount.tolist() == [1.0, 0.0]
    assert (batch.to_play() == games.NO_PLAYER).all()


def test_an_early_end_is_no_cut() -> None:
    step = counter().step(moves(2, 0))
    assert step.discount.tolist() == [0.0, 1.0]
    assert not step.truncated.any()


def test_a_cut_game_counts_with_what_it_has_been_paid() -> None:
    class First(RandomPlayer):
        def act(self, games: Any, rows: Any) -> Any:
            return np.zeros(games.size, np.int32)

    result = play_alone("gym/CounterVector-v0", First(0), games=3, seed=0)
    assert result.returns == (3.0 * LIMIT,) * 3
    assert result.lengths == (LIMIT,) * 3


def test_vectors_are_seen_through_symlog() -> None:
    batch = counter()
    batch.step(moves(0, 0))
    batch.step(moves(0, 0), np.array([True, False]))
    wanted = [[np.log(3), -np.log(3), np.log(1.5)], [np.log(2), -np.log(2), np.log(1.5)]]
    assert batch.observe() == pytest.approx(np.array(wanted))


def test_pictures_keep_height_and_width() -> None:
    batch = counter("picture")
    assert batch.spec.observation_shape == (3, 4, 5)
    batch.step(moves(0, 0))
    wanted = (np.arange(60).reshape(4, 5, 3) + 1).transpose(2, 0, 1)
    assert (batch.observe() == wanted).all()


def test_a_number_is_one_of_many() -> None:
    batch = counter("number")
    batch.step(moves(0, 0))
    assert batch.observe().tolist() == [np.eye(20, dtype=np.uint8)[1].tolist()] * 2
