"""Observations made of frames: each frame is stored once, and comes out of the replay as the game showed it."""

from __future__ import annotations

import dataclasses
import itertools
import tracemalloc
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from table_model import blank_planner

import games
from games.base import GameSpec
from games.contract import check_game
from games.symmetry import Symmetries
from muzero.config import ConfigError, ReplayConfig, SearchConfig, SelfPlayConfig
from muzero.replay.buffer import Replay
from muzero.replay.sampling import DrawConfig, batch_at, draw, td_steps
from muzero.training.reanalyse import Reanalyser
from selfplay.actor import Actor
from selfplay.trajectory import Trajectory, stored_bytes

FRAMES, SIDE = 3, 2
DRAW = DrawConfig(unroll=2, td_steps=3, gamma=1.0, search_share=0.0, absorbing=True, symmetries=False, later_obs=2)
SEARCH = SearchConfig(algorithm="gumbel", simulations=2)


class Film:
    """Frame t of game n is filled with n and t; a game has 3 to 9 moves."""

    spec: ClassVar[GameSpec] = GameSpec(
        name="film", players=1, observation_shape=(2 * FRAMES, SIDE, SIDE), observation_dtype="uint8", num_actions=2,
        max_length=9, min_return=0.0, max_return=90.0, alternates=False, stochastic=True, rewards_on_the_way=True,
        frames=FRAMES, observation_high=255)

    def __init__(self, generator: np.random.Generator) -> None:
        self.number, self.length, self.moves = int(generator.integers(1, 256)), int(generator.integers(3, 10)), 0

    def to_play(self) -> int:
        return 0

    def legal(self) -> list[int]:
        return [0, 1]

    def step(self, action: int) -> float:
        self.moves += 1
        return float(10 * action)

    def over(self) -> bool:
        return self.moves >= self.length

    def observe(self) -> NDArray[np.uint8]:
        seen = np.zeros((FRAMES, 2, SIDE, SIDE), np.uint8)
        for frame in range(FRAMES):
            moment = self.moves - (FRAMES - 1) + frame
            if moment >= 0:
                seen[frame, 0], seen[frame, 1] = self.number, moment + 1
        return seen.reshape(self.spec.observation_shape)

    def render(self) -> str:
        return f"{self.number}:{self.moves}"

    def action_name(self, action: int) -> str:
        return str(action)


class LongFilm(Film):
    """A film of 90 moves."""

    spec: ClassVar[GameSpec] = dataclasses.replace(Film.spec, name="long film", max_length=90)

    def __init__(self, generator: np.random.Generator) -> None:
        super().__init__(generator)
        self.length = 90


NAME = "test_frames:Film"


def expected(number: int, moment: int) -> NDArray[np.uint8]:
    film = Film(np.random.default_rng(0))
    film.number, film.moves = number, moment
    return film.observe()


def shown(obs: NDArray[np.uint8]) -> tuple[int, int]:
    """Game and moment of an observation."""
    return int(obs[-2, 0, 0]), int(obs[-1, 0, 0]) - 1


def film_replay(capacity: int = 40, **settings: Any) -> Replay:
    same = Symmetries(np.zeros((1, 1), np.int32), np.arange(2, dtype=np.int32)[None])
    return Replay(games.spec(NAME), ReplayConfig(capacity=capacity, min_positions=1, **settings), same)


def play(moves: int, size: int = 3, **settings: Any) -> list[Trajectory]:
    actor = Actor(games.make(NAME, size, 0), SelfPlayConfig(games=size, **settings), 0)
    planner = blank_planner(2, size, SEARCH)
    return [part for _ in range(moves) for part in actor.play(planner, 0.0)]


def check_batch(held: Replay, places: NDArray[np.int64]) -> None:
    batch = batch_at(held, places, np.ones(len(places), np.float32), DRAW, np.random.default_rng(0))
    assert batch.later_obs is not None
    for row in range(len(places)):
        number, moment = shown(batch.obs[row])
        assert (batch.obs[row] == expected(number, moment)).all()
        for k in range(DRAW.unroll):
            if batch.in_game[row, k + 1]:
                assert (batch.later_obs[row, k] == expected(number, moment + k + 1)).all()


def test_the_film_keeps_the_contract() -> None:
    check_game(NAME)


