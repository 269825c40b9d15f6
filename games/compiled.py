"""The cache of numba's compiled loops: kept on disk for the next process where a folder can be written.

Where none can (an installation and a home without write permission), on a full disk and with damaged files each
process compiles them anew: that takes seconds, and the numbers are the same.
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
"""What holds all our packages: a checkout, or the folder they are installed into."""
VARIABLE = "NUMBA_CACHE_DIR"
F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """`function` as machine code that runs without the interpreter's lock, its types those of each call."""
    loop = compiled_anew(function)
    if FOLDER is not None:
        vars(loop)["_cache"] = _cache(function, FOLDER)
    return loop


def compiled_anew(function: F) -> F:
    """As `compiled`, kept nowhere: for a function that calls itself."""
    loop: F = njit(nogil=True)(function)
    return loop


class Kept(FunctionCache):  # type: ignore[misc]
    """A function's machine code on disk: what can't be read is made and written anew, what can't be written isn't kept.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The code for these types, None where there is none."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:
            # A damaged file may fail in any way as it is unpickled.
            self._forget()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the code for these types, if the disk takes it."""
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
    """Folders where compiled loops may be kept, best first: the one the environment names, the checkout, the user's
    folder of caches. Nothing is written among installed packages: uninstalling them would leave it behind."""
    found = [Path(os.environ[VARIABLE])] if os.environ.get(VARIABLE) else []
    found += [ROOT] if (ROOT / "pyproject.toml").is_file() else []
    # It stays `~` where nobody is at home: a user without an entry in the list of users.
    caches = Path(os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache"))
    return [*found, caches / "muzero-engine"] if caches.is_absolute() else found


def usable(folder: Path) -> bool:
    """True if compiled loops can be kept in `folder`, which is made if it isn't there."""
    try:
        for place in [ROOT / name / "__pycache__" for name in ("games", "muzero")] if folder == ROOT else [folder]:
            place.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=place).close()
    except OSError:
        return False
    return True


def _cache(function: Callable[..., Any], folder: Path) -> Kept:
    """In `__pycache__` of a checkout, so that it goes with it; else in `folder`."""
    before, config.CACHE_DIR = config.CACHE_DIR, "" if folder == ROOT else str(folder)
    try:
        return Kept(function)
    finally:
        config.CACHE_DIR = before


FOLDER = next(filter(usable, places()), None)
"""Where this process keeps compiled loops, None where it can't."""
