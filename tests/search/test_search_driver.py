"""The search driver: known best moves, ends, splits of a batch, and numbers no search can use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import table_model as tables
import torch
from numpy.typing import NDArray
from recorders import Late
from table_model import TableModel

import games
from muzero.config import ModelConfig, SearchConfig
from muzero.model.learned import LearnedModel
from muzero.model.protocol import RootOutput, SearchError
from muzero.search import tree
from muzero.search.inference import GraphedInference
from muzero.search.latents import LatentPool
from muzero.search.tree import TreeSearch
from selfplay.planner import Plan

torch.set_num_threads(1)
PUCT = SearchConfig(algorithm="puct", simulations=200)
GUMBEL = SearchConfig(algorithm="gumbel", simulations=64, gumbel_scale=0.0)


def seeds(count: int, start: int = 0) -> NDArray[np.uint64]:
    return np.arange(start, start + count, dtype=np.uint64)


def search(model: TableModel, roots: NDArray[np.int64], config: SearchConfig, **options: Any) -> Plan:
    legal = np.ones((len(roots), model.num_actions), np.bool_)
    driver = TreeSearch(config, model.num_actions, len(roots))
    return driver.run(model, roots, legal, seeds(len(roots)), **options)


def rows(result: Plan, which: Any) -> dict[str, bytes]:
    return {name: getattr(result, name)[which].tobytes() for name in ("visits", "policy", "q", "value", "action")}


@pytest.mark.parametrize("config", [PUCT, GUMBEL], ids=["puct", "gumbel"])
def test_the_winning_moves_of_a_game_are_found(config: SearchConfig) -> None:
    """Piles of many sizes at once; a pile of 4 is lost, any other is won by leaving 4 or 0."""
    model = tables.subtraction(7)
    won = [1, 2, 3, 5, 6, 7]
    result = search(model, tables.states(*won), config)
    assert result.action.tolist() == [pile % 4 - 1 for pile in won]
    assert (result.value > 0.3).all()
    lost = search(model, tables.states(4), config)
    assert lost.value[0] < -0.3


def test_a_temperature_draws_by_visits_where_the_action_is_no_draw_yet() -> None:
    model, roots = tables.subtraction(7), tables.states(1, 5)
    by_visits = search(model, roots, PUCT)
    assert by_visits.weights is not None
    assert (by_visits.weights == by_visits.visits).all()
    assert search(model, roots, GUMBEL).weights is None


@pytest.mark.parametrize("config", [PUCT, GUMBEL], ids=["puct", "gumbel"])
def test_an_extra_turn_keeps_its_sign(config: SearchConfig) -> None:
    """The same position is worth 1 after an extra turn and -1 when the other player has it."""
    result = search(tables.extra_turn(), tables.states(0), config)
    assert result.action.tolist() == [0]
    assert result.q[0, 0] > 0.75
    assert result.q[0, 1] == 0.5
    assert result.q[0, 2] < -0.4


def test_known_ends_ask_the_model_for_fewer_rows() -> None:
    model = tables.subtraction(9)
    result = search(model, tables.states(1, 2, 9), PUCT)
    assert len(model.asked) < 200, "no call at all when every tree ends at a known end"
    assert model.asked[0] == 3
    assert {1, 2} & set(model.asked), "calls for some of the trees"
    assert (result.visits.sum(1) == 200).all()


def test_leaves_are_counted_as_the_model_is_asked_for_them() -> None:
    model, driver = tables.subtraction(9), TreeSearch(PUCT, 3, 3)
    driver.run(model, tables.states(1, 2, 9), np.ones((3, 3), np.bool_), seeds(3))
    assert driver.spent.leaves == sum(model.asked) < 3 * 200


def test_rows_of_some_trees_land_in_their_own_latents() -> None:
    """A tree among others that end early is searched as if it were alone."""
    model = tables.subtraction(15)
    together = search(model, tables.states(1, 15, 2, 14, 3), PUCT)
    for row, pile in enumerate((1, 15, 2, 14, 3)):
        driver = TreeSearch(PUCT, 3, 1)
        alone = driver.run(model, tables.states(pile), np.ones((1, 3), np.bool_), seeds(1, row))
        assert rows(together, slice(row, row + 1)) == rows(alone, slice(None))


@pytest.mark.parametrize("algorithm", ["puct", "gumbel"])
def test_a_batch_may_be_split_in_any_way(algorithm: Any) -> None:
    config = SearchConfig(algorithm=algorithm, simulations=40, scale="minmax", dirichlet_fraction=0.25)
    model, rng = tables.random_table(50, 6, seed=1), np.random.default_rng(0)
    roots, own = tables.states(*rng.integers(0, 50, 13).tolist()), seeds(13, 100)
    legal = rng.random((13, 6)) < 0.6
    legal[:, 2] = True
    whole = TreeSearch(config, 6, 13).run(model, roots, legal, own)
    assert (whole.visits[~legal] == 0).all()
    assert (whole.policy[~legal] == 0).all()
    driver = TreeSearch(config, 6, 13)
    for part in (slice(0, 1), slice(1, 8), slice(8, 13)):
        assert rows(driver.run(model, roots[part], legal[part], own[part]), slice(None)) == rows(whole, part)
    order = rng.permutation(13)
    mixed = driver.run(model, roots[order], legal[order], own[order])
    assert rows(mixed, np.argsort(order)) == rows(whole, slice(None))


def test_searches_repeat_with_their_seeds_and_differ_without() -> None:
    config = SearchConfig(algorithm="gumbel", simulations=8)
    model, roots = tables.random_table(50, 6, seed=2), tables.states(*range(30))
    legal, driver = np.ones((30, 6), np.bool_), TreeSearch(config, 6, 30)
    first = driver.run(model, roots, legal, seeds(30))
    again = driver.run(model, roots, legal, seeds(30))
    other = driver.run(model, roots, legal, seeds(30, 1000))
    assert rows(first, slice(None)) == rows(again, slice(None))
    assert (first.action != other.action).any()
    assert first.visits is not again.visits, "a result is the caller's own"


def test_fewer_simulations_than_configured() -> None:
    model = tables.subtraction(9)
    assert search(model, tables.states(9, 5), PUCT, simulations=7).visits.sum(1).tolist() == [7, 7]
    with pytest.raises(ValueError, match="simulations"):
        search(model, tables.states(9), PUCT, simulations=201)


@pytest.mark.parametrize("where", ["logits", "value", "reward", "discounts"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("depth", ["root", "leaf"])
def test_numbers_that_are_not_finite_are_refused(where: str, bad: float, depth: str) -> None:
    model = tables.subtraction(9)
    getattr(model, where)[slice(9, 10) if depth == "root" else slice(4, 8)] = bad
    with pytest.raises(SearchError, match=r"the model's outputs can't be searched: .*(finite|discount)"):
        search(model, tables.states(9), PUCT)
    fine = search(tables.subtraction(9), tables.states(9), PUCT)
    assert fine.visits.sum() == 200


def test_a_driver_works_again_after_a_refusal() -> None:
    driver = TreeSearch(PUCT, 3, 1)
    spoilt, good = tables.subtraction(9), tables.subtraction(9)
    spoilt.value[5] = np.nan
    legal = np.ones((1, 3), np.bool_)
    with pytest.raises(SearchError):
        driver.run(spoilt, tables.states(9), legal, seeds(1))
    assert driver.run(good, tables.states(9), legal, seeds(1)).visits.sum() == 200


@pytest.mark.parametrize("algorithm", ["puct", "gumbel"])
@pytest.mark.parametrize("scale", ["fixed", "minmax", "siblings"])
@pytest.mark.parametrize("where", ["logits", "value", "reward", "discounts"])
def test_a_refused_answer_with_one_legal_move_is_an_error(algorithm: Any, scale: Any, where: str) -> None:
    """Also with one considered action everywhere, and whichever of the simulations it is in."""
    legal = np.ones((3, 7), np.bool_)
    legal[2, :6] = False
    for simulations, considered, parts in ((16, 16, 1), (3, 1, 3), (2, 16, 2)):
        config = SearchConfig(simulations, algorithm, scale, max_considered=considered)
        driver, model = TreeSearch(config, 7, 3, parts), tables.random_table(5, 7, seed=1)
        wanted = driver.run(model, tables.states(0, 1, 2), legal, seeds(3))
        spoilt = tables.random_table(5, 7, seed=1)
        getattr(spoilt, where)[:] = np.inf
        if where in ("logits", "value"):
            spoilt.root = model.root  # type: ignore[method-assign]
        with pytest.raises(SearchError, match=f"the model's outputs can't be searched: {where.rstrip('s')}s?: "):
            driver.run(spoilt, tables.states(0, 1, 2), legal, seeds(3))
        again = driver.run(model, tables.states(0, 1, 2), legal, seeds(3))
        assert rows(again, slice(None)) == rows(wanted, slice(None))


def test_finite_numbers_that_cannot_be_searched_are_the_model_s_fault_too() -> None:
    huge, stuck = tables.subtraction(30), tables.subtraction(30)
    huge.reward[:] = torch.finfo(torch.float32).max
    huge.discounts[:] = 1.0
    stuck.logits[:29] = torch.finfo(torch.float32).min
    flaws = {"value, q: expected results that a float32": huge, "logits: expected at least one possible": stuck}
    for flaw, model in flaws.items():
        with pytest.raises(SearchError, match=f"the model's outputs can't be searched: {flaw}"):
            search(model, tables.states(30), PUCT)


def test_a_position_without_a_legal_move_is_the_callers_mistake() -> None:
    legal = np.array([[True, True, True], [False, False, False]])
    driver = TreeSearch(PUCT, 3, 2)
    with pytest.raises(ValueError, match="legal"):
        driver.run(tables.subtraction(9), tables.states(9, 9), legal, seeds(2))


def test_legal_moves_need_not_be_contiguous() -> None:
    legal = np.ones((3, 2), np.bool_).T
    legal[:, 0] = False
    result = TreeSearch(PUCT, 3, 2).run(tables.subtraction(9), tables.states(9, 9), legal, seeds(2))
    assert (result.visits[:, 0] == 0).all()


# --- parts, and a step that is recorded once -----------------------------------------------------------------


def graphed(monkeypatch: pytest.MonkeyPatch) -> list[Late]:
    """The recorders of the drivers to come, which run their models in the device's way."""
    made: list[Late] = []

    def recorder() -> Late:
        made.append(Late())
        return made[-1]

    monkeypatch.setattr(tree, "inference", lambda *args: GraphedInference(*args, recorder))
    return made


