"""Batched MuZero tree search in C++: `Search`, and the schedule of its Gumbel root.

A search knows no game and no network. It is given the root's logits, value and legal actions, then asks for one
network call a simulation (`select` says which latents and actions, `expand` takes the answers), and `result`
gives visits, policy, values and the chosen action. See `_core.pyi` for shapes, units and errors.
"""

from cpp_mcts._core import Search, considered_visits, memory_needed

__all__ = ["Search", "considered_visits", "memory_needed"]
