"""Agents: loading, searching in chunks, trust, and the bot that OpenSpiel plays with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pyspiel
import pytest
import torch
from tiny_runs import last, tiny

import games
from games.base import GameError
from muzero import agent as agents
from muzero import cli
from muzero.agent import Agent
from muzero.bot import MuZeroBot, load_bot
from muzero.config import Config, ConfigError, ModelConfig, SearchConfig, replace
from muzero.model.build import WeightsError, build_model
from muzero.players import SearchPlayer
from muzero.storage import checkpoint
from muzero.storage.checkpoint import CheckpointError, Damaged
from muzero.training import loop

torch.set_num_threads(1)
OWN = "games.examples.subtraction:Subtraction"
GUMBEL = SearchConfig(algorithm="gumbel", simulations=6)
ARRAYS = ("visits", "policy", "q", "value", "action")
"""Of a `Plan`."""


def made(game: str = "tic_tac_toe", play: SearchConfig = GUMBEL) -> Agent:
    """An agent with large random weights, so that positions differ."""
    torch.manual_seed(0)
    config = Config(game=game, model=ModelConfig(width=8, hidden=8, discount="learned"), play=play)
    model = build_model(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.5)
    return Agent(model, config, "made", 3)


def positions(count: int, game: str = "tic_tac_toe") -> games.GameBatch:
    batch, rng = games.make(game, count), np.random.default_rng(0)
    for _ in range(3):
        batch.step((batch.legal() * (rng.random(batch.legal().shape) + 1e-9)).argmax(1).astype(np.int32))
    return batch


# --- searching ----------------------------------------------------------------------------------------------


def test_a_search_in_chunks_is_the_whole_search(monkeypatch: pytest.MonkeyPatch) -> None:
    player, batch = made(), positions(30)
    obs, legal = batch.observe(), batch.legal()
    whole = player.search(obs, legal, seed=5)
    monkeypatch.setattr(agents, "POSITIONS_AT_ONCE", 8)
    parts = player.search(obs, legal, seed=5)
    for name in ARRAYS:
        one, other = (getattr(analysis.result, name) for analysis in (whole, parts))
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert np.allclose(one, other, atol=1e-4), name
    assert np.allclose(whole.prior, parts.prior, atol=1e-5)
    assert np.allclose(whole.raw_value, parts.raw_value, atol=1e-5)
    assert whole.variations == parts.variations
    assert (whole.result.action != player.search(obs, legal, seed=6).result.action).any()


def test_an_analysis_fits_together() -> None:
    player, batch = made(), positions(12)
    analysis = player.search(batch.observe(), batch.legal(), simulations=9)
    assert analysis.result.visits.sum(1).tolist() == [9] * 12
    for row, variation in enumerate(analysis.variations):
        assert variation[0] == analysis.result.action[row]
        assert all(isinstance(action, int) for action in variation)
    prior, value = player.raw(batch.observe(), batch.legal())
    assert np.array_equal(prior, analysis.prior)
    assert np.array_equal(value, analysis.raw_value)
    assert (prior[~batch.legal()] == 0).all()


@pytest.mark.parametrize("simulations", [0, 4])
@pytest.mark.parametrize(("change", "words"), [
    (lambda obs, legal: (obs, np.zeros_like(legal)), "legal: expected at least one legal action, got none in row 0"),
    (lambda obs, legal: (obs, legal[:, :5]), r"legal: expected bool \[B, 9\], got \[4, 5\]"),
    (lambda obs, legal: (obs, legal[:1]), r"obs: expected \[1, 27\], .*, got \[4, 27\]"),
    (lambda obs, legal: (obs[:1], legal), r"obs: expected \[4, 27\], .*, got \[1, 27\]"),
    (lambda obs, legal: (obs[:, :9], legal), r"obs: expected \[4, 27\], .*, got \[4, 9\]"),
    (lambda obs, legal: (None, legal), r"obs: expected \[4, 27\], .*, got \[\]"),
])
def test_arrays_that_do_not_belong_together_are_refused(change: Any, words: str, simulations: int) -> None:
    player, batch = made(), positions(4)
    obs, legal = change(batch.observe().reshape(4, 27), batch.legal())
    shape = player.spec.observation_shape
    if obs is not None and obs.shape[1:] == (27,):
        obs = obs.reshape(-1, *shape)
    with pytest.raises(ValueError, match=words.replace("27", ", ".join(map(str, shape)))):
        player.search(obs, legal, simulations=simulations)
    with pytest.raises(ValueError, match="expected"):
        player.raw(obs, legal)


@pytest.mark.parametrize("given", [torch.from_numpy, np.ndarray.tolist])
@pytest.mark.parametrize("simulations", [0, 4])
def test_tensors_and_lists_are_searched_as_arrays_are(given: Any, simulations: int) -> None:
    player, batch = made(), positions(4)
    obs, legal = batch.observe(), batch.legal()
    found = player.search(given(obs), given(legal), simulations=simulations).result
    assert np.array_equal(found.q, player.search(obs, legal, simulations=simulations).result.q)


def test_illegal_logits_of_any_size_leave_the_prior_alone() -> None:
    player, batch = made(), positions(4)
    legal = batch.legal()
    with torch.no_grad():
        # Nothing trains what a network says of illegal moves.
        player.model.f.policy.bias[torch.from_numpy(~legal[0])] = 1e4  # type: ignore[union-attr, index]
    prior, _ = player.raw(batch.observe()[:1], legal[:1])
    assert np.isfinite(prior).all()
    assert prior.sum() == pytest.approx(1.0)
    assert (prior[0, legal[0]] > 0).all()


def test_without_simulations_the_network_s_likeliest_move_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    player, batch = made(), positions(20)
    monkeypatch.setattr(agents, "POSITIONS_AT_ONCE", 8)
    analysis = player.search(batch.observe(), batch.legal(), simulations=0)
    prior, value = player.raw(batch.observe(), batch.legal())
    assert np.allclose(analysis.result.policy, prior, atol=1e-6)
    assert np.array_equal(analysis.result.action, analysis.prior.argmax(1))
    assert np.array_equal(analysis.result.value, analysis.raw_value)
    assert np.allclose(analysis.result.q, value[:, None], atol=1e-5)
    assert analysis.result.visits.sum() == 0
    assert analysis.variations == analysis.result.action[:, None].tolist()
    reference = player.search(batch.observe(), batch.legal(), simulations=1).result
    for name in ARRAYS:
        one, other = (getattr(result, name) for result in (analysis.result, reference))
        assert (one.dtype, one.shape) == (other.dtype, other.shape), name


# --- loading ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("agents") / "run"
    assert loop.run(tiny(train__steps=2, learner__ema=0.5), out) == 0
    return out


def test_a_run_and_its_checkpoint_give_the_same_agent(run_folder: Path) -> None:
    one, other = agents.load(str(run_folder)), agents.load(str(last(run_folder)), simulations=2)
    assert (one.step, one.spec.name) == (2, "tic_tac_toe")
    assert (one.config.play.simulations, other.config.play.simulations) == (4, 2)
    assert agents.load(str(run_folder), noise=0.25).config.play.noise == 0.25
    assert agents.load(str(run_folder), planner="shooting").config.play.algorithm == "shooting"
    with pytest.raises(ConfigError, match=r"play\.algorithm: expected one of .*, got 'shoting'; nearest: shooting"):
        agents.load(str(run_folder), planner="shoting")
    stored = checkpoint.load(last(run_folder)).tensors
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name])
        assert torch.equal(value, stored["weights"][name]), "the averaged weights play"
    assert any(not torch.equal(value, stored["trained"][name]) for name, value in one.model.state_dict().items())


def test_a_loaded_agent_computes_with_one_thread_and_leaves_torch_as_it_was(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, batch = agents.load(str(run_folder)), games.make("tic_tac_toe", 2)
    met: set[int] = set()
    root = agent.acting.root

    def counting(*args: Any) -> Any:
        met.add(torch.get_num_threads())
        return root(*args)

    monkeypatch.setattr(agent.acting, "root", counting)
    torch.set_num_threads(2)
    try:
        agent.raw(batch.observe(), batch.legal())
        agent.search(batch.observe(), batch.legal())
        assert (met, torch.get_num_threads()) == ({1}, 2)
    finally:
        torch.set_num_threads(1)


def test_weights_that_do_not_fit_are_damage() -> None:
    config = Config(model=ModelConfig(width=8, hidden=8))
    weights = build_model(config).state_dict()
    wrong = [
        weights | {"h.inner.weight": torch.zeros(9, 9)}, weights | {"extra": torch.zeros(1)},
        {name: value for name, value in weights.items() if name != "f.value.bias"},
    ]
    for one, name in zip(wrong, ("h.inner.weight", "extra", "f.value.bias"), strict=True):
        with pytest.raises(WeightsError, match=f"weights don't fit the config: {name}: expected shape .*, got"):
            build_model(config, one)


@pytest.mark.parametrize("name", ["width", "hidden", "representation_blocks", "dynamics_blocks"])
def test_sizes_that_the_weights_can_not_have_cost_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a model was made")

    good = ModelConfig(network="resnet", width=4, hidden=4)
    weights = build_model(Config(model=good)).state_dict()
    assert build_model(Config(model=good), weights)
    monkeypatch.setattr(agents, "LearnedModel", refuse)
    size = 256 if name.endswith("blocks") else 65_536
    with pytest.raises(WeightsError, match=rf"model\.{name} {size:,} is impossible with .* tensors"):
        build_model(Config(model=dataclasses.replace(good, **{name: size})), weights)  # type: ignore[arg-type]


WRONG: list[tuple[dict[str, object], str]] = [
    ({"play.low": -0.5}, r"play\.low and play\.high: expected a range .* tic_tac_toe, -1 to 1"),
    ({"search.high": 0.5}, r"search\.low and search\.high: expected a range .* tic_tac_toe, -1 to 1"),
    ({"model.value.high": 0.5}, r"model\.value\.low and model\.value\.high: expected a range .* tic_tac_toe, -1 to 1"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_what_training_refuses_loading_refuses(change: dict[str, object], message: str, tmp_path: Path) -> None:
    config = replace(tiny(), {"play.scale": "fixed", "search.scale": "fixed", **change})
    with pytest.raises(ValueError, match=message):
        loop.run(config, tmp_path / "run")
    folder = checkpoint.save(tmp_path / "other", 1, {"weights": build_model(config).state_dict()}, {}, config)
    with pytest.raises(Damaged, match=rf"is damaged: config\.json: {message}"):
        agents.load(str(folder))


def test_weights_that_no_search_can_use_are_damage_of_a_folder(tmp_path: Path) -> None:
    weights = {name: value * 1e25 for name, value in build_model(tiny()).state_dict().items()}
    folder = checkpoint.save(tmp_path / "run", 1, {"weights": weights}, {}, tiny())
    with pytest.raises(Damaged, match=rf"{folder} is damaged: weights\.safetensors: the weights of h are so large"):
        agents.load(str(folder))


def spring(folder: Path) -> str:
    """Python code that shows that it ran."""
    return f"import pathlib\npathlib.Path({str(folder)!r}, 'sprung').touch()\n"


def test_a_strangers_game_does_not_run(tmp_path: Path) -> None:
    """The checkpoint names Python code; loading must not import it unless the caller names it too."""
    trap = tmp_path / "trap.py"
    trap.write_text(spring(tmp_path) + "from games.examples.subtraction import Subtraction\n")
    game = f"{trap}:Subtraction"
    weights = build_model(tiny(game=OWN)).state_dict()
    folder = checkpoint.save(tmp_path / "run", 1, {"weights": weights}, {}, tiny(game=game))
    for named, before in ((None, str(folder)), (OWN, f"you named {OWN}, but {folder}")):
        with pytest.raises(CheckpointError, match=r"was trained on the user's own game .*--own-game") as refused:
            agents.load(str(folder), own_game=named)
        assert str(refused.value).startswith(before)
        assert not (tmp_path / "sprung").exists()
    assert agents.load(str(folder), own_game=game).spec.num_actions == 3
    assert (tmp_path / "sprung").exists()


def test_a_strangers_game_does_not_run_when_another_game_goes_on_in_its_folder(tmp_path: Path) -> None:
    trap = tmp_path / "trap.py"
    trap.write_text(spring(tmp_path))
    weights = build_model(tiny()).state_dict()
    checkpoint.save(tmp_path / "run", 1, {"weights": weights}, {}, tiny(game=f"{trap}:Game"))
    with pytest.raises(ValueError, match="was made with game"):
        loop.run(tiny(), tmp_path / "run")
    assert not (tmp_path / "sprung").exists()


# --- OpenSpiel ----------------------------------------------------------------------------------------------


def test_open_spiel_plays_whole_games_with_a_bot() -> None:
    from open_spiel.python.algorithms import evaluate_bots

    bot, game = MuZeroBot(made(), seed=1), pyspiel.load_game("tic_tac_toe")
    rng = np.random.RandomState(0)
    for seat in (0, 1):
        bots = [bot, pyspiel.make_uniform_random_bot(1 - seat, 7)]
        returns = evaluate_bots.evaluate_bots(game.new_initial_state(), bots if seat == 0 else bots[::-1], rng)
        assert sum(returns) == 0
        assert set(returns) <= {-1.0, 0.0, 1.0}


@pytest.mark.parametrize(
    "game", ["connect_four(rows=5)", "go(board_size=4)", "pig(winscore=40)", "breakthrough(rows=5,columns=4)"])
def test_a_bot_sees_the_state_it_is_asked_about(game: str) -> None:
    """Its answer is the agent's for the very observation and moves of the state, chance included."""
    bot, rng = MuZeroBot(made(game)), np.random.default_rng(0)
    state = pyspiel.load_game(game).new_initial_state()
    batch = games.make(game, 1)
    for _ in range(4):
        while state.is_chance_node():
            state.apply_action(int(rng.choice([action for action, _ in state.chance_outcomes()])))
        batch.set_history(0, state.history())  # type: ignore[attr-defined]
        analysis = bot.analyse(state)
        assert np.array_equal(analysis.prior, bot.agent.raw(batch.observe(), batch.legal())[0])
        policy, action = bot.step_with_policy(state)
        assert [one for one, _ in policy] == state.legal_actions()
        assert sum(share for _, share in policy) == pytest.approx(1.0, abs=1e-5)
        assert action in state.legal_actions()
        assert bot.step(state) in state.legal_actions()
        state.apply_action(action)


