"""What the C++ search does with wrong input: it says what it expected and what it got, and is never left half-way."""

from __future__ import annotations

import copy
import math
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from search_models import make_search, result_of, search_settings

from cpp_mcts import Search, choices, least_span, limits, memory_needed

SIZES: dict[str, Any] = {"trees": 1, "actions": 2, "simulations": 3}


def ready(b: int = 2, a: int = 3, s: int = 4) -> tuple[Search, dict[str, Any]]:
    search = make_search(b, a, s, algorithm="puct")
    arrays = {
        "logits": np.zeros((b, a), np.float32),
        "value": np.zeros(b, np.float32),
        "legal": np.ones((b, a), np.bool_),
        "seeds": np.arange(b, dtype=np.uint64),
    }
    return search, arrays


def answers(m: int, a: int = 3) -> dict[str, Any]:
    zeros = {name: np.zeros(m, np.float32) for name in ("reward", "discount", "value")}
    return {**zeros, "logits": np.zeros((m, a), np.float32)}


def index_arrays(b: int = 2) -> dict[str, Any]:
    return {name: np.zeros(b, np.int32) for name in ("tree", "slot", "action")}


@pytest.mark.parametrize("name", ["logits", "value", "legal", "seeds"])
def test_reset_refuses_other_arrays(name: str) -> None:
    search, arrays = ready()
    good = arrays[name]
    wrong: list[tuple[Any, type[Exception]]] = [
        (good.astype(np.float64), TypeError),
        (good.tolist(), TypeError),
        (None, TypeError),
        (np.concatenate([good, good, good], -1)[..., ::3], ValueError),
        (good[:1] if name != "logits" else good[:, :2], ValueError),
        (good[None], ValueError),
    ]
    for value, error in wrong:
        with pytest.raises(error, match=name):
            search.reset(**{**arrays, name: value})
    search.reset(**arrays)


def test_messages_say_expected_and_got() -> None:
    search, arrays = ready()
    with pytest.raises(TypeError, match=r"logits: expected a C-contiguous float32 array .*got float64 \(2, 3\)"):
        search.reset(**{**arrays, "logits": np.zeros((2, 3))})
    with pytest.raises(ValueError, match=r"value: .* shape \(2,\), got float32 \(5,\)"):
        search.reset(**{**arrays, "value": np.zeros(5, np.float32)})
    with pytest.raises(ValueError, match="number of rows: expected a whole number from 1 to 2, got 3"):
        search.reset(**{**arrays, "logits": np.zeros((3, 3), np.float32)})
    with pytest.raises(ValueError, match="simulations: expected a whole number from 1 to 4, got 5"):
        search.reset(**arrays, simulations=5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["logits", "value"])
def test_reset_refuses_numbers_that_are_not_finite(name: str, bad: float) -> None:
    search, arrays = ready(5)
    arrays[name][3:] = bad
    with pytest.raises(ValueError, match=f"{name}: .* row 3"):
        search.reset(**arrays)
    with pytest.raises(RuntimeError, match="call reset"):
        search.select(**index_arrays(5))


def test_reset_refuses_a_row_without_a_legal_action() -> None:
    search, arrays = ready(4)
    arrays["legal"][2] = False
    with pytest.raises(ValueError, match=r"legal: .* row 2"):
        search.reset(**arrays)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("logits", np.nan),
        ("value", np.inf),
        ("reward", np.nan),
        ("discount", np.nan),
        ("discount", 1.5),
        ("discount", -np.inf),
    ],
)
def test_expand_refuses_bad_numbers_and_ends_the_search(name: str, bad: float, threads: int) -> None:
    search, arrays = make_search(9, 3, 4, algorithm="gumbel", threads=threads), ready(9)[1]
    search.reset(**arrays)
    said = answers(search.select(**index_arrays(9)))
    said[name][4:] = bad
    with pytest.raises(ValueError, match=f"{name}: .* row 4"):
        search.expand(**said)
    for call in (
        lambda: search.select(**index_arrays(9)),
        lambda: search.expand(**said),
        lambda: result_of(search),
    ):
        with pytest.raises(RuntimeError, match="call reset"):
            call()
    search.reset(**arrays)
    assert search.select(**index_arrays(9)) == 9


