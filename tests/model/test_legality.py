"""Legality head, its loss, and searches whose imagined moves it limits."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from table_model import TableModel, states
from tiny_replay import random_game
from tiny_runs import TINY, tiny, whole_run
from torch import Tensor, nn

import games
from games.symmetry import symmetries
from muzero import agent
from muzero.config import (
    ConfigError,
    LearnerConfig,
    ModelConfig,
    ReplayConfig,
    SearchConfig,
    check_planner,
    from_json,
    to_json,
)
from muzero.config.search_settings import LegalitySettings
from muzero.learning.loss import unroll
from muzero.learning.tensors import Tensors
from muzero.model.auxiliary import Legality, auxiliary_terms, legality_loss
from muzero.model.build import search_model
from muzero.model.imagined import Imagined
from muzero.model.learned import LearnedModel
from muzero.model.masked import USUAL, MaskedModel, illegal, masked
from muzero.model.networks.legality import DenseHead
from muzero.model.networks.resnet import PolicyHead
from muzero.model.protocol import IMPOSSIBLE, SearchError
from muzero.replay.buffer import Replay
from muzero.replay.sampling import DrawConfig, batch_at
from muzero.search.planners import planner

K = 4
CERTAIN = 30.0
KINDS = {
    "mlp": ModelConfig(width=16, hidden=16, legality=True),
    "resnet": ModelConfig(network="resnet", width=8, hidden=32, discount="learned", legality=True),
    "prefix": ModelConfig(network="resnet", width=8, hidden=32, prefix=2, prefix_hidden=8, legality=True),
}


# --- the loss ---------------------------------------------------------------------------------------------------------


def test_it_is_the_binary_cross_entropy_of_each_action() -> None:
    """A legal action of probability 3/4, a legal one of 1/2, an illegal one of 1/4: mean of three logarithms."""
    logits = torch.tensor([math.log(3.0), 0.0, -math.log(3.0)])
    found = legality_loss(logits, torch.tensor([True, True, False]))
    assert float(found) == pytest.approx(-(math.log(0.75) + math.log(0.5) + math.log(0.75)) / 3, abs=1e-6)


class Saying(nn.Module):
    """A head that says what it was told: a mask [B, A] for each of the K+1 positions."""

    def __init__(self, masks: list[Tensor]) -> None:
        super().__init__()
        self.masks = masks

    def forward(self, latent: Tensor) -> Tensor:
        return (2.0 * torch.cat(self.masks).float() - 1.0) * CERTAIN


class Bare:
    """A model whose latents are what they are."""

    def bare(self, latent: Tensor) -> Tensor:
        return latent


def term(data: Tensors, masks: list[Tensor]) -> Tensor:
    imagined = Imagined([data.obs] * len(masks), data, Bare())  # type: ignore[arg-type]
    return Legality().term(Saying(masks), imagined, LearnerConfig())


def drawn(name: str, place: int) -> Tensors:
    """A batch of one position of a random game."""
    replay = Replay(games.spec(name), ReplayConfig(capacity=100, min_positions=1), symmetries(name))
    replay.add(random_game(name, seed=3))
    drawing = DrawConfig.of(LearnerConfig(), K, 0)
    return Tensors.of(batch_at(replay, np.array([place]), np.ones(1, np.float32), drawing, np.random.default_rng(0)))


@pytest.mark.parametrize("name", ["tic_tac_toe", "breakthrough(rows=4,columns=3)", "clobber(rows=3,columns=4)"])
def test_each_step_is_compared_with_the_moves_that_were_legal_there(name: str) -> None:
    """Who tells the legal moves of the real game ply by ply is right; a ply late or early is wrong everywhere."""
    data, real = drawn(name, 0), games.make(name, 1)
    masks = [torch.from_numpy(real.legal().copy())]
    for action in data.action[0].numpy():
        real.step(np.array([action], np.int32))
        masks.append(torch.from_numpy(real.legal().copy()))
    assert (term(data, masks) < 1e-6).all()
    assert (term(data, masks[1:] + masks[:1]) > 0.1).all()
    assert (term(data, masks[-1:] + masks[:-1]) > 0.1).all()


def test_past_the_end_it_learns_nothing() -> None:
    """Whatever it says there: nothing is legal, but it isn't to tell ends."""
    data = drawn("tic_tac_toe", len(random_game("tic_tac_toe", seed=3)) - 1)
    model, every = LearnedModel(games.spec("tic_tac_toe"), KINDS["mlp"], 1.0), torch.ones(1, 9, dtype=torch.bool)
    model.legality = Saying([every] * (K + 1))
    with torch.no_grad():
        imagined = Imagined(unroll(model, data, 1.0).latents, data, model)
        found = auxiliary_terms(model, imagined, LearnerConfig(legality_weight=1.0))["legality"]
    assert found[0] > 1.0
    assert (found[1:] == 0.0).all()


