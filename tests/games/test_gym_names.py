"""Environments by name: arguments, ids that a module or a file registers, classes and functions of one's own, masks of
legal actions; and that code runs only where a person names it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from tiny_runs import last, tiny

import games
from games import gym_game
from games.base import NO_LIMIT, GameError
from games.families import family
from games.own_names import canonical, from_here, is_own, same_game
from muzero.agent import load
from muzero.cli import main
from muzero.storage.disk import CheckpointError
from muzero.training import loop

torch.set_num_threads(1)
SOURCE = '''
import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import FlattenObservation

print("the code runs")


class Level(gym.Env):
    """Pays its level; the place of the smallest number is not allowed."""

    observation_space = spaces.Box(-1, 1, (3,), np.float32)
    action_space = spaces.Discrete(3)

    def __init__(self, level=1, name="plain"):
        self.level, self.name = level, name

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.made = 0
        return self.seen()

    def seen(self):
        self.numbers = self.np_random.uniform(-1, 1, 3).astype(np.float32)
        self.mask = (np.arange(3) != self.numbers.argmin()).astype(np.int8)
        return self.numbers, {"action_mask": self.mask}

    def step(self, action):
        if not self.mask[action]:
            raise ValueError(f"illegal action {action}")
        self.made += 1
        seen, info = self.seen()
        return seen, float(self.level), self.made == 9, False, info


class Unmasked(Level):
    def seen(self):
        return super().seen()[0], {"action_mask": [1, 2, 0]}


class Parts(Level):
    observation_space = spaces.Dict({"numbers": Level.observation_space})

    def seen(self):
        seen, info = super().seen()
        return {"numbers": seen}, info


def flat(level=1):
    return FlattenObservation(Parts(level))


def nothing():
    return None


class Plain:
    pass


gym.register("%(id)s-v0", Level, max_episode_steps=4)
gym.register("%(id)s/Deep-v1", Level, kwargs={"level": 5})
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Names of what a file holds; its ids begin with Own and a number of this test's own."""
    number = f"Own{abs(hash(request.node.name)) % 10**8}"
    stem = f"environments_{number.lower()}"
    (tmp_path / f"{stem}.py").write_text(SOURCE % {"id": number})
    monkeypatch.syspath_prepend(str(tmp_path))
    return lambda text: text.replace("FILE", str(tmp_path / f"{stem}.py")).replace("MODULE", stem).replace("ID", number)


def paid(name: str) -> float:
    batch = games.make(name, 1)
    return float(batch.step(batch.legal().argmax(1).astype(np.int32)).reward[0])


def test_arguments_reach_the_environment() -> None:
    assert games.spec("gym/FrozenLake-v1").observation_shape == (16,)
    assert games.spec("gym/FrozenLake-v1(is_slippery=False,map_name=8x8)").observation_shape == (64,)
    assert games.spec("gym/FrozenLake-v1( map_name = '8x8' )").observation_shape == (64,)
    assert games.spec("gym/CartPole-v1(max_episode_steps=20)").max_length == 20
    batch = games.make("gym/FrozenLake-v1(is_slippery=False)", 1)
    assert batch.spec.name == "gym/FrozenLake-v1(is_slippery=False)"
    batch.step(np.array([2], np.int32))
    assert batch.observe()[0].argmax() == 1, "on ice that isn't slippery right is right"