def test_calls_out_of_order() -> None:
    search, arrays = ready(s=1)
    with pytest.raises(RuntimeError, match="call reset"):
        search.select(**index_arrays())
    search.reset(**arrays)
    with pytest.raises(RuntimeError, match="call select"):
        search.expand(**answers(2))
    with pytest.raises(RuntimeError, match="call select"):
        result_of(search)
    assert search.select(**index_arrays()) == search.leaves == 2
    for call in (
        lambda: search.select(**index_arrays()),
        lambda: result_of(search),
        lambda: search.principal_variation(0),
    ):
        with pytest.raises(RuntimeError, match="call expand"):
            call()
    with pytest.raises(ValueError, match=r"reward: .*\(2,\), got float32 \(1,\)"):
        search.expand(**answers(1))
    search.expand(**answers(2))
    with pytest.raises(RuntimeError, match=r"call expand|call select"):
        search.expand(**answers(2))
    with pytest.raises(RuntimeError, match="call result"):
        search.select(**index_arrays())
    result_of(search)
    with pytest.raises(IndexError, match="tree: expected 0 to 1, got 2"):
        search.principal_variation(2)


def test_outputs_must_be_writable_and_int32() -> None:
    search, arrays = ready()
    search.reset(**arrays)
    for name in ("tree", "slot", "action"):
        locked = index_arrays()
        locked[name].flags.writeable = False
        with pytest.raises(ValueError, match=f"{name}: .*read-only"):
            search.select(**locked)
        with pytest.raises(TypeError, match=f"{name}: .*int64"):
            search.select(**{**index_arrays(), name: np.zeros(2, np.int64)})
    assert search.select(**index_arrays()) == 2


def just_outside(low: float, high: float) -> list[float]:
    if isinstance(low, int):
        return [low - 1, high + 1]
    return [math.nextafter(low, -math.inf), math.nextafter(high, math.inf), math.nan, math.inf, -math.inf]


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        *((name, bad) for name, (low, high) in limits().items() for bad in just_outside(low, high)),
        ("trees", 0),
        ("actions", -1),
        ("simulations", 0),
        ("threads", 0),
        ("algorithm", "gumbell"),
        ("scale", "max"),
        ("unvisited", "best"),
        ("high", -1.0),
        ("low", math.nan),
        ("epsilon", 0.0),
        ("c_init", -1.0),
        ("c_base", 0.0),
        ("dirichlet_alpha", 0.0),
        ("dirichlet_fraction", 1.5),
        ("c_visit", -1.0),
        ("c_scale", math.inf),
        ("c_scale", 1e7),
        ("c_visit", 1e308),
        ("gumbel_scale", 1e308),
        ("c_init", 2e6),
        ("max_considered", 0),
        ("gumbel_scale", math.nan),
    ],
)
def test_settings_out_of_range(name: str, bad: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name}: expected "):
        Search(**{**SIZES, **search_settings(), name: bad})


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.0, 5e-324), (0.0, 1e-31), (-1e-3, -1e-3 + 9e-10), (1.0, 1.0), (1.0, -1.0), (1e9 - 1e-6, 1e9),
     (-1e9, -1e9 + 999.0)],
)
@pytest.mark.parametrize("scale", ["fixed", "minmax", "siblings"])
def test_bounds_too_close_to_each_other_are_refused(low: float, high: float, scale: str) -> None:
    with pytest.raises(ValueError, match=r"high: expected at least \S+ above low, got low"):
        make_search(1, 2, 3, algorithm="puct", scale=scale, low=low, high=high)


@pytest.mark.parametrize("low", [0.0, -1.0, -1e9, 12345.0])
def test_the_least_span_and_every_bound_are_taken(low: float) -> None:
    assert memory_needed(**SIZES, **search_settings(low=low, high=low + 1.001 * least_span(low, low))) > 0
    for name, ends in limits().items():
        for end in ends if name not in ("low", "high") else ():
            assert memory_needed(**{**SIZES, **search_settings(), name: end}) > 0


