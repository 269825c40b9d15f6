"""Calls of the C++ search and of `TreeSearch` that nobody would make: odd settings, odd numbers, odd orders.

    python tests/fuzz_search.py core|driver [--sequences 20000] [--seed 0] [--first 0]

A sequence is a function of seed and index. What each call must do is known before it is made: whether it is taken, or
which error says no. Built with sanitizers (`make sanitize`) this also sees what the outcome doesn't show.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from search_models import search_settings

from cpp_mcts import BadNumbers, Search, least_span, limits, memory_needed

Floats = NDArray[np.float32]
TAKEN = np.finfo(np.float32).min
KINDS: tuple[Callable[[np.random.Generator, Any], Any], ...] = (
    lambda rng, shape: rng.normal(size=shape),
    lambda rng, shape: np.zeros(shape),
    lambda rng, shape: rng.integers(-2, 3, size=shape),
    lambda rng, shape: rng.normal(size=shape) * 10.0 ** rng.integers(-44, 38),
    lambda rng, shape: rng.choice([-3.4028e38, 3.4028e38, 1e30, -1.0, 0.0], size=shape),
    lambda rng, shape: rng.choice([1e-45, -1e-45, 1.2e-38, 0.0], size=shape),
    lambda rng, shape: np.full(shape, rng.choice([3.4028e38, -3.4028e38, 5.0])),
)
NOT_FINITE = (np.nan, np.inf, -np.inf)
NO_SETTING = (None, "x", "", "\ud800", b"x", 3j, [], object(), 10**400, -(10**5000), np.zeros(3), "x" * 1000)
ODD = (np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, 5e-324, 1e-300, 1e300, 1.7e308)


class Numbers:
    """Finite float32 numbers: usual, equal, huge or tiny ones; of some sources always the same kind."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.only = int(rng.integers(len(KINDS))) if rng.random() < 0.3 else None

    def __call__(self, *shape: int) -> Floats:
        kind = self.only
        if kind is None:
            kind = int(self.rng.choice(len(KINDS), p=(0.5, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05)))
        return np.asarray(KINDS[kind](self.rng, shape), np.float32)


def spoilt(rng: np.random.Generator, array: Floats, bad: tuple[float, ...] = NOT_FINITE) -> Floats:
    """The same with a number, or all, that no search can use."""
    array = array.copy()
    if rng.random() < 0.2:
        array[...] = rng.choice(bad)
    elif array.size:
        array.flat[rng.integers(array.size)] = rng.choice(bad)
    return array


def attempt(call: Callable[..., Any], *arguments: Any, **named: Any) -> tuple[Any, Exception | None]:
    """What it gave, or the error it raised, if that is one which a wrong call may raise."""
    try:
        return call(*arguments, **named), None
    except (TypeError, ValueError, RuntimeError) as error:
        return None, error


# ---- settings ----


def drawn_settings(rng: np.random.Generator) -> dict[str, Any]:
    """Of a search, without its sizes; most are usual, some at the end of what is allowed, a few outside."""
    settings: dict[str, Any] = {
        "algorithm": str(rng.choice(["gumbel", "puct"])), "scale": str(rng.choice(["fixed", "minmax", "siblings"])),
        "unvisited": str(rng.choice(["worst", "parent", "siblings"])), "mirror": bool(rng.integers(2)),
        "max_considered": int(rng.choice([1, 2, 16])), "dirichlet_fraction": float(rng.choice([0.0, 0.25, 1.0])),
    }
    for name, (low, high) in limits().items():
        if isinstance(low, float) and rng.random() < 0.3:
            settings[name] = drawn_setting(rng, low, high)
    if not {"low", "high"} <= set(settings) or (settings["low"] >= settings["high"] and rng.random() < 0.9):
        settings = {name: value for name, value in settings.items() if name not in ("low", "high")}
    return settings


def drawn_setting(rng: np.random.Generator, low: float, high: float) -> float:
    kind = rng.random()
    if kind < 0.4:
        return float(rng.choice([low, high]))
    if kind < 0.95:
        return float(np.clip(10.0 ** rng.uniform(-30, 12), low, high))
    return float(rng.choice([*ODD, np.nextafter(low, -np.inf), np.nextafter(high, np.inf)]))