# --- the head ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_in_search_it_says_what_it_says_in_training(kind: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = LearnedModel(games.spec("connect_four"), KINDS[kind], 1.0).eval()
    prepared, batch = search_model(model, dtype), games.make("connect_four", 4)
    with torch.inference_mode():
        root = prepared.root(torch.from_numpy(batch.observe()), torch.from_numpy(batch.legal()))
        latent = prepared.step(root.latent, torch.arange(4)).latent
        said, wanted = prepared.legality(latent), model.legality(model.bare(latent.float()))  # type: ignore[misc, attr-defined]
    assert wanted.std() > 0.01
    assert torch.allclose(said.float(), wanted, atol=1e-5 if dtype == torch.float32 else 2e-2)


def test_new_weights_reach_it() -> None:
    torch.manual_seed(0)
    for config in KINDS.values():
        model = LearnedModel(games.spec("connect_four"), config, 1.0).eval()
        prepared, latent = search_model(model), torch.randn(2, *model.latent_shape)
        with torch.no_grad():
            before = prepared.legality(latent).clone()  # type: ignore[attr-defined]
            model.legality.outer.bias.add_(1.0)  # type: ignore[union-attr, operator]
            prepared.refresh()
            assert torch.allclose(prepared.legality(latent), before + 1.0, atol=1e-5)  # type: ignore[attr-defined]


def test_on_a_board_its_weights_are_shared_as_the_actions_lie() -> None:
    heads = {kind: LearnedModel(games.spec("connect_four"), config, 1.0).legality for kind, config in KINDS.items()}
    assert [type(head) for head in heads.values()] == [DenseHead, PolicyHead, PolicyHead]


# --- masks in search --------------------------------------------------------------------------------------------------


def test_what_is_less_likely_than_the_threshold_is_illegal() -> None:
    wrong, over = illegal(torch.logit(torch.tensor([[0.05, 0.2, 0.9], [0.6, 0.01, 0.099]])), 0.1)
    assert wrong.tolist() == [[True, False, False], [False, True, True]]
    assert not over.any()


def test_never_are_all_actions_illegal_but_such_a_game_is_over() -> None:
    wrong, over = illegal(torch.tensor([[-20.0, -9.0, -30.0], [-5.0, -5.0, -8.0], [1.0, -5.0, -5.0]]), 0.5)
    assert wrong.tolist() == [[True, False, True], [False, False, True], [False, True, True]]
    assert over.tolist() == [True, True, False]


def test_a_number_that_is_none_makes_nothing_illegal() -> None:
    wrong, over = illegal(torch.tensor([[math.nan, -9.0, -30.0]]), 0.5)
    assert not wrong.any()
    assert not over.any()


def test_nothing_follows_where_nothing_is_legal() -> None:
    """State 1 is worth 1 to the player who gets there, but nobody can move in it."""
    table = dataclasses.replace(tempting(), value=torch.tensor([0.0, 1.0, 1.0]), reward=torch.zeros(3, 3))
    table.legality = lambda latent: torch.where(latent[:, None] == 1, -CERTAIN, CERTAIN).expand(-1, 3)  # type: ignore[method-assign]
    found = masked(table, 0.5).step(torch.zeros(2, dtype=torch.int64), torch.tensor([0, 1]))  # type: ignore[arg-type]
    assert found.discount.tolist() == [0.0, 1.0]
    assert (found.logits > IMPOSSIBLE).all()


class Telling(TableModel):
    """A table whose last action is illegal in every imagined state, as its head knows."""

    dtype = torch.float32

    def legality(self, latent: Tensor) -> Tensor:
        return torch.tensor([CERTAIN] * (self.num_actions - 1) + [-CERTAIN]).expand(len(latent), -1)

    def refresh(self) -> None: ...


def tempting() -> Telling:
    """In states 1 and 2 the last action, which is illegal there, would win; all others lead on for nothing."""
    actions, following = 3, [[1, 2, 1], [1, 2, 0], [2, 1, 0]]
    reward, discounts = torch.zeros(3, actions), torch.full((3, actions), 1.0)
    reward[1:, 2], discounts[1:, 2] = 1.0, 0.0
    return Telling(torch.tensor(following), reward, discounts, torch.zeros(3, actions), torch.zeros(3))


