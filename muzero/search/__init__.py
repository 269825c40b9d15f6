"""Batched search over a model: drives the C++ tree search, with batched inference."""

from muzero.model.protocol import SearchError
from muzero.search.tree import TreeSearch

__all__ = ["SearchError", "TreeSearch"]
