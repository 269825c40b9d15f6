"""Planners without a tree: what they make of models whose answers stand in tables."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from reference_planning import Reference, Sequence
from table_model import TableModel, extra_turn, random_table, states, uniform
from tiny_runs import tiny

from muzero.config import SearchConfig
from muzero.config.planner_settings import CemSettings, ShootingSettings
from muzero.model.build import build_model, search_model
from muzero.model.masked import MaskedModel
from muzero.model.protocol import SearchError
from muzero.search import cem, one_step, over_model, policy, shooting
from muzero.search.draws import uniforms
from muzero.search.improvement import completed, prior, scaled
from muzero.search.planners import planner
from muzero.search.rollouts import PLAUSIBLE, Rollouts, drawn
from muzero.search.sequences import Found, Shape, dealt, explored, rolled_out, shape
from selfplay.contract import check_planner

ROLLING = {"shooting": (shooting.planner, ShootingSettings), "cem": (cem.planner, CemSettings)}
ALL = {"policy": policy.planner, "one_step": one_step.planner, "shooting": shooting.planner, "cem": cem.planner}


def searching(name: str, calls: int, **own: Any) -> SearchConfig:
    """The settings of a planner with `calls` model calls a position, and those of its own section."""
    config = SearchConfig(algorithm=name, simulations=calls)
    return dataclasses.replace(config, **{name: dataclasses.replace(getattr(config, name), **own)}) if own else config


def planned(name: str, table: TableModel, calls: int, state: int = 0, seed: int = 0, **own: Any) -> Any:
    made = ALL[name](table, searching(name, calls, **own), 1)  # type: ignore[arg-type]
    legal = np.ones((1, table.num_actions), np.bool_)
    return made.plan(states(state), legal, np.array([seed], np.uint64)), made


def helping() -> TableModel:
    """In state 0, action 0 wins if the other player helps and loses if not; action 1 draws. Nobody helps."""
    return uniform(
        [[1, 2], [3, 3], [3, 3], [3, 3]], [[0.0, 0.0], [-1.0, 1.0], [0.0, 0.0], [0.0, 0.0]],
        [[-1.0, -1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])


def far_reward() -> TableModel:
    """One player walks 0, 1, 2 by action 1 three times for a reward of 1; action 0 leads back and pays 0.1 once."""
    return uniform(
        [[3, 1], [3, 2], [3, 3], [3, 3]], [[0.1, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]],
        [[0.0, 1.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]])


@pytest.mark.parametrize("calls", [40, 200])
@pytest.mark.parametrize("name", ROLLING)
def test_the_opponent_does_not_help(name: str, calls: int) -> None:
    plan, planner = planned(name, helping(), calls, horizon=2, replies=2)
    assert plan.action[0] == 1
    assert plan.q[0].tolist() == [-1.0, 0.0]
    assert planner.variation(0)[0] == 1


@pytest.mark.parametrize("name", ROLLING)
def test_a_reward_within_the_horizon_is_found(name: str) -> None:
    plan, planner = planned(name, far_reward(), 300, horizon=3)
    assert plan.action[0] == 1
    assert planner.variation(0) == [1, 1, 1]
    near, _ = planned(name, far_reward(), 300, horizon=2)
    assert near.action[0] == 0


def test_cem_draws_again_around_what_paid() -> None:
    """Of eight moves only one sequence of three pays: one in 512 by chance, found by its elites' partial sums."""
    moves, depth = 8, 3
    following = [[level + 1] * moves for level in range(depth)] + [[depth] * moves]
    reward = [[0.3 if move == 5 else 0.0 for move in range(moves)] for _ in range(depth)] + [[0.0] * moves]
    discounts = [[1.0] * moves] * (depth - 1) + [[0.0] * moves] * 2
    table = uniform(following, reward, discounts)
    plan, planner = planned("cem", table, 5 * 3 * 40, horizon=3, rounds=5, replies=1, explore=1.0)
    assert plan.action[0] == 5
    assert planner.variation(0) == [5, 5, 5]


def peaked(seed: int) -> TableModel:
    """A random table whose policies hold some actions for hardly possible, and whose games seldom end."""
    table, rng = random_table(40, 5, seed), np.random.default_rng(seed)
    ends = torch.from_numpy(rng.random(table.discounts.shape) < 0.2)
    table.discounts = torch.where(table.discounts == 0, torch.where(ends, 0.0, -0.9), table.discounts)
    return dataclasses.replace(table, logits=4.0 * table.logits)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", ROLLING)