@pytest.mark.parametrize("name", ["gumbel", "puct", "shooting", "cem"])
def test_no_planner_tries_what_the_head_holds_for_illegal(name: str) -> None:
    """The reward behind the illegal action is found without the mask, and nothing else is worth anything."""
    plans = {}
    for least in (0.0, 0.5):
        if least == 0.0 and name == "cem":
            continue
        config = SearchConfig(algorithm=name, simulations=60, legality=LegalitySettings(least))
        made = planner(tempting(), config, 1)  # type: ignore[arg-type]
        plans[least] = made.plan(states(0), np.ones((1, 3), np.bool_), np.array([1], np.uint64)).q
    assert 0.0 not in plans or plans[0.0].max() > 0.2
    assert (plans[0.5] == 0.0).all()


def test_a_planner_that_invents_moves_asks_a_head_without_being_told() -> None:
    assert isinstance(planner(tempting(), SearchConfig(algorithm="cem"), 1).model, MaskedModel)  # type: ignore[arg-type]
    assert isinstance(planner(tempting(), SearchConfig(algorithm="shooting"), 1).model, Telling)  # type: ignore[arg-type]
    found = masked(tempting(), 0.0, needed=True)  # type: ignore[arg-type]
    assert isinstance(found, MaskedModel)
    assert found.least == USUAL


def test_without_a_threshold_the_search_runs_on_the_model_itself() -> None:
    model = search_model(LearnedModel(games.spec("tic_tac_toe"), KINDS["mlp"], 1.0).eval())
    assert planner(model, SearchConfig(), 1).model is model


def test_a_search_that_asks_a_head_that_is_not_there_is_refused() -> None:
    model = search_model(LearnedModel(games.spec("tic_tac_toe"), ModelConfig(), 1.0).eval())
    with pytest.raises(SearchError, match=r"legality\.least: expected 0 for a model without .*, got 0\.2; train one"):
        planner(model, SearchConfig(legality=LegalitySettings(0.2)), 1)


@pytest.mark.parametrize("section", ["search", "play"])
def test_so_are_settings_that_ask_one(section: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{section}\.legality\.least: expected 0 for a .*, got 0\.1: set it to 0"):
        tiny(**{f"{section}__legality__least": 0.1})


# --- runs -------------------------------------------------------------------------------------------------------------


def test_a_run_trains_one_plays_with_it_and_its_agent_opens(tmp_path: Any) -> None:
    asked = {"model__legality": True, "learner__legality_weight": 0.5, "search__legality__least": 0.1,
             "play__legality__least": 0.1}
    folder = whole_run(tiny(**asked, train__steps=4), tmp_path)
    metrics = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert any("legality" in name for row in metrics for name in row)
    found = agent.load(str(folder))
    batch = games.make("tic_tac_toe", 2)
    assert found.search(found.observe(batch), batch.legal()).result.visits.sum(1).tolist() == [4, 4]


def test_settings_of_older_runs_say_nothing_of_it_and_open() -> None:
    stored = json.loads(json.dumps(to_json(TINY)))
    del stored["model"]["legality"], stored["learner"]["legality_weight"]
    del stored["search"]["legality"], stored["play"]["legality"]
    assert from_json(stored) == TINY


@pytest.mark.parametrize("section", ["search", "play"])
def test_cem_is_refused_where_most_actions_are_illegal_and_nothing_tells(section: str, tmp_path: Any) -> None:
    asked = {"game": "othello", f"{section}__algorithm": "cem"}
    message = (rf"^{section}\.algorithm cem .* only 6\.2% of the actions of othello are legal .*: choose another "
               r"planner .*--model\.legality --learner\.legality-weight")
    with pytest.raises(ConfigError, match=message):
        whole_run(tiny(**asked), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("section", ["search", "play"])
def test_with_a_head_or_the_true_rules_cem_plays_any_game(section: Any) -> None:
    for known in ({"model__legality": True, "learner__legality_weight": 0.1}, {"model__dynamics": "rules"}):
        check_planner(tiny(game="othello", **{f"{section}__algorithm": "cem"}, **known), section)
    check_planner(tiny(game="othello", **{f"{section}__algorithm": "shooting"}), section)


def test_an_agent_can_not_be_made_to_play_by_it_either(tmp_path: Any) -> None:
    folder = str(whole_run(tiny(game="breakthrough(rows=4,columns=3)", train__steps=2), tmp_path))
    with pytest.raises(ConfigError, match=r"^play\.algorithm cem tries actions"):
        agent.load(folder, planner="cem")
    assert agent.load(folder, planner="shooting").config.play.algorithm == "shooting"