def fits(settings: dict[str, Any]) -> bool:
    """True if the table of limits takes the settings."""
    table = limits()
    inside = all(table[name][0] <= value <= table[name][1] for name, value in settings.items() if name in table)
    low, high = settings.get("low", -1.0), settings.get("high", 1.0)
    return inside and bool(high - low >= least_span(low, high))


# ---- the C++ class ----

CALLS = ("reset", "select", "expand", "advance", "result", "variation")


@dataclass
class Expected:
    """What the search must be doing, as its calls say."""

    phase: str = "void"
    trees: int = 0
    simulations: int = 0
    done: int = 0
    leaves: int = 0
    largest: float = 0.0
    """A bound of all Qs of the search, in units of the largest float32."""

    def may(self, call: str) -> bool:
        last = self.done + 1 >= self.simulations
        return {
            "reset": True, "select": self.phase == "select" and self.done < self.simulations,
            "expand": self.phase == "expand", "advance": self.phase == "expand" and not last,
            "result": self.phase == "select" and self.done > 0, "variation": self.phase == "select" and self.done > 0,
        }[call]

    def selected(self, leaves: int) -> None:
        self.leaves = leaves
        self.phase = "expand" if leaves else "select"
        self.done += 0 if leaves else 1

    def expanded(self) -> None:
        self.done, self.leaves, self.phase = self.done + 1, 0, "select"

    def end(self) -> None:
        self.phase, self.trees, self.done, self.leaves = "void", 0, 0, 0


