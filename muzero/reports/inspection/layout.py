"""A tidy layout of a tree from left to right: leaves one below the other, a parent in the middle of its children."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

GAP = 0.25
"""Rows between leaves of different parents."""


def tidy(children: Mapping[int, Sequence[int]], root: int) -> dict[int, tuple[int, float]]:
    """Column and row of each node; columns are depths, rows begin at 0, nodes of a column are at least a row apart."""
    places: dict[int, tuple[int, float]] = {}
    _place(children, root, 0, 0.0, places)
    return places


def _place(
    children: Mapping[int, Sequence[int]], number: int, column: int, row: float, places: dict[int, tuple[int, float]]
) -> float:
    """Place a node and all below it, from `row` on; the first row below them."""
    below, end = children[number], row
    for child in below:
        end = _place(children, child, column + 1, end, places)
    if not below:
        places[number] = (column, row)
        return row + 1
    places[number] = (column, (places[below[0]][1] + places[below[-1]][1]) / 2)
    return end + (GAP if all(not children[child] for child in below) else 0)
