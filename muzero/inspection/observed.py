"""Boards read from observations, such as decoded ones: which entries of a cell mean which piece, learned from games.

OpenSpiel's observations differ from game to game: planes for the mover and the other player, or for the two colours,
rows from above or from below. Positions of random games show the text of each board beside its observation, and with
that what the entries of a cell mean.
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import games as engines
from games.base import NO_PLAYER, GameSpec
from muzero.play.board import DRAWINGS, Board, Drawing, read_board

GAMES, MOVES = 4, 30
"""Random games that are watched, and the most moves of each."""
AWAY = 0.02
"""Largest share of cells that may contradict the reading."""
Planes = NDArray[Any]


def cells(planes: Planes, below: bool) -> Planes:
    """[C, H, W] -> [rows, columns, C] as the board shows them. below: the observation's rows go up."""
    shown = planes.transpose(1, 2, 0)
    return shown[::-1] if below else shown


@dataclass(frozen=True)
class Reading:
    """How to read the observations of one game."""

    below: bool
    """rows go up"""
    entries: tuple[Planes, Planes]
    """[P, C] for each player to move: what a cell may hold"""
    signs: tuple[str, str]
    """the piece that each of these is, as the game prints it"""
    drawing: Drawing

    def board(self, planes: Planes, player: int) -> Board:
        """The board that is nearest to an observation [C, H, W] of the player to move."""
        away = ((cells(planes, self.below)[:, :, None, :] - self.entries[player]) ** 2).sum(-1)
        return Board(self.drawing, tuple("".join(self.signs[player][place] for place in row)
                                         for row in away.argmin(-1)))


@functools.cache
def reading(spec: GameSpec) -> Reading | None:
    """The reading of a game's observations; None if they don't show its board cell by cell."""
    drawing = DRAWINGS.get(spec.name.partition("(")[0])
    if drawing is None or len(spec.observation_shape) != 3:
        return None
    watched = _watched(spec)
    found = [(*read, below) for below in (False, True) if (read := _read(watched, below))]
    away, table, below = min(found, key=lambda one: one[0], default=(1.0, {}, False))
    if away > AWAY or not all(table.get(player) for player in (0, 1)):
        return None
    entries = tuple(np.array([np.frombuffer(key, np.float32) for key in table[player]]) for player in (0, 1))
    return Reading(below, (entries[0], entries[1]), ("".join(table[0].values()), "".join(table[1].values())), drawing)


def _watched(spec: GameSpec) -> list[tuple[int, Planes, Board]]:
    """Player to move, observation and board of the positions of a few random games."""
    games, rng = engines.make(spec.name, GAMES, seed=0), np.random.default_rng(0)
    found = []
    for _ in range(MOVES):
        going = games.to_play() != NO_PLAYER
        if not going.any():
            break
        obs, legal = games.observe().astype(np.float32), games.legal()
        boards = [read_board(spec.name, games.render(row)) for row in range(GAMES)]
        found += [(int(games.to_play()[row]), obs[row], board)
                  for row in np.flatnonzero(going).tolist() if (board := boards[row]) is not None]
        games.step((rng.random(legal.shape) * legal).argmax(1).astype(np.int32), going)
    return found


def _read(watched: list[tuple[int, Planes, Board]], below: bool) -> tuple[float, dict[int, dict[bytes, str]]] | None:
    """The share of cells whose entries also stand for another piece, and what entries mean, by player; None if the
    observation doesn't have the board's shape."""
    counts: dict[int, dict[bytes, Counter[str]]] = {0: defaultdict(Counter), 1: defaultdict(Counter)}
    for player, planes, board in watched:
        shown = cells(planes, below)
        if shown.shape[:2] != (len(board.rows), len(board.rows[0])):
            return None
        for row, signs in zip(shown, board.rows, strict=True):
            for cell, sign in zip(row, signs, strict=True):
                counts[player][cell.tobytes()][sign] += 1
    every = [signs for held in counts.values() for signs in held.values()]
    away = sum(signs.total() - max(signs.values()) for signs in every)
    return away / max(1, sum(signs.total() for signs in every)), {
        player: {key: signs.most_common(1)[0][0] for key, signs in held.items()} for player, held in counts.items()}
