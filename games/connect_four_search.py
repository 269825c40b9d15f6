"""Alpha-beta search of Connect Four on bitboards, with loops compiled by numba.

A position is two bitboards of 64 bits: `mine`, the discs of the player to move, and `discs`, all discs. Cell (column,
row) is bit column * height + row, rows counted from the bottom; height is the number of rows plus one, so that the
empty row above the top keeps lines from continuing in the next column.

A *score* counts discs: a win with disc d of the whole game scores (cells + 2 - d) // 2, a loss the negative, a draw 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.compiled import compiled, compiled_anew

Words = NDArray[np.uint64]
Bits = Any
"""One np.uint64: compiled loops must not mix it with signed numbers."""
Score = Any
"""One np.int64 inside compiled loops."""

ZERO, ONE, TWO, THREE = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)
EIGHT, BYTE, OFFSET = np.uint64(8), np.uint64(255), 64
WORD_BITS = 64
LANES = 5
"""Where `Board.lanes` begin in `Board.words`."""
PLACE_BITS = 23
"""The transposition table holds the bounds of 2^23 positions, 8 bytes each; newer entries replace older ones."""
PLACE_SHIFT, TAG_SHIFT = np.uint64(WORD_BITS - PLACE_BITS), np.uint64(16)
TAG = np.uint64((1 << (WORD_BITS - PLACE_BITS)) - 1)
MIX = np.uint64(0x9E3779B97F4A7C15)
"""Odd, so that multiplying by it loses nothing: slot and tag together identify every position."""
MIRRORED_UNTIL = 16
"""Up to this many discs a position shares its entry with its mirror image: later few coincide, and mirroring costs
time."""


@dataclass(frozen=True)
class Board:
    """The size of the board, as bits."""

    rows: int
    columns: int

    @cached_property
    def shape(self) -> Words:
        """All cells; the lowest row; height; the first and the second of each two cells, counted from the top."""
        whole = range(self.rows)
        parts = (self._cells(whole), self._cells(range(1)), self.rows + 1, self._cells(whole[self.rows % 2 :: 2]),
                 self._cells(whole[1 - self.rows % 2 :: 2]))
        return np.array(parts, np.uint64)

    @cached_property
    def words(self) -> Words:
        """`shape` followed by `lanes`: all that a search reads of the board."""
        return np.concatenate((self.shape, self.lanes))

    @cached_property
    def lanes(self) -> Words:
        """The cells of each column, the middle first."""
        middle_first = sorted(range(self.columns), key=lambda column: abs(2 * column - self.columns + 1))
        return np.array([((1 << self.rows) - 1) << (column * (self.rows + 1)) for column in middle_first], np.uint64)

    def _cells(self, rows: range) -> int:
        return sum(1 << (column * (self.rows + 1) + row) for column in range(self.columns) for row in rows)

    @property
    def cells(self) -> int:
        return self.rows * self.columns

    @property
    def full(self) -> int:
        """`discs` where no cell is left."""
        return int(self.shape[0])

    def landing(self, discs: int, column: int) -> int:
        """The cell where the next disc of a column with room lands."""
        low = 1 << (column * (self.rows + 1))
        return (discs + low) & ~discs & (low * ((1 << self.rows) - 1))

    def has_four(self, mine: int) -> bool:
        """Whether `mine` has four in a row."""
        return bool(has_four(np.uint64(mine), self.shape))

    @property
    def fits(self) -> bool:
        """Whether all columns, each with the empty row above it, fit into 64 bits."""
        return (self.rows + 1) * self.columns <= WORD_BITS

    def sign(self, mine: int, discs: int, memory: Words) -> int:
        """Value 1, 0 or -1 for the player to move of an unfinished game: two searches with one question each are
        faster than one with both. memory as for `score`."""
        if self.score(mine, discs, 0, 1, memory) > 0:
            return 1
        return -1 if self.score(mine, discs, -1, 0, memory) < 0 else 0

    def score(self, mine: int, discs: int, low: int, high: int, memory: Words) -> int:
        """Score for the player to move of an unfinished game: exact inside (low, high), else a bound on that side.

        memory: the table of this board's earlier searches, or a `new_memory()`.
        """
        own, played = np.uint64(mine), int(discs).bit_count()
        if wins_now(own, np.uint64(discs), self.shape):
            return (self.cells + 1 - played) // 2
        room = np.zeros((2, self.cells, self.columns), np.uint64)
        return int(search(own, np.uint64(discs), played, low, high, self.words, memory, room))


def new_memory() -> Words:
    """An empty transposition table: 64 MB."""
    return np.zeros(1 << PLACE_BITS, np.uint64)


@compiled
def _beside(mine: Bits, step: Bits) -> Bits:
    """Cells that complete four of `mine` in a line along this step; some may be taken or off the board."""
    after, before = mine << step, mine >> step
    two_after, two_before = after & (mine << (TWO * step)), before & (mine >> (TWO * step))
    return two_after & ((mine << (THREE * step)) | before) | two_before & ((mine >> (THREE * step)) | after)


@compiled
def winning_cells(mine: Bits, discs: Bits, shape: Words) -> Bits:
    """Empty cells that would complete four of `mine`, whether or not they can be played now."""
    board, height = shape[0], shape[2]
    upright = (mine << ONE) & (mine << TWO) & (mine << THREE)
    lines = _beside(mine, height) | _beside(mine, height - ONE) | _beside(mine, height + ONE)
    return (upright | lines) & (board ^ discs)


@compiled
def wins_now(mine: Bits, discs: Bits, shape: Words) -> bool:
    """Whether the player to move can complete four."""
    return bool(winning_cells(mine, discs, shape) & (discs + shape[1]))


@compiled
def has_four(mine: Bits, shape: Words) -> bool:
    """Whether `mine` has four in a row."""
    height = shape[2]
    for step in (ONE, height, height - ONE, height + ONE):
        pairs = mine & (mine >> step)
        if pairs & (pairs >> (TWO * step)):
            return True
    return False


@compiled
def _safe_moves(mine: Bits, discs: Bits, shape: Words) -> Bits:
    """Moves after which the opponent can't win immediately."""
    possible = (discs + shape[1]) & shape[0]
    threats = winning_cells(mine ^ discs, discs, shape)
    forced = possible & threats
    if forced:
        if forced & (forced - ONE):
            return ZERO
        possible = forced
    return possible & ~(threats >> ONE)


