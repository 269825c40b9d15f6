"""The search on the game's own rules: positions, forced wins, extra turns, ends, and a run that trains with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyspiel
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import games
from games.base import GameBatch, GameError
from games.open_spiel import OpenSpielBatch
from games.rules import Positions
from games.solver import Solver
from muzero import agent as agents
from muzero import presets
from muzero.agent import Agent
from muzero.bot import MuZeroBot
from muzero.commands import train as train_command
from muzero.commands.play.dialogue import Dialogue
from muzero.config import Config, ConfigError, SearchConfig, check_continues, replace
from muzero.learning.loss import compute
from muzero.learning.tensors import Tensors
from muzero.model import rules
from muzero.model.build import WeightsError, build_model, search_model
from muzero.model.prepared import PreparedModel
from muzero.model.protocol import RootOutput
from muzero.model.rules import RulesModel
from muzero.play.session import Session
from muzero.players import SearchPlayer
from muzero.replay.buffer import Replay
from muzero.replay.sampling import DrawConfig, draw
from muzero.search.latents import LatentPool
from muzero.search.tree import TreeSearch
from muzero.storage import checkpoint, runs
from muzero.training import loop
from muzero.view.terminal import Ink

torch.set_num_threads(1)
PUCT = SearchConfig(algorithm="puct", simulations=200, unvisited="parent")
GUMBEL = SearchConfig(algorithm="gumbel", simulations=200, gumbel_scale=0.0)
BOTH = pytest.mark.parametrize("config", [PUCT, GUMBEL], ids=["puct", "gumbel"])
TINY: dict[str, Any] = {
    "model.dynamics": "rules", "model.width": 8, "model.hidden": 8, "search.simulations": 4, "play.simulations": 8,
    "selfplay.games": 8, "selfplay.opening_plies": 3, "replay.capacity": 300, "replay.min_positions": 60,
    "learner.batch": [[0, 16]], "train.steps": 12, "train.horizon": 12, "train.actors": 0, "train.device": "cpu",
    "train.log_seconds": 1e6, "train.checkpoint_seconds": 1e6, "train.evaluate_minutes": 0.0, "train.publish_steps": 3,
}


def tiny(game: str = "tic_tac_toe", **more: Any) -> Config:
    return replace(Config(game=game), {**TINY, **{name.replace("__", "."): value for name, value in more.items()}})


@dataclass
class Stub:
    """A network that knows nothing: uniform priors, one value for all positions. Notes how many it judged."""

    num_actions: int
    worth: float = 0.0
    judged: list[int] = field(default_factory=list)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32

    def root(self, obs: Tensor, legal: Tensor) -> RootOutput:
        assert len(obs) == len(legal) > 0
        self.judged.append(len(obs))
        return RootOutput(obs, torch.zeros(len(obs), self.num_actions), torch.full((len(obs),), self.worth))

    def step(self, latent: Tensor, action: Tensor) -> Any:
        raise AssertionError("only real positions are judged")

    def refresh(self) -> None:
        pass


def stubbed(game: str, worth: float = 0.0, gamma: float = 1.0) -> RulesModel:
    return RulesModel(Stub(games.spec(game).num_actions, worth), Positions(game), gamma)


def at(game: str, *histories: list[int]) -> OpenSpielBatch:
    batch = games.make(game, len(histories))
    assert isinstance(batch, OpenSpielBatch)
    for row, history in enumerate(histories):
        batch.set_history(row, history)
    return batch


def seeds(count: int) -> NDArray[np.uint64]:
    return np.arange(count, dtype=np.uint64)


def searched(model: RulesModel, batch: OpenSpielBatch, config: SearchConfig) -> tuple[Any, list[list[int]]]:
    driver = TreeSearch(config, model.num_actions, batch.size)
    result = driver.run(model, batch.histories(), batch.legal(), seeds(batch.size))
    return result, [driver.variation(row) for row in range(batch.size)]


# --- positions ------------------------------------------------------------------------------------------------

SMALL = {"go": "go(board_size=4)", "hex": "hex(board_size=4)", "amazons": "amazons(board_size=6)",
         "breakthrough": "breakthrough(rows=5,columns=4)", "havannah": "havannah(board_size=4)",
         "gomoku": "gomoku(size=6)", "y": "y(board_size=6)", "cursor_go": "cursor_go(board_size=5)"}
CERTAIN = [SMALL.get(game.name, game.name) for game in games.list_games()
           if game.supported and not games.spec(SMALL.get(game.name, game.name)).stochastic]


@pytest.mark.parametrize("name", CERTAIN)
def test_positions_are_those_of_the_game(name: str) -> None:
    """From some moves into a random game on: observation, moves, reward and turn as the lockstep batch has them."""
    rng = np.random.default_rng(1)
    batch = at(name, [], [], [])
    positions = Positions(name)
    reached, before = positions.begin(batch.histories()), int(rng.integers(1, 8))
    for ply in range(before + 12):
        if (batch.to_play() == games.NO_PLAYER).any():
            break
        if ply == before:
            reached = positions.begin(batch.histories())
        np.testing.assert_array_equal(reached.obs, batch.observe())
        assert reached.obs.dtype == batch.observe().dtype
        np.testing.assert_array_equal(reached.legal, batch.legal())
        action = np.array([rng.choice(np.flatnonzero(row)) for row in batch.legal()], np.int32)
        # A position stays: what is played from it once changes nothing.
        other = np.array([np.flatnonzero(row)[-1] for row in batch.legal()])
        positions.move(reached.handle, other)
        step, reached = batch.step(action), positions.move(reached.handle, action)
        np.testing.assert_array_equal(reached.reward, step.reward)
        np.testing.assert_array_equal(reached.discount, step.discount)
        np.testing.assert_array_equal(reached.going, step.discount != 0)
    np.testing.assert_array_equal(reached.obs, batch.observe()[reached.going])


def test_histories_are_padded() -> None:
    batch = at("tic_tac_toe", [4, 0], [], [8, 7, 6])
    assert batch.histories().tolist() == [[4, 0, -1], [-1, -1, -1], [8, 7, 6]]
    assert batch.histories().dtype == np.int32
    assert at("tic_tac_toe", []).histories().shape == (1, 0)


def test_an_illegal_move_is_refused() -> None:
    positions = Positions("tic_tac_toe")
    reached = positions.begin(np.array([[4, -1], [4, 0]]))
    for actions in ([4, 1], [1, 0], [9, 1], [-1, 1]):
        with pytest.raises(GameError, match=r"illegal after \[4"):
            positions.move(reached.handle, np.array(actions))
    over = positions.move(positions.move(positions.begin(np.array([[0, 3, 1]])).handle, np.array([4])).handle,
                          np.array([2]))
    assert over.discount.tolist() == [0.0]
    with pytest.raises(GameError, match="illegal after"):
        positions.move(over.handle, np.array([8]))


def test_histories_that_lead_nowhere_are_refused() -> None:
    model = stubbed("tic_tac_toe")
    legal = torch.ones(1, 9, dtype=torch.bool)
    with pytest.raises(GameError, match=r"4 is illegal after \[4\]"):
        model.root(torch.tensor([[4, 4]]), legal)
    with pytest.raises(GameError, match="row 0 is over"):
        model.root(torch.tensor([[0, 3, 1, 4, 2]]), legal)
    with pytest.raises(GameError, match="row 0 leads to a position with other legal moves"):
        model.root(torch.tensor([[4, -1]]), legal)
    with pytest.raises(GameError, match=r"expected action histories .*, got uint8 \[1, 3, 3, 3\]"):
        model.root(torch.from_numpy(games.make("tic_tac_toe", 1).observe()), legal)
    with pytest.raises(GameError, match="has chance events"):
        Positions("pig")


def test_a_newer_search_ends_the_older_one() -> None:
    """Handles are never used twice: the older search is refused, not led elsewhere."""
    model, legal = stubbed("tic_tac_toe"), torch.ones(1, 9, dtype=torch.bool)
    first = model.root(torch.zeros(1, 0, dtype=torch.int32), legal).latent
    second = model.root(torch.zeros(1, 0, dtype=torch.int32), legal).latent
    assert model.step(second, torch.tensor([0])).discount.tolist() == [-1.0]
    with pytest.raises(GameError, match="a newer search uses the same Positions"):
        model.step(first, torch.tensor([0]))


def test_the_pool_keeps_whole_numbers() -> None:
    """Handles beyond what a float, let alone a bfloat16, can tell apart."""
    roots = torch.tensor([[2**60 + 1], [2**60 + 2]])
    pool = LatentPool(3, 2, roots)
    pool.put(0, roots)
    pool.scatter(torch.tensor([4]), torch.tensor([[2**53 + 1]]))
    assert pool.gather(torch.tensor([4, 1, 0])).tolist() == [[2**53 + 1], [2**60 + 2], [2**60 + 1]]
    assert pool.fits(3, 2, roots)
    assert not pool.fits(3, 2, roots.float())


# --- search ---------------------------------------------------------------------------------------------------


@BOTH
def test_a_forced_win_is_found(config: SearchConfig) -> None:
    """A fork, and a win at once, each from the eyes of the player to move; the line expected is a legal one."""
    histories = [[0, 1, 3, 6], [4, 1, 6, 2], [4, 0, 1, 2, 8], [0, 3, 1, 4]]
    batch, solver = at("tic_tac_toe", *histories), Solver("tic_tac_toe")
    model = stubbed("tic_tac_toe")
    result, variations = searched(model, batch, config)
    for row in range(batch.size):
        exact = solver.move_values(batch.state(row))
        assert exact[int(result.action[row])] == max(exact.values()), f"after {histories[row]}"
        assert result.value[row] * max(exact.values()) > 0.5 or max(exact.values()) <= 0
        state = batch.state(row)
        for action in variations[row]:
            state.apply_action_with_legality_check(action)
    assert result.action[3] == 2, "wins at once"
    assert len(variations[3]) == 1, "and the game is over"


@BOTH
def test_a_player_who_moves_twice_keeps_the_sign(config: SearchConfig) -> None:
    """Dots and boxes: who closes a box moves on. Against exact values, in positions where something hangs on it."""
    game = "dots_and_boxes(num_rows=1,num_cols=2)"
    solver, config = Solver(game), dataclasses.replace(config, simulations=400)
    rng, histories = np.random.default_rng(0), list[list[int]]()
    while len(histories) < 12:
        state, history = pyspiel.load_game(game).new_initial_state(), []
        for _ in range(4):
            history.append(int(rng.choice(state.legal_actions())))
            state.apply_action(history[-1])
        if len(set(solver.move_values(state).values())) > 1:
            histories.append(history)
    batch = at(game, *histories)
    result, _ = searched(stubbed(game), batch, config)
    for row in range(batch.size):
        exact = solver.move_values(batch.state(row))
        assert exact[int(result.action[row])] == max(exact.values()), f"after {histories[row]}"
        if config is not PUCT and max(exact.values()) != 0:
            assert np.sign(result.q[row, result.action[row]]) == np.sign(max(exact.values()))


def test_rewards_and_discounts_of_single_moves() -> None:
    game = "dots_and_boxes(num_rows=1,num_cols=2)"
    model, batch = stubbed(game, gamma=0.5), at(game, [1, 5, 0])
    latent = model.root(torch.from_numpy(batch.histories()), torch.from_numpy(batch.legal())).latent
    assert latent.dtype == torch.int64
    assert latent.shape == (1, 1)
    found = []
    for action in (4, 2, 6, 3):
        output = model.step(latent, torch.tensor([action]))
        latent = output.latent
        found.append((float(output.reward), float(output.discount)))
    # The box is closed by the third of these moves' player, who goes on and then hands the last edge over.
    assert found == [(0.0, -0.5), (0.0, 0.5), (0.0, -0.5), (0.0, 0.5)] or found[-1][1] == 0.0


def test_a_reward_on_the_way_is_the_movers() -> None:
    model = stubbed("cliff_walking", gamma=0.9)
    batch = at("cliff_walking", [])
    latent = model.root(torch.from_numpy(batch.histories()), torch.from_numpy(batch.legal())).latent
    for action in np.flatnonzero(batch.legal()[0]).tolist():
        alone = at("cliff_walking", [])
        step = alone.step(np.array([action], np.int32))
        output = model.step(latent, torch.tensor([action]))
        assert float(output.reward) == float(step.reward[0]) != 0.0
        assert float(output.discount) == pytest.approx(0.9 * float(step.discount[0]))


def test_ends_are_known_and_not_judged() -> None:
    """X wins with 2, O with 5: seen by who moved, then nothing more."""
    batch = at("tic_tac_toe", [0, 3, 1, 4], [0, 3, 1, 4, 8], [0, 3, 1, 4])
    model = stubbed("tic_tac_toe", worth=0.25)
    latent = model.root(torch.from_numpy(batch.histories()), torch.from_numpy(batch.legal())).latent
    output = model.step(latent, torch.tensor([2, 5, 8]))
    assert output.reward.tolist() == [1.0, 1.0, 0.0]
    assert output.discount.tolist() == [0.0, 0.0, -1.0]
    assert output.value.tolist() == [0.0, 0.0, 0.25]
    assert isinstance(model.network, Stub)
    assert model.network.judged == [3, 1]
    assert not output.logits[:2].any()
    assert (output.logits[2] == rules.IMPOSSIBLE).tolist() == [True, True, False, True, True, False, False, False, True]
    model.step(latent[:1], torch.tensor([2]))
    assert model.network.judged == [3, 1], "no call where every game is over"


@pytest.mark.parametrize("impossible", [rules.IMPOSSIBLE, -1e9])
def test_illegal_actions_are_never_tried(impossible: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that finds every position won: what has no visits yet always looks better than what has some. A low
    logit is not enough then."""
    monkeypatch.setattr(rules, "IMPOSSIBLE", impossible)
    batch, model = at("tic_tac_toe", [4, 0, 8], []), stubbed("tic_tac_toe", worth=1.0)
    if impossible == -1e9:
        with pytest.raises(GameError, match=r"the search tried \d, illegal after"):
            searched(model, batch, dataclasses.replace(PUCT, c_init=0.05))
        return
    for algorithm in ("puct", "gumbel"):
        for scale in ("fixed", "minmax", "siblings"):
            for unvisited in ("worst", "parent", "siblings"):
                config = SearchConfig(algorithm=algorithm, simulations=300, scale=scale,  # type: ignore[arg-type]
                                      unvisited=unvisited, c_scale=20.0, c_init=0.05)  # type: ignore[arg-type]
                assert (searched(model, batch, config)[0].visits.sum(1) == 300).all()


