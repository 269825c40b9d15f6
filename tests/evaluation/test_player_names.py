"""Players by their names: AGENT@N, folders that are called like one, and short names in tables."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
import torch

from games.base import GameError
from muzero.agent import load
from muzero.commands.players import short_names
from muzero.config import replace
from muzero.players import SearchPlayer, maker, parse, read_name, split_simulations
from selfplay.naming import PlayerName

torch.set_num_threads(1)
GAME = "tic_tac_toe"


@pytest.mark.parametrize(("text", "said"), [
    ("random", PlayerName("random")), ("perfect", PlayerName("perfect")), ("mcts", PlayerName("mcts", "", 200)),
    ("mcts:007", PlayerName("mcts", "", 7)), (GAME, PlayerName("agent", GAME)),
    ("runs/a@0", PlayerName("agent", "runs/a", 0)),
    ("hex(board_size=5)@9", PlayerName("agent", "hex(board_size=5)", 9)),
])
def test_a_name_says_who_plays(text: str, said: PlayerName) -> None:
    assert read_name(text) == said


@pytest.mark.parametrize(("text", "words"), [
    ("", "or an agent, got ''"), ("  ", "or an agent, got '  '"), ("mcts:0", "expected mcts:N with 1 to"),
    ("mcts:two", "expected mcts:N"), ("perfct", "did you mean 'perfect'"), ("mtcs:200", "did you mean 'mcts'"),
    ("randm@3", "did you mean 'random'"), ("random@3", "@N is for trained agents"), ("mcts:5@3", "mcts:N"),
])
def test_a_name_of_nobody_is_told_from_the_nearest(text: str, words: str) -> None:
    with pytest.raises(GameError, match=words):
        read_name(text)


def test_an_agent_may_be_called_like_a_player(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a path, which no player's name holds."""
    monkeypatch.chdir(tmp_path)
    for name in ("random", "mcts:3"):
        (tmp_path / name).mkdir()
        assert read_name(name).kind == name.partition(":")[0]
        assert read_name(f"./{name}") == PlayerName("agent", f"./{name}")


def test_the_name_of_an_agent_tells_how_it_thinks() -> None:
    agent = load(GAME)
    assert SearchPlayer(agent, 5).name == f"{GAME} (5 simulations)"
    for noisy in ({"algorithm": "gumbel", "gumbel_scale": 0.5}, {"algorithm": "puct", "dirichlet_fraction": 0.5}):
        agent.config = replace(agent.config, {f"play.{name}": value for name, value in noisy.items()})
        assert SearchPlayer(agent, 5).name == f"{GAME} (5 simulations, noise 0.5)"
    assert SearchPlayer(agent, 0).name == f"{GAME} (no search)"
    agent.config = dataclasses.replace(agent.config, play=agent.config.play.with_noise(0.0))
    assert SearchPlayer(agent, 5).name == f"{GAME} (5 simulations)"
    assert SearchPlayer(load(GAME, planner="cem"), 5).name == f"{GAME} (cem, up to 5 model calls)"
    assert SearchPlayer(load(GAME, planner="policy"), 5).name == f"{GAME} (no search)"


def test_an_agent_may_carry_its_simulations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert split_simulations("connect_four@200") == ("connect_four", 200)
    assert split_simulations("hex(board_size=5)@0") == ("hex(board_size=5)", 0)
    player = parse("tic_tac_toe@3", GAME, 0, simulations=50)
    assert isinstance(player, SearchPlayer)
    assert player.simulations == 3
    plain = parse(GAME, GAME, 0, simulations=50)
    assert isinstance(plain, SearchPlayer)
    assert plain.simulations == 50
    (tmp_path / "run@7").mkdir()
    monkeypatch.chdir(tmp_path)
    assert split_simulations("run@7") == ("run@7", None), "a folder of that name"
    for text in ("tic_tac_toe@", "tic_tac_toe@-1", "tic_tac_toe@x", "tic_tac_toe@9999999999", "tic_tac_toe@1.5"):
        with pytest.raises(GameError, match="expected AGENT@N with 0 to"):
            split_simulations(text)
    for text in ("tic_tac_toe@@3", "@3", "@@3"):
        with pytest.raises(GameError, match="a trained agent and one number"):
            split_simulations(text)
    for text in ("random@3", "perfect@3", "mcts@3"):
        with pytest.raises(GameError, match="trained agents"):
            parse(text, GAME, 0)


def test_a_maker_reads_an_agent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    make = maker("tic_tac_toe@2", GAME)
    monkeypatch.setattr("muzero.agent.load", lambda *_, **__: pytest.fail("read again"))
    one, other = make(0), make(1)
    assert isinstance(one, SearchPlayer)
    assert isinstance(other, SearchPlayer)
    assert one.agent.model is other.agent.model
    assert one.agent is not other.agent, "the memory of a search ends with its meeting"


def test_names_are_as_short_as_they_can_be() -> None:
    texts = ["random", "connect_four", os.path.join("runs", "connect_four"), os.path.join("a", "snapshots", "step-1"),
             os.path.join("b", "snapshots", "step-1"), os.path.join("b", "snapshots", "step-2")]
    assert list(short_names(texts).values()) == [
        "random", "connect_four", "runs/connect_four", "a/snapshots/step-1", "b/snapshots/step-1", "step-2"]