WRONG_KINDS: dict[str, tuple[Any, ...]] = {
    "a number": ("1", None, True, 3j, b"1", [1.0], np.zeros(2)),
    "a whole number": ("1", None, True, 1.0, [1], np.zeros(2, np.int64)),
    "True or False": ("True", None, 1, 0.0, []),
    "one of": (None, True, 3, b"puct", ["puct"]),
}


def kind(name: str) -> str:
    """What is expected of a setting or size, as a message begins to say it."""
    if name in choices():
        return "True or False" if True in choices()[name] else "one of"
    return "a whole number" if isinstance(limits()[name][0], int) else "a number"


@pytest.mark.parametrize("name", [*limits(), *choices()])
def test_a_setting_of_a_wrong_kind_is_refused_with_what_is_expected(name: str) -> None:
    for bad in WRONG_KINDS[kind(name)]:
        with pytest.raises(TypeError) as raised:
            memory_needed(**{**SIZES, **search_settings(), name: bad})
        assert str(raised.value).startswith(f"{name}: expected {kind(name)}")
        assert str(raised.value).endswith(f", got {bad!r}")


@pytest.mark.parametrize("name", limits())
def test_a_whole_number_of_any_length_is_refused_by_its_name(name: str) -> None:
    for bad in (10**400, -(10**5000)):
        with pytest.raises(ValueError, match=rf"^{name}: expected .* to .*, got an int beyond 64 bits$"):
            memory_needed(**{**SIZES, **search_settings(), name: bad})


@pytest.mark.parametrize("name", search_settings())
@pytest.mark.parametrize("make", [Search, memory_needed])
def test_every_setting_must_be_given(make: Callable[..., object], name: str) -> None:
    settings = search_settings()
    del settings[name]
    with pytest.raises(TypeError, match=rf"^{name}: expected .*, got nothing: every setting must be given$"):
        make(1, 2, 3, **settings)


@pytest.mark.parametrize("make", [Search, memory_needed])
def test_an_unknown_setting_is_answered_with_the_nearest_one(make: Callable[..., object]) -> None:
    ends = {"c_vist": "; nearest: c_visit", "Mirror": "; nearest: mirror", "zzz": "", "": "", "\ud800": ""}
    for unknown, end in ends.items():
        with pytest.raises(TypeError) as raised:
            make(1, 2, 3, **search_settings(), **{unknown: 1.0})
        names = re.fullmatch(rf"settings: expected only (.*), got {re.escape(repr(unknown))}{end}", str(raised.value))
        assert names is not None, raised.value
        assert set(names[1].split(", ")) == set(search_settings())


def test_numbers_of_numpy_are_numbers() -> None:
    usual = memory_needed(**SIZES, **search_settings(c_visit=3.0, threads=2, mirror=True, low=-1.0))
    same = search_settings(c_visit=np.float32(3), threads=np.int8(2), mirror=np.True_, low=-1)
    assert memory_needed(**SIZES, **same) == usual


# ---- objects that were never made, copies ----


@pytest.mark.parametrize(
    "use",
    [
        lambda search: search.trees,
        lambda search: search.leaves,
        lambda search: search.memory_bytes,
        lambda search: search.reset(**ready()[1]),
        lambda search: search.select(**index_arrays()),
        lambda search: search.expand(**answers(2)),
        lambda search: search.advance(**answers(2), **index_arrays()),
        lambda search: search.principal_variation(0),
        pickle.dumps,
    ],
)
def test_a_search_that_was_never_made_is_refused(use: Callable[[Search], object]) -> None:
    class Own(Search):
        pass

    for kind in (Search, Own):
        unmade = kind.__new__(kind)
        with pytest.raises(TypeError, match="this Search was never made"):
            use(unmade)
        with pytest.raises(ValueError, match="algorithm"):
            unmade.__init__(1, 2, 3, **search_settings(algorithm="best"))  # type: ignore[misc]
        with pytest.raises(TypeError, match="this Search was never made"):
            use(unmade)


def test_a_subclass_is_a_search_once_it_was_made() -> None:
    class Own(Search):
        def __init__(self, made: bool) -> None:
            if made:
                super().__init__(2, 3, 4, **search_settings())

    with pytest.raises(TypeError, match="__init__"):
        Own(False)
    search = Own(True)
    search.reset(**ready()[1])
    assert search.select(**index_arrays()) == 2


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_search_is_not_copied(duplicate: Callable[[Search], object]) -> None:
    with pytest.raises(TypeError, match="can't be copied or pickled"):
        duplicate(ready()[0])


