"""The C++ search by itself: schedules, known answers, noise."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from reference_search import Rng, exp32
from search_models import ROWS, Answers, Results, TableModel, drive, make_search, random_table

from cpp_mcts import considered_visits

GOLDEN = Path(__file__).parents[1] / "golden" / "search.json"
ALGORITHMS = ("gumbel", "puct")
SCALES = ("fixed", "minmax", "siblings")

# considered actions, simulations, phases (actions x visits each), final visits of the considered actions
SCHEDULES = (
    (2, 2, "2x1", "1 1"),
    (2, 16, "2x8", "8 8"),
    (3, 16, "3x2 | 2x5", "7 7 2"),
    (4, 4, "4x1", "1 1 1 1"),
    (4, 8, "4x1 | 2x2", "3 3 1 1"),
    (4, 32, "4x4 | 2x8", "12 12 4 4"),
    (6, 16, "6x1 | 3x1 | 2x3 | 1x1", "6 5 2 1 1 1"),
    (6, 50, "6x2 | 3x5 | 2x11 | 1x1", "19 18 7 2 2 2"),
    (7, 16, "7x1 | 3x1 | 2x3", "5 5 2 1 1 1 1"),
    (7, 32, "7x1 | 3x3 | 2x8", "12 12 4 1 1 1 1"),
    (7, 50, "7x2 | 3x5 | 2x10 | 1x1", "18 17 7 2 2 2 2"),
    (8, 32, "8x1 | 4x2 | 2x8", "11 11 3 3 1 1 1 1"),
    (8, 50, "8x2 | 4x4 | 2x9", "15 15 6 6 2 2 2 2"),
    (16, 16, "16x1", "1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"),
    (16, 18, "16x1 | 2x1", "2 2 1 1 1 1 1 1 1 1 1 1 1 1 1 1"),
    (16, 50, "16x1 | 8x1 | 4x3 | 2x7", "12 12 5 5 2 2 2 2 1 1 1 1 1 1 1 1"),
    (16, 200, "16x3 | 8x6 | 4x12 | 2x28", "49 49 21 21 9 9 9 9 3 3 3 3 3 3 3 3"),
    (16, 800, "16x12 | 8x25 | 4x50 | 2x104", "191 191 87 87 37 37 37 37 12 12 12 12 12 12 12 12"),
    (32, 64, "32x1 | 16x1 | 8x1 | 4x2", " ".join(["5"] * 4 + ["3"] * 4 + ["2"] * 8 + ["1"] * 16)),
    (
        32,
        200,
        "32x1 | 16x2 | 8x5 | 4x10 | 2x28",
        "46 46 18 18 8 8 8 8 " + " ".join(["3"] * 8 + ["1"] * 16),
    ),
)


def seeds(count: int, start: int = 1) -> NDArray[np.uint64]:
    return np.arange(start, start + count, dtype=np.uint64)


def everything_legal(trees: int, actions: int) -> NDArray[np.bool_]:
    return np.ones((trees, actions), np.bool_)


def table(actions: int, *discounts: float) -> TableModel:
    return random_table(np.random.default_rng(5), actions, list(discounts) or [-1.0])


def search_table(b: int, a: int, s: int, **settings: Any) -> Results:
    return drive(make_search(b, a, s, **settings), table(a, -1.0, 1.0, 0.0), seeds(b), everything_legal(b, a), seeds(b))


def flat(a: int) -> TableModel:
    """A network that says the same everywhere."""
    zeros = np.zeros(ROWS, np.float32)
    return TableModel(zeros, zeros + 1, np.zeros((ROWS, a), np.float32), zeros)


# ---- schedules ----


@pytest.mark.parametrize(("considered", "simulations", "phases", "final"), SCHEDULES)
def test_sequential_halving(considered: int, simulations: int, phases: str, final: str) -> None:
    expected, base = list[int](), 0
    for actions, each in (map(int, phase.split("x")) for phase in phases.split(" | ")):
        expected += [base + i for i in range(each) for _ in range(actions)]
        base += each
    assert considered_visits(considered, simulations).tolist() == expected
    found = search_table(3, considered + 3, simulations, algorithm="gumbel", max_considered=considered)
    for row in found.visits:
        assert sorted(row.tolist(), reverse=True) == [*map(int, final.split()), 0, 0, 0]


def test_one_considered_action_gets_every_simulation() -> None:
    assert considered_visits(1, 5).tolist() == [0, 1, 2, 3, 4]
    found = search_table(4, 6, 9, algorithm="gumbel", max_considered=1)
    assert (found.visits.max(1) == 9).all()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_line_is_longer_than_the_largest_depth(algorithm: str) -> None:
    free, limited = make_search(4, 3, 60, algorithm=algorithm), make_search(4, 3, 60, algorithm=algorithm, max_depth=2)
    found = [drive(search, table(3), seeds(4), everything_legal(4, 3), seeds(4)) for search in (free, limited)]
    for row in range(4):
        assert max(depths(free.nodes(row)["parent"])) > 2
        assert max(depths(limited.nodes(row)["parent"])) == 2
    assert (found[1].visits.sum(1) == 60).all(), "every simulation counts"


def depths(parents: NDArray[np.int32]) -> list[int]:
    """Of nodes in order of creation; the root's parent is itself no node."""
    found = [0]
    for parent in parents.tolist()[1:]:
        found.append(found[parent] + 1)
    return found


