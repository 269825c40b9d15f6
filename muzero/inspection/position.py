"""What an agent thinks of one position: its network alone, and its search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from games.base import GameBatch, GameSpec
from muzero.config.kinds import PLANNERS
from muzero.play.board import Board
from muzero.play.moves import move_name
from muzero.play.session import Position, seen
from muzero.play.thoughts import Line, expected_line
from muzero.players import thinking

if TYPE_CHECKING:
    from muzero.agent import Agent, Analysis
    from muzero.search.nodes import Nodes


@dataclass(frozen=True)
class Reached:
    """A game after some moves."""

    games: GameBatch
    """one row"""
    moves: tuple[str, ...]
    """names of the moves made"""
    before: Board | None = None
    """the board before the last one, if it can be read"""


@dataclass(frozen=True)
class Candidate:
    """A legal move, as the network and the search see it."""

    action: int
    name: str
    prior: float
    """the network's policy, in [0, 1]"""
    policy: float
    """the search's improved policy, in [0, 1]"""
    visits: int
    q: float | None
    """for the player to move; None for an unvisited move"""


@dataclass(frozen=True)
class PositionReport:
    """An agent's thoughts about one position. Values are for the player to move."""

    spec: GameSpec
    agent: str
    step: int
    """training step of its weights"""
    planner: str
    """name of its planner; empty without search"""
    effort: str
    """how it planned, in words"""
    moves: tuple[str, ...]
    """names of the moves that led there"""
    player: int
    """the player to move"""
    position: Position
    network_value: float
    value: float
    """after the search"""
    action: int
    """the move that the agent would play"""
    candidates: tuple[Candidate, ...]
    """all legal moves, the one it would play first, then the most visited ones"""
    line: Line
    """that it expects"""


@dataclass(frozen=True)
class Look:
    """A position, and the agent's search of it."""

    reached: Reached
    agent: Agent
    analysis: Analysis
    nodes: Nodes | None
    """its tree, None if it has none"""
    simulations: int

    @property
    def planner(self) -> str:
        """Name of the planner; empty without search."""
        return self.agent.config.play.algorithm if self.simulations else ""


def look(agent: Agent, reached: Reached, simulations: int | None, seed: int) -> Look:
    """Search the position. Raises SearchError for a model that can't be searched, MemoryError for too large a tree."""
    games = reached.games
    analysis, nodes = agent.search_tree(agent.observe(games), games.legal(), simulations=simulations, seed=seed)
    return Look(reached, agent, analysis, nodes, agent.simulations if simulations is None else simulations)


def report(found: Look) -> PositionReport:
    """What the network and the search think."""
    games, analysis, agent = found.reached.games, found.analysis, found.agent
    return PositionReport(
        spec=games.spec, agent=agent.name, step=agent.step, planner=found.planner,
        effort=thinking(agent.config.play, found.simulations), moves=found.reached.moves,
        player=int(games.to_play()[0]), position=seen(games, found.reached.before, len(found.reached.moves)),
        network_value=float(analysis.raw_value[0]), value=float(analysis.result.value[0]),
        action=int(analysis.result.action[0]), candidates=candidates(games, analysis),
        line=expected_line(games, analysis.variations[0]))


def candidates(games: GameBatch, analysis: Analysis) -> tuple[Candidate, ...]:
    """All legal moves: the search's choice, then by visits, improved policy and prior."""
    result, prior = analysis.result, analysis.prior[0]
    legal: list[int] = np.flatnonzero(games.legal()[0]).tolist()
    found = [
        Candidate(action, move_name(games, action), float(prior[action]), float(result.policy[0, action]),
                  int(result.visits[0, action]),
                  float(result.q[0, action]) if result.visits[0, action] else None)
        for action in legal
    ]
    return tuple(sorted(found, key=lambda one: (one.action != result.action[0], -one.visits, -one.policy, -one.prior)))


def no_tree(planner: str) -> str:
    """Why a search by this planner has left no tree; empty for one that has."""
    if not planner:
        return "no tree: without search (0 simulations) there is none"
    if PLANNERS[planner].counts == "simulations":
        return ""
    return f"no tree: the planner {planner} searches none; --planner gumbel or puct does"