@compiled
def _most_against_follower(mine: Bits, discs: Bits, shape: Words, high: Score) -> Score:
    """An upper bound from one strategy of the opponent: always answer in the column just played.

    It works if every column has room for an even number of discs: then the player to move gets the first and the
    opponent the second of each pair of cells.
    """
    if (discs + shape[1]) & shape[0] & shape[4]:
        return high
    empty = shape[0] & ~discs
    if has_four(mine | (empty & shape[3]), shape):
        return high
    return min(high, -1 if has_four((mine ^ discs) | (empty & shape[4]), shape) else 0)


@compiled
def _count(bits: Bits) -> int:
    count = 0
    while bits:
        bits &= bits - ONE
        count += 1
    return count


@compiled
def key_of(mine: Bits, discs: Bits, shape: Words, columns: int) -> Bits:
    """The same for a position and its mirror image, different for all others."""
    key, height = mine + discs, shape[2]
    column, rest, image = (ONE << height) - ONE, key, ZERO
    for _ in range(columns):
        image = (image << height) | (rest & column)
        rest >>= height
    return min(key, image)


@compiled
def _order(moves: Words, ranks: Words, safe: Bits, mine: Bits, discs: Bits, board: Words) -> int:
    """Writes the safe moves into `moves`, those with most threats first, then by nearness to the middle; returns how
    many."""
    found = 0
    for lane in range(LANES, len(board)):
        move = safe & board[lane]
        if not move:
            continue
        rank = np.uint64(_count(winning_cells(mine | move, discs, board)))
        place = found
        while place > 0 and ranks[place - 1] < rank:
            moves[place], ranks[place] = moves[place - 1], ranks[place - 1]
            place -= 1
        moves[place], ranks[place] = move, rank
        found += 1
    return found


@compiled
def _packed(tag: Bits, low: int, high: int) -> Bits:
    """One entry of the table: a tag that says which position it is, and its bounds."""
    return (tag << TAG_SHIFT) | (np.uint64(low + OFFSET) << EIGHT) | np.uint64(high + OFFSET)


@compiled_anew
def search(mine: Bits, discs: Bits, played: int, low: Score, high: Score, board: Words, memory: Words,
           room: Words) -> Score:
    """`Board.score` for a player to move who can't win immediately. board: its `words`. room [2, cells, columns]: for
    moves and their ranks, to work in."""
    cells = room.shape[1]
    safe = _safe_moves(mine, discs, board)
    if not safe:
        return -((cells - played) // 2)
    if played >= cells - 2:
        return 0
    low, high = max(low, -((cells - 2 - played) // 2)), min(high, (cells - 1 - played) // 2)
    high = _most_against_follower(mine, discs, board, high)
    if low >= high:
        return high
    mixed = (key_of(mine, discs, board, len(board) - LANES) if played <= MIRRORED_UNTIL else mine + discs) * MIX
    place, tag = mixed >> PLACE_SHIFT, mixed & TAG
    entry = memory[place]
    least, most = -cells, cells
    if entry and entry >> TAG_SHIFT == tag:
        least, most = np.int64((entry >> EIGHT) & BYTE) - OFFSET, np.int64(entry & BYTE) - OFFSET
        low, high = max(low, least), min(high, most)
        if low >= high:
            return least if least >= high else most
    start, stop, best = low, high, -cells
    moves = room[0, played]
    for i in range(_order(moves, room[1, played], safe, mine, discs, board)):
        move = moves[i]
        score = -search(mine ^ discs, discs | move, played + 1, -high, -low, board, memory, room)
        best, low = max(best, score), max(low, score)
        if low >= high:
            break
    memory[place] = _packed(tag, best if best > start else least, best if best < stop else most)
    return best
