"""An ensemble's heads disagree where there are no data, and each game of self-play follows one of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import tiny_replay
import torch
from numpy.typing import NDArray
from recorders import Late
from torch import Tensor

import games
from muzero.config import Config, ConfigError, EnsembleConfig, LearnerConfig, ModelConfig, ScalarConfig, SearchConfig
from muzero.learning.learner import Learner
from muzero.learning.loss import compute, unroll
from muzero.learning.tensors import Tensors
from muzero.model import bootstrap, transition
from muzero.model.bootstrap import best_values, bootstrap_masks, value_targets
from muzero.model.imagined import Imagined
from muzero.model.learned import LearnedModel
from muzero.model.member import MemberModel
from muzero.model.networks.ensemble import Ensemble
from muzero.model.prepared import PreparedModel
from muzero.replay.batch import Batch
from muzero.replay.sampling import DrawConfig, batch_at
from muzero.search import tree
from muzero.search.inference import GraphedInference
from muzero.search.planners import planner
from muzero.search.tree import TreeSearch
from muzero.training.actors import for_selfplay, playing, selfplay_network
from selfplay.contract import check_planner
from selfplay.planner import Planner

torch.set_num_threads(1)
N = 5
KINDS: dict[str, dict[str, Any]] = {
    "mlp": {"width": 16, "hidden": 16},
    "resnet": {"network": "resnet", "width": 8, "hidden": 8, "discount": "learned"},
    "prefix": {"network": "resnet", "width": 8, "hidden": 8, "prefix": 2, "prefix_hidden": 4},
}
LEARNER = LearnerConfig(unroll=2, learning_rate=1e-2, warmup=0.0)


def made(kind: str = "mlp", seed: int = 0, **changes: Any) -> LearnedModel:
    torch.manual_seed(seed)
    own = EnsembleConfig(**{"members": N, **changes})
    return LearnedModel(games.spec("tic_tac_toe"), ModelConfig(**KINDS[kind], ensemble=own), 1.0)


def member_model(model: LearnedModel, dtype: torch.dtype = torch.float32) -> MemberModel:
    assert model.ensemble is not None
    return MemberModel(PreparedModel(model.eval(), dtype), model.ensemble)


def batch(seed: int, size: int = 12) -> Batch:
    """Random positions and what follows from two moves."""
    rng, known = np.random.default_rng(seed), np.ones((size, 3), np.bool_)
    action = rng.integers(0, 9, (size, 2))
    return Batch(
        obs=rng.integers(0, 2, (size, 3, 3, 3), dtype=np.uint8), action=action,
        reward=((action % 3) - 1.0).astype(np.float32), next_mover=np.full((size, 2), 2),
        value=rng.choice([-1.0, 1.0], (size, 3)).astype(np.float32),
        policy=rng.dirichlet(np.ones(9), (size, 3)).astype(np.float32), legal=np.ones((size, 3, 9), np.bool_),
        policy_mask=known, in_game=known, value_mask=known,
        later_obs=rng.integers(0, 2, (size, 2, 3, 3, 3), dtype=np.uint8), weight=np.ones(size, np.float32),
        place=np.arange(size)[:, None] + np.arange(3))


def positions(count: int, plies: int = 2) -> tuple[Any, NDArray[Any], NDArray[np.bool_]]:
    batch, rng = games.make("tic_tac_toe", count), np.random.default_rng(0)
    for _ in range(plies):
        batch.step((rng.random((count, 9)) * batch.legal()).argmax(1).astype(np.int32))
    return batch, batch.observe(), batch.legal()


# --- the heads --------------------------------------------------------------------------------------------------------


def test_disagreement_falls_where_there_are_data_alone() -> None:
    torch.manual_seed(0)
    plain = ScalarConfig(kind="scalar")
    heads = Ensemble((1,), 2, plain, plain, members=10, hidden=32, prior_scale=1.0)
    seen, far = torch.linspace(-1.0, 1.0, 40)[:, None], torch.tensor([[-6.0], [6.0]])
    tried = torch.zeros(40, dtype=torch.int64)

    def spread(x: Tensor, action: int) -> float:
        return float(heads.every(x).value[:, :, action].detach().std(1).mean())

    before = spread(seen, 0), spread(far, 0), spread(seen, 1)
    optimizer = torch.optim.Adam(heads.parameters(), lr=2e-2)
    for _ in range(150):
        optimizer.zero_grad()
        ((heads.outputs(seen, tried)[:, :, 0] - 0.5 * seen) ** 2).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert spread(seen, 0) < 0.1 * before[0]
    assert spread(far, 0) > max(0.2 * before[1], 10.0 * spread(seen, 0))
    assert spread(seen, 1) > 0.5 * before[2]
    mean = heads.said(seen, tried).value.detach().mean(1)
    assert float((mean - 0.5 * seen[:, 0]).abs().max()) < 0.1


def test_every_action_is_said_at_once() -> None:
    heads = made("resnet").ensemble
    assert heads is not None
    latent = torch.rand(4, 8, 3, 3)
    every = heads.every(latent)
    for action in range(9):
        one = heads.said(latent, torch.full((4,), action))
        assert torch.allclose(every.value[:, :, action], one.value, atol=1e-5)
        assert torch.allclose(every.reward[:, :, action], one.reward, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_priors_are_stored_and_never_trained(kind: str) -> None:
    learner = Learner(made(kind), LEARNER)
    before = {name: value.clone() for name, value in learner.model.state_dict().items() if "ensemble" in name}
    for step in range(3):
        learner.step(batch(step), 0.5)
    after = learner.model.state_dict()
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert moved == {name for name in before if ".trained." in name}
    assert any(".prior." in name for name in before)
    other = made(kind, seed=1)
    other.load_state_dict(after)
    latent = torch.rand(4, *learner.model.bare_shape)
    assert other.ensemble is not None
    assert learner.model.ensemble is not None
    assert torch.equal(other.ensemble.every(latent).value, learner.model.ensemble.every(latent).value)


def test_no_member_says_more_than_the_ends_of_its_support() -> None:
    model = made(prior_scale=100.0)
    assert model.ensemble is not None
    values = model.ensemble.every(torch.randn(50, 16)).value.detach()
    assert float(values.min()) == -1.0
    assert float(values.max()) == 1.0


@pytest.mark.parametrize(("setting", "value", "message"), [
    ("members", 65, r"model\.ensemble\.members: expected at least 0 and at most 64, got 65"),
    ("members", -1, r"model\.ensemble\.members: expected at least 0 and at most 64, got -1"),
    ("mask", 0.0, r"model\.ensemble\.mask: expected at least 0\.001 and at most 1, got 0"),
    ("prior_scale", float("nan"), r"model\.ensemble\.prior_scale: expected at least 0 and at most 1,?000, got nan"),
    ("hidden", 0, r"model\.ensemble\.hidden: expected at least 1 and at most 4,096, got 0"),
])
def test_a_number_out_of_bounds_is_named(setting: str, value: float, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config(model=ModelConfig(ensemble=EnsembleConfig(**{setting: value})))


@pytest.mark.parametrize(("model", "learner", "message"), [
    ({"dynamics": "rules"}, {}, r"model\.dynamics rules .* set model\.ensemble\.members to 0"),
    ({"norm": "batch"}, {"own_targets": 1.0}, r"own_targets tries actions .* set model\.norm to none"),
    ({"ensemble": EnsembleConfig()}, {"own_targets": 0.5}, r"own_targets 0\.5 .*: set model\.ensemble\.members"),
    ({"ensemble": EnsembleConfig(features=8)}, {}, r"features 8 is for members .* or model\.ensemble\.features to 0"),
    ({}, {"absorbing": False}, r"learner\.absorbing False: .*: set it to True, or model\.discount to learned"),
    ({}, {"own_targets": 1.5}, r"learner\.own_targets: expected at least 0 and at most 1, got 1\.5"),
])
def test_what_can_not_be_is_refused_with_its_mend(
    model: dict[str, Any], learner: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Config(model=ModelConfig(**{"ensemble": EnsembleConfig(members=2), **model}), learner=LearnerConfig(**learner))


# --- what they learn from ---------------------------------------------------------------------------------------------


def test_a_position_keeps_its_members() -> None:
    place = torch.arange(3000)
    masks = bootstrap_masks(place, N, 0.3)
    assert masks.shape == (3000, N)
    assert torch.equal(masks[7:9], bootstrap_masks(place[7:9, None], N, 0.3)[:, 0])
    assert masks.float().mean(0).numpy() == pytest.approx(0.3, abs=0.03)
    together = np.corrcoef(masks.float().T.numpy())
    assert np.abs(together[~np.eye(N, dtype=bool)]).max() < 0.08
    assert bool(bootstrap_masks(place, N, 1.0).all())


def test_a_position_keeps_them_where_the_ring_of_stored_positions_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A game goes on from the last place of the ring in the first one."""
    held = tiny_replay.replay(5, capacity=20)
    asked: list[Tensor] = []

    def noted(place: Tensor, members: int, share: float) -> Tensor:
        asked.append(place)
        return bootstrap_masks(place, members, share)

    monkeypatch.setattr(bootstrap, "bootstrap_masks", noted)
    places = np.arange(20)
    drawn = batch_at(held, places, np.ones(20, np.float32), DrawConfig.of(LEARNER, 2, 0), np.random.default_rng(0))
    assert drawn.in_game[19, 1]
    compute(made(), Tensors.of(drawn), LEARNER)
    assert asked[0].shape == (2, 20)
    assert torch.equal(asked[0][0], torch.from_numpy(places))
    wanted = np.where(drawn.in_game[:, 1], (places + 1) % 20, places)
    assert torch.equal(asked[0][1], torch.from_numpy(wanted))


