"""The imagined game beside the real one: what a model says after each move, and what the game does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

import games as engines
from games.base import NO_PLAYER, FloatArray, GameBatch, MaskArray
from games.rows import released
from muzero.inspection.dream import Latent, dream
from muzero.inspection.observed import Reading, reading
from muzero.inspection.reached import Reached
from muzero.play.board import Board, Cell, read_board
from muzero.play.moves import name_anywhere
from muzero.play.session import Position, seen

if TYPE_CHECKING:
    from muzero.agent import Agent

BEST = 3
"""Moves of a policy that are told."""


@dataclass(frozen=True)
class Share:
    """A move and its probability."""

    name: str
    probability: float
    legal: bool | None
    """by the true rules; None where the real position isn't known"""


@dataclass(frozen=True)
class Decoded:
    """What a decoder sees in a latent."""

    board: Board | None
    """None if observations of the game can't be read as boards"""
    wrong: frozenset[Cell]
    """cells that hold something else on the real board"""
    agreement: float | None
    """share of the observation's entries that are as in the real one, to the nearest whole number; None without one"""


@dataclass(frozen=True)
class Imagined:
    """What the model says after the moves so far. Value and policy are those of the player to move."""

    reward: float | None
    """of the last move, for the player who made it; None before the first"""
    end: float | None
    """probability that the game is over; None before the first, and if the model doesn't predict it"""
    value: float
    best: tuple[Share, ...]
    legal: float | None
    """probability on moves that are legal in the real position; None where there are none"""
    decoded: Decoded | None
    """None before the first move, and without a decoder"""


@dataclass(frozen=True)
class Real:
    """The real position after the same moves."""

    position: Position
    reward: float | None
    """of the last move, for the player who made it, clipped as in training; None before the first"""
    over: bool
    value: float | None
    """the network's value of this position, for the player to move; None once the game is over"""
    best: tuple[Share, ...]
    """of the network's policy over legal moves"""


@dataclass(frozen=True)
class Ply:
    """The imagined position after some moves, and the real one."""

    name: str
    """of the last move; empty before the first"""
    mover: int
    """who made it; `NO_PLAYER` before the first"""
    player: int
    """who is to move now: in reality, or as the model believes where there is no real position that goes on"""
    imagined: Imagined
    real: Real | None
    """None from a move on that the rules don't allow, and where the game can't be replayed"""


@dataclass(frozen=True)
class Imagination:
    """The plies of one line, the position itself first."""

    plies: tuple[Ply, ...]
    notes: tuple[str, ...]
    """what can't be shown, and why"""
    replayed: bool
    """whether the game could be replayed, so that real positions are known"""


def imagine(agent: Agent, reached: Reached, actions: Sequence[int]) -> Imagination:
    """Follow actions in the model and in a copy of the game. Raises SearchError for outputs that aren't finite."""
    observed = reading(agent.spec) if agent.config.model.reconstruction else None
    with released(engines.make(agent.spec.name, 1)) as copy:
        known = not copy.restore(reached.games.snapshot())
        real = RealSide(agent, reached, copy if known else None)
        latents = dream(agent, reached.games, actions)
        plies = [_first(next(latents), real)]
        plies += [_next(action, latent, real, observed) for action, latent in zip(actions, latents, strict=True)]
    return Imagination(tuple(plies), tuple(notes(agent, observed, known)), known)


def refusal(agent: Agent) -> str:
    """Why an agent imagines nothing; empty for one that does."""
    if agent.model.imagines:
        return ""
    return (f"nothing is imagined: model.dynamics is {agent.config.model.dynamics}, so the search moves by the true "
            "rules, and there is no learned model to set beside them")


def notes(agent: Agent, observed: Reading | None, known: bool) -> Iterator[str]:
    """What is missing beside each ply, and why."""
    if agent.config.model.discount != "learned":
        yield "P(end): the model doesn't predict it (model.discount is fixed)"
    if not agent.config.model.reconstruction:
        yield "imagined board: the model has no decoder (model.reconstruction is off)"
    elif observed is None:
        yield "imagined board: observations of this game can't be read as a board"
    if not known:
        yield "real positions: the game goes differently when it is replayed, so only the first one is known"


