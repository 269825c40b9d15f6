"""What an agent thinks of one position: its network alone, and its search."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from games.base import GameBatch, GameSpec
from games.machine import free_memory
from muzero.config.kinds import PLANNERS, SIMULATIONS
from muzero.inspection.imagined import Imagination, imagine, refusal
from muzero.inspection.reached import Reached
from muzero.inspection.tree import SearchTree, search_tree
from muzero.play.moves import move_name
from muzero.play.session import Position, seen
from muzero.play.thoughts import Line, expected_line
from muzero.players import thinking
from muzero.search.planners import reserved

if TYPE_CHECKING:
    from muzero.agent import Agent, Analysis
    from muzero.search.nodes import Nodes


@dataclass(frozen=True)
class Limits:
    """How much of a tree is shown."""

    depth: int = 3
    """moves ahead, in text and pictures"""
    children: int = 3
    """moves of each position, in text and pictures"""
    nodes: int = 1_000
    """the most visited nodes, on pages and as JSON"""


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
    tree: SearchTree | None
    no_tree: str
    """why there is none"""
    limits: Limits
    imagination: Imagination | None
    """None unless it was asked for"""
    no_imagination: str
    """why there is none, though it was asked for"""


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

    def expected(self) -> list[int]:
        """The actions of the principal variation, up to the end of the game."""
        variation = self.analysis.variations[0]
        return variation[: len(expected_line(self.reached.games, variation).moves)]


def look(agent: Agent, reached: Reached, simulations: int | None, seed: int) -> Look:
    """Search the position. Raises SearchError for a model that can't be searched, MemoryError for too large a tree."""
    games, count = reached.games, agent.simulations if simulations is None else simulations
    if count:
        check_memory(agent, count)
    analysis, nodes = agent.search_tree(agent.observe(games), games.legal(), simulations=count, seed=seed)
    return Look(reached, agent, analysis, nodes, count)


def check_memory(agent: Agent, simulations: int) -> None:
    """Refuse a search whose tree and latents don't fit. Raises MemoryError."""
    settings = dataclasses.replace(agent.config.play, simulations=simulations)
    held = reserved(settings, agent.spec.num_actions, 1)
    needed, free = held.host_bytes + held.latents * 4 * math.prod(agent.model.latent_shape), free_memory()
    if needed > free:
        raise MemoryError(f"{simulations:,} simulations need {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are "
                          f"free: at most {int(simulations * free / needed):,} fit")


def report(found: Look, limits: Limits, imagined: Sequence[int] | None) -> PositionReport:
    """What the network and the search think. imagined: the actions of a line to imagine, None for no line.

    Raises SearchError if the model imagines numbers that aren't finite.
    """
    games, analysis, agent = found.reached.games, found.analysis, found.agent
    refused = "" if imagined is None else refusal(agent)
    return PositionReport(
        spec=games.spec, agent=agent.name, step=agent.step, planner=found.planner,
        effort=thinking(agent.config.play, found.simulations), moves=found.reached.moves,
        player=int(games.to_play()[0]), position=seen(games, found.reached.before, len(found.reached.moves)),
        network_value=float(analysis.raw_value[0]), value=float(analysis.result.value[0]),
        action=int(analysis.result.action[0]), candidates=candidates(games, analysis),
        line=expected_line(games, analysis.variations[0]),
        tree=None if found.nodes is None else search_tree(
            found.nodes, analysis.variations[0], found.reached, limits.nodes),
        no_tree=no_tree(found.planner), limits=limits,
        imagination=None if imagined is None or refused else imagine(agent, found.reached, imagined),
        no_imagination=refused)


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
    if PLANNERS[planner].counts == SIMULATIONS:
        return ""
    return f"no tree: the planner {planner} searches none; --planner gumbel or puct does"
