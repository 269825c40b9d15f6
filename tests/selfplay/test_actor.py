"""Self-play: what is recorded really happened, what was random is marked, and a restored actor goes on the same."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from table_model import blank_planner

import games
from games.base import GameSpec
from games.symmetry import symmetries
from muzero.config import LearnerConfig, ReplayConfig, SearchConfig, SelfPlayConfig
from muzero.replay.buffer import Replay
from muzero.replay.sampling import DrawConfig, batch_at
from selfplay.actor import Actor, draw_legal, draw_weighted
from selfplay.planner import Plan, Planner
from selfplay.recorder import START_LENGTH, Recorder
from selfplay.trajectory import MOVE_FIELDS, StoredPlan, Trajectory

torch.set_num_threads(1)
SEARCH = SearchConfig(algorithm="gumbel", simulations=4)
OWN = "games.examples.subtraction:Subtraction"


def make(name: str = "tic_tac_toe", size: int = 8, seed: int = 0, **settings: Any) -> Actor:
    return Actor(games.make(name, size, seed), SelfPlayConfig(games=size, **settings), seed)


def planned(actor: Actor, search: SearchConfig = SEARCH) -> Planner:
    return blank_planner(actor.games.spec.num_actions, actor.games.size, search)


def play(actor: Actor, moves: int, progress: float = 0.0, planner: Planner | None = None) -> list[Trajectory]:
    planner = planner or planned(actor)
    return [game for _ in range(moves) for game in actor.play(planner, progress)]


def assert_happened(name: str, game: Trajectory) -> None:
    """The game can be played again, and everything recorded of it is seen again."""
    batch = games.make(name, 1)
    for t in range(len(game)):
        assert (batch.observe()[0] == game.obs[t]).all()
        assert (batch.legal()[0] == game.legal[t]).all()
        step = batch.step(game.action[t : t + 1])
        assert step.reward[0] == game.reward[t]
        assert step.discount[0] == game.discount[t]


# --- numbers of games ---------------------------------------------------------------------------------------


def test_the_planner_is_told_the_numbers_of_the_games() -> None:
    told: list[list[int]] = []

    class Told:
        def __init__(self, inner: Planner) -> None:
            self.plan = inner.plan

        def view(self, games: Any, obs: NDArray[Any], numbers: NDArray[np.int64]) -> NDArray[Any]:
            told.append(numbers.tolist())
            return obs

    actor, wanted, moves = Actor(games.make("tic_tac_toe", 3), SelfPlayConfig(games=3), 0, numbered=True), [], []
    for _ in range(30):
        wanted.append(actor.numbers.tolist())
        moves.append(actor.made.tolist())
        actor.play(Told(planned(actor)), 0.0)  # type: ignore[arg-type]
    assert told == wanted
    seen: dict[int, list[int]] = {}
    for numbers, made in zip(told, moves, strict=True):
        for number, move in zip(numbers, made, strict=True):
            seen.setdefault(number, []).append(move)
    assert len(seen) >= 9
    assert all(made == list(range(len(made))) for made in seen.values())
    assert sorted(seen) == list(range(min(seen), max(seen) + 1))


# --- what is recorded ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tic_tac_toe", "dots_and_boxes", "breakthrough(rows=4,columns=3)", OWN])
def test_recorded_games_can_be_played_again(name: str) -> None:
    actor = make(name, opening_fraction=0.5, opening_plies=3, random_fraction=0.2)
    finished = play(actor, 45)
    assert len(finished) > 10
    for game in finished:
        assert_happened(name, game)
        assert (game.discount[:-1] != 0).all()
        assert game.discount[-1] == 0
        assert game.policy.sum(1) == pytest.approx(1.0, abs=1e-4)
        assert (game.policy[~game.legal] == 0).all()
        assert game.searched.all()
        assert {len(getattr(game, name)) for name in ("obs", *MOVE_FIELDS)} == {len(game)}
    assert actor.counters.games == len(finished)
    assert actor.counters.moves == 45 * 8
    assert actor.counters.simulations == 45 * 8 * 4


class Spy:
    """Stands before a planner and keeps its plans."""

    def __init__(self, inner: Planner) -> None:
        self.inner = inner
        self.results: list[Plan] = []
        self.view, self.refresh = inner.view, inner.refresh

    def plan(self, *args: Any) -> Plan:
        self.results.append(self.inner.plan(*args))
        return self.results[-1]


def test_moves_that_are_not_marked_are_the_searches_own() -> None:
    actor = make(size=1, opening_fraction=1.0, opening_plies=2, random_fraction=0.3)
    spy = Spy(planned(actor))
    finished = play(actor, 120, planner=spy)
    marked = np.concatenate([game.exploratory for game in finished])
    chosen = np.concatenate([result.action for result in spy.results])[: len(marked)]
    policy = np.concatenate([result.policy for result in spy.results])[: len(marked)]
    value = np.concatenate([result.value for result in spy.results])[: len(marked)]
    played = np.concatenate([game.action for game in finished])
    assert (played[~marked] == chosen[~marked]).all()
    assert (played[marked] != chosen[marked]).any()
    assert (np.concatenate([game.policy for game in finished]) == policy).all(), "the target is the search's, always"
    assert (np.concatenate([game.root_value for game in finished]) == value).all()


def test_openings_are_random_and_marked() -> None:
    actor = make(size=64, opening_fraction=0.5, opening_plies=3)
    finished = play(actor, 40)
    lengths = []
    for game in finished:
        opening = int(np.argmin(game.exploratory)) if not game.exploratory.all() else len(game)
        assert not game.exploratory[opening:].any(), "random moves only at the start"
        lengths.append(opening)
    share = np.bincount(lengths, minlength=4) / len(lengths)
    assert len(share) == 4
    # Half open with 0 to 3 moves, all as likely: 0.5 + 0.125 have none. Standard error 0.025.
    assert share == pytest.approx([0.625, 0.125, 0.125, 0.125], abs=0.09)


@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
def test_the_share_of_random_moves(fraction: float) -> None:
    finished = play(make(size=64, random_fraction=fraction), 30)
    marked = np.concatenate([game.exploratory for game in finished])
    assert marked.mean() == pytest.approx(fraction, abs=0.05)


def test_warm_up_is_uniform_and_holds_no_search() -> None:
    actor = make(size=64, opening_fraction=1.0, opening_plies=5, random_fraction=0.5)
    finished = [game for _ in range(30) for game in actor.play(None, 0.0)]
    assert finished
    for game in finished:
        assert_happened("tic_tac_toe", game)
        assert not game.policy.any()
        assert not game.root_value.any()
        assert not game.searched.any()
        assert not game.exploratory.any(), "its outcome is all that is known of it"
    first = np.bincount([int(game.action[0]) for game in finished], minlength=9)
    assert first.min() > 0
    assert actor.counters.simulations == 0


def test_a_game_that_is_too_long_is_cut() -> None:
    finished = play(make(size=16, max_moves=6), 30)
    cut = [game for game in finished if game.discount[-1] != 0]
    whole = [game for game in finished if game.discount[-1] == 0]
    assert {len(game) for game in cut} == {6}
    assert max(len(game) for game in whole) <= 6
    assert any(len(game) == 6 for game in whole), "an end at the last move is an end"
    for game in cut:
        assert_happened("tic_tac_toe", game)
        assert game.exploratory.tolist() == [False] * 5 + [True], "its last search value stands for the rest"
    assert not any(game.exploratory.any() for game in whole)


@pytest.mark.parametrize("settings", [{"max_moves": 6}, {"part_moves": 4}])
def test_every_position_of_a_game_that_was_cut_has_a_value(settings: dict[str, int]) -> None:
    """Also where targets reach to the end of the game: the last search stands for what nobody saw."""
    actor = make(size=16, **settings)
    replay = Replay(actor.games.spec, ReplayConfig(capacity=2_000), symmetries("tic_tac_toe"))
    for game in play(actor, 30):
        if game.discount[-1] != 0:
            replay.add(game)
    assert replay.added > 100
    config = DrawConfig.of(LearnerConfig(td_steps=1_000), 2, 0)
    places = np.arange(replay.added)
    batch = batch_at(replay, places, np.ones(len(places), np.float32), config, np.random.default_rng(0))
    assert batch.value_mask[:, 0].all()
    assert batch.policy_mask[:, 0].all(), "and a policy"


def test_cut_games_are_counted() -> None:
    actor, ended, cut = make(size=16, max_moves=6), 0, 0
    for _ in range(30):
        finished = play(actor, 1)
        assert actor.cut == sum(game.discount[-1] != 0 for game in finished)
        ended, cut = ended + len(actor.returns) - actor.cut, cut + actor.cut
    assert ended > 0 < cut
    assert ended + cut == actor.counters.games



class Payments:
    """A game of one player and four moves, which pay -7, 0, 0.25 and 3."""

    spec: ClassVar[GameSpec] = GameSpec(
        name="payments", players=1, observation_shape=(4,), observation_dtype="uint8", num_actions=1, max_length=4,
        min_return=-7.0, max_return=3.25, alternates=False, stochastic=False, rewards_on_the_way=True)

    def __init__(self, generator: np.random.Generator) -> None:
        self.moves = 0

    def to_play(self) -> int:
        return 0

    def legal(self) -> list[int]:
        return [0]

    def step(self, action: int) -> float:
        self.moves += 1
        return (-7.0, 0.0, 0.25, 3.0)[self.moves - 1]

    def over(self) -> bool:
        return self.moves == 4

    def observe(self) -> NDArray[np.uint8]:
        return (np.arange(4) < self.moves).astype(np.uint8)

    def render(self) -> str:
        return str(self.moves)

    def action_name(self, action: int) -> str:
        return "on"


@pytest.mark.parametrize(("clip", "seen"), [(False, [-7.0, 0.0, 0.25, 3.0]), (True, [-1.0, 0.0, 1.0, 1.0])])
def test_clipped_rewards_are_their_signs(clip: bool, seen: list[float]) -> None:
    actor = make("test_actor:Payments", size=1, clip_rewards=clip)
    assert play(actor, 4)[0].reward.tolist() == seen
    assert actor.returns == [-3.75], "told as the game pays"


def test_few_simulations_early_and_many_late() -> None:
    actor = make(size=2, simulations_share=((0.0, 0.25), (0.5, 1.0)))
    ten = planned(actor, dataclasses.replace(SEARCH, simulations=10))
    for progress, wanted in ((0.0, 2), (0.49, 2), (0.5, 10), (1.0, 10)):
        before = actor.counters.simulations
        play(actor, 1, progress, ten)
        assert actor.counters.simulations - before == 2 * wanted
    tiny = make(size=2, simulations_share=((0.0, 0.01),))
    play(tiny, 1)
    assert tiny.counters.simulations == 2, "never fewer than one"


# --- how moves are drawn ------------------------------------------------------------------------------------


def test_visits_are_drawn_with_their_temperature() -> None:
    rng = np.random.default_rng(0)
    visits = np.tile(np.array([0, 1, 2, 0, 5, 0], np.int32), (20_000, 1))
    for temperature, wanted in ((1.0, [1, 2, 5]), (0.5, [1, 4, 25]), (2.0, [1, 2**0.5, 5**0.5])):
        share = np.bincount(draw_weighted(visits, temperature, rng), minlength=6) / len(visits)
        assert share[[0, 3, 5]].tolist() == [0, 0, 0]
        assert share[[1, 2, 4]] == pytest.approx(np.array(wanted) / sum(wanted), abs=0.015)
    assert (draw_weighted(visits, 1e-3, rng) == 4).all()


class Extreme:
    """A generator that draws nothing but the ends of its interval."""

    def __init__(self, number: float) -> None:
        self.number = number

    def random(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.full(shape, self.number)


@pytest.mark.parametrize("number", [0.0, np.nextafter(1.0, 0.0)])
def test_no_draw_is_illegal(number: float) -> None:
    rng: Any = Extreme(number)
    legal = np.array([[False, True, False], [False, False, True]])
    assert draw_legal(legal, rng).tolist() == [1, 2]
    visits = np.array([[0, 3, 0], [0, 0, 7], [0, 1, 2]], np.int32)
    drawn = draw_weighted(visits, 1.0, rng)
    assert (visits[np.arange(3), drawn] > 0).all()


def test_legal_moves_are_drawn_uniformly() -> None:
    legal = np.tile(np.array([True, False, True, True]), (9000, 1))
    share = np.bincount(draw_legal(legal, np.random.default_rng(0)), minlength=4) / 9000
    assert share == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3], abs=0.02)


PUCT = SearchConfig(algorithm="puct", simulations=12)


@pytest.mark.parametrize(
    ("settings", "search", "drawn"),
    [({"temperature_moves": 2}, PUCT, [True, True, False, False]), ({"temperature_moves": 0}, PUCT, [False] * 4),
     ({"temperature": ((0.0, 0.0),)}, PUCT, [False] * 4), ({}, SEARCH, [False] * 4)])
def test_temperature_ends(settings: dict[str, Any], search: SearchConfig, drawn: list[bool]) -> None:
    actor = make(size=60, **settings)
    spy = Spy(planned(actor, search))
    played = []
    for _ in range(4):
        moves = actor.recorder.moves.copy()
        play(actor, 1, planner=spy)
        played.append(actor.recorder.columns["action"][np.arange(60), moves])
    differ = [bool((one != result.action).any()) for one, result in zip(played, spy.results, strict=True)]
    assert differ == drawn


# --- going on -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tic_tac_toe", "pig(winscore=15)", OWN])
def test_a_restored_actor_goes_on_the_same(name: str) -> None:
    settings = {"opening_fraction": 0.5, "opening_plies": 3, "random_fraction": 0.2}
    first, second = make(name, seed=1, **settings), make(name, seed=2, **settings)  # type: ignore[arg-type]
    play(first, 17)
    play(second, 40)
    snapshot = json.loads(json.dumps(first.snapshot()))
    moves = {key: array.copy() for key, array in first.recorder.arrays().items()}
    second.restore(snapshot, moves)
    one, other = play(first, 30), play(second, 30)
    assert len(one) == len(other) > 0
    for left, right in zip(one, other, strict=True):
        for field in dataclasses.fields(Trajectory):
            assert np.asarray(getattr(left, field.name)).tobytes() == np.asarray(getattr(right, field.name)).tobytes()
    assert first.snapshot() == second.snapshot()
    for key, array in first.recorder.arrays().items():
        assert array.tobytes() == second.recorder.arrays()[key].tobytes()


def test_unfinished_games_of_older_versions_are_understood() -> None:
    """They held no note of what was searched."""
    first, second = make(size=4), make(size=4, seed=7)
    play(first, 3)
    first.play(None, 0.0)
    moves = first.recorder.arrays()
    second.recorder.restore({name: array for name, array in moves.items() if name != "searched"})
    assert (second.recorder.arrays()["searched"] == moves["searched"]).all()
    assert moves["searched"].any()
    assert not moves["searched"].all()


def test_an_actor_of_another_size_is_refused() -> None:
    small, large = make(size=4), make(size=5)
    with pytest.raises(ValueError, match="expected 5 games of tic_tac_toe, got 4"):
        large.restore(small.snapshot(), small.recorder.arrays())
    with pytest.raises(ValueError, match=r"expected 5 rows, got \[4\]"):
        large.recorder.restore(small.recorder.arrays())
    broken = small.recorder.arrays() | {"policy": np.zeros((4, 0, 3), np.float32)}
    with pytest.raises(ValueError, match="policy"):
        small.recorder.restore(broken)


def test_a_record_grows_with_its_game_and_hides_what_was_there() -> None:
    spec = games.spec("tic_tac_toe")
    recorder = Recorder(dataclasses.replace(spec, max_length=1000), 2)

    def add(number: int) -> None:
        obs = np.full((2, *spec.observation_shape), number % 2, np.uint8)
        ones = np.ones(2, np.float32)
        found = StoredPlan(np.full((2, 9), number, np.float32), number * ones, ones > 0.0)
        recorder.add(obs, np.ones((2, 9), np.bool_), found, np.array([number, -number], np.int32),
                     np.zeros(2, np.bool_), ones, -ones)

    for number in range(3 * START_LENGTH):
        add(number)
    game = recorder.finish(1, truncated=False)
    assert game.action.tolist() == [-number for number in range(3 * START_LENGTH)]
    assert game.policy[:, 3].tolist() == list(range(3 * START_LENGTH))
    add(500)
    assert recorder.moves.tolist() == [3 * START_LENGTH + 1, 1]
    stored = recorder.arrays()
    assert stored["action"][1, 0] == -500
    assert not any(stored[name][1, 1:].any() for name in stored if name != "moves"), "nothing of the game before"
    assert game.action[0] == 0, "a finished game is its own"