def test_plans_are_those_of_one_sequence_at_a_time(name: str, seed: int) -> None:
    """Visits, Q, the policy that follows from them, and the expected line; two positions at once."""
    table, legal = peaked(seed), np.array([[1, 1, 1, 1, 1], [0, 1, 1, 0, 1]], np.bool_)
    own: dict[str, Any] = {"horizon": 4, "replies": 2, "explore": 0.3}
    own |= {"rounds": 4, "elites": 0.3, "inertia": 0.25 * (seed % 2)} if name == "cem" else {}
    config = dataclasses.replace(searching(name, 240, **own), scale="minmax", c_visit=3.0, c_scale=0.5)
    planner = ALL[name](table, config, 2)  # type: ignore[arg-type]
    plan = planner.plan(states(seed, 39 - seed), legal, np.array([seed, seed + 5], np.uint64))
    of = shape(own.get("rounds", 1), 4, 2, 240, cem.LEAST if name == "cem" else 1)
    for row, state in enumerate((seed, 39 - seed)):
        reference = Reference(table, state, (seed, seed + 5)[row], of, 0.3, own.get("elites", 1), own.get("inertia", 1))
        tried = reference.sequences(legal[row])
        best: dict[int, Sequence] = {}
        for one in sorted(tried, key=lambda one: -one.value):
            best.setdefault(one.moves[0], one)
        assert plan.visits[row].tolist() == [sum(one.moves[0] == action for one in tried) for action in range(5)]
        for action, one in best.items():
            assert plan.q[row, action] == pytest.approx(one.value, abs=1e-6)
        value = table.value[[state]].numpy()
        seen = [one.value for one in tried] + [float(value[0])]
        q = np.array([[best[action].value if action in best else 0.0 for action in range(5)]])
        q = completed(prior(table.logits[[state]].numpy(), legal[[row]]), value, plan.visits[[row]], q)
        sigma = (3.0 + plan.visits[row].max()) * 0.5 * (q - min(seen)) / (max(seen) - min(seen))
        logits = table.logits[[state]].numpy() + sigma
        assert plan.policy[row] == pytest.approx(prior(logits, legal[[row]])[0], abs=1e-5)
        expected = best.get(int(plan.action[row]))
        assert planner.variation(row) == ([int(plan.action[row])] if expected is None else expected.moves)


def test_the_return_follows_the_signed_discounts() -> None:
    """Another turn in state 1 wins 1; handed to the other player it loses 1."""
    table, root = extra_turn(), extra_turn().root(torch.tensor([[0]]), torch.ones(1, 3, dtype=torch.bool))
    rollouts = Rollouts(table, root, 3, replies=1)
    rollouts.step(torch.tensor([0, 1, 2]))
    assert rollouts.factor.tolist() == [1.0, 0.0, -1.0]
    rollouts.step(torch.tensor([0, 0, 0]))
    assert rollouts.returns.tolist() == [[1.0, 0.5, -1.0]]


@pytest.mark.parametrize("seed", range(20))
def test_returns_are_the_sums_of_what_the_table_says(seed: int) -> None:
    table = random_table(12, 4, seed)
    root = table.root(torch.tensor([[seed % 12]]), torch.ones(1, 4, dtype=torch.bool))
    rollouts, rng = Rollouts(table, root, 8, replies=3), np.random.default_rng(seed)
    for _ in range(4):
        rollouts.step(torch.from_numpy(rng.integers(0, 4, 8)))
    for row in range(8):
        state, total, factor = seed % 12, 0.0, 1.0
        for moves in rollouts.actions:
            action = int(moves[row])
            if factor < 0:
                assert action == best_reply(table, state, 3)
            total += factor * float(table.reward[state, action])
            factor *= float(table.discounts[state, action])
            state = int(table.following[state, action])
        assert rollouts.returns[0, row] == pytest.approx(total + factor * float(table.value[state]), abs=1e-6)


def best_reply(table: TableModel, state: int, replies: int) -> int:
    """Among the likeliest actions, the best for who makes it; those that are hardly ever made are left out."""
    chances = torch.softmax(table.logits[state], 0)
    tried = [int(a) for a in chances.topk(replies).indices if chances[a] >= PLAUSIBLE * chances.max()]
    worth = {a: float(table.reward[state, a] + table.discounts[state, a] * table.value[table.following[state, a]])
             for a in tried}
    return max(worth, key=lambda action: worth[action])


