"""Nodes of a searched tree, for people who look at it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

from numpy.typing import NDArray


class Nodes(NamedTuple):
    """The n nodes of one tree in the order of creation, the root first. Those of the edge are 0 for the root."""

    parent: NDArray[Any]
    """[n] int32: row of the parent; -1 for the root"""
    action: NDArray[Any]
    """[n] int32: taken at the parent; -1 for the root"""
    visits: NDArray[Any]
    """[n] int32: of the node, the network's own evaluation included"""
    prior: NDArray[Any]
    """[n] float32: of the action at the parent; under pUCT those of a root have the noise in them"""
    reward: NDArray[Any]
    """[n] float32: of the edge, for the player to move at the parent"""
    discount: NDArray[Any]
    """[n] float32: of the edge: + if the same player moves next, - if the other one does, 0 at the end"""
    raw_value: NDArray[Any]
    """[n] float32: the network's value, for the player to move"""
    value: NDArray[Any]
    """[n] float64: mean return of the visits, for the player to move"""
    q: NDArray[Any]
    """[n] float64: value of the action, for the player to move at the parent: reward + discount * value"""


@runtime_checkable
class HasTree(Protocol):
    """A planner that searches a tree; the others have none to show."""

    def nodes(self, row: int) -> Nodes:
        """The tree that the last plan has left in `row`."""
