"""Batched search over a model: the C++ tree, and the inference that feeds it."""

from muzero.model.protocol import SearchError
from muzero.search.tree import TreeSearch

__all__ = ["SearchError", "TreeSearch"]