def test_members_learn_from_their_own_positions() -> None:
    """A member whose mask is False everywhere gets no gradient."""
    model, data = made(mask=0.1).train(), Tensors.of(batch(0, size=1))
    assert model.ensemble is not None
    compute(model, data, LEARNER).total.backward()  # type: ignore[no-untyped-call]
    masks = bootstrap_masks(data.place[0, :-1], N, 0.1).any(0)
    gradient = model.ensemble.trained.get_parameter("inner").grad
    assert gradient is not None
    assert gradient.flatten(1).any(1).tolist() == masks.tolist()
    assert 0 < int(masks.sum()) < N


@pytest.mark.parametrize("kind", KINDS)
def test_an_own_target_is_the_best_legal_action_by_the_member(kind: str) -> None:
    """Two players: the value after the action counts against the mover."""
    model, given = made(kind).eval(), batch(0)
    legal = np.random.default_rng(1).random(given.legal.shape) < 0.4
    legal[0, 1:] = False
    data = Tensors.of(dataclasses.replace(given, legal=legal))
    heads = model.ensemble
    assert heads is not None
    with torch.no_grad():
        imagined = Imagined(unroll(model, data, 0.5).latents, data, model)
        reached = model.encode(imagined.seen(2)[1])
        best = torch.full((12, N), -torch.inf)
        for action in range(9):
            made_ = torch.full((12,), action)
            said, discount = heads.said(model.bare(reached), made_), model.discount(model.advance(reached, made_)[2])
            q = said.reward + discount[:, None] * said.value
            best = torch.where(data.legal[:, 2, action, None], torch.maximum(best, q), best)
        assert torch.allclose(best_values(heads, model, imagined.seen(2)[1], data.legal[:, 2]), best, atol=1e-5)
        targets = value_targets(heads, imagined, 0.75)[1]
    over, end = ~data.legal[:, 2].any(1), data.value[:, 2, None]
    assert bool(over.any())
    wanted = torch.where(over[:, None], end, 0.25 * end + 0.75 * best)
    assert torch.allclose(targets, wanted, atol=1e-5)


