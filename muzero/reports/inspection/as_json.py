"""An inspection as JSON values."""

from __future__ import annotations

import dataclasses
from typing import Any

from games.base import NO_PLAYER
from muzero.inspection.imagined import Decoded, Imagination, Imagined, Ply, Real
from muzero.inspection.position import PositionReport
from muzero.inspection.tree import SearchTree, TreeNode


def content(report: PositionReport) -> dict[str, Any]:
    """All of it. Values and Q are for the player to move, except in the tree, where Q is for who makes the move."""
    return {
        "game": report.spec.name, "agent": report.agent, "step": report.step, "planner": report.planner or None,
        "moves": report.moves, "player": report.player, "position": report.position.text,
        "value": {"network": report.network_value, "search": report.value},
        "plays": {"action": report.action, "name": report.candidates[0].name},
        "candidates": [dataclasses.asdict(one) for one in report.candidates],
        "line": [{"name": name, "possible": possible} for name, possible in report.line.moves],
        "tree": report.no_tree if report.tree is None else _tree(report.tree),
        "imagined": report.no_imagination or (None if report.imagination is None else _imagined(report.imagination)),
    }


def _tree(tree: SearchTree) -> dict[str, Any]:
    return {"total": tree.total, "deepest": tree.deepest, "nodes": [_node(node) for node in tree.nodes.values()]}


def _node(node: TreeNode) -> dict[str, Any]:
    """A node in the order of creation; -1 stands for no parent, no action and no player."""
    values = {field.name: getattr(node, field.name) for field in dataclasses.fields(node)
              if field.name not in ("truth", "children", "family")}
    return {**values, "name": node.truth.name, "possible": node.truth.possible, "over": node.truth.over}


def _imagined(found: Imagination) -> dict[str, Any]:
    return {"plies": [_ply(one) for one in found.plies], "notes": found.notes}


def _ply(one: Ply) -> dict[str, Any]:
    mover = None if one.mover == NO_PLAYER else one.mover
    return {"name": one.name, "mover": mover, "player": one.player, "imagined": _side(one.imagined),
            "real": None if one.real is None else _real(one.real)}


def _side(one: Imagined) -> dict[str, Any]:
    return {"reward": one.reward, "end": one.end, "value": one.value, "legal": one.legal,
            "policy": [dataclasses.asdict(share) for share in one.best],
            "decoded": None if one.decoded is None else _decoded(one.decoded)}


def _decoded(one: Decoded) -> dict[str, Any]:
    return {"board": None if one.board is None else one.board.rows, "wrong": sorted(one.wrong),
            "agreement": one.agreement}


def _real(one: Real) -> dict[str, Any]:
    return {"position": one.position.text, "reward": one.reward, "over": one.over, "value": one.value,
            "policy": [dataclasses.asdict(share) for share in one.best]}
