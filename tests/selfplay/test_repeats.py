"""One player's games: circles are left, rare rewards are met and kept, and who asks for neither gets neither."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import games
from games.base import FloatArray, GameSpec, MaskArray
from games.single import Lockstep
from muzero import presets
from muzero.agent import Agent
from muzero.bench import sizing
from muzero.config import AloneConfig, Config, from_json, replace, to_json
from muzero.play.session import Session
from muzero.players import SearchPlayer
from muzero.training.loop import Run
from selfplay.repeats import Repeats, drawn, next_best
from selfplay.strength.arena import play_alone

SPEC = GameSpec(name="corridor", players=1, observation_shape=(6,), observation_dtype="uint8", num_actions=3,
                max_length=40, min_return=0.0, max_return=1.0, alternates=False, stochastic=True,
                rewards_on_the_way=True)


class Corridor:
    """Six places in a row, the start second: move 0 goes left, 1 stays, 2 goes right, the last place pays 1."""

    spec = SPEC
    slips = 0.0
    """Chance that a move leads nowhere."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.chance, self.place, self.made = generator, 1, 0

    def to_play(self) -> int:
        return 0

    def legal(self) -> Sequence[int]:
        return [0, 1, 2] if self.place else [1, 2]

    def step(self, action: int) -> float:
        self.made += 1
        if self.chance.random() >= self.slips:
            self.place += action - 1
        return float(self.place == 5)

    def over(self) -> bool:
        return self.place == 5 or self.made >= SPEC.max_length

    def observe(self) -> NDArray[np.uint8]:
        return np.eye(6, dtype=np.uint8)[self.place]

    def render(self) -> str:
        return str(self.place)

    def action_name(self, action: int) -> str:
        return str(action)


class Slippery(Corridor):
    slips = 0.5


class Stubborn:
    """An agent whose search prefers one move everywhere, the one before it second."""

    name = "stubborn"

    def __init__(self, alone: AloneConfig, weights: tuple[float, ...]) -> None:
        self.config, self.spec, self.weights = Config(alone=alone), SPEC, np.array(weights, np.float32)

    def observe(self, batch: Lockstep) -> NDArray[Any]:
        return batch.observe()

    def raw(self, obs: NDArray[Any], legal: MaskArray) -> tuple[FloatArray, FloatArray]:
        return np.where(legal, self.weights, 0).astype(np.float32), np.zeros(len(legal), np.float32)

    def search(self, obs: NDArray[Any], legal: MaskArray, *, simulations: int, seed: int) -> Any:
        policy, value = self.raw(obs, legal)
        action = policy.argmax(1).astype(np.int32)
        found = SimpleNamespace(policy=policy, action=action, visits=legal.astype(np.int32), q=policy, value=value)
        return SimpleNamespace(result=found, prior=policy, raw_value=value, variations=[[int(action[0])]])


def goes(alone: AloneConfig, weights: tuple[float, ...], simulations: int, game: type[Corridor] = Corridor) -> Lockstep:
    """Three games of the corridor, played to their ends."""
    agent: Any = Stubborn(alone, weights)
    player = SearchPlayer(agent, simulations)
    batch = Lockstep("corridor", game, SPEC, 3, seed=0)
    while (rows := batch.to_play() == 0).any():
        batch.step(player.act(batch, rows), rows)
    return batch


@pytest.mark.parametrize("simulations", [0, 8])
def test_play_leaves_a_circle_that_the_preferred_moves_walk_for_ever(simulations: int) -> None:
    """Staying is always preferred, going right comes second."""
    weights = (0.1, 0.6, 0.3)
    assert goes(AloneConfig("same"), weights, simulations).returns()[:, 0].tolist() == [0.0] * 3
    assert goes(AloneConfig("next"), weights, simulations).returns()[:, 0].tolist() == [1.0] * 3


def test_a_game_that_is_watched_leaves_circles_as_the_measured_one_does() -> None:
    for rule, paid in (("same", 0.0), ("next", 1.0)):
        agent: Any = Stubborn(replace(Config(), {"alone.repeats": rule}).alone, (0.1, 0.6, 0.3))
        agent.spec = games.spec(f"{Path(__file__)}:Corridor")
        watched = Session(agent, watch=True, simulations=8)
        for _ in range(2):
            while not watched.over:
                watched.think()
            assert watched.games.returns()[0, 0] == paid, rule
            watched.again()