@BOTH
def test_a_batch_equals_its_rows(config: SearchConfig) -> None:
    histories = [[4, 0], [], [0, 3, 1, 4], [8, 7, 6, 5, 4, 3], [2]]
    together, _ = searched(stubbed("tic_tac_toe"), at("tic_tac_toe", *histories), config)
    driver, model = TreeSearch(config, 9, 1), stubbed("tic_tac_toe")
    for row, history in enumerate(histories):
        batch = at("tic_tac_toe", history)
        alone = driver.run(model, batch.histories(), batch.legal(), seeds(5)[row : row + 1])
        for name in ("visits", "policy", "q", "value", "action"):
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(together, name)[row])


@pytest.mark.parametrize("network", ["mlp", "resnet"])
def test_bfloat16_leaves_handles_alone(network: str) -> None:
    config = tiny("connect_four", model__network=network)
    model = search_model(build_model(config).eval(), torch.bfloat16)
    assert isinstance(model, RulesModel)
    assert model.dtype == torch.bfloat16
    batch = at("connect_four", [3, 3], [])
    driver = TreeSearch(GUMBEL, 7, 2)
    driver.run(model, batch.histories(), batch.legal(), seeds(2))
    pool = driver.groups[0].inference.pool if driver.groups[0].inference is not None else None
    assert pool is not None
    assert pool.rows.dtype == torch.int64