# ---- same answer whatever the batch or what was searched before ----


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_batch_equals_single_searches(algorithm: str) -> None:
    model, b, a, s = table(9, -1.0, 0.9, 0.0), 10, 9, 30
    legal = np.random.default_rng(2).random((b, a)) < 0.7
    legal[:, 4] = True
    search = make_search(b, a, s, algorithm=algorithm, dirichlet_fraction=0.25)
    whole = drive(search, model, seeds(b), legal, seeds(b, 50))
    single = make_search(1, a, s, algorithm=algorithm, dirichlet_fraction=0.25)
    for i in range(b):
        row = slice(i, i + 1)
        part = drive(single, model, seeds(b)[row], legal[row], seeds(b, 50)[row])
        assert part.visits.tolist() == whole.visits[row].tolist()
        assert (part.policy.tobytes(), part.q.tobytes()) == (
            whole.policy[row].tobytes(),
            whole.q[row].tobytes(),
        )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_search_forgets_the_one_before_and_may_be_smaller(algorithm: str) -> None:
    model, a = table(6, -1.0), 6
    used = make_search(8, a, 50, algorithm=algorithm)
    before = used.memory_bytes
    drive(used, model, seeds(8), everything_legal(8, a), seeds(8))
    again = drive(used, model, seeds(3), everything_legal(3, a), seeds(3), simulations=20)
    fresh = drive(make_search(3, a, 20, algorithm=algorithm), model, seeds(3), everything_legal(3, a), seeds(3))
    assert again.bytes() == fresh.bytes()
    assert used.memory_bytes == before, "a search allocates nothing"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("b", "a", "discounts"), [(1, 3, [-1.0]), (70, 7, [-1.0, 1.0, 0.0]), (5, 40, [0.9, 0.0])])
def test_one_call_between_simulations_changes_no_byte(
    algorithm: str, scale: str, b: int, a: int, discounts: list[float]
) -> None:
    """With ends inside the trees, so that some or all of them wait for no answer."""
    model, legal = table(a, *discounts), everything_legal(b, a)
    search = make_search(b, a, 50, algorithm=algorithm, scale=scale, dirichlet_fraction=0.25)
    wanted = drive(search, model, seeds(b), legal, seeds(b))
    edges = search.edges_visited
    found = drive(search, model, seeds(b), legal, seeds(b), in_one_call=True)
    assert (found.bytes(), found.leaves, search.edges_visited) == (wanted.bytes(), wanted.leaves, edges)


@pytest.mark.parametrize("a", [1, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 82])
def test_the_first_of_the_highest_logits_is_tried_first(a: int) -> None:
    """Inside the tree, wherever in the row it stands, and with its equal behind it."""
    for best in range(a):
        model = flat(a)
        model.logits[:, best:: 5] = 3.0
        search = make_search(1, a, 2, algorithm="puct", unvisited="parent", c_init=0.0)
        model.reward[:] = 1.0  # so that the second walk goes through the first child
        drive(search, model, seeds(1), everything_legal(1, a), seeds(1))
        assert search.principal_variation(0).tolist() == [best, best]


def test_golden_outputs() -> None:
    found = {
        f"{algorithm} {scale}": search_table(
            4, 6, 24, algorithm=algorithm, scale=scale, unvisited="worst", dirichlet_fraction=0.25)
        for algorithm in ALGORITHMS
        for scale in SCALES
    }
    if os.environ.get("MUZERO_UPDATE_GOLDEN") == "1":
        lists = {
            name: {
                "visits": r.visits.tolist(),
                "action": r.action.tolist(),
                "policy": np.round(r.policy, 6).tolist(),
                "q": np.round(r.q, 6).tolist(),
                "value": np.round(r.value, 6).tolist(),
            }
            for name, r in found.items()
        }
        GOLDEN.write_text(json.dumps(lists) + "\n", encoding="utf-8")
    for name, wanted in json.loads(GOLDEN.read_text(encoding="utf-8")).items():
        assert found[name].visits.tolist() == wanted["visits"]
        assert found[name].action.tolist() == wanted["action"]
        for part in ("policy", "q", "value"):
            np.testing.assert_allclose(getattr(found[name], part), wanted[part], atol=2e-6)


