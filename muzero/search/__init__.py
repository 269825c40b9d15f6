"""Batched search over a model: the C++ tree, and the inference that feeds it."""

from muzero.search.tree import SearchError, TreeSearch

__all__ = ["SearchError", "TreeSearch"]