def test_a_position_is_judged_as_the_network_does() -> None:
    """Masked, and else the very numbers of h and f."""
    model = build_model(tiny("connect_four")).eval()
    prepared, batch = PreparedModel(model), at("connect_four", [3, 3, 3, 3, 3, 3], [1, 2])
    found = search_model(model).root(torch.from_numpy(batch.histories()), torch.from_numpy(batch.legal()))
    wanted = prepared.root(torch.from_numpy(batch.observe()), torch.from_numpy(batch.legal()))
    legal = torch.from_numpy(batch.legal())
    torch.testing.assert_close(found.logits[legal], wanted.logits[legal])
    torch.testing.assert_close(found.value, wanted.value)
    assert found.logits[0, 3] == rules.IMPOSSIBLE


# --- training and play ----------------------------------------------------------------------------------------


def test_only_h_and_f_are_trained() -> None:
    names = {name.partition(".")[0] for name in build_model(tiny()).state_dict()}
    assert names == {"h", "f"}
    assert {name.partition(".")[0] for name in build_model(Config()).state_dict()} == {"h", "g", "f"}


def played(config: Config) -> tuple[Replay, np.random.Generator]:
    """A replay of a few random games with uniform policies."""
    from games.symmetry import symmetries
    from muzero.bench.learn import random_games

    replay = Replay(games.spec(config.game), config.replay, symmetries(config.game))
    for game in random_games(config, 100):
        replay.add(game)
    return replay, np.random.default_rng(0)