def test_coming_back_by_chance_is_no_circle() -> None:
    """Where moves slip, the right move stays the right one however often it has led nowhere."""
    agent: Any = Stubborn(AloneConfig("next"), (0.0, 0.0, 1.0))
    player = SearchPlayer(agent, 8)
    batch = Lockstep("corridor", Slippery, SPEC, 64, seed=0)
    varied, later = False, []
    while (rows := batch.to_play() == 0).any():
        moves = player.act(batch, rows)
        later += moves[rows].tolist() if varied else []
        batch.step(moves, rows)
        assert player._repeats is not None
        varied = player._repeats.varied
    assert varied
    assert set(later) == {2}
    assert batch.returns()[:, 0].all()


def test_repeats_are_counted_in_each_game_apart() -> None:
    batch = Lockstep("corridor", Corridor, SPEC, 2, seed=0)
    repeats, legal = Repeats(0), np.ones((2, 3), np.bool_)
    policy = np.array([[0.2, 0.5, 0.3]] * 2, np.float32)
    both, action = np.array([0, 1]), np.array([1, 1], np.int32)
    assert repeats.choose(batch, both, action, policy, legal).tolist() == [1, 1]
    assert repeats.choose(batch, both[:1], action[:1], policy[:1], legal[:1]).tolist() == [2]
    assert repeats.choose(batch, both, action, policy, legal).tolist() == [0, 2]
    anew = Lockstep("corridor", Corridor, SPEC, 2, seed=0)
    assert repeats.choose(anew, both, action, policy, legal).tolist() == [1, 1]


def test_next_best_goes_through_the_legal_moves_from_the_preferred_one() -> None:
    policy = np.array([[0.1, 0.2, 0.3, 0.4]] * 6, np.float32)
    legal = np.array([[True, True, True, False]] * 6)
    action, before = np.ones(6, np.int32), np.arange(6)
    assert next_best(action, policy, legal, before).tolist() == [1, 2, 0, 1, 2, 0]


def test_drawn_moves_follow_the_policy() -> None:
    policy = np.repeat(np.array([[0.5, 0.2, 0.3]], np.float32), 20_000, 0)
    legal = np.repeat(np.array([[True, True, False]]), 20_000, 0)
    moves = drawn(policy, legal, np.random.default_rng(0))
    assert np.bincount(moves, minlength=3) / 20_000 == pytest.approx([5 / 7, 2 / 7, 0], abs=0.02)


def test_an_agent_of_an_older_version_plays_as_it_did() -> None:
    stored = to_json(presets.load("cliff_walking"))
    del stored["alone"]
    assert from_json(stored).alone.repeats == "same"


@pytest.mark.parametrize("game", ["cliff_walking", "deep_sea(size=8)", "gym/FrozenLake-v1"])
def test_small_games_of_one_player_are_learned_as_rare_rewards_ask(game: str) -> None:
    config = presets.load(game)
    assert config.model.network == "mlp"
    assert config.selfplay.warmup_positions == 20_000
    assert config.replay.prioritized
    assert config.alone.repeats == "next"


@pytest.mark.parametrize("game", [
    "stones_and_gems", "2048", "gym/CartPole-v1", "gym/Taxi-v4", "catch", "tic_tac_toe", "backgammon",
    "games.examples.pixel_catch:PixelCatch", "atari/pong"])
def test_other_games_are_not(game: str) -> None:
    config = presets.load(game)
    assert config.alone == AloneConfig()
    assert game == "atari/pong" or not (config.selfplay.warmup_positions or config.replay.prioritized)


def test_a_reward_of_one_random_game_in_64_is_learned(tmp_path: Path) -> None:
    """The preset itself, shortened as the game is; drawn uniformly, the reward is forgotten before it is believed."""
    game = "deep_sea(size=6)"
    config, _ = sizing.resolve(replace(presets.load(game), {
        "train.steps": 450, "train.horizon": 450, "selfplay.warmup_positions": 4_000, "search.threads": 1}))
    run = Run(config, tmp_path)
    while not run.state.done:
        run.advance()
    player = SearchPlayer(Agent(run.state.learner.averaged, config, "learned", 0))
    assert play_alone(games.spec(game).name, player, 1, seed=0).returns == (pytest.approx(0.99),)
