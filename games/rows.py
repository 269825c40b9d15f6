"""Argument checks shared by all batches of games: rows, actions, snapshots."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from games.base import GameBatch, GameError, IntArray, MaskArray


@runtime_checkable
class Holding(Protocol):
    """A batch whose games may hold resources other than memory."""

    @property
    def close(self) -> Callable[[], Any]: ...


@contextlib.contextmanager
def released(batch: GameBatch) -> Iterator[GameBatch]:
    """Context manager that yields the batch and closes its games at the end."""
    try:
        yield batch
    finally:
        close(batch)


def close(batch: GameBatch) -> None:
    """Close the games of a batch, which releases what they hold. Raises GameError if one fails to close."""
    if isinstance(batch, Holding):
        batch.close()


def row_mask(rows: MaskArray, size: int) -> MaskArray:
    """`rows` as bool [N]. Raises GameError for anything else."""
    mask = np.asarray(rows)
    if mask.dtype != np.bool_ or mask.shape != (size,):
        raise GameError(f"rows: expected bool [{size}], got {mask.dtype} {list(mask.shape)}")
    return mask


def check_snapshot(snapshot: Mapping[str, Any], game: str, size: int, rows: Sequence[Any]) -> None:
    """Raises GameError for a snapshot of another game or of another number of games."""
    if snapshot["game"] != game or len(rows) != size:
        raise GameError(f"snapshot: expected {size} games of {game}, got {len(rows)} of {snapshot['game']}")


def rows_to_move(
    name: str, actions: IntArray, rows: MaskArray | None, over: MaskArray
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Actions [N] and the indices of the rows to move: `rows`, or all that are not `over` [N].

    Raises GameError for actions of another shape or dtype, and for a row that is over.
    """
    played, size = np.asarray(actions), len(over)
    if played.shape != (size,) or not np.issubdtype(played.dtype, np.integer):
        raise GameError(f"actions: expected int [{size}], got {played.dtype} {list(played.shape)}")
    chosen = np.flatnonzero(~over if rows is None else row_mask(rows, size))
    if over[chosen].any():
        row = int(chosen[over[chosen]][0])
        raise GameError(f"{name}: the game in row {row} is over; reset it first")
    return played, chosen