@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("device", ["host", "graph"])
def test_parts_and_recorded_steps_change_nothing(parts: int, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends inside the tree make some rows idle at some steps; a smaller batch leaves rows and parts idle."""
    config = SearchConfig(algorithm="gumbel", simulations=40)
    model, own = tables.subtraction(15), seeds(13, 100)
    roots = tables.states(*(1 + np.arange(13)).tolist())
    legal = np.ones((13, 3), np.bool_)
    whole = TreeSearch(config, 3, 13).run(model, roots, legal, own)
    driver = TreeSearch(config, 3, 13, parts)
    made = graphed(monkeypatch) if device == "graph" else []
    for count in (13, 13, 9, 4, 1):
        found = driver.run(model, roots[:count], legal[:count], own[:count])
        assert rows(found, slice(None)) == rows(whole, slice(0, count))
    if device == "graph":
        assert len(made) == parts, "recorded once each"
    assert all(recorder.calls[:3] == ["warm", "record", "repeat"] for recorder in made)


def test_a_recorded_step_sees_latents_of_its_own_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a real network: rows without a leaf must not write where others read."""
    model = LearnedModel(games.spec("tic_tac_toe"), ModelConfig(network="resnet", width=4, hidden=4), 1.0).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3, generator=torch.Generator().manual_seed(parameter.numel()))
    batch = games.make("tic_tac_toe", 6)
    config = SearchConfig(simulations=20)
    whole = TreeSearch(config, 9, 6).run(model, batch.observe(), batch.legal(), seeds(6))
    driver = TreeSearch(config, 9, 6, 2)
    graphed(monkeypatch)
    found = driver.run(model, batch.observe(), batch.legal(), seeds(6))
    assert found.visits.tolist() == whole.visits.tolist()
    np.testing.assert_allclose(found.q, whole.q, atol=1e-5)


