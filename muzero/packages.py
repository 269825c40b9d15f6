"""Name clashes of the engine's top-level packages with a user's folders or packages.

    muzero train tic_tac_toe        # in a folder that has its own `games/`, or with one on PYTHONPATH
"""

from __future__ import annotations

import importlib.machinery
import sys
from pathlib import Path

from muzero.errors import MuZeroError

BELOW = ("games", "selfplay", "cpp_mcts", "checkpoints")
"""Packages that don't import muzero."""
NAMES = ("muzero", *BELOW)
ROOT = Path(__file__).resolve().parents[1]
"""The folder that holds all packages."""


class Shadowed(MuZeroError, ImportError):
    """Another package shadows one of the engine's; the message says which, where, and how to fix it."""


def put_first() -> None:
    """Move path entries that shadow one of the engine's packages behind the engine's own, here and in child processes.

    Only for the engine's own processes: the user's modules are still found, unless their names clash.
    """
    own = next((number for number, entry in enumerate(sys.path) if is_root(entry)), len(sys.path))
    before, after = sys.path[:own], sys.path[own + 1 :]
    hiding = [entry for entry in before if hidden_in(entry)]
    if hiding:
        sys.path[:] = [*(entry for entry in before if entry not in hiding), str(ROOT), *hiding, *after]


def check() -> None:
    """Raise Shadowed if Python finds, or has loaded, another package under the name of one of the engine's."""
    for name in NAMES:
        found = place_of(name)
        if found is not None and not found.is_relative_to(ROOT):
            raise Shadowed(f"package {name!r}: expected muzero's own ({ROOT / name}), but Python finds {found} first: "
                           f"rename that one, or put {ROOT} before its folder on the path (PYTHONPATH, sys.path)")


def hidden_in(entry: str) -> list[str]:
    """Names of the engine's packages that a path entry shadows."""
    if is_root(entry):
        return []
    specs = {name: importlib.machinery.PathFinder.find_spec(name, [entry]) for name in NAMES}
    # Folders without an `__init__.py` shadow nothing: a package anywhere on the path comes before them.
    return [name for name, spec in specs.items() if spec is not None and spec.origin is not None]


def is_root(entry: str) -> bool:
    """True for the engine's own path entry."""
    return Path(entry).resolve() == ROOT


def place_of(name: str) -> Path | None:
    """The file of the package that is loaded, or would be; None if there is none."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        file = getattr(loaded, "__file__", None)
        return Path(file).resolve() if file else None
    spec = importlib.machinery.PathFinder.find_spec(name)
    return Path(spec.origin).resolve() if spec is not None and spec.origin else None