def test_the_loss_is_that_of_the_root_alone() -> None:
    config = tiny()
    replay, rng = played(config)
    assert config.learner.unroll == 3
    assert config.unroll == 0
    batch = draw(replay, 32, DrawConfig.of(config.learner, config.unroll, 0), rng)
    assert batch.action.shape == (32, 0)
    model, data = build_model(config), Tensors.of(batch)
    losses = compute(model, data, config.learner)
    logits, value = model.predict(model.encode(data.obs))
    policy = -(data.policy[:, 0] * torch.log_softmax(logits, 1)).sum(1)
    low, middle, high = (-data.value[:, 0]).clamp(min=0), 1 - data.value[:, 0].abs(), data.value[:, 0].clamp(min=0)
    wanted = -(torch.stack((low, middle, high), 1) * torch.log_softmax(value, 1)).sum(1)
    torch.testing.assert_close(losses.total, (policy + wanted).mean())
    assert losses.terms.keys() == {"policy", "value"}
    assert losses.checks.keys() == {"value_error@0"}
    losses.total.backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in model.parameters())


EVERYTHING = {"model__network": "resnet", "model__norm": "batch", "learner__ema": 0.9, "replay__prioritized": True,
              "search__algorithm": "puct", "search__dirichlet_fraction": 0.25, "learner__search_share": 0.5,
              "selfplay__warmup_positions": 80}