@pytest.mark.parametrize("calls", [1, 2, 3, 7, 20, 64, 200])
@pytest.mark.parametrize("name", [*ROLLING, "one_step", "policy"])
def test_no_plan_takes_more_model_calls_than_it_may(name: str, calls: int) -> None:
    table = random_table(30, 5, calls)
    plan, _ = planned(name, table, calls)
    assert sum(table.asked) <= calls
    assert plan.work <= calls


@pytest.mark.parametrize("name", [*ROLLING, "one_step"])
def test_less_effort_takes_fewer_model_calls(name: str) -> None:
    table = random_table(30, 5, 0)
    planner = ALL[name](table, searching(name, 4 if name == "one_step" else 200), 1)  # type: ignore[arg-type]
    asked = []
    for effort in (1.0, 0.5):
        table.asked.clear()
        planner.plan(states(0), np.ones((1, 5), np.bool_), np.zeros(1, np.uint64), effort)
        asked.append(sum(table.asked))
    assert 0 < asked[1] <= (2 if name == "one_step" else 100)
    assert asked[1] < asked[0]


@pytest.mark.parametrize("name", [*ROLLING, "one_step"])
def test_many_positions_are_planned_a_few_at_a_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as fit in memory; the plans and the lines are the same, those of the last positions asked about."""
    table, legal, seeds = random_table(30, 5, 0), np.ones((9, 5), np.bool_), np.arange(9, dtype=np.uint64)
    plans, lines = [], []
    for rows in (over_model.ROWS, 30):
        monkeypatch.setattr(over_model, "ROWS", rows)
        planner = ALL[name](table, searching(name, 30), 9)  # type: ignore[arg-type]
        planner.plan(states(*range(20, 29)), legal, seeds)
        table.asked.clear()
        plans.append(planner.plan(states(*range(9)), legal, seeds))
        lines.append([planner.variation(row) for row in range(9)])
    assert 0 < max(table.asked) <= 30
    assert np.array_equal(plans[0].policy, plans[1].policy)
    assert lines[0] == lines[1]
    assert [line[0] for line in lines[0]] == plans[0].action.tolist()


@pytest.mark.parametrize("scale", ["minmax", "siblings"])
def test_values_that_are_all_alike_leave_the_policy_as_it_is(scale: str) -> None:
    table = uniform([[1, 1, 1], [1, 1, 1]], [[0.0] * 3] * 2, [[1.0] * 3] * 2)
    table.logits[0] = torch.tensor([2.0, 1.0, 0.0])
    config = dataclasses.replace(searching("shooting", 60), scale=scale)
    plan = shooting.planner(table, config, 1).plan(  # type: ignore[arg-type]
        states(0), np.ones((1, 3), np.bool_), np.zeros(1, np.uint64))
    assert plan.policy[0] == pytest.approx(torch.softmax(table.logits[0], 0).numpy(), abs=1e-6)


@pytest.mark.parametrize("legality", [False, True])
@pytest.mark.parametrize(("game", "replies"), [("catch", 1), ("tic_tac_toe", 2)])
def test_replies_are_paid_for_where_there_is_an_opponent(game: str, replies: int, legality: bool) -> None:
    asked = {"model__legality": legality, "learner__legality_weight": 0.1 * legality}
    network = build_model(dataclasses.replace(tiny(**asked), game=game)).eval()
    made = planner(search_model(network), searching("cem", 120), 1)
    assert isinstance(made.model, MaskedModel) == legality
    obs, legal = np.zeros((1, *network.spec.observation_shape), np.uint8), np.ones((1, network.num_actions), np.bool_)
    plan = made.plan(obs, legal, np.zeros(1, np.uint64))
    expected = shape(3, 4, replies, 120, cem.LEAST)
    assert plan.visits.sum() == expected.rounds * expected.sequences


@pytest.mark.parametrize("name", ROLLING)
def test_seeds_make_the_draws(name: str) -> None:
    table = random_table(200, 6, 1)
    plans = [planned(name, table, 60, seed=seed)[0] for seed in (0, 0, 1, 2, 3)]
    assert np.array_equal(plans[0].q, plans[1].q)
    assert any(not np.array_equal(plans[0].q, plan.q) for plan in plans[2:])


def test_one_step_is_the_clipped_advantage() -> None:
    table = random_table(40, 5, 3)
    plan, _ = planned("one_step", table, 3, temperature=0.5, clip=1.0)
    logits, value = table.logits[0].double().numpy(), float(table.value[0])
    policy_0 = np.exp(logits) / np.exp(logits).sum()
    weights = policy_0.copy()
    for action in np.argsort(-logits)[:3]:
        following = table.following[0, action]
        q = float(table.reward[0, action] + table.discounts[0, action] * table.value[following])
        assert plan.q[0, action] == pytest.approx(q, abs=1e-6)
        weights[action] *= np.exp(np.clip((q - value) / 0.5, -1.0, 1.0))
    assert plan.policy[0] == pytest.approx(weights / weights.sum(), abs=1e-6)
    assert plan.visits.sum() == 3


def test_one_step_without_a_clip_follows_the_values() -> None:
    table = random_table(40, 5, 3)
    plan, _ = planned("one_step", table, 5, temperature=1e-3, clip=1e3)
    assert plan.action[0] == plan.q[0].argmax()


def test_the_reactive_policy_asks_no_dynamics() -> None:
    table = random_table(9, 4, 0)
    plan, planner = planned("policy", table, 50)
    assert table.asked == []
    assert plan.action[0] == int(table.logits[0].argmax())
    assert planner.variation(0) == [int(plan.action[0])]


@pytest.mark.parametrize("name", ALL)
def test_illegal_actions_are_never_planned(name: str) -> None:
    table = random_table(50, 6, 5)
    planner = ALL[name](table, searching(name, 64), 4)  # type: ignore[arg-type]
    legal = np.array([[1, 0, 0, 0, 0, 0], [0, 1, 0, 1, 0, 0], [0, 0, 0, 0, 0, 1], [1, 1, 1, 1, 1, 0]], np.bool_)
    plan = planner.plan(states(0, 1, 2, 3), legal, np.arange(4, dtype=np.uint64))
    assert legal[np.arange(4), plan.action].all()
    assert not plan.visits[~legal].any()
    assert (plan.policy[~legal] == 0).all()


@pytest.mark.parametrize("name", ["one_step", "shooting", "cem"])
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(name: str, number: float) -> None:
    table = random_table(9, 4, 0)
    table.reward[:] = number
    with pytest.raises(SearchError, match="expected finite numbers, got nan or infinity"):
        planned(name, table, 16)


@pytest.mark.parametrize("name", ALL)
def test_a_row_without_a_legal_action_is_refused(name: str) -> None:
    planner = ALL[name](random_table(9, 4, 0), searching(name, 8), 2)  # type: ignore[arg-type]
    legal = np.array([[1, 1, 1, 1], [0, 0, 0, 0]], np.bool_)
    with pytest.raises(ValueError, match="legal: expected at least one legal action, got none in row 1"):
        planner.plan(states(0, 1), legal, np.arange(2, dtype=np.uint64))


@pytest.mark.parametrize("name", ALL)
def test_the_true_rules_can_be_planned_with(name: str) -> None:
    """Nothing illegal is asked of them, and nothing once the game is over."""
    rules = {"model__dynamics": "rules", "learner__reanalyse_fraction": 0.0}
    config = tiny(**rules, search__algorithm=name, search__simulations=60)
    torch.manual_seed(1)
    network = build_model(config).eval()
    check_planner(lambda batch: planner(search_model(network), config.search, batch), "tic_tac_toe", plies=5)


# --- parts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("least", [1, 4])
def test_shapes_keep_to_their_calls(least: int) -> None:
    for calls in range(1, 120):
        for horizon in (1, 3, 9):
            for replies in (1, 4):
                found = shape(3, horizon, replies, calls, least)
                assert found.sequences >= 1
                assert found.rounds * found.sequences * (1 + (found.horizon - 1) * replies) <= calls
    assert shape(3, 4, 2, 200) == Shape(3, 4, 9, 2)


def test_first_moves_are_dealt_evenly() -> None:
    policy_0 = np.array([[0.5, 0.25, 0.25, 0.0], [0.0, 1.0, 0.0, 0.0]])
    found = dealt(policy_0, np.arange(2, dtype=np.uint64), 0, 8)
    assert np.bincount(found[0], minlength=4).tolist() == [4, 2, 2, 0]
    assert (found[1] == 1).all()


def test_draws_are_functions_of_seed_and_stream() -> None:
    seeds = np.array([0, 1, 2**64 - 1], np.uint64)
    one = uniforms(seeds, 3, 2_000)
    assert np.array_equal(one[1:2], uniforms(seeds[1:2], 3, 2_000))
    assert np.array_equal(one[:, :7], uniforms(seeds, 3, 7))
    assert (one > 0).all()
    assert (one < 1).all()
    assert np.abs(one.mean(1) - 0.5).max() < 0.03
    other = np.corrcoef(np.concatenate((one, uniforms(seeds, 4, 2_000))))
    assert np.abs(other[~np.eye(6, dtype=np.bool_)]).max() < 0.1


def test_actions_without_weight_are_never_drawn() -> None:
    weights = torch.tensor([[0.0, 1.0, 0.0, 1.0, 0.0]]).repeat(1_000, 1)
    chosen = drawn(weights, torch.from_numpy(uniforms(np.arange(1_000, dtype=np.uint64), 0, 1)[:, 0]))
    assert set(chosen.tolist()) == {1, 3}
    assert 400 < int((chosen == 1).sum()) < 600


def test_values_of_untried_actions_are_mixed_as_gumbel_mixes_them() -> None:
    legal = np.ones((1, 3), np.bool_)
    chances = prior(np.log(np.array([[0.5, 0.3, 0.2]], np.float32)), legal)
    value, visits = np.array([0.1], np.float32), np.array([[2, 1, 0]], np.int32)
    found = completed(chances, value, visits, np.array([[1.0, -1.0, 9.0]]))
    mean = (0.5 * 1.0 + 0.3 * -1.0) / 0.8
    assert found[0] == pytest.approx([1.0, -1.0, (0.1 + 3 * mean) / 4], abs=1e-6)


@pytest.mark.parametrize(("scale", "expected"), [("fixed", [0.75, 0.8]), ("minmax", [0.25, 0.3]), ("siblings", [0, 1])])
def test_values_are_scaled_by_what_was_seen(scale: str, expected: list[float]) -> None:
    """Two actions that are almost worth the same stay close, where other sequences differ much more."""
    config = dataclasses.replace(SearchConfig(), scale=scale)
    q, legal = np.array([[0.5, 0.6, 99.0]]), np.array([[True, True, False]])
    assert scaled(q, legal, np.array([[0.0, 0.5, 0.6, 2.0]]), config)[0, :2] == pytest.approx(expected)


def test_a_first_move_is_worth_the_best_that_it_begins() -> None:
    moves = np.array([[[2, 0], [2, 1], [0, 0]]])
    visits, q = Found(moves, np.array([[-3.0, -1.0, 4.0]])).by_first(4)
    assert visits.tolist() == [[1, 0, 2, 0]]
    assert q.tolist() == [[4.0, 0.0, -1.0, 0.0]]


def test_a_plan_for_another_position_gives_way_to_the_policy() -> None:
    """All that is planned is hardly possible here."""
    table = uniform([[1, 1, 1]] * 2, [[0.0] * 3] * 2, [[1.0] * 3] * 2)
    table.logits[1] = torch.tensor([10.0, 10.0, 0.0])
    root = table.root(torch.tensor([[0]]), torch.ones(1, 3, dtype=torch.bool))
    planned = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]], dtype=torch.float64)
    first, seeds = np.zeros((1, 32), np.int32), np.zeros(1, np.uint64)
    rollouts = rolled_out(table, root, first, seeds, Shape(1, 2, 32, 1), 0, planned)
    assert set(rollouts.actions[1].tolist()) == {0, 1}


def test_an_action_that_was_never_tried_has_no_line_but_itself() -> None:
    found = Found(np.array([[[2, 0], [2, 1], [0, 0]]] * 2), np.array([[-3.0, -1.0, 4.0]] * 2))
    assert found.lines(np.array([2, 1], np.int32)) == [[2, 1], [1]]


def test_exploring_mixes_in_legal_actions_alone() -> None:
    legal = np.array([[True, True, False]])
    assert explored(np.array([[1.0, 0.0, 0.0]]), legal, 0.5).tolist() == [[0.75, 0.25, 0.0]]