@pytest.mark.parametrize(("name", "words"), [
    ("gym/CartPole-v1(wind=3)", r"gym/CartPole-v1\(wind=3\) raised TypeError: .* argument 'wind'$"),
    ("gym/CartPole-v1(3)", r"expected key=value, got '3'"),
    ("gym/CartPole-v1(", "expected the id of a registered Gymnasium environment"),
    ("gym/CartPole-v9", r"is not a Gymnasium environment; did you mean 'gym/CartPole-v1'\?$"),
    ("gym/Foo-v0", r"is not a Gymnasium environment; if a module of yours registers it"),
    ("gym/CartPol-v1", r"is not a Gymnasium environment; did you mean 'gym/CartPole-v1'\?$"),
    ("gym/Qqqqq-v1",
     "is not a Gymnasium environment; if a module of yours registers it, its name is gym/module:Qqqqq-v1$"),
    ("gym/Nowhere/Cartpole-v1", r"installed package registers Nowhere/\.\.\.: is the package that .* it installed\?$"),
    ("FILE:Levl", "did you mean 'Level'"),
    ("gym/no_such_module:Mine-v0", "game module 'no_such_module' can't be imported"),
    ("gym/math:Mine-v0", "gym/Mine-v0 is not a Gymnasium environment, and math doesn't register that id"),
    ("gym/math:Deep/Mine", "expected the id of a registered Gymnasium environment"),
    ("gym/../x.py:Mine-v0", "game file .* doesn't exist"),
    ("FILE:Plain", "has no attribute 'spec'"),
    ("FILE:Absent-v0", "has no class 'Absent-v0', and registers no environment of that id"),
    ("FILE:nothing", "FILE:nothing: expected a Gymnasium environment, got None"),
    ("FILE:Level(depth=2)", r"FILE:Level\(depth=2\) raised TypeError: .* argument 'depth'$"),
    ("FILE:Parts", r"got Dict\(.*FlattenObservation"),
    ("games.examples.subtraction:Subtraction(pile=3)", "arguments are for environments of Gymnasium"),
])
def test_what_can_not_be_had_is_told(own: Callable[[str], str], name: str, words: str) -> None:
    with pytest.raises(GameError, match=words.replace("FILE", ".*")):
        games.spec(own(name))


@pytest.mark.parametrize(("name", "reward", "longest"), [
    ("FILE:Level", 1.0, NO_LIMIT), ("FILE:Level(level=3)", 3.0, NO_LIMIT), ("FILE:ID-v0", 1.0, 4),
    ("FILE:Level(level=2.5, max_episode_steps=7)", 2.5, 7), ("FILE:ID-v0(level=4)", 4.0, 4),
    ("FILE:ID/Deep-v1", 5.0, NO_LIMIT), ("FILE:flat(level=6)", 6.0, NO_LIMIT), ("MODULE:Level(level=3)", 3.0, NO_LIMIT),
    ("MODULE:ID-v0", 1.0, 4), ("gym/MODULE:ID-v0(level=2)", 2.0, 4), ("gym/MODULE:ID/Deep-v1", 5.0, NO_LIMIT),
])
def test_environments_of_ones_own_are_games_as_they_are(
    own: Callable[[str], str], name: str, reward: float, longest: int
) -> None:
    facts = games.spec(own(name))
    assert facts.max_length == longest
    assert facts.observation_shape == (3,)
    assert paid(facts.name) == reward
    assert is_own(facts.name)
    assert family(facts.name) == ("gym" if name.startswith("gym/") else "own")


