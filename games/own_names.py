"""Names of a user's own games, `module:Class` and `path/to/file.py:Class`, and the Python module that each means.

In place of a class there may be an environment's id, and arguments for it: `file.py:Mine-v0(level=2)`.

A file is named by its absolute path once it is read, so that it is the same game from every folder and by every
spelling: relative, with `~`, through a link.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from games.base import GameError

FILE = ".py"
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_NAME = re.compile(r"(?P<where>.+):(?P<attribute>[^\W\d]\w*|[^\W\d][\w./-]*-v\d+)(?P<arguments>\(.*\))?", re.DOTALL)
ENGINE = ("checkpoints", "cpp_mcts", "games", "muzero", "selfplay")
"""Packages of the engine, which hide a user's of the same name."""
CLASSES_SHOWN = 5
_folders: set[Path] = set()
"""Of the game files read so far."""


@dataclass(frozen=True)
class OwnName:
    """`where:attribute` taken apart."""

    where: str
    attribute: str
    """a class, or the id of an environment that the module registers"""
    arguments: str = ""
    """of an environment: `(level=2)`, without blanks"""

    @property
    def path(self) -> Path | None:
        """The file, absolute and without links, whether it is there or not; None for a module's name."""
        return Path(os.path.expanduser(self.where)).resolve() if self.where.endswith(FILE) else None

    def __str__(self) -> str:
        return f"{self.path or self.where}:{self.attribute}{self.arguments}"


def parse_own(name: str) -> OwnName | None:
    """An own game's name taken apart; None for any other name. A file's path may hold any sign, a module's no bracket.
    """
    match = _NAME.fullmatch(name.strip())
    if match is None:
        return None
    own = OwnName(match["where"], match["attribute"], re.sub(r"\s", "", match["arguments"] or ""))
    return own if own.where.endswith(FILE) or not set(own.where) & set("():") else None


def is_own(name: str) -> bool:
    """True for `module:Class` and `file.py:Class`: names that run code of that module when they are made."""
    return parse_own(name) is not None


def canonical(name: str) -> str:
    """One name for all spellings of an own game; any other name without blanks around it. Reads no file."""
    return str(parse_own(name) or name.strip())


def classes_in(name: str) -> str | None:
    """What to name in place of a Python file alone: its classes, which are read, not run. None for any other name."""
    path = Path(os.path.expanduser(name.strip()))
    if path.suffix != FILE or not path.is_file():
        return None
    found = _classes(path)[:CLASSES_SHOWN] or ["Class"]
    return f"name the class or environment in it: {', '.join(f'{name.strip()}:{kind}' for kind in found)}"


def _classes(path: Path) -> list[str]:
    """Names of a file's classes in order, those inside of others left out; none where it can't be read."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef)]


def same_game(stored: str, named: str) -> bool:
    """Whether two canonical names of games mean one game.

    A file that isn't there any more, or was named from a folder that isn't this one, is the file of the same name that
    a person names now.
    """
    old, new = parse_own(stored), parse_own(named)
    if old is None or new is None or old.path is None or new.path is None:
        return stored == named
    moved = not old.path.exists() and old.path.name == new.path.name
    same = (old.attribute, old.arguments) == (new.attribute, new.arguments)
    return same and (moved or old.path == new.path)


def from_here(name: str) -> str:
    """A name as people write it in the current folder: a file that lies below by its path from there."""
    own = parse_own(name)
    if own is None or own.path is None:
        return name
    here = Path.cwd().resolve()
    path = own.path.relative_to(here) if own.path.is_relative_to(here) else own.path
    return f"{path}:{own.attribute}{own.arguments}"


def module_of(own: OwnName) -> ModuleType:
    """The module that holds the game; its code runs. Raises GameError that says why it can't be had."""
    return _named_module(own) if own.path is None else _file_module(own.where, own.path)


def _named_module(own: OwnName) -> ModuleType:
    if not _MODULE.fullmatch(own.where):
        raise GameError(f"game module {own.where!r} is no module name (a file's name ends in {FILE})")
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        # The script `muzero` begins without it, `python -m muzero` with it.
        sys.path.append(here)
    try:
        return importlib.import_module(own.where)
    except ImportError as error:
        raise GameError(f"game module {own.where!r} can't be imported: {error}{_hidden(own)}") from error


def _hidden(own: OwnName) -> str:
    """What to do where a package of the engine has the name of the user's own."""
    first = own.where.partition(".")[0]
    file = Path(*own.where.split(".")).with_suffix(FILE)
    if first in ENGINE:
        return f"; {first!r} is a package of this engine, which hides yours: name the file, {file}:{own.attribute}"
    return f"; looked in {os.getcwd()} and where Python looks. A file can be named too: {file}:{own.attribute}"


def _file_module(where: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise GameError(f"game file {where!r} doesn't exist (looked for {path})")
    # The module stays registered under a name of its own: dataclasses look their module up there.
    stem = re.sub(r"\W", "_", path.stem)
    unique = f"_own_game_{stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if unique in sys.modules:
        return sys.modules[unique]
    description = importlib.util.spec_from_file_location(unique, path)
    if description is None or description.loader is None:
        raise GameError(f"game file {where!r} isn't a Python file")
    module = importlib.util.module_from_spec(description)
    sys.modules[unique] = module
    try:
        with _neighbours(path.parent):
            description.loader.exec_module(module)
    except ImportError as error:
        del sys.modules[unique]
        inside = (path.parent / "__init__.py").is_file()
        mend = f"; a file of a package is named as its module, package.{path.stem}:Class" if inside else ""
        raise GameError(f"game file {where!r} can't be imported: {error}{mend}") from error
    except BaseException:
        del sys.modules[unique]
        raise
    return module


@contextmanager
def _neighbours(folder: Path) -> Iterator[None]:
    """What lies beside a game's file can be imported by it as by a script, whatever lay beside another game's.

    Afterwards the folder stands last, for what the game imports later: it hides nothing from anybody else.
    """
    for name in _namesakes(folder):
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
        _folders.add(folder)


def _namesakes(folder: Path) -> list[str]:
    """Modules found beside another game's file that are also in `folder`, and all that is in them."""
    others, tops = _folders - {folder}, set()
    for name, module in list(sys.modules.items()):  # some modules import others as they are asked
        file = Path(getattr(module, "__file__", None) or os.devnull)
        place = file.parent.parent if file.name == "__init__.py" else file.parent
        found = "." not in name and name not in ENGINE and place in others
        if found and ((folder / f"{name}{FILE}").is_file() or (folder / name / "__init__.py").is_file()):
            tops.add(name)
    return [name for name in sys.modules if name.partition(".")[0] in tops]
