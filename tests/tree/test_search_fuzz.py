"""A small round of `fuzz_search.py`: every outcome it knows comes about, and none that it doesn't expect."""

from __future__ import annotations

import pytest
from fuzz_search import run

TAKEN = {"core": {"reset", "select", "expand", "advance", "result", "variation"}, "driver": {"searched"}}
REFUSED = {
    "core": {
        "settings refused", "odd setting refused", "array refused", "root refused", "row refused", "result refused",
        "reset: ValueError",
        *(f"{call}: BadNumbers" for call in ("reset", "expand", "advance")),
        *(f"{call}: RuntimeError" for call in ("select", "expand", "advance", "result", "variation")),
    },
    "driver": {"settings refused", "numbers refused", "results too large", "no legal move"},
}


@pytest.mark.parametrize(("what", "count"), [("core", 400), ("driver", 200)])
def test_whatever_is_called_does_what_was_expected(what: str, count: int) -> None:
    outcomes = run(what, count, seed=1)
    assert set(outcomes) == TAKEN[what] | REFUSED[what]