@pytest.mark.parametrize("settings", [{}, EVERYTHING], ids=["plain", "everything"])
def test_a_run_goes_on_byte_for_byte_and_plays(settings: dict[str, Any], tmp_path: Path) -> None:
    config = tiny(**settings)

    def run(config: Config, out: Path) -> Path:
        assert loop.run(config, out) == 0
        folder = runs.newest(out)
        assert folder is not None
        return folder

    whole = run(config, tmp_path / "whole")
    run(replace(config, {"train.steps": 5}), tmp_path / "parts")
    assert checkpoint.same_content(whole, run(config, tmp_path / "parts")) == []
    player = agents.load(str(whole))
    assert isinstance(player.acting, RulesModel)
    for name, value in checkpoint.load(whole, ["weights"]).tensors["weights"].items():
        assert torch.equal(player.model.state_dict()[name], value)
    plays_everywhere(player)


def plays_everywhere(player: Agent) -> None:
    """Matches, OpenSpiel's own loop, and a session."""
    batch = at("tic_tac_toe", [4, 0, 8], [], [0])
    rows = np.array([True, False, True])
    for simulations in (0, 8):
        action = SearchPlayer(player, simulations).act(batch, rows)
        assert batch.legal()[np.arange(3), action][rows].all()
    analysis = player.search(player.observe(batch), batch.legal())
    assert analysis.prior.sum(1) == pytest.approx(1.0, abs=1e-5)
    assert not analysis.prior[~batch.legal()].any()
    assert analysis.prior[0].tolist() == pytest.approx(player.raw(player.observe(batch), batch.legal())[0][0].tolist())
    state = pyspiel.load_game("tic_tac_toe").new_initial_state()
    state.apply_action(4)
    assert MuZeroBot(player).step(state) != 4
    dialogue = Dialogue(Session(player), Ink(False), fancy=False)
    for typed in ("hint", "b2"):
        assert "muzero" in dialogue.answer(typed)[1] or typed == "b2"
    assert "plays" in dialogue.think()


