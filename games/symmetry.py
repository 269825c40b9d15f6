"""Symmetries of games as index permutations, for data augmentation in training.

A symmetry maps a position to an equivalent one: for g in 0 .. G - 1,
`transformed_observation = observation.reshape(-1)[observation_index[g]]` and
`transformed_policy = policy[action_index[g]]`. A test plays each game alongside its image.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import games
from games.base import GameSpec, IntArray

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Symmetries:
    """The G symmetries of one game, identity first."""

    observation_index: IntArray
    """[G, prod(O)]"""
    action_index: IntArray
    """[G, A]"""

    @property
    def count(self) -> int:
        """G"""
        return len(self.action_index)


@dataclass(frozen=True)
class BoardMap:
    """One symmetry of a board [H, W]."""

    cells: Index
    """[H * W] the source cell of each cell."""
    frame_planes: tuple[int, ...] = ()
    """The same for the planes of one position; empty if they don't change."""
    action_planes: tuple[int, ...] = ()
    """The same for the action planes."""


def symmetries(name: str, history: int | None = None) -> Symmetries:
    """The symmetries of a game's observations and actions; just the identity for games not in the table."""
    spec = games.spec(name, history)
    # Handicap stones aren't placed symmetrically.
    maps = None if "handicap=" in spec.name else _BOARDS.get(spec.name.partition("(")[0])
    actions, entries = np.arange(spec.num_actions), np.arange(int(np.prod(spec.observation_shape)))
    if maps is None or len(spec.observation_shape) != 3:
        return _stacked([entries], [actions])
    boards = maps(*spec.observation_shape[1:])
    return _stacked([_observation_index(spec, b) for b in boards], [_action_index(spec, b) for b in boards])


def _stacked(observations: Sequence[Index], actions: Sequence[Index]) -> Symmetries:
    return Symmetries(np.stack(observations).astype(np.int32), np.stack(actions).astype(np.int32))


def _observation_index(spec: GameSpec, board: BoardMap) -> Index:
    channels, height, width = spec.observation_shape
    planes = np.arange(channels)
    frame = np.array(board.frame_planes, np.int64)
    for start in range(0, channels - len(frame) + 1 if len(frame) else 0, max(1, len(frame))):
        planes[start : start + len(frame)] = start + frame
    return (planes[:, None] * (height * width) + board.cells[None, :]).reshape(-1)


def _action_index(spec: GameSpec, board: BoardMap) -> Index:
    index = np.arange(spec.num_actions)
    if spec.layout.kind == "columns":
        return board.cells[: spec.num_actions]
    if spec.layout.kind == "flat":
        return np.array(board.action_planes) if board.action_planes else index
    planes = np.array(board.action_planes or range(spec.layout.planes))
    moved = board.cells[:, None] * spec.layout.planes + planes[None, :]
    return np.concatenate([moved.reshape(-1), index[moved.size :]])


def _grid(height: int, width: int) -> Index:
    return np.arange(height * width).reshape(height, width)


def _map(grid: Index) -> BoardMap:
    return BoardMap(np.ascontiguousarray(grid).reshape(-1))


def _rectangle(height: int, width: int) -> tuple[BoardMap, ...]:
    """The 8 symmetries of a square, the 4 of any other rectangle."""
    grid = _grid(height, width)
    turns = (0, 1, 2, 3) if height == width else (0, 2)
    turned = [np.rot90(grid, turn) for turn in turns]
    return tuple(_map(one) for one in [*turned, *(one[:, ::-1] for one in turned)])


def _mirror(height: int, width: int) -> tuple[BoardMap, ...]:
    """Identity, and left and right swapped."""
    grid = _grid(height, width)
    return _map(grid), _map(grid[:, ::-1])


def _diagonals(height: int, width: int) -> tuple[BoardMap, ...]:
    """Identity, half turn and both diagonal reflections: the symmetries of Othello's start position."""
    grid = _grid(height, width)
    return _map(grid), _map(grid[::-1, ::-1]), _map(grid.T), _map(grid[::-1, ::-1].T)


def _hex(height: int, width: int) -> tuple[BoardMap, ...]:
    """Half turn: it swaps each player's two edges, and so the planes of stones connected to them.

    Planes: white won, connected west, connected east, white; empty; black, connected north, connected south, black
    won; then the player to move.
    """
    grid = _grid(height, width)
    return _map(grid), BoardMap(grid[::-1, ::-1].reshape(-1), frame_planes=(0, 2, 1, 3, 4, 5, 7, 6, 8))


def _breakthrough(height: int, width: int) -> tuple[BoardMap, ...]:
    """Left and right swapped; an action plane is direction * 2 + capture, its directions left, ahead, right
    of one player and then of the other."""
    grid = _grid(height, width)
    planes = tuple(direction * 2 + capture for direction in (2, 1, 0, 5, 4, 3) for capture in (0, 1))
    return _map(grid), BoardMap(grid[:, ::-1].reshape(-1), action_planes=planes)


def _catch(height: int, width: int) -> tuple[BoardMap, ...]:
    """Left and right swapped; actions are left, stay, right."""
    grid = _grid(height, width)
    return _map(grid), BoardMap(grid[:, ::-1].reshape(-1), action_planes=(2, 1, 0))


def _triangle(height: int, width: int) -> tuple[BoardMap, ...]:
    """The 6 symmetries of Y's board, the cells with row + column < edge: permutations of a cell's distances
    to the three sides."""
    del width
    maps = []
    for order in itertools.permutations(range(3)):
        grid = _grid(height, height)
        for row in range(height):
            for column in range(height - row):
                distances = (row, column, height - 1 - row - column)
                grid[row, column] = distances[order[0]] * height + distances[order[1]]
        maps.append(_map(grid))
    return tuple(maps)


def _hexagon(height: int, width: int) -> tuple[BoardMap, ...]:
    """The 12 symmetries of Havannah's board: permutations and negation of three coordinates that sum to 0."""
    del width
    middle = height // 2
    maps = []
    for sign, order in itertools.product((1, -1), itertools.permutations(range(3))):
        grid = _grid(height, height)
        for row, column in itertools.product(range(height), repeat=2):
            across, down = column - middle, middle - row
            if abs(across + down) <= middle:
                place = (across, down, -across - down)
                x, y = sign * place[order[0]], sign * place[order[1]]
                grid[row, column] = (middle - y) * height + middle + x
        maps.append(_map(grid))
    return tuple(maps)


_BOARDS: Mapping[str, Callable[[int, int], tuple[BoardMap, ...]]] = {
    "amazons": _mirror,
    "breakthrough": _breakthrough,
    "catch": _catch,
    "connect_four": _mirror,
    "go": _rectangle,
    "gomoku": _rectangle,
    "havannah": _hexagon,
    "hex": _hex,
    "mnk": _rectangle,
    "othello": _diagonals,
    "tic_tac_toe": _rectangle,
    "y": _triangle,
}
