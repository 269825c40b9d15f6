"""MuZero: a learned latent model, a batched tree search in C++, games from OpenSpiel, Atari and Gymnasium.

    bot = muzero.load_bot("tic_tac_toe")            # a pyspiel.Bot, for OpenSpiel's own evaluation
    agent = muzero.load_agent("connect_four")       # policy, value and search statistics for batches of positions

Heavy modules are imported lazily.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from muzero.agent import Agent, Analysis
    from muzero.agent import load as load_agent
    from muzero.bot import load_bot
    from muzero.config import Config

__version__ = "0.1.0"
__all__ = ["Agent", "Analysis", "Config", "load_agent", "load_bot"]

_HOMES = {
    "Agent": ("muzero.agent", "Agent"), "Analysis": ("muzero.agent", "Analysis"),
    "load_agent": ("muzero.agent", "load"), "load_bot": ("muzero.bot", "load_bot"),
    "Config": ("muzero.config", "Config"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'muzero' has no attribute {name!r}")
    from muzero import packages

    packages.check()
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