@pytest.mark.parametrize("part_moves", [0, 1, 2, 4])
@pytest.mark.parametrize("prioritized", [False, True])
def test_drawn_observations_are_those_the_game_showed(part_moves: int, prioritized: bool) -> None:
    held, rng = film_replay(prioritized=prioritized), np.random.default_rng(1)
    for part in play(60, part_moves=part_moves):
        held.add(part)
        for _ in range(3):
            batch = draw(held, 8, DRAW, rng)
            assert held.drawable(batch.index).all()
            check_batch(held, batch.index)
            held.set_priorities(batch.index, rng.random(8).astype(np.float32))
    assert held.written > 2 * held.capacity, "the ring went round"
    drawable = np.flatnonzero(held.drawable(np.arange(held.capacity)))
    check_batch(held, drawable)
    drawn = {int(place) for _ in range(200) for place in draw(held, 16, DRAW, rng).index}
    assert drawn == set(drawable.tolist()), "every position with all its frames can be drawn, and no other"


def test_a_place_overwritten_by_leading_frames_gets_no_priority() -> None:
    """Errors of positions drawn before may come after these were overwritten."""
    held, parts = film_replay(prioritized=True), play(60)
    assert held.tree is not None
    while held.written < held.capacity:
        held.add(parts.pop(0))
    before = np.flatnonzero(held.drawable(np.arange(held.capacity)))
    while held.drawable(before).all():
        held.add(parts.pop(0))
    held.set_priorities(before, np.ones(len(before), np.float32))
    everywhere = np.arange(held.capacity)
    assert ((held.tree.get(everywhere) > 0) == held.drawable(everywhere)).all()


def test_a_frame_is_stored_once() -> None:
    spec = games.spec(NAME)
    one = dataclasses.replace(spec, frames=1)
    assert stored_bytes(one) - stored_bytes(spec) == (FRAMES - 1) * 2 * SIDE * SIDE
    assert film_replay().rings["obs"].shape == (40, 2, SIDE, SIDE)
    with pytest.raises(ConfigError, match="holds no observation of 3 frames"):
        film_replay(capacity=2)


def test_parts_of_a_game_join() -> None:
    """Each position once, in its order, with the frames from before its part."""
    whole, parts = play(40, size=1), play(40, size=1, part_moves=2)
    seen, again = ([shown(frame[None].reshape(2, SIDE, SIDE)) for part in parts for frame in part.obs[FRAMES - 1 :]]
                   for parts in (whole, parts))
    assert len(seen) > 30
    assert again[: len(seen)] == seen
    for part in parts:
        assert part.exploratory[-1] == (part.discount[-1] != 0.0), "the last search of a part stands for the rest"
        assert len(part) <= 2
        number, moment = shown(part.obs[FRAMES - 1])
        assert (part.obs[:FRAMES].reshape(-1, SIDE, SIDE) == expected(number, moment)).all()


def test_parts_come_one_by_one() -> None:
    """Games that began together are cut at different moves, each after as many moves as the part has."""
    actor = Actor(games.make("test_frames:LongFilm", 4, 0), SelfPlayConfig(games=4, part_moves=8), 0)
    planner = blank_planner(2, 4, SEARCH)
    lengths = [[len(part) for part in actor.play(planner, 0.0)] for _ in range(24)]
    assert lengths[:8] == [[], [2], [], [4], [], [6], [], [8]]
    assert lengths[8:16] == lengths[16:] == [[], [8], [], [8], [], [8], [], [8]]


def test_stored_frames_come_back_exactly() -> None:
    for prioritized in (False, True):
        held = film_replay(prioritized=prioritized)
        for part in play(60, part_moves=4):
            held.add(part)
        again = film_replay(prioritized=prioritized)
        again.restore({name: array.copy() for name, array in held.arrays().items()}, held.added, 1.0, held.written)
        first, second = (draw(r, 32, DRAW, np.random.default_rng(3)) for r in (held, again))
        assert (first.index == second.index).all()
        assert (first.obs == second.obs).all()


@pytest.mark.parametrize("change", ["zero", "lead", "count"])
def test_impossible_leads_are_refused(change: str) -> None:
    held = film_replay()
    for part in play(12):
        held.add(part)
    arrays = {name: array.copy() for name, array in held.arrays().items()}
    left = arrays["left"]
    start = int(np.flatnonzero(np.diff(left, prepend=0) > 0)[1])
    if change == "zero":
        left[start] = 0
    elif change == "lead":
        left[start - 1] = left[start] + 1
    else:
        left[start] += 1
    with pytest.raises(ValueError, match="left"):
        film_replay().restore(arrays, held.added, 1.0, held.written)