def test_weights_with_dynamics_are_refused() -> None:
    """The one setting that changes what a model is made of."""
    with pytest.raises(WeightsError, match="weights don't fit the config: g"):
        build_model(tiny(), build_model(tiny(model__dynamics="learned")).state_dict())
    with pytest.raises(ConfigError, match=r"model\.dynamics rules, which can't change to learned"):
        check_continues("a run", tiny(), tiny(model__dynamics="learned"))


def test_another_process_plays_with_the_rules(tmp_path: Path) -> None:
    assert loop.run(tiny(train__actors=1, train__steps=3, train__horizon=3), tmp_path) == 0


@pytest.mark.parametrize(("settings", "message"), [
    ({"model.reconstruction": True, "learner.reconstruction_weight": 1.0},
     r"set model\.reconstruction to False and learner\.reconstruction_weight to 0"),
    ({"model.consistency": True, "learner.consistency_weight": 1.0}, r"set model\.consistency to False"),
    ({"learner.reanalyse_fraction": 0.5}, r"set learner\.reanalyse_fraction to 0, got 0\.5"),
    ({"game": "games.examples.subtraction:Subtraction"}, r"set model\.dynamics to learned for games\.examples"),
    ({"game": "no/such/file.py:Game"}, r"set model\.dynamics to learned for no/such"),
    ({"game": "pig"}, r"games with chance events: set model\.dynamics to learned for pig"),
    ({"game": "tic_tac_to"}, "tic_tac_toe"),
])
def test_contradictions_are_refused_with_the_mend(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(Config(), {"model.dynamics": "rules", **settings})


def test_an_observation_is_no_history_of_an_own_game() -> None:
    batch: GameBatch = games.make("games.examples.subtraction:Subtraction", 1)
    model = search_model(build_model(tiny()).eval())
    with pytest.raises(GameError, match="not an OpenSpiel game"):
        model.view(batch, batch.observe())


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Config]:
    """The config that a command line would train."""
    found: list[Config] = []

    def keep(config: Config, out: Path, stored: Config | None) -> int:
        found.append(config)
        return 0

    def read(*options: str) -> Config:
        monkeypatch.setattr(train_command, "train", keep)
        train_command.run([*options, "--out", str(tmp_path), "--selfplay.games", "8", "--train.actors", "0"])
        return found[-1]

    return read


def test_one_option_is_enough(given: Callable[..., Config]) -> None:
    """What the preset has for learned dynamics alone goes; what a person asks for is refused."""
    assert presets.load("connect_four").model.reconstruction
    config = given("connect_four", "--model.dynamics", "rules", "--learner.unroll", "5")
    assert (config.model.dynamics, config.model.reconstruction, config.unroll) == ("rules", False, 0)
    assert config.held_out.fraction == 0.0
    assert config.learner.unroll == 5
    assert given("connect_four").model.reconstruction
    said_by_hand = ("--model.no-reconstruction", "--learner.reconstruction-weight", "0")
    assert given("connect_four", "--model.dynamics", "rules", *said_by_hand).model == config.model
    with pytest.raises(ConfigError, match="reconstruction"):
        given("connect_four", "--model.dynamics", "rules", "--learner.reconstruction-weight", "1")
    with pytest.raises(ConfigError, match="reconstruction"):
        given("tic_tac_toe", "--model.dynamics", "rules", "--model.reconstruction",
              "--learner.reconstruction-weight", "1")
