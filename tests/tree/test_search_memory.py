"""The memory of a search: known before it is made, constant after, and refused with its size if there is too little."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from search_models import make_search, search_settings

from cpp_mcts import Search, memory_needed

ALGORITHMS = ("gumbel", "puct")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 800), (3, 2, 5), (64, 7, 200), (9, 82, 40), (2, 362, 100)])
def test_the_size_is_known_before(algorithm: str, shape: tuple[int, int, int]) -> None:
    several: tuple[dict[str, Any], ...] = (
        {}, {"scale": "minmax", "threads": 2}, {"scale": "siblings", "threads": 7, "max_considered": 3},
    )
    for settings in several:
        arguments = search_settings(algorithm=algorithm, **settings)
        assert memory_needed(*shape, **arguments) == Search(*shape, **arguments).memory_bytes


def test_memory_stays_small() -> None:
    for actions, most in ((7, 320), (82, 700)):
        for algorithm in ALGORITHMS:
            assert make_search(64, actions, 200, algorithm=algorithm).memory_bytes / (64 * 200) <= most


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("shape", [(1 << 20, 1000, 1 << 20), (1 << 24, 1 << 20, 1 << 24), (1, 1 << 20, 1 << 24)])
def test_what_does_not_fit_is_refused_with_its_size(algorithm: str, shape: tuple[int, int, int]) -> None:
    with pytest.raises(MemoryError) as raised:
        make_search(*shape, algorithm=algorithm)
    wanted, limit = (int(n) for n in re.findall(r"(\d+) bytes", str(raised.value)))
    assert wanted == memory_needed(*shape, **search_settings(algorithm=algorithm))
    assert 0 < limit <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") < wanted
    assert re.search(r"trees=\d+, actions=\d+, simulations=\d+ need \d+ bytes \(\d+\.\d GiB\)", str(raised.value))


def test_a_little_more_than_the_machine_has_is_refused() -> None:
    """The system itself would promise it, and end the process when it is used."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    one = memory_needed(1, 300, 100_000, **search_settings(algorithm="puct"))
    with pytest.raises(MemoryError, match="ask for fewer trees or simulations"):
        make_search(machine // one + 2, 300, 100_000, algorithm="puct")


def test_a_setting_out_of_range_has_no_size() -> None:
    with pytest.raises(ValueError, match="trees: expected a whole number from 1 to"):
        memory_needed(0, 2, 3, **search_settings())
    with pytest.raises(ValueError, match="algorithm: expected one of gumbel, puct, got 'gumbell'"):
        memory_needed(1, 2, 3, **search_settings(algorithm="gumbell"))