def test_reanalysis_skips_places_without_a_position() -> None:
    held = film_replay()
    for part in play(60):
        held.add(part)
    walker = Reanalyser.__new__(Reanalyser)
    walker.batch, walker.cursor = 7, 0
    seen: set[int] = set()
    for _ in range(20):
        places = walker.places(held)
        assert held.drawable(places).all()
        seen |= set(places.tolist())
    assert seen == set(np.flatnonzero(held.drawable(np.arange(held.capacity))).tolist())


@pytest.mark.parametrize("shift", [1, 3, 7])
def test_shifted_pictures_repeat_their_edges(shift: int) -> None:
    spec = dataclasses.replace(games.spec(NAME), observation_shape=(FRAMES, 4, 5), name="pictures")
    same = Symmetries(np.zeros((1, 1), np.int32), np.arange(2, dtype=np.int32)[None])
    held, rng = Replay(spec, ReplayConfig(capacity=50, min_positions=1), same), np.random.default_rng(0)
    length = 20
    held.add(Trajectory(
        obs=rng.integers(0, 256, (length + FRAMES - 1, 1, 4, 5)).astype(np.uint8), action=np.zeros(length, np.int32),
        reward=np.zeros(length, np.float32), discount=np.r_[np.ones(length - 1), 0.0].astype(np.float32),
        legal=np.ones((length, 2), np.bool_), policy=np.full((length, 2), 0.5, np.float32),
        root_value=np.zeros(length, np.float32), exploratory=np.zeros(length, np.bool_),
        searched=np.ones(length, np.bool_)))
    batch = draw(held, 64, dataclasses.replace(DRAW, shift=shift), rng)
    assert batch.later_obs is not None
    found = moved(held.observations(batch.index), batch.obs, shift)
    # Each moves by itself, also those that come later in a row.
    inside = batch.in_game[:, 1]
    later = moved(held.observations(batch.index[inside] + 1), batch.later_obs[inside, 0], shift)
    ways = [set(filter(None, one)) for one in (found, later)]
    # Most that move by more than the picture's size look the same.
    assert shift > 5 or min(map(len, ways)) > shift * 4, "all directions"
    both = [(one, other) for one, other in zip(itertools.compress(found, inside), later, strict=True) if one and other]
    assert any(one != other for one, other in both)


def moved(plain: NDArray[np.uint8], seen: NDArray[np.uint8], shift: int) -> list[tuple[int, int] | None]:
    """How far each of `seen` is moved against `plain`; None where several moves look the same."""
    found = []
    for before, after in zip(plain, seen, strict=True):
        height, width = before.shape[1:]
        padded = np.pad(before, ((0, 0), (shift, shift), (shift, shift)), mode="edge")
        moves = [(y, x) for y in range(2 * shift + 1) for x in range(2 * shift + 1)
                 if (padded[:, y : y + height, x : x + width] == after).all()]
        assert moves, "a moved picture with repeated edges"
        found.append(moves[0] if len(moves) == 1 else None)
    return found


def test_an_older_position_looks_less_far_ahead() -> None:
    held = film_replay(capacity=60)
    for part in play(20, size=1):
        held.add(part)
    drawing = dataclasses.replace(DRAW, td_steps=3, td_age=8)
    places = np.arange(len(held))
    steps = td_steps(held, places, drawing)
    age = held.written - 1 - places
    assert steps.tolist() == [max(1, 3 - int(a) // 8) for a in age]
    assert set(steps.tolist()) == {1, 2, 3}


def test_a_draw_takes_no_more_memory_than_its_batch() -> None:
    """Pictures pass from the ring into the batch, once, whatever the replay holds."""
    spec = dataclasses.replace(games.spec(NAME), observation_shape=(FRAMES, 84, 84))
    same = Symmetries(np.zeros((1, 1), np.int32), np.arange(2, dtype=np.int32)[None])
    held, rng = Replay(spec, ReplayConfig(capacity=500, min_positions=1), same), np.random.default_rng(0)
    while held.written < 1_000:
        part = play(1, size=1, part_moves=1)[0]
        held.add(dataclasses.replace(part, obs=np.zeros((FRAMES, 1, 84, 84), np.uint8)))
    drawing = dataclasses.replace(DRAW, shift=4)
    draw(held, 64, drawing, rng)
    tracemalloc.start()
    batch = draw(held, 64, drawing, rng)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert batch.later_obs is not None
    pictures = batch.obs.nbytes + batch.later_obs.nbytes
    assert pictures == 64 * (1 + DRAW.unroll) * FRAMES * 84 * 84
    assert peak < 1.2 * pictures