MANY_THREADS = """
import resource
from cpp_mcts import Search
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + (64 << 20),) * 2)
try:
    Search(1024, 2, 3, **SETTINGS)
except RuntimeError as error:
    print(error)
""".replace("SETTINGS", repr(search_settings(threads=1024)))


@pytest.mark.skipif("san" in os.environ.get("LD_PRELOAD", ""), reason="a sanitizer needs more memory than that")
def test_threads_that_the_system_does_not_give_are_an_error() -> None:
    done = subprocess.run([sys.executable, "-c", MANY_THREADS], check=True, timeout=30, capture_output=True, text=True)
    assert re.fullmatch(r"threads: expected 1024, got \d+ from the system: ask for fewer\n", done.stdout)


# ---- expand and select in one call ----


def going_on(m: int) -> dict[str, Any]:
    """Answers after which no tree is at an end."""
    return {**answers(m), "discount": np.full(m, -1.0, np.float32)}


def test_advance_refuses_what_expand_and_select_refuse() -> None:
    search, arrays = ready()
    said, leaves = going_on(2), index_arrays()
    with pytest.raises(RuntimeError, match="advance: no search is running: call reset"):
        search.advance(**said, **leaves)
    search.reset(**arrays)
    with pytest.raises(RuntimeError, match="advance: no leaf waits for the network: call select"):
        search.advance(**said, **leaves)
    assert search.select(**leaves) == 2
    locked = np.zeros(2, np.int32)
    locked.flags.writeable = False
    wrong: list[tuple[str, Any, type[Exception]]] = [
        *((name, said[name].astype(np.float64), TypeError) for name in said),
        *((name, said[name][:1], ValueError) for name in said),
        *((name, np.zeros(2, np.int64), TypeError) for name in leaves),
        *((name, np.zeros(3, np.int32), ValueError) for name in leaves),
        *((name, locked, ValueError) for name in leaves),
    ]
    for name, array, error in wrong:
        with pytest.raises(error, match=f"{name}: expected"):
            search.advance(**{**said, **leaves, name: array})
        assert (search.simulations_done, search.leaves) == (0, 2), "nothing is done"
    assert search.advance(**said, **leaves) == 2
    assert (search.simulations_done, search.leaves) == (1, 2)


def test_advance_has_no_next_simulation_after_the_last_one() -> None:
    search, arrays = ready(s=2)
    search.reset(**arrays)
    search.select(**index_arrays())
    assert search.advance(**going_on(2), **index_arrays()) == 2
    with pytest.raises(RuntimeError, match="advance: simulation 2 is the last one: call expand"):
        search.advance(**going_on(2), **index_arrays())
    search.expand(**answers(2))
    assert search.simulations_done == 2
    result_of(search)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("name", "bad"), [("logits", np.inf), ("value", np.nan), ("reward", -np.inf), ("discount", 2)])
def test_advance_refuses_bad_numbers_and_ends_the_search(name: str, bad: float, threads: int) -> None:
    search, arrays = make_search(40, 20, 4, algorithm="gumbel", threads=threads), ready(40, 20)[1]
    search.reset(**arrays)
    said = answers(search.select(**index_arrays(40)), 20)
    said[name][33:] = bad
    leaves = index_arrays(40)
    with pytest.raises(ValueError, match=f"{name}: .* row 33"):
        search.advance(**said, **leaves)
    assert not any(rows.any() for rows in leaves.values()), "no leaf is written"
    with pytest.raises(RuntimeError, match="call reset"):
        search.select(**leaves)
    search.reset(**arrays)
    assert search.select(**leaves) == 40


@pytest.mark.parametrize("column", range(40))
def test_one_number_that_is_not_finite_is_found_wherever_it_stands(column: int) -> None:
    search, arrays = ready(1, 40)
    for bad in (np.nan, np.inf, -np.inf):
        search.reset(**arrays)
        said = answers(search.select(**index_arrays(1)), 40)
        said["logits"][0, column] = bad
        with pytest.raises(ValueError, match=r"logits: .* row 0"):
            search.expand(**said)
