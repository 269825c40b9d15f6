"""Batched MuZero tree search in C++: `Search`, and the schedule of its Gumbel root.

A search knows no game and no network. It is given the root's logits, value and legal actions, then asks for one
network call a simulation (`select` says which latents and actions, `expand` takes the answers), and `result`
gives visits, policy, values and the chosen action. `limits` and `choices` say what values the settings may have. See
`_core.pyi` for shapes, units and errors.
"""

from cpp_mcts._core import BadNumbers, Search, choices, considered_visits, least_span, limits, memory_needed

__all__ = ["BadNumbers", "Search", "choices", "considered_visits", "least_span", "limits", "memory_needed"]