def test_a_name_with_arguments_is_one_game_from_everywhere(
    own: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = own("FILE:Level(level=3)")
    assert canonical(f"{Path(own('FILE')).name}:Level( level = 3 )") == whole
    assert from_here(whole) == f"{Path(own('FILE')).name}:Level(level=3)"
    assert same_game(whole, whole)
    assert not same_game(whole, own("FILE:Level(level=4)"))
    assert not same_game(whole, own("FILE:Level"))


def test_the_mask_of_an_environment_says_what_is_legal(own: Callable[[str], str]) -> None:
    batch = games.make(own("FILE:Level"), 4)
    for _ in range(9):
        legal = batch.legal()
        assert legal.sum(1).tolist() == [2] * 4
        assert not legal[np.arange(4), batch.observe().argmin(1)].any()
        batch.step(legal.argmax(1).astype(np.int32))
    assert (batch.to_play() == games.NO_PLAYER).all()
    with pytest.raises(GameError, match=r"info\['action_mask'\]: expected 3 zeros and ones, got list \[1, 2, 0\]"):
        games.make(own("FILE:Unmasked"), 1).legal()
    taxi = games.make("gym/" + max(known for known in gymnasium.registry if known.startswith("Taxi-v")), 8).legal()
    assert not taxi.all()
    assert taxi.any(1).all()


def test_planes_of_truth_values_are_seen_as_they_are() -> None:
    class Planes(gymnasium.Env[Any, Any]):
        observation_space = gymnasium.spaces.Box(0.0, 1.0, (10, 10, 4), bool)
        action_space = gymnasium.spaces.Discrete(6)

        def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
            return np.arange(400).reshape(10, 10, 4) % 7 == 0, {}

    gymnasium.register("Planes/Own-v1", Planes, disable_env_checker=True)
    batch = games.make("gym/Planes/Own-v1", 1)
    assert (batch.spec.observation_shape, batch.spec.observation_high) == ((4, 10, 10), 1)
    assert (batch.observe()[0] == (np.arange(400).reshape(10, 10, 4) % 7 == 0).transpose(2, 0, 1)).all()
    del gymnasium.registry["Planes/Own-v1"]


# --- code runs only where a person names it -----------------------------------------------------------------------

PLAIN: dict[str, Any] = {"search.scale": "minmax", "play.scale": "minmax", "train.steps": 2}


@pytest.mark.parametrize("name", ["FILE:Level(level=2)", "gym/MODULE:ID-v0"])
def test_the_code_of_an_environment_runs_only_where_it_is_named(
    own: Callable[[str], str], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, game = tmp_path / "run", games.spec(own(name)).name
    assert loop.run(tiny(**{**PLAIN, "game": game}), run) == 0
    for module in [module for module in sys.modules if "environments_own" in module]:
        del sys.modules[module]
    for identity in [identity for identity in gymnasium.registry if identity.startswith(own("ID"))]:
        del gymnasium.registry[identity]
    capsys.readouterr()
    for command in (["train", str(run)], ["evaluate", str(run), "--episodes", "2"], ["play", str(run)]):
        assert main(command) != 0
        said = capsys.readouterr()
        assert game in said.err
        assert "the code runs" not in said.out
    with pytest.raises(CheckpointError, match="own_game="):
        load(str(last(run)))
    assert "the code runs" not in capsys.readouterr().out
    told = ["evaluate", str(run), "--episodes", "2", "--simulations", "2", "--max-moves", "3", "--own-game", game]
    assert main(told) == 0
    assert "the code runs" in capsys.readouterr().out


# --- packages that declare environments ---------------------------------------------------------------------------


class Declared:
    """An installed package's entry point; a stand-in for `importlib.metadata.EntryPoint`."""

    def __init__(self, name: str, register: Callable[[], None]) -> None:
        self.name, self.value, self._register = name, f"{name}.gym:register", register

    def load(self) -> Callable[[], None]:
        return self._register


def test_what_installed_packages_declare_is_registered_when_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise OSError("no licence")

    def registers() -> None:
        gymnasium.register("Declared/Cart-v1", "gymnasium.envs.classic_control.cartpole:CartPoleEnv")

    declared = [Declared("broken", fails), Declared("declared", registers)]
    monkeypatch.setattr(gym_game, "entry_points", lambda group: declared if group == "gymnasium.envs" else [])
    gym_game._plugins.cache_clear()
    assert games.spec("gym/Declared/Cart-v1").observation_shape == (4,)
    words = r"is not a Gymnasium environment.*\n  installed, but broken .*OSError\('no licence'\)"
    with pytest.raises(GameError, match=words):
        games.spec("gym/Declared/Cart-v2")
    gym_game._plugins.cache_clear()
    del gymnasium.registry["Declared/Cart-v1"]
