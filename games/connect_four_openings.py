"""Opening book of Connect Four on 6 rows and 7 columns, for positions where a search would take minutes.

The file has two bits for each distinct unfinished position with PLIES discs, in the order of their keys (a position
and its mirror image count as one): 0 drawn, 1 won, 2 lost for the player to move. Values of positions with fewer
discs follow from their successors. `benchmarks/connect_four_openings.py` made the file and checks it by search.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from games.base import GameError
from games.compiled import compiled
from games.connect_four_search import Board, Words, has_four, key_of, wins_now

FILE = Path(__file__).with_name("connect_four_openings.bin")
PLIES = 8
BOARD = Board(6, 7)
VALUES = (0, 1, -1)
"""Indexed by the two bits of the file."""

Signs = NDArray[np.int8]


def layers(plies: int) -> list[tuple[Words, Words, Words]]:
    """All distinct unfinished positions with 0 to `plies` discs: (keys in order, discs of the player to move, all
    discs)."""
    found = [(np.zeros(1, np.uint64), np.zeros(1, np.uint64), np.zeros(1, np.uint64))]
    for _ in range(plies):
        _, mine, discs = found[-1]
        keys, after_mine, after_discs = _after(mine, discs, BOARD.shape, BOARD.lanes)
        keys, first = np.unique(keys, return_index=True)
        found.append((keys, after_mine[first], after_discs[first]))
    return found


@compiled
def _after(mine: Words, discs: Words, shape: Words, lanes: Words) -> tuple[Words, Words, Words]:
    """(keys, discs of the player to move, all discs) of all unfinished positions one move later."""
    room = len(mine) * len(lanes)
    keys, after_mine, after_discs = np.empty(room, np.uint64), np.empty(room, np.uint64), np.empty(room, np.uint64)
    count = 0
    for i in range(len(mine)):
        for lane in lanes:
            move = (discs[i] + shape[1]) & lane
            if move and not has_four(mine[i] | move, shape):
                after_mine[count], after_discs[count] = mine[i] ^ discs[i], discs[i] | move
                keys[count] = key_of(after_mine[count], after_discs[count], shape, len(lanes))
                count += 1
    return keys[:count], after_mine[:count], after_discs[:count]


@compiled
def _best(mine: Words, discs: Words, keys: Words, values: Signs, shape: Words, lanes: Words) -> Signs:
    """Values of positions from those one move later, in the order of their keys."""
    best = np.empty(len(mine), np.int8)
    for i in range(len(mine)):
        best[i] = -1
        if wins_now(mine[i], discs[i], shape):
            best[i] = 1
            continue
        for lane in lanes:
            move = (discs[i] + shape[1]) & lane
            if move:
                key = key_of(mine[i] ^ discs[i], discs[i] | move, shape, len(lanes))
                best[i] = max(best[i], -values[np.searchsorted(keys, key)])
    return best


def opening_value(mine: int, discs: int) -> int | None:
    """Value for the player to move of an unfinished position; None with more than PLIES discs."""
    played = discs.bit_count()
    if played > PLIES:
        return None
    keys, values = known()[played]
    key = key_of(np.uint64(mine), np.uint64(discs), BOARD.shape, BOARD.columns)
    return int(values[np.searchsorted(keys, key)])


@cache
def known() -> list[tuple[Words, Signs]]:
    """(keys in order, values) of all positions with 0 to PLIES discs. Raises GameError for a damaged file."""
    positions = layers(PLIES)
    values = unpack(FILE.read_bytes(), len(positions[PLIES][0]))
    found = [(positions[PLIES][0], values)]
    for keys, mine, discs in positions[PLIES - 1 :: -1]:
        values = _best(mine, discs, found[0][0], values, BOARD.shape, BOARD.lanes)
        found.insert(0, (keys, values))
    return found


def pack(values: Signs) -> bytes:
    """Four values a byte."""
    codes = np.select([values == value for value in VALUES], range(len(VALUES))).astype(np.uint8)
    return np.packbits((codes[:, None] >> np.array([1, 0], np.uint8)) & 1).tobytes()


def unpack(data: bytes, count: int) -> Signs:
    """The first `count` values. Raises GameError if the file can't be what was packed."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    codes = 2 * bits[0 : 2 * count : 2] + bits[1 : 2 * count : 2]
    if len(data) != -(-2 * count // 8) or codes.max() >= len(VALUES):
        raise GameError(f"{FILE} is damaged; reinstall the project")
    values: Signs = np.array(VALUES, np.int8)[codes]
    return values
