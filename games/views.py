"""Observation views: how OpenSpiel's observation tensors become observations from the mover's view.

OpenSpiel's tensors differ: some are from the mover's view, most are the same for both players; most are 0/1, some hold
counts. This table has an entry for each game; a test checks the entries by playing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from games.base import ActionLayout


@dataclass(frozen=True)
class View:
    """How one game's OpenSpiel tensor becomes an observation of `GameSpec.observation_shape`."""

    side: Literal["append", "swap", "relative"] = "append"
    """append    adds a constant plane (or entry): 1 if player 1 is to move
    swap      puts the planes in the order `planes[player to move]`
    relative  OpenSpiel's tensor is already from the mover's view"""
    planes: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    """For `swap`: the order of planes for player 0 and for player 1."""
    binary: bool = False
    """Every entry is 0 or 1."""
    divisor: float = 1.0
    """Entries are divided by this, so that they lie in about [-1, 1]."""
    log2: bool = False
    """Entries x > 0 become log2(x) first."""
    board: Literal["own", "one_plane", "square", "turned"] = "own"
    """own        OpenSpiel's shape, flattened unless it is [C, H, W]
    one_plane  [H, W] becomes [1, H, W]
    square     [C, n * n] becomes [C, n, n]
    turned     OpenSpiel puts width before height: [C, W, H] becomes [C, H, W]"""
    history: int = 1
    """Positions stacked by default, newest first."""
    alternates: bool = False
    """No player ever moves twice in a row."""
    layout: ActionLayout = field(default_factory=ActionLayout)
    note: str = ""


def _cells(planes: int = 1, extra: int = 0) -> ActionLayout:
    return ActionLayout("cells", planes, extra)


_MOVER_OTHER_EMPTY = ((0, 1, 2), (1, 0, 2))
_MOVER_OTHER_EMPTY_SIDE = ((0, 1, 2, 3), (1, 0, 2, 3))
_EMPTY_IS_FIRST = ((2, 1, 0), (1, 2, 0))
_KO = "2 positions stacked: one doesn't show a ko"

VIEWS: Mapping[str, View] = {
    "2048": View(log2=True, divisor=11, board="one_plane"),
    "amazons": View(binary=True, layout=_cells()),
    "antichess": View(alternates=True),
    "backgammon": View("relative", divisor=15),
    "banqi": View(binary=True, alternates=True),
    "breakthrough": View(binary=True, alternates=True, layout=_cells(12)),
    "catch": View(binary=True, board="one_plane", note="chance only draws the first column"),
    "checkers": View(binary=True, layout=_cells(8)),
    "chess": View(alternates=True),
    "chinese_checkers": View(
        "relative", binary=True, history=2, note="2 positions stacked: one doesn't show a hop in progress"
    ),
    "cliff_walking": View(binary=True, board="one_plane"),
    "clobber": View("relative", binary=True, alternates=True, layout=_cells(4)),
    "connect_four": View(
        "swap", _MOVER_OTHER_EMPTY, binary=True, alternates=True, layout=ActionLayout("columns")
    ),
    "crazyhouse": View(alternates=True),
    "deep_sea": View(binary=True, board="one_plane"),
    "dots_and_boxes": View(binary=True),
    "einstein_wurfelt_nicht": View(binary=True, alternates=True),
    "go": View(
        "swap",
        _MOVER_OTHER_EMPTY_SIDE,
        binary=True,
        history=2,
        alternates=True,
        layout=_cells(extra=1),
        note=_KO,
    ),
    "gomoku": View("swap", _MOVER_OTHER_EMPTY, binary=True, board="square", alternates=True, layout=_cells()),
    "havannah": View("relative", binary=True, alternates=True, layout=_cells()),
    "hex": View(binary=True, board="turned", alternates=True, layout=_cells()),
    "hive": View(
        "relative", binary=True, alternates=True, note="doesn't show which of two equal bugs is which"
    ),
    "lines_of_action": View(binary=True, layout=_cells(128)),
    "maedn": View("relative", divisor=4),
    "mancala": View(divisor=48),
    "mnk": View("swap", _EMPTY_IS_FIRST, binary=True, alternates=True, layout=_cells()),
    "nim": View(binary=True, alternates=True),
    "nine_mens_morris": View(
        binary=True, history=2, note="2 positions stacked: one doesn't show a pending capture"
    ),
    "othello": View("relative", binary=True, alternates=True, layout=_cells(extra=1)),
    "oware": View(alternates=True),
    "pentago": View("relative", binary=True, alternates=True, layout=_cells(8)),
    "pig": View(binary=True),
    "shogi": View(alternates=True),
    "stones_and_gems": View(
        binary=True, note="chance depends on the parameter rng_seed and is the same in every game"
    ),
    "tic_tac_toe": View("swap", _EMPTY_IS_FIRST, binary=True, alternates=True, layout=_cells()),
    "twixt": View(binary=True, alternates=True),
    "ultimate_tic_tac_toe": View(binary=True),
    "xiangqi": View(binary=True, alternates=True, layout=_cells(90)),
    "y": View("relative", binary=True, alternates=True, layout=_cells()),
    "yacht": View(divisor=6),
}

SAME_OBSERVATION_AS_INNER = frozenset({"misere", "start_at", "zerosum"})
"""Games made from another one (`misere(game=nim())`) whose observation is that game's."""


def view_of(short: str, parameters: Mapping[str, Any]) -> View:
    """The view of a game with its parameters; a conservative one for games not in the table."""
    if short in SAME_OBSERVATION_AS_INNER:
        inner = dict(parameters["game"])
        return replace(view_of(inner.pop("name"), inner), alternates=False)
    view = VIEWS.get(short, View())
    if parameters.get("egocentric_obs_tensor") or parameters.get("egocentric"):
        return replace(view, side="relative", planes=((), ()))
    if short == "gomoku" and parameters.get("dims", 2) != 2:
        return View(binary=True, alternates=True)
    if short == "hex" and parameters.get("swap"):
        return replace(view, layout=_cells(extra=1))
    if parameters.get("obs_show_ids"):
        return replace(view, binary=False)
    return view