# ---- known answers ----


class Piles:
    """Take 1, 2 or 3 stones; who takes the last one wins. Taking `again` stones gives another turn.

    Latent: the stones left.

    The network knows the rules but not who wins: its value is 0. Taking too many stones loses at once.
    """

    def __init__(self, again: int = 0) -> None:
        self.again = again

    def root(self, latent: NDArray[np.uint64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return np.zeros((len(latent), 3), np.float32), np.zeros(len(latent), np.float32)

    def step(self, latent: NDArray[np.uint64], action: NDArray[np.int32]) -> tuple[NDArray[np.uint64], Answers]:
        left = latent.astype(np.int64) - action - 1
        reward = np.select([left < 0, left == 0], [-1.0, 1.0], 0.0).astype(np.float32)
        turn = np.where(action + 1 == self.again, 1.0, -1.0)
        discount = np.where(left <= 0, 0.0, turn).astype(np.float32)
        return np.maximum(left, 0).astype(np.uint64), (reward, discount, *self.root(latent))

    def value(self, stones: int) -> int:
        return max(self.value_of(stones, action) for action in range(3))

    def value_of(self, stones: int, action: int) -> int:
        left = stones - action - 1
        if left <= 0:
            return -1 if left < 0 else 1
        return self.value(left) if action + 1 == self.again else -self.value(left)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("again", [0, 1, 2])
def test_the_best_move_is_found(algorithm: str, again: int) -> None:
    game, stones = Piles(again), np.arange(1, 9, dtype=np.uint64)
    b = len(stones)
    settings: dict[str, Any] = {"gumbel_scale": 0.0} if algorithm == "gumbel" else {"unvisited": "parent"}
    search = make_search(b, 3, 3000, algorithm=algorithm, **settings)
    found = drive(search, game, stones, everything_legal(b, 3), seeds(b))
    for i, n in enumerate(stones.tolist()):
        assert game.value_of(n, int(found.action[i])) == game.value(n), f"{n} stones"
        assert np.sign(found.value[i]) == game.value(n)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_terminal_children_need_no_network_twice(algorithm: str) -> None:
    rng = np.random.default_rng(1)
    b, a, s = 3, 4, 20
    search = make_search(b, a, s, algorithm=algorithm, low=-3.0, high=3.0, unvisited="parent")
    ending = random_table(rng, a, [0.0])
    found = drive(search, ending, seeds(b), everything_legal(b, a), seeds(b))
    assert sum(found.leaves) <= b * a
    assert found.leaves[-1] == 0
    assert (found.visits.sum(1) == s).all()
    assert search.simulations_done == s
    assert search.edges_visited == b * s
    for i in range(b):
        for action in np.flatnonzero(found.visits[i]):
            after = ending.next_latent(seeds(b)[i : i + 1], np.array([action], np.int32))
            assert found.q[i, action] == ending.reward[ending.row(after)][0]


def test_some_trees_wait_for_the_network_and_some_do_not() -> None:
    found = search_table(20, 2, 40, algorithm="puct")
    assert any(0 < m < 20 for m in found.leaves)
    assert (found.visits.sum(1) == 40).all()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rewards_and_discounts_add_up(algorithm: str) -> None:
    """One action, reward 1 and discount 1/2 everywhere, value 0: the deeper the search, the closer Q is to 2."""
    zeros = np.zeros(ROWS, np.float32)
    model = TableModel(zeros + 1, zeros + 0.5, np.zeros((ROWS, 1), np.float32), zeros)
    search = make_search(1, 1, 3, algorithm=algorithm)
    found = drive(search, model, seeds(1), everything_legal(1, 1), seeds(1))
    # The child's own value is 0, and its two visits after that return 1 and 1.5.
    assert found.q[0, 0] == np.float32(1 + 0.5 * (0 + 1 + 1.5) / 3)
    assert search.principal_variation(0).tolist() == [0, 0, 0]
    assert search.principal_variation(0, 2).tolist() == [0, 0]
    assert found.policy.tolist() == [[1.0]]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_ties_go_to_the_lowest_legal_action(algorithm: str) -> None:
    legal = everything_legal(1, 5)
    legal[0, 0] = False
    settings: dict[str, Any] = {"unvisited": "parent", "gumbel_scale": 0.0}
    once = drive(make_search(1, 5, 1, algorithm=algorithm, **settings), flat(5), seeds(1), legal, seeds(1))
    assert once.visits.tolist() == [[0, 1, 0, 0, 0]]
    each = drive(make_search(1, 5, 4, algorithm=algorithm, **settings), flat(5), seeds(1), legal, seeds(1))
    assert each.visits.tolist() == [[0, 1, 1, 1, 1]]
    assert each.action.tolist() == [1]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_illegal_actions_get_nothing(algorithm: str) -> None:
    legal = np.random.default_rng(3).random((30, 8)) < 0.4
    legal[:, 2] = True
    search = make_search(30, 8, 25, algorithm=algorithm, dirichlet_fraction=0.5)
    found = drive(search, table(8, -1.0), seeds(30), legal, seeds(30))
    for numbers in (found.visits, found.policy, found.q):
        assert not numbers[~legal].any()
    np.testing.assert_allclose(found.policy.sum(1), 1.0, atol=1e-6)
    assert legal[np.arange(30), found.action].all()
    as_bytes = drive(search, table(8, -1.0), seeds(30), legal.astype(np.uint8) * 3, seeds(30))
    assert as_bytes.bytes() == found.bytes()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("scale", SCALES)
def test_extreme_numbers_stay_finite(algorithm: str, scale: str) -> None:
    big = np.finfo(np.float32).max
    model = table(5, -1.0, 1.0)
    model.logits[:, 0], model.logits[:, 1], model.logits[:, 2] = big, -big, -200.0
    model.value[::2] = -1e30
    search = make_search(9, 5, 60, algorithm=algorithm, scale=scale)
    found = drive(search, model, seeds(9), everything_legal(9, 5), seeds(9))
    assert all(np.isfinite(x).all() for x in (found.policy, found.q, found.value))
    assert (found.visits.sum(1) == 60).all()


# ---- noise ----


def test_gumbel_noise_samples_the_prior_over_legal_actions() -> None:
    b, logits = 20_000, np.array([0.0, 1.0, 2.0, -1.0, 0.5], np.float32)
    legal = np.array([True, True, False, True, True])
    search = make_search(b, 5, 1, algorithm="gumbel", max_considered=1)
    search.reset(np.tile(logits, (b, 1)), np.zeros(b, np.float32), np.tile(legal, (b, 1)), seeds(b))
    tree, slot, action = (np.zeros(b, np.int32) for _ in range(3))
    assert search.select(tree, slot, action) == b
    prior = np.where(legal, np.exp(logits), 0.0)
    prior /= prior.sum()
    shares = np.bincount(action, minlength=5) / b
    assert shares[2] == 0.0
    assert (np.abs(shares - prior) < 4 * np.sqrt(prior * (1 - prior) / b) + 1e-12).all()


def most_visited_share(alpha: float) -> float:
    search = make_search(200, 6, 60, algorithm="puct", dirichlet_alpha=alpha, dirichlet_fraction=1.0)
    legal = everything_legal(200, 6)
    legal[:, 5] = False
    found = drive(search, flat(6), seeds(200), legal, seeds(200))
    assert not found.visits[:, 5].any()
    assert np.bincount(found.action, minlength=6)[:5].min() > 10, "no legal action is left out"
    return float(found.policy.max(1).mean())


def test_dirichlet_noise_follows_its_concentration() -> None:
    assert most_visited_share(0.03) > 0.8
    assert 0.25 < most_visited_share(3.0) < 0.5


def test_draws_have_the_right_moments() -> None:
    rng, n = Rng(7), 20_000
    normal = np.array([rng.normal() for _ in range(n)])
    assert abs(normal.mean()) < 0.03
    assert abs(normal.std() - 1) < 0.03
    for alpha in (0.3, 2.5):
        gamma = np.exp([rng.log_gamma_draw(alpha) for _ in range(n)])
        assert abs(gamma.mean() / alpha - 1) < 0.05
        assert abs(gamma.var() / alpha - 1) < 0.15
    gumbel = np.array([rng.gumbel() for _ in range(n)])
    assert abs(gumbel.mean() - 0.5772) < 0.03
    assert abs(gumbel.var() - math.pi**2 / 6) < 0.08


def test_the_exponential_of_the_reference_is_one() -> None:
    x = -np.linspace(0, 87, 5000).astype(np.float32)
    np.testing.assert_allclose(exp32(x), np.exp(x.astype(np.float64)), rtol=3e-7)
