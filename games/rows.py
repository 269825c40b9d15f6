"""Checks that every batch of games makes of the rows and actions it is given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.base import GameError, IntArray, MaskArray


def row_mask(rows: MaskArray, size: int) -> MaskArray:
    """`rows` as bool [N]. Raises GameError for anything else."""
    mask = np.asarray(rows)
    if mask.dtype != np.bool_ or mask.shape != (size,):
        raise GameError(f"rows: wanted bool [{size}], got {mask.dtype} {list(mask.shape)}")
    return mask


def rows_to_move(
    name: str, actions: IntArray, rows: MaskArray | None, over: MaskArray
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Actions [N] and the indices of the rows to move: `rows`, or all that are not `over` [N].

    Raises GameError for actions of another shape or kind, and for a row that is over.
    """
    played, size = np.asarray(actions), len(over)
    if played.shape != (size,) or not np.issubdtype(played.dtype, np.integer):
        raise GameError(f"actions: wanted int [{size}], got {played.dtype} {list(played.shape)}")
    chosen = np.flatnonzero(~over if rows is None else row_mask(rows, size))
    if over[chosen].any():
        row = int(chosen[over[chosen]][0])
        raise GameError(f"{name}: the game in row {row} is over; reset it first")
    return played, chosen
