"""The on-disk cache of numba's compiled loops, shared between processes if some folder is writable.

If none is (neither the installation nor the home folder), if the disk is full or files are damaged, each process
compiles them itself: that takes seconds, and the numbers are the same.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numba import config, njit
from numba.core.caching import FunctionCache

ROOT = Path(__file__).parents[1]
"""The folder that holds all our packages: a checkout, or where they are installed."""
VARIABLE = "NUMBA_CACHE_DIR"
F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """`function` compiled for the argument types of each call; it runs without the interpreter lock (GIL)."""
    loop = compiled_anew(function)
    if FOLDER is not None:
        vars(loop)["_cache"] = _cache(function, FOLDER)
    return loop


def compiled_anew(function: F) -> F:
    """Like `compiled`, but never cached: for a function that calls itself."""
    loop: F = njit(nogil=True)(function)
    return loop


class Kept(FunctionCache):  # type: ignore[misc]
    """A function's machine code on disk: unreadable code is compiled and written again, unwritable code isn't cached.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The code for these types, None if there is none."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:
            # Unpickling a damaged file may fail in any way.
            self._forget()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Cache the code for these types, if the disk allows it."""
        try:
            super().save_overload(sig, data)
        except OSError:
            self.disable()

    def _forget(self) -> None:
        try:
            self.flush()
        except OSError:
            self.disable()


def places() -> list[Path]:
    """Folders that may hold compiled loops, best first: the one named by the environment variable, the checkout, the
    user's cache folder. Nothing is written among installed packages: uninstalling them would leave it behind."""
    found = [Path(os.environ[VARIABLE])] if os.environ.get(VARIABLE) else []
    found += [ROOT] if (ROOT / "pyproject.toml").is_file() else []
    # The path stays `~` for a user without a home folder, that is without an entry in the user database.
    caches = Path(os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache"))
    return [*found, caches / "muzero-engine"] if caches.is_absolute() else found


def usable(folder: Path) -> bool:
    """True if compiled loops can be stored in `folder`, which is created if missing."""
    try:
        for place in [ROOT / name / "__pycache__" for name in ("games", "muzero")] if folder == ROOT else [folder]:
            place.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=place).close()
    except OSError:
        return False
    return True


def _cache(function: Callable[..., Any], folder: Path) -> Kept:
    """In `__pycache__` of a checkout, so that it is deleted with it; else in `folder`."""
    before, config.CACHE_DIR = config.CACHE_DIR, "" if folder == ROOT else str(folder)
    try:
        return Kept(function)
    finally:
        config.CACHE_DIR = before


FOLDER = next(filter(usable, places()), None)
"""Where this process stores compiled loops, None if it can't."""
