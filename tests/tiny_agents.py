"""Agents of the smallest networks, untrained: what they think is nonsense, but a tree over true rules isn't."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from tiny_runs import tiny

import games
from games.base import GameBatch
from muzero.agent import Agent
from muzero.inspection.position import Limits, PositionReport, look, report
from muzero.inspection.reached import Reached
from muzero.model.build import build_model
from muzero.play.board import Board, read_board
from muzero.play.moves import move_name, parse_move


def agent(game: str, **settings: Any) -> Agent:
    torch.manual_seed(1)
    config = tiny(game=game, **settings)
    model = build_model(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    return Agent(model, config, game, 0, 1)


def by_rules(game: str, **settings: Any) -> Agent:
    """An agent whose search moves by the true rules."""
    return agent(game, model__dynamics="rules", **settings)


def reached(game: str, *moves: str, seed: int = 0) -> Reached:
    batch: GameBatch = games.make(game, 1, seed)
    names, before = [], None
    for typed in moves:
        action = parse_move(batch, typed)
        assert action is not None, typed
        names.append(move_name(batch, action))
        before: Board | None = read_board(game, batch.render(0))
        batch.step(np.array([action], np.int32))
    return Reached(batch, tuple(names), before)


def inspected(
    who: Agent, *moves: str, simulations: int = 40, imagined: list[int] | None = None, **limits: int
) -> PositionReport:
    return report(look(who, reached(who.spec.name, *moves), simulations, 0), Limits(**limits), imagined)