class Core:
    """One search and what is expected of it."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.trees = int(rng.choice([1, 2, 5, 70], p=(0.4, 0.3, 0.25, 0.05)))
        self.actions = int(rng.choice([1, 2, 7, 17]))
        self.capacity, self.settings = int(rng.choice([1, 2, 9, 24])), drawn_settings(rng)
        self.outcomes: Counter[str] = Counter()
        self.want, self.numbers = Expected(), Numbers(rng)

    def play(self) -> Counter[str]:
        arguments = search_settings(**self.settings, threads=int(self.rng.integers(1, 4)))
        made, error = attempt(Search, self.trees, self.actions, self.capacity, **arguments)
        assert fits(self.settings) == (error is None), f"{self.settings}: {error!r}"
        if error is not None:
            return Counter({"settings refused": 1})
        self.search: Search = made
        for _ in range(int(self.rng.integers(2, 60))):
            self.step()
        self.refused_settings()
        return self.outcomes

    def step(self) -> None:
        call = str(self.rng.choice(CALLS if self.rng.random() < 0.05 else self.next_calls()))
        arrays = getattr(self, f"{call}_arrays")()
        wrong = self.rng.random() < 0.03 and call != "variation"
        if wrong:
            self.refused_array(call, arrays)
        elif not self.want.may(call):
            self.must_raise(call, arrays, RuntimeError, f"{call.replace('variation', 'result')}: ")
        else:
            self.outcomes[getattr(self, f"make_{call}")(*arrays)] += 1
        s, w = self.search, self.want
        found, wanted = (s.active_trees, s.leaves, s.simulations_done), (w.trees, w.leaves, w.done)
        assert found == wanted, f"{call}: {found}, wanted {wanted}"
        assert s.edges_visited <= w.trees * (w.done + 1) ** 2

    def refused_settings(self) -> None:
        """One that is missing, misspelt or no value of any setting."""
        settings, what = search_settings(), int(self.rng.integers(3))
        name = sorted(settings)[self.rng.integers(len(settings))]
        value = settings.pop(name)
        if what > 0:
            odd = NO_SETTING[self.rng.integers(len(NO_SETTING))]
            settings |= {f"{name[:-1]}_": value} if what == 1 else {name: odd}
        error = attempt(memory_needed, 1, 2, 3, **settings)[1]
        assert isinstance(error, TypeError if what < 2 else (TypeError, ValueError)), f"{settings}: {error!r}"
        assert name in str(error), f"{settings}: {error}"
        self.outcomes["odd setting refused"] += 1

    def next_calls(self) -> list[str]:
        """Those that are taken, the ones that bring a search on more often than others."""
        onward = [call for call in ("select", "expand", "advance", "advance") if self.want.may(call)]
        reading = [call for call in ("result", "variation") if self.want.may(call)]
        return 3 * onward + reading + (["reset"] if not onward else [])

    def call(self, name: str, arrays: tuple[Any, ...]) -> Any:
        return getattr(self.search, name if name != "variation" else "principal_variation")(*arrays)

    def must_raise(self, call: str, arrays: tuple[Any, ...], kind: type[Exception], said: str) -> None:
        error = attempt(self.call, call, arrays)[1]
        assert type(error) is kind, f"{call}: {error!r}, wanted {kind.__name__}"
        assert said in str(error), f"{call} said: {error}"
        self.outcomes[f"{call}: {kind.__name__}"] += 1

    def refused_array(self, call: str, arrays: tuple[Any, ...]) -> None:
        """A wrong dtype or shape changes nothing."""
        which = int(self.rng.choice([i for i, array in enumerate(arrays) if isinstance(array, np.ndarray)]))
        array = arrays[which]
        odd = [np.zeros(array.shape, np.float16), array[None], array[..., :-1], None, "x", array.tolist()]
        changed = (*arrays[:which], odd[int(self.rng.integers(len(odd)))], *arrays[which + 1 :])
        error = attempt(self.call, call, changed)[1]
        kinds = (TypeError, ValueError) if self.want.may(call) else (RuntimeError,)
        assert type(error) in kinds, f"{call} of {changed[which]!r}: {error!r}"
        self.outcomes["array refused"] += 1

    # ---- each call: its arrays, and what it must do ----

    def reset_arrays(self) -> tuple[Any, ...]:
        rng, b = self.rng, int(self.rng.integers(1, self.trees + 1))
        logits, value = self.numbers(b, self.actions), self.numbers(b)
        legal = rng.random((b, self.actions)) < rng.choice([0.0, 0.5, 1.0])
        if rng.random() < 0.97:
            legal[np.arange(b), rng.integers(self.actions, size=b)] = True
        if rng.random() < 0.05:
            logits, value = (spoilt(rng, logits), value) if rng.random() < 0.5 else (logits, spoilt(rng, value))
        seeds = rng.integers(1 << 63, size=b).astype(np.uint64)
        return logits, value, legal, seeds, int(rng.integers(1, self.capacity + 1))

    def make_reset(self, logits: Floats, value: Floats, legal: Any, seeds: Any, simulations: int) -> str:
        finite = np.isfinite(logits).all(1) & np.isfinite(value)
        self.want.end()
        if not (finite & legal.any(1)).all():
            first = int(np.argmin(finite & legal.any(1)))
            kind = ValueError if finite[first] else BadNumbers
            self.must_raise("reset", (logits, value, legal, seeds, simulations), kind, f"in row {first}: ")
            return "root refused"
        self.search.reset(logits, value, legal, seeds, simulations)
        self.legal, size = legal, float(np.abs(value.astype(float)).max() / -float(TAKEN))
        self.want = Expected("select", len(value), simulations, largest=size)
        return "reset"

    def leaf_arrays(self) -> tuple[Any, ...]:
        return tuple(np.full(self.want.trees, -7, np.int32) for _ in range(3))

    select_arrays = leaf_arrays

    def make_select(self, *leaves: Any) -> str:
        self.selected(self.search.select(*leaves), *leaves)
        return "select"

    def selected(self, m: int, tree: Any, slot: Any, action: Any) -> None:
        assert 0 <= m <= self.want.trees
        self.want.selected(m)
        assert (np.diff(tree[:m]) > 0).all()
        assert ((slot[:m] >= 0) & (slot[:m] <= self.want.done)).all()
        assert ((action[:m] >= 0) & (action[:m] < self.actions)).all()
        at_root = slot[:m] == 0
        assert self.legal[tree[:m][at_root], action[:m][at_root]].all(), "an illegal action was tried"

    def expand_arrays(self) -> tuple[Any, ...]:
        rng, m = self.rng, self.want.leaves
        kinds = [[1.0], [-1.0], [0.0], [0.997, -0.997, 0.0]][rng.integers(4)]
        discount = rng.choice(kinds, size=m).astype(np.float32)
        logits, reward, value = self.numbers(m, self.actions), self.numbers(m), self.numbers(m)
        if rng.random() < 0.2:
            logits[rng.random(logits.shape) < rng.choice([0.3, 0.95])] = TAKEN
        bad = int(rng.integers(60))
        logits, reward, value = (spoilt(rng, x) if bad == i else x for i, x in enumerate((logits, reward, value)))
        if bad == 3:
            discount = spoilt(rng, discount, (*NOT_FINITE, 1.0000001, -1.5))
        return reward, discount, logits, value

    def flawed(self, reward: Floats, discount: Floats, logits: Floats, value: Floats) -> NDArray[np.bool_]:
        """Rows that must be refused."""
        finite = np.isfinite(logits).all(1) & np.isfinite(reward) & np.isfinite(value)
        stuck = (logits == TAKEN).all(1) & (discount != 0.0)
        return ~finite | ~(np.abs(discount) <= 1.0) | stuck

    def make_expand(self, *answers: Floats) -> str:
        if self.row_refused("expand", answers, answers):
            return "row refused"
        self.search.expand(*answers)
        self.want.expanded()
        return "expand"

    def advance_arrays(self) -> tuple[Any, ...]:
        return (*self.expand_arrays(), *self.leaf_arrays())

    def make_advance(self, *arrays: Any) -> str:
        if self.row_refused("advance", arrays[:4], arrays):
            return "row refused"
        m = self.search.advance(*arrays)
        self.want.expanded()
        self.selected(m, *arrays[4:])
        return "advance"

    def row_refused(self, call: str, answers: tuple[Floats, ...], arrays: tuple[Any, ...]) -> bool:
        flawed = self.flawed(*answers)
        if not flawed.any():
            sizes = [np.abs(x.astype(float)).max(initial=0.0) / -float(TAKEN) for x in (answers[0], answers[3])]
            self.want.largest += sizes[0] + sizes[1]
            return False
        self.must_raise(call, arrays, BadNumbers, f"in row {int(np.argmax(flawed))}: the search is void")
        self.want.end()
        return True

    def result_arrays(self) -> tuple[Any, ...]:
        b, a = self.want.trees, self.actions
        table = (np.full((b, a), np.nan, np.float32) for _ in range(2))
        return np.full((b, a), -7, np.int32), *table, np.full(b, np.nan, np.float32), np.full(b, -7, np.int32)

    def make_result(self, *arrays: Any) -> str:
        error = attempt(self.search.result, *arrays)[1]
        if error is not None:
            assert isinstance(error, BadNumbers), repr(error)
            assert "float32 can hold" in str(error)
            assert self.want.largest > 0.999, "the numbers were small"
            self.want.end()
            return "result refused"
        check_result(self.legal, self.want.done, *arrays)
        return "result"

    def variation_arrays(self) -> tuple[Any, ...]:
        return int(self.rng.integers(max(1, self.want.trees))), int(self.rng.integers(1, 30))

    def make_variation(self, tree: int, most: int) -> str:
        moves = self.search.principal_variation(tree, most)
        assert 1 <= len(moves) <= min(most, self.want.done)
        assert ((moves >= 0) & (moves < self.actions)).all()
        assert self.legal[tree, moves[0]]
        return "variation"


def check_result(legal: Any, done: int, visits: Any, policy: Floats, q: Floats, value: Floats, action: Any) -> None:
    """What holds of the outcome of any search."""
    assert (visits >= 0).all()
    assert (visits.sum(1) == done).all()
    assert all(np.isfinite(x).all() for x in (policy, q, value))
    assert (policy >= 0).all()
    assert np.allclose(policy.sum(1), 1.0, atol=1e-4)
    for x in (visits, policy, q):
        assert not x[~legal].any()
    assert (visits[np.arange(len(action)), action] > 0).all()


def core_sequence(rng: np.random.Generator) -> Counter[str]:
    """One search, or the refusal of its settings, and some calls of it."""
    return Core(rng).play()


# ---- TreeSearch ----


class Answering:
    """A model whose answers are drawn anew in every call: mostly usual numbers, in some searches one that is not."""

    def __init__(self, rng: np.random.Generator, actions: int, flaw: int) -> None:
        import torch

        self.rng, self.num_actions, self.flaw, self.device = rng, actions, flaw, torch.device("cpu")
        self.numbers, self.flawed = Numbers(rng), False

    def tensor(self, array: Floats, flaw: int) -> Any:
        import torch

        if self.flaw == flaw and self.rng.random() < 0.3:
            array, self.flawed = spoilt(self.rng, array), True
        return torch.from_numpy(array)

    def root(self, obs: Any, legal: Any) -> Any:
        import torch

        from muzero.model.protocol import RootOutput

        n = len(obs)
        return RootOutput(torch.zeros(n, 1), self.tensor(self.numbers(n, self.num_actions), 1),
                          self.tensor(self.numbers(n), 2))

    def step(self, latent: Any, action: Any) -> Any:
        from muzero.model.protocol import StepOutput

        n, rng = len(action), self.rng
        discount = np.asarray(rng.choice([-1.0, 1.0, 0.0, 0.5], size=n), np.float32)
        return StepOutput(
            latent, self.tensor(self.numbers(n), 3), self.tensor(discount, 4),
            self.tensor(self.numbers(n, self.num_actions), 5), self.tensor(self.numbers(n), 6))


def driver_sequence(rng: np.random.Generator) -> Counter[str]:
    """One `TreeSearch`, or the refusal of its settings, and some searches, whether or not the last one failed."""
    from muzero.config import SearchConfig
    from muzero.search.tree import TreeSearch

    trees, actions = int(rng.integers(1, 5)), int(rng.choice([1, 2, 7, 17]))
    simulations = int(rng.choice([1, 2, 5, 12]))
    settings = drawn_settings(rng)
    config = SearchConfig(simulations, threads=int(rng.integers(1, 4)), **settings)
    driver, error = attempt(TreeSearch, config, actions, trees, int(rng.integers(1, 3)))
    assert fits(settings) == (error is None), f"{settings}: {error!r}"
    if error is not None:
        return Counter({"settings refused": 1})
    outcomes: Counter[str] = Counter()
    for _ in range(int(rng.integers(1, 4))):
        outcomes[one_search(rng, driver, int(rng.integers(1, trees + 1)), simulations)] += 1
    return outcomes


def one_search(rng: np.random.Generator, driver: Any, count: int, simulations: int) -> str:
    from muzero.model.protocol import SearchError

    model = Answering(rng, driver.actions, int(rng.choice([0, 0, 0, 1, 2, 3, 4, 5, 6])))
    legal = rng.random((count, driver.actions)) < rng.choice([0.0, 0.5, 1.0])
    legal[np.arange(count), rng.integers(driver.actions, size=count)] = True
    if rng.random() < 0.03:
        legal[rng.integers(count)] = False
    wanted = int(rng.integers(1, simulations + 1))
    seeds = rng.integers(1 << 63, size=count).astype(np.uint64)
    found, error = attempt(driver.run, model, np.zeros((count, 1), np.float32), legal, seeds, wanted)
    if isinstance(error, SearchError):
        large = "float32 can hold" in str(error)
        assert large or model.flawed, error
        return "results too large" if large else "numbers refused"
    assert (error is None) == legal.any(1).all(), repr(error)
    if error is not None:
        assert type(error) is ValueError, repr(error)
        return "no legal move"
    assert not model.flawed, "taken"
    check_result(legal, wanted, found.visits, found.policy, found.q, found.value, found.action)
    assert driver.variation(count - 1)[0] == found.action[count - 1]
    return "searched"


SEQUENCES = {"core": core_sequence, "driver": driver_sequence}


def run(what: str, count: int, seed: int = 0, first: int = 0) -> Counter[str]:
    """Make `count` sequences; how often each outcome was. Raises AssertionError naming the sequence that went wrong."""
    outcomes: Counter[str] = Counter()
    for index in range(first, first + count):
        try:
            outcomes += SEQUENCES[what](np.random.default_rng([seed, index]))
        except Exception as error:
            error.add_note(f"python tests/fuzz_search.py {what} --seed {seed} --first {index} --sequences 1")
            raise
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=SEQUENCES)
    parser.add_argument("--sequences", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    wanted = parser.parse_args()
    outcomes = run(wanted.what, wanted.sequences, wanted.seed, wanted.first)
    print(f"{wanted.what}: {wanted.sequences} sequences,", ", ".join(f"{n} x {name}" for name, n in outcomes.items()))


if __name__ == "__main__":
    main()