class RealSide:
    """The real game beside an imagined line, as far as the rules allow it."""

    def __init__(self, agent: Agent, reached: Reached, copy: GameBatch | None) -> None:
        """copy: in the position to start from, to play on; None if the game can't be replayed."""
        self.agent, self.start, self.before = agent, reached.games, reached.before
        self.moves = len(reached.moves)
        self.player = int(reached.games.to_play()[0])
        """Who is to move, or would be"""
        self.copy = copy
        """None once the line has left the rules"""

    @property
    def games(self) -> GameBatch:
        """The last real position."""
        return self.start if self.copy is None else self.copy

    def name(self, action: int) -> str:
        """An action in the last real position."""
        return name_anywhere((self.games, self.start), action, dice_known=self.copy is not None)

    def step(self, action: int, discount: float) -> float | None:
        """Make a move; its reward, None if the rules don't allow it. discount: of the move, as the model says."""
        copy, reward = self.copy, None
        if copy is not None and copy.to_play()[0] != NO_PLAYER and copy.legal()[0, action]:
            self.before, self.moves = read_board(copy.spec.name, copy.render(0)), self.moves + 1
            reward = float(copy.step(np.array([action], np.int32)).reward[0])
        else:
            self.copy = None
        next_player = NO_PLAYER if reward is None else int(self.games.to_play()[0])
        if next_player != NO_PLAYER:
            self.player = next_player
        elif discount < 0:
            self.player = 1 - self.player
        return float(np.sign(reward)) if reward is not None and self.agent.config.selfplay.clip_rewards else reward

    def legal(self) -> MaskArray | None:
        """Legal moves [A]; None where the game is over."""
        games = self.games
        mask: MaskArray = games.legal()[0]
        return None if games.to_play()[0] == NO_PLAYER else mask

    def now(self, reward: float | None) -> Real:
        """The position. reward: of the last move."""
        games, legal = self.games, self.legal()
        position = seen(games, self.before, self.moves)
        if legal is None:
            return Real(position, reward, True, None, ())
        policy, value = self.agent.raw(self.agent.observe(games), games.legal())
        return Real(position, reward, False, float(value[0]), shares(policy[0], games, legal))


def _first(latent: Latent, side: RealSide) -> Ply:
    real = side.now(None)
    # Only latents behind an action are trained to be decoded.
    return Ply("", NO_PLAYER, side.player, _imagined(replace(latent, decoded=None), side, real), real)


def _next(action: int, latent: Latent, side: RealSide, observed: Reading | None) -> Ply:
    name, mover = side.name(action), side.player
    reward = side.step(action, latent.discount or 0.0)
    real = None if side.copy is None else side.now(reward)
    return Ply(name, mover, side.player, _imagined(latent, side, real, observed), real)


def _imagined(latent: Latent, side: RealSide, real: Real | None, observed: Reading | None = None) -> Imagined:
    legal = None if real is None else side.legal()
    return Imagined(
        latent.reward, latent.end, latent.value, shares(latent.policy, side.games, legal),
        None if legal is None else float(latent.policy[legal].sum()),
        None if latent.decoded is None else _decoded(latent.decoded, side, real, observed))


def _decoded(entries: FloatArray, side: RealSide, real: Real | None, observed: Reading | None) -> Decoded:
    board = None if observed is None else observed.board(entries, side.player)
    wrong, agreement = frozenset[Cell](), None
    if real is not None and real.position.board is not None and board is not None:
        wrong = differing(board, real.position.board)
    if real is not None and not real.over:
        agreement = float((np.rint(entries) == np.rint(side.games.observe()[0])).mean())
    return Decoded(board, wrong, agreement)


def differing(one: Board, other: Board) -> frozenset[Cell]:
    """Cells that hold another player's piece, or none, on the other board."""
    cells = ((row, column) for row in range(len(one.rows)) for column in range(len(one.rows[0])))
    return frozenset(cell for cell in cells if one.owner(cell) != other.owner(cell))


def shares(policy: FloatArray, games: GameBatch, legal: MaskArray | None) -> tuple[Share, ...]:
    """The likeliest moves. legal: bool [A], None where it isn't known."""
    order: list[int] = np.argsort(-policy, kind="stable")[:BEST].tolist()
    return tuple(
        Share(name_anywhere((games,), action, dice_known=legal is not None), float(policy[action]),
              None if legal is None else bool(legal[action]))
        for action in order)
