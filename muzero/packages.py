"""The engine's packages stand at the top of Python's modules, under names that a user's folders may have too.

    muzero train tic_tac_toe        # in a folder with a `games/` of its own, or with one on PYTHONPATH
"""

from __future__ import annotations

import importlib.machinery
import sys
from pathlib import Path

from muzero.errors import MuZeroError

BELOW = ("games", "selfplay", "cpp_mcts", "checkpoints")
"""Those that know nothing of muzero."""
NAMES = ("muzero", *BELOW)
ROOT = Path(__file__).resolve().parents[1]
"""The folder that holds all of them."""


class Shadowed(MuZeroError, ImportError):
    """Another package stands in the place of one of the engine's; the message says which, where, and the mend."""


def put_first() -> None:
    """Let places that hide one of the engine's packages be searched after its own, in this process and those it starts.

    For a process that is the engine's own: what the user's places hold is found all the same, under other names.
    """
    own = next((number for number, entry in enumerate(sys.path) if is_root(entry)), len(sys.path))
    before, after = sys.path[:own], sys.path[own + 1 :]
    hiding = [entry for entry in before if hidden_in(entry)]
    if hiding:
        sys.path[:] = [*(entry for entry in before if entry not in hiding), str(ROOT), *hiding, *after]


def check() -> None:
    """Raise Shadowed if Python takes, or has taken, something else for one of the engine's packages."""
    for name in NAMES:
        found = place_of(name)
        if found is not None and not found.is_relative_to(ROOT):
            raise Shadowed(f"muzero needs its own package {name!r} ({ROOT / name}), but Python finds {found} first: "
                           f"rename that one, or put {ROOT} before its folder on the path (PYTHONPATH, sys.path)")


def hidden_in(entry: str) -> list[str]:
    """The engine's packages of which another one stands in a place of the path."""
    if is_root(entry):
        return []
    specs = {name: importlib.machinery.PathFinder.find_spec(name, [entry]) for name in NAMES}
    # Folders without an `__init__.py` hide nothing: a package anywhere on the path comes before them.
    return [name for name, spec in specs.items() if spec is not None and spec.origin is not None]


def is_root(entry: str) -> bool:
    """True for the place of the engine on the path."""
    return Path(entry).resolve() == ROOT


def place_of(name: str) -> Path | None:
    """The file of a package that is loaded, or else would be; None where there is none."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        file = getattr(loaded, "__file__", None)
        return Path(file).resolve() if file else None
    spec = importlib.machinery.PathFinder.find_spec(name)
    return Path(spec.origin).resolve() if spec is not None and spec.origin else None
