"""A refused row makes a search void: nothing is walked, nothing remembered, and only a reset may follow."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from search_models import Results, make_search, result_of

from cpp_mcts import BadNumbers, least_span, limits

ALGORITHMS = ("gumbel", "puct")
SCALES = ("fixed", "minmax", "siblings")
UNVISITED = ("worst", "parent", "siblings")
BIG = float(np.finfo(np.float32).max)
BAD = {
    "logits": (np.nan, np.inf, -np.inf),
    "value": (np.nan, np.inf, -np.inf),
    "reward": (np.nan, np.inf, -np.inf),
    "discount": (np.nan, np.inf, 1.0000001, -2.0, BIG),
}


class Game:
    """Some trees over few actions, driven by hand; row 0 has one legal action, the others have all."""

    def __init__(self, trees: int, actions: int, simulations: int = 6, **settings: Any) -> None:
        self.search = make_search(trees, actions, simulations, **settings)
        self.trees, self.actions = trees, actions

    def reset(self, **wrong: Any) -> None:
        b, a = self.trees, self.actions
        legal = np.ones((b, a), np.bool_)
        legal[0, 1:] = False
        right = (np.zeros((b, a), np.float32), np.zeros(b, np.float32), legal, np.arange(b, dtype=np.uint64))
        self.search.reset(**{**dict(zip(("logits", "value", "legal", "seeds"), right, strict=True)), **wrong})

    def answers(self, discount: float = -1.0) -> dict[str, Any]:
        rng, m = np.random.default_rng(3), self.search.leaves
        numbers = {name: rng.normal(size=m).astype(np.float32) for name in ("reward", "value")}
        logits = rng.normal(size=(m, self.actions)).astype(np.float32)
        return {**numbers, "logits": logits, "discount": np.full(m, discount, np.float32)}

    def rows(self) -> dict[str, Any]:
        return {name: np.full(self.search.active_trees, -7, np.int32) for name in ("tree", "slot", "action")}

    def select(self) -> int:
        return self.search.select(**self.rows())

    def expand(self, **wrong: Any) -> None:
        self.search.expand(**{**self.answers(), **wrong})

    def advance(self, **wrong: Any) -> int:
        return self.search.advance(**{**self.answers(), **self.rows(), **wrong})

    def result(self) -> Results:
        return result_of(self.search)

    def finish(self) -> Results:
        while self.search.simulations_done + 1 < self.search.simulations:
            self.advance()
        self.expand()
        return self.result()


def spoilt(game: Game, name: str, bad: float, row: int) -> dict[str, Any]:
    array = game.answers()[name]
    array[row] = bad
    return {name: array}


def assert_void(game: Game) -> None:
    search = game.search
    assert (search.active_trees, search.leaves, search.simulations_done, search.edges_visited) == (0, 0, 0, 0)
    for call in (game.select, game.expand, game.advance, game.result, lambda: search.principal_variation(0)):
        with pytest.raises(RuntimeError, match="no search is running: call reset"):
            call()


# ---- the crash: one considered action, and the tree walked again after its row was refused ----


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("call", ["expand", "advance"])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_refused_row_voids_the_search_and_a_reset_mends_it(
    name: str, algorithm: str, scale: str, call: str, threads: int
) -> None:
    for unvisited, bad, before, (trees, actions) in product(UNVISITED, BAD[name], (0, 2), ((1, 1), (3, 7), (70, 2))):
        game = Game(trees, actions, algorithm=algorithm, scale=scale, unvisited=unvisited, threads=threads)
        game.reset()
        game.select()
        wanted = game.finish().bytes()
        game.reset()
        game.select()
        for _ in range(before):
            game.advance()
        with pytest.raises(BadNumbers, match=rf"{name}: expected .* in row 0: the search is void"):
            getattr(game, call)(**spoilt(game, name, bad, 0))
        assert_void(game)
        game.reset()
        game.select()
        assert game.finish().bytes() == wanted, "nothing is remembered"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_first_of_many_refused_rows_is_named(algorithm: str, threads: int) -> None:
    game = Game(200, 3, algorithm=algorithm, threads=threads)
    game.reset()
    game.select()
    said = game.answers()
    said["logits"][150:] = np.nan
    said["value"][77:] = np.inf
    said["reward"][[199, 78]] = np.nan
    with pytest.raises(BadNumbers, match=r"value: .* in row 77"):
        game.advance(**said)
    assert_void(game)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("where", ["logits", "value", "legal"])
def test_a_refused_root_ends_the_search_before_it(algorithm: str, where: str) -> None:
    """The trees are overwritten by then."""
    for steps in range(3):
        game = Game(40, 3, algorithm=algorithm)
        game.reset()
        for call in (game.select, game.advance)[:steps]:
            call()
        wrong = np.zeros(40 if where == "value" else (40, 3), np.bool_ if where == "legal" else np.float32)
        if where == "legal":
            wrong[:37] = True
        else:
            wrong[37:] = np.nan
        with pytest.raises(ValueError, match=f"{where}: .* in row 37") as raised:
            game.reset(**{where: wrong})
        assert isinstance(raised.value, BadNumbers) == (where != "legal"), "no legal move is the caller's mistake"
        assert_void(game)


# ---- what is refused before anything is done changes nothing ----

COUNTS = ("active_trees", "leaves", "simulations_done", "edges_visited")


def assert_refused_unchanged(game: Game, call: Callable[..., object], name: str, array: Any) -> None:
    before = [getattr(game.search, count) for count in COUNTS]
    with pytest.raises((TypeError, ValueError), match=f"{name}: expected"):
        call(**{name: array})
    assert [getattr(game.search, count) for count in COUNTS] == before


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_corrected_call_follows_a_wrong_array(algorithm: str) -> None:
    """The outcome is that of a search in which nothing was wrong."""
    game = Game(5, 4, algorithm=algorithm)
    game.reset()
    game.select()
    wanted = game.finish().bytes()
    game.reset()
    game.select()
    for done in range(6):
        calls = (game.expand, game.advance) if done < 5 else (game.expand,)
        for call, (name, array) in product(calls, game.answers().items()):
            assert_refused_unchanged(game, call, name, array.astype(np.float64))
            assert_refused_unchanged(game, call, name, array[:-1])
        assert_refused_unchanged(game, game.reset, "seeds", np.zeros(5, np.int64))
        if done < 5:
            game.advance()
    game.expand()
    with pytest.raises(TypeError, match="visits: expected"):
        game.search.result(*(np.zeros((5, 4)),) * 3, *(np.zeros(5),) * 2)  # type: ignore[arg-type]
    assert result_of(game.search).bytes() == wanted


PATHS: dict[str, set[str]] = {
    "": set(),
    "reset": {"select"},
    "reset select": {"expand", "advance"},
    "reset select expand": {"select", "result"},
    "reset select advance": {"expand", "advance"},
    "reset select advance advance": {"expand"},
    "reset select advance advance expand": {"result"},
    "reset select advance advance expand result": {"result"},
    "reset select reset": {"select"},
}
"""What was called of a search of three simulations -> what may be called next, but for another reset."""


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("call", ["select", "expand", "advance", "result"])
def test_every_call_in_every_state(algorithm: str, path: str, call: str) -> None:
    game = Game(3, 2, 3, algorithm=algorithm)
    for step in path.split():
        getattr(game, step)()
    if call in PATHS[path]:
        getattr(game, call)()
        return
    with pytest.raises(RuntimeError, match=f"^{call}: .*call (reset|select|expand|result)"):
        getattr(game, call)()


# ---- numbers that are finite, and still can't be searched ----


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_position_without_a_possible_action_is_refused_unless_it_is_the_end(algorithm: str) -> None:
    game = Game(3, 9, algorithm=algorithm)
    game.reset()
    game.select()
    impossible = np.full((3, 9), -BIG, np.float32)
    game.advance(logits=impossible, discount=np.zeros(3, np.float32))
    game.reset()
    game.select()
    with pytest.raises(BadNumbers, match=r"logits: expected at least one possible action, got none in row 0"):
        game.expand(logits=impossible)
    assert_void(game)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("unvisited", UNVISITED)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_results_beyond_float32_are_refused_and_the_largest_are_not(
    algorithm: str, scale: str, unvisited: str, sign: float
) -> None:
    for reward, fits in ((0.0, True), (1.0, False)):
        game = Game(3, 2, 40, algorithm=algorithm, scale=scale, unvisited=unvisited)
        big = np.full(3, sign * BIG, np.float32)
        game.reset(value=big)
        game.select()
        said = {"reward": reward * big, "value": big, "discount": np.ones(3, np.float32)}
        for _ in range(39):
            assert game.advance(**said) == 3
        game.expand(**said)
        if fits:
            found = result_of(game.search)
            assert (found.value == sign * BIG).all()
            assert (found.visits.sum(1) == 40).all()
            continue
        with pytest.raises(BadNumbers, match=r"value, q: expected results that a float32 can hold, .* in row 0"):
            game.result()
        assert_void(game)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("unvisited", UNVISITED)
def test_no_score_overflows_at_the_ends_of_what_is_allowed(algorithm: str, scale: str, unvisited: str) -> None:
    """The smallest divisors with the largest weights, over numbers as large and as small as a float32 can be."""
    table = limits()
    least = {name: table[name][0] for name in ("epsilon", "c_base", "dirichlet_alpha")}
    most = {name: table[name][1] for name in ("c_init", "c_visit", "c_scale", "gumbel_scale", "dirichlet_fraction")}
    for low, mirror in product((0.0, -1e9), (True, False)):
        high = low + 1.001 * least_span(low, low)
        settings = {**least, **most, "low": low, "high": high, "mirror": mirror}
        game = Game(3, 7, 40, algorithm=algorithm, scale=scale, unvisited=unvisited, **settings)
        for size in (BIG, 1e-45, 1.0):
            rng = np.random.default_rng(1)
            game.reset(logits=(BIG * rng.choice([-1, 1], (3, 7))).astype(np.float32))
            m = game.select()
            for left in range(39, -1, -1):
                value = rng.choice([-size, 0.0, size], m).astype(np.float32)
                discount = rng.choice([-1.0, 0.5, 1.0], m).astype(np.float32)
                said = {"reward": np.zeros(m, np.float32), "value": value, "discount": discount}
                said["logits"] = (BIG * rng.uniform(-1, 1, (m, 7))).astype(np.float32)
                m = game.advance(**said) if left else m
            game.expand(**said)
            found = game.result()
            assert all(np.isfinite(x).all() for x in (found.policy, found.q, found.value))
            assert (found.visits.sum(1) == 40).all()