def test_another_model_is_not_searched_with_the_first_ones_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    legal, roots = np.ones((2, 3), np.bool_), tables.states(9, 5)
    models = (tables.subtraction(9), tables.random_table(10, 3, seed=1))
    wanted = [TreeSearch(PUCT, 3, 2).run(model, roots, legal, seeds(2)) for model in models]
    driver = TreeSearch(PUCT, 3, 2)
    made = graphed(monkeypatch)
    for model, own in zip(models, wanted, strict=True):
        assert rows(driver.run(model, roots, legal, seeds(2)), slice(None)) == rows(own, slice(None))
    assert len(made) == 2


def test_the_time_of_a_search_is_accounted_for() -> None:
    driver = TreeSearch(PUCT, 3, 2)
    driver.run(tables.subtraction(9), tables.states(9, 5), np.ones((2, 3), np.bool_), seeds(2))
    assert min(driver.spent.tree, driver.spent.network, driver.spent.copies) > 0


def test_more_positions_than_trees_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at most 2 positions, got 3"):
        TreeSearch(PUCT, 3, 2).run(tables.subtraction(9), tables.states(9, 5, 7), np.ones((3, 3), np.bool_), seeds(3))


# --- latents ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (5,), (4, 2, 3)])
def test_latents_come_back_from_their_slot_and_tree(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    held = torch.randn(3, 4, *shape, generator=generator)
    if len(shape) == 3:
        held = held.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, (3, 4))
    pool = LatentPool(2, 4, held[0])
    pool.put(0, held[0])
    pool.put(1, held[1])
    some = torch.tensor([3, 1])
    pool.scatter(2 * 4 + some, held[2, some])
    slot, tree = torch.tensor([0, 1, 2, 2, 0, 1]), torch.tensor([2, 0, 1, 3, 2, 3])
    found = pool.gather(slot * 4 + tree)
    assert torch.equal(found, held[slot, tree])
    if len(shape) == 3:
        assert found.is_contiguous(memory_format=torch.channels_last)