def test_an_own_target_reads_ends_as_a_search_does() -> None:
    """Where the likeliest transition is read, nothing follows a reward."""
    model, given = made().eval(), Tensors.of(batch(0))
    model.config = dataclasses.replace(model.config, transition="likeliest")
    heads = model.ensemble
    assert heads is not None
    said = heads.every(model.encode(given.obs))
    every = torch.arange(9).repeat(12)
    _, output, _ = model.advance(model.encode(given.obs).repeat_interleave(9, 0), every)
    paid = (transition.likeliest_reward(output, model.config.reward) != 0.0).view(12, 1, 9)
    assert 0 < int(paid.sum()) < paid.numel()
    wanted = (said.reward - torch.where(paid, 0.0, said.value)).amax(2)
    assert torch.allclose(best_values(heads, model, given.obs, given.legal[:, 0]), wanted, atol=1e-5)


def test_own_targets_of_many_actions_are_made_a_few_positions_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model, given = made().eval(), Tensors.of(batch(0))
    assert model.ensemble is not None
    wanted, advance, rows = best_values(model.ensemble, model, given.obs, given.legal[:, 0]), model.advance, list[int]()

    def counted(latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rows.append(len(latent))
        return advance(latent, action)

    monkeypatch.setattr(model, "advance", counted)
    monkeypatch.setattr(bootstrap, "ROWS", 50)
    found = best_values(model.ensemble, model, given.obs, given.legal[:, 0])
    assert torch.allclose(found, wanted, atol=1e-6)
    assert rows == [45, 45, 18]


def test_targets_are_those_of_the_main_head_unless_asked() -> None:
    model, data = made(), Tensors.of(dataclasses.replace(batch(0), later_obs=None))
    imagined = Imagined(unroll(model, data, 0.5).latents, data, model)
    assert model.ensemble is not None
    targets = value_targets(model.ensemble, imagined, 0.0)
    assert torch.equal(targets, data.value.T[1:, :, None].expand(2, 12, N))


# --- a member for each game -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
def test_a_position_is_judged_by_its_member_at_every_node(kind: str, dtype: torch.dtype) -> None:
    model = made(kind)
    searched, (batch, obs, legal) = member_model(model, dtype), positions(9)
    tolerance = 1e-5 if dtype == torch.float32 else 0.15
    numbers = np.arange(9) * 7 + 3
    view = searched.view(batch, obs, numbers)
    root = searched.root(torch.from_numpy(view), torch.from_numpy(legal))
    inner = searched.network.root(torch.from_numpy(obs), torch.from_numpy(legal))
    bare, member = inner.latent, torch.from_numpy(numbers % N)
    assert torch.equal(root.logits, inner.logits)
    assert torch.equal(root.value, inner.value)
    latent, action = root.latent, torch.arange(9)
    for _ in range(3):
        found, plain = searched.step(latent, action, *root.context), searched.network.step(bare, action)
        assert model.ensemble is not None
        said, rows = model.ensemble.said(model.bare(bare).float(), action), torch.arange(9)
        assert torch.allclose(found.value, said.value[rows, member], atol=tolerance)
        assert torch.allclose(found.reward, said.reward[rows, member], atol=tolerance)
        assert found.value.dtype == torch.float32
        assert torch.equal(found.discount, plain.discount)
        assert torch.equal(found.logits, plain.logits)
        latent, bare, action = found.latent, plain.latent, action.flip(0)


def test_each_of_the_most_members_has_its_games() -> None:
    searched, (batch, obs, legal) = member_model(made("resnet", members=64), torch.bfloat16), positions(65)
    root = searched.root(torch.from_numpy(searched.view(batch, obs, np.arange(65))), torch.from_numpy(legal))
    assert root.context[0].tolist() == [*range(64), 0]


@pytest.mark.parametrize("algorithm", ["gumbel", "puct", "shooting", "cem", "one_step"])
def test_plans_by_members_keep_the_contract_of_planners(algorithm: str) -> None:
    """Rows of a batch are planned as they would be alone, each by its member."""
    searched = member_model(made())
    config = SearchConfig(algorithm=algorithm, simulations=12)

    def make(size: int) -> Planner:
        return planner(searched, config, size)

    check_planner(make, "tic_tac_toe", size=2 * N)
    batch, obs, legal = positions(N)
    obs[:], legal[:] = obs[0], legal[0]
    view = searched.view(batch, obs, np.arange(N))
    plan = make(N).plan(view, legal, np.zeros(N, np.uint64))
    assert len({row.tobytes() for row in plan.q}) == N


def test_a_recorded_step_is_told_the_members_of_its_own_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two parts of one batch, whose rows change their members from search to search."""
    searched, (batch, obs, legal) = member_model(made()), positions(6)
    seeds, config = np.arange(6, dtype=np.uint64), SearchConfig(simulations=10)
    views = [searched.view(batch, obs, numbers) for numbers in (np.arange(6), np.arange(6) + 2)]
    wanted = [TreeSearch(config, 9, 6).run(searched, view, legal, seeds) for view in views]
    monkeypatch.setattr(tree, "inference", lambda *args: GraphedInference(*args, Late))
    driver = TreeSearch(config, 9, 6, 2)
    for view, plan in zip(views, wanted, strict=True):
        found = driver.run(searched, view, legal, seeds)
        np.testing.assert_allclose(found.q, plan.q, atol=1e-5)
        assert found.visits.tolist() == plan.visits.tolist()
    assert np.abs(wanted[0].q - wanted[1].q).max() > 0.1


def test_new_weights_reach_the_members() -> None:
    model = made()
    searched, (batch, obs, legal) = member_model(model), positions(3)
    view = torch.from_numpy(searched.view(batch, obs, np.arange(3)))

    def told() -> Tensor:
        root = searched.root(view, torch.from_numpy(legal))
        return searched.step(root.latent, torch.arange(3), *root.context).value

    before = told()
    model.load_state_dict(made(seed=1).state_dict())
    searched.refresh()
    assert not torch.equal(told(), before)


def test_self_play_follows_members_where_there_are_some() -> None:
    def search_model(**changes: Any) -> object:
        own = EnsembleConfig(**{"members": N, **changes})
        config = Config(model=ModelConfig(**KINDS["mlp"], ensemble=own))
        return playing(for_selfplay(selfplay_network(config), config))

    assert isinstance(search_model(), MemberModel)
    assert isinstance(search_model(plays=False), PreparedModel)
    assert isinstance(search_model(members=0), PreparedModel)
