"""Names of a user's own games, `module:Class` and `path/to/file.py:Class`, and the Python module of each.

In place of a class there may be an environment id with arguments: `file.py:Mine-v0(level=2)`.

Once read, a file goes by its absolute path, so that it is the same game from every folder and in every spelling:
relative, with `~`, through a link.
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
"""Packages of the engine, which shadow a user's package of the same name."""
CLASSES_SHOWN = 5
_folders: set[Path] = set()
"""Folders of the game files read so far."""


@dataclass(frozen=True)
class OwnName:
    """`where:attribute`, parsed."""

    where: str
    attribute: str
    """a class, or the id of an environment that the module registers"""
    arguments: str = ""
    """of an environment: `(level=2)`, without blanks"""

    @property
    def path(self) -> Path | None:
        """The file, absolute and without links, whether it exists or not; None for a module name."""
        return Path(os.path.expanduser(self.where)).resolve() if self.where.endswith(FILE) else None

    def __str__(self) -> str:
        return f"{self.path or self.where}:{self.attribute}{self.arguments}"


def parse_own(name: str) -> OwnName | None:
    """Parse the name of an own game; None for any other name. A file path may hold any character, a module no bracket.
    """
    match = _NAME.fullmatch(name.strip())
    if match is None:
        return None
    own = OwnName(match["where"], match["attribute"], re.sub(r"\s", "", match["arguments"] or ""))
    return own if own.where.endswith(FILE) or not set(own.where) & set("():") else None


def is_own(name: str) -> bool:
    """True for `module:Class` and `file.py:Class`: names whose games run code of that module."""
    return parse_own(name) is not None


def canonical(name: str) -> str:
    """One name for all spellings of an own game; any other name with blanks stripped. Reads no file."""
    return str(parse_own(name) or name.strip())


def classes_in(name: str) -> str | None:
    """A hint for a bare Python file name: the classes in it, found without running it. None for any other name."""
    path = Path(os.path.expanduser(name.strip()))
    if path.suffix != FILE or not path.is_file():
        return None
    found = _classes(path)[:CLASSES_SHOWN] or ["Class"]
    return f"name the class or environment in it: {', '.join(f'{name.strip()}:{kind}' for kind in found)}"


def _classes(path: Path) -> list[str]:
    """Names of a file's top-level classes in order; none if it can't be read."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef)]


def same_game(stored: str, named: str) -> bool:
    """Whether two canonical names mean the same game.

    A stored file that no longer exists, or that was named relative to another folder, is taken to be the file of the
    same name that the user names now.
    """
    old, new = parse_own(stored), parse_own(named)
    if old is None or new is None or old.path is None or new.path is None:
        return stored == named
    moved = not old.path.exists() and old.path.name == new.path.name
    same = (old.attribute, old.arguments) == (new.attribute, new.arguments)
    return same and (moved or old.path == new.path)


def from_here(name: str) -> str:
    """A name as one would type it in the current folder: files below it by their relative path."""
    own = parse_own(name)
    if own is None or own.path is None:
        return name
    here = Path.cwd().resolve()
    path = own.path.relative_to(here) if own.path.is_relative_to(here) else own.path
    return f"{path}:{own.attribute}{own.arguments}"


def short_name(name: str) -> str:
    """A name for lines of progress: an own game by its file and class, without the folder."""
    own = parse_own(name)
    return name if own is None or own.path is None else f"{own.path.name}:{own.attribute}{own.arguments}"


def module_of(own: OwnName) -> ModuleType:
    """Import the module that holds the game, which runs its code. Raises GameError that says why it can't."""
    return _named_module(own) if own.path is None else _file_module(own.where, own.path)


def _named_module(own: OwnName) -> ModuleType:
    if not _MODULE.fullmatch(own.where):
        raise GameError(f"game module: expected a module name (or a file name that ends in {FILE}), got {own.where!r}")
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        # `python -m muzero` has the current folder on its path, the script `muzero` doesn't.
        sys.path.append(here)
    try:
        return importlib.import_module(own.where)
    except ImportError as error:
        raise GameError(f"game module {own.where!r} can't be imported: {error}{_hidden(own)}") from error


def _hidden(own: OwnName) -> str:
    """A hint if a package of the engine has the name of the user's own."""
    first = own.where.partition(".")[0]
    file = Path(*own.where.split(".")).with_suffix(FILE)
    if first in ENGINE:
        return f"; {first!r} is a package of this engine, which shadows yours: name the file, {file}:{own.attribute}"
    return f"; looked in {os.getcwd()} and on Python's path. You can name a file too: {file}:{own.attribute}"


def _file_module(where: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise GameError(f"game file {where!r} doesn't exist (looked for {path})")
    # Keep the module registered, under a unique name: dataclasses look their module up there.
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
        mend = f"; a file inside a package is named by its module, package.{path.stem}:Class" if inside else ""
        raise GameError(f"game file {where!r} can't be imported: {error}{mend}") from error
    except BaseException:
        del sys.modules[unique]
        raise
    return module


@contextmanager
def _neighbours(folder: Path) -> Iterator[None]:
    """A game's file can import its neighbours like a script, whatever lay beside another game's file.

    Afterwards its folder goes to the end of the path, for later imports, where it shadows nothing.
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
    """Modules imported from beside another game's file that also exist in `folder`, with their submodules."""
    others, tops = _folders - {folder}, set()
    for name, module in list(sys.modules.items()):  # reading a module's attribute may import others
        file = Path(getattr(module, "__file__", None) or os.devnull)
        place = file.parent.parent if file.name == "__init__.py" else file.parent
        found = "." not in name and name not in ENGINE and place in others
        if found and ((folder / f"{name}{FILE}").is_file() or (folder / name / "__init__.py").is_file()):
            tops.add(name)
    return [name for name in sys.modules if name.partition(".")[0] in tops]
