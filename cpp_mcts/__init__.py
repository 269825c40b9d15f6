"""Batched MuZero tree search in C++: `Search`, and the schedule of its Gumbel root.

A search is independent of game and network. It takes the roots' logits, values and legal actions, then requests one
network call per simulation (`select` says for which latents and actions, `expand` takes the outputs), and `result`
returns visits, policy, values and the chosen action. `limits` and `choices` list the allowed values of the settings.
See `_core.pyi` for shapes, units and errors.
"""

from cpp_mcts._core import BadNumbers, Search, choices, considered_visits, least_span, limits, memory_needed

__all__ = ["BadNumbers", "Search", "choices", "considered_visits", "least_span", "limits", "memory_needed"]