def test_a_pool_is_used_again_only_for_what_fits() -> None:
    roots = torch.zeros(4, 5)
    pool = LatentPool(6, 4, roots)
    assert pool.fits(6, 4, roots)
    assert pool.fits(3, 4, roots)
    assert not pool.fits(7, 4, roots)
    assert not pool.fits(6, 3, roots[:3])
    assert not pool.fits(6, 4, torch.zeros(4, 6))
    assert not pool.fits(6, 4, roots.double())
    assert not pool.fits(6, 4, roots, (torch.zeros(4),))
    assert not LatentPool(6, 4, roots, (torch.zeros(4),)).fits(6, 4, roots, (torch.zeros(4, 2),))


def test_each_tree_has_the_context_of_its_last_root() -> None:
    roots, tree = torch.zeros(3, 5), torch.tensor([2, 0, 2])
    pool = LatentPool(2, 4, roots, (torch.zeros(3, dtype=torch.int64), torch.zeros(3, 2)))
    for start in (10, 20):
        context = torch.arange(start, start + 3), torch.arange(start, start + 6.0).view(3, 2)
        pool.begin(RootOutput(roots, roots, roots[:, 0], context))
        assert [part.tolist() for part in pool.context_of(tree)] == [part[tree].tolist() for part in context]


@pytest.mark.parametrize("config", [ModelConfig(width=8), ModelConfig(network="resnet", width=4, hidden=4)])
def test_a_network_is_searched_along_its_own_unroll(config: ModelConfig) -> None:
    """With one legal move a simulation, the value of the root is what the network says along that line."""
    model = LearnedModel(games.spec("tic_tac_toe"), config, 1.0).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3, generator=torch.Generator().manual_seed(parameter.numel()))
    obs = games.make("tic_tac_toe", 2).observe()
    legal = np.zeros((2, 9), np.bool_)
    legal[[0, 1], [4, 7]] = True
    result = TreeSearch(SearchConfig(algorithm="puct", simulations=1), 9, 2).run(model, obs, legal, seeds(2))
    with torch.inference_mode():
        root = model.root(torch.from_numpy(obs), torch.from_numpy(legal))
        step = model.step(root.latent, torch.tensor([4, 7]))
    q = (step.reward + step.discount * step.value).numpy()
    assert result.q[[0, 1], [4, 7]] == pytest.approx(q, abs=1e-5)
    assert result.value == pytest.approx((root.value.numpy() + q) / 2, abs=1e-5)