def test_a_bot_refuses_other_games() -> None:
    bot = MuZeroBot(made("connect_four(rows=5)"))
    for other in ("tic_tac_toe", "connect_four", "connect_four(rows=4)"):
        words = r"state: expected a game of connect_four\(rows=5\), which this bot plays, got"
        with pytest.raises(GameError, match=words):
            bot.step(pyspiel.load_game(other).new_initial_state())
    bot.step(pyspiel.load_game("connect_four(columns=7,rows=5)").new_initial_state())
    with pytest.raises(GameError, match="not an OpenSpiel game"):
        MuZeroBot(made(OWN))


def test_a_bot_without_simulations_plays_as_evaluate_does(run_folder: Path) -> None:
    bot, state = load_bot(str(run_folder), simulations=0), pyspiel.load_game("tic_tac_toe").new_initial_state()
    batch = games.make("tic_tac_toe", 1)
    for player in (SearchPlayer(bot.agent), SearchPlayer(agents.load(str(run_folder)), 0)):
        assert bot.step(state) == player.act(batch, np.ones(1, np.bool_))[0]
    assert bot.agent.anew().simulations == 0
    policy, action = bot.step_with_policy(state)
    assert action == max(policy, key=lambda pair: pair[1])[0]


@pytest.mark.parametrize("named", ["@0", "--simulations 0"])
def test_an_agent_plays_and_is_measured_without_a_search(
    run_folder: Path, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    agent, options = (f"{run_folder}@0", []) if named == "@0" else (str(run_folder), named.split())
    assert cli.main(["play", agent, "--watch", *options]) == 0
    assert "wins" in (shown := capsys.readouterr().out) or "draw" in shown
    assert cli.main(["evaluate", agent, "--games", "2", *options]) == 0
    assert "(no search)" in capsys.readouterr().out


def test_a_bot_is_loaded_from_a_run(run_folder: Path) -> None:
    bot = load_bot(str(run_folder), simulations=3)
    assert bot.provides_policy()
    assert len(bot.get_policy(pyspiel.load_game("tic_tac_toe").new_initial_state())) == 9
