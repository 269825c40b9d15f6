"""Checks around a user's own game: exceptions, and answers that contradict its spec, become GameErrors.

The message names the game, row and move, what was expected and what it got. Each position is asked only once whose
turn it is and what is legal, however often the batch needs it.
"""

from __future__ import annotations

import math
import struct
import sys
import sysconfig
import textwrap
import traceback
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from games.base import GameError, GameSpec, MaskArray
from games.own_names import ENGINE

REWARD = struct.Struct("<db")
"""A reward and the player who got it, for a checksum."""
LARGEST = float(np.finfo(np.float32).max)
SHOWN = 120
"""Characters of a wrong answer that are shown."""
SAID = 200
"""Characters of an exception's message that are shown."""
HOME = Path(__file__).parent.parent
"""Folder of the engine's packages."""
EXAMPLES = HOME / "games" / "examples"
STANDARD = sysconfig.get_path("stdlib")
_PACKAGES = {"site-packages", "dist-packages"}
PASSED_ON = (KeyboardInterrupt, MemoryError)
"""Exceptions that aren't the game's fault, even if its code or its `close()` raises something else on the way out.
All others are, whatever they derive from: engines in Rust panic with a BaseException, some call `sys.exit`."""
TOLERANCE = 1e-6


class SingleGame(Protocol):
    """One game in progress. The class is called with a random generator and returns the start position."""

    spec: GameSpec

    def to_play(self) -> int:
        """The player to move, 0 or 1. Not asked once the game is over."""

    def legal(self) -> Sequence[int]:
        """Legal actions, at least one; not asked once the game is over."""

    def step(self, action: int) -> float:
        """Play a legal action; returns the reward for the player who moved."""

    def over(self) -> bool:
        """True once the game has ended."""

    def observe(self) -> NDArray[Any]:
        """The position [*O] from the view of the player to move, of the spec's dtype."""

    def render(self) -> str:
        """The position as text."""

    def action_name(self, action: int) -> str:
        """The action as players write it."""


@runtime_checkable
class Limited(Protocol):
    """An extra method of one-player games with a time limit."""

    def cut(self) -> bool:
        """True once the time limit has ended the game (`over` is True too): later value is still bootstrapped."""


@runtime_checkable
class Closing(Protocol):
    """An extra method of games that hold a resource: a process, a window, a file."""

    def close(self) -> None:
        """Release it. Called once, when the game isn't used any more."""


class Guarded:
    """One row's game, checked. See `SingleGame` for each method."""

    def __init__(self, game: SingleGame, spec: GameSpec, row: int) -> None:
        self._game, self._spec, self._row = game, spec, row
        self._paid = 0.0
        """to player 0 so far"""
        self.moves: list[int] = []
        self._legal: MaskArray | None = None
        self._seen: NDArray[Any] | None = None
        self._player, self._rewards, self._closed = 0, 0, False
        try:
            self._settle()
        except BaseException:
            self.close()
            raise

    def over(self) -> bool:
        return self._over

    def cut(self) -> bool:
        return self._cut

    def to_play(self) -> int:
        """The player to move; once the game is over, the player of the last move."""
        return self._player

    def legal(self) -> MaskArray:
        """Legal moves [A]; don't modify."""
        if self._legal is None:
            self._legal = self._mask()
        return self._legal

    def step(self, action: int) -> float:
        """Play a legal action; returns the reward, a finite number."""
        call, mover = f"step({action})", self._player
        reward = self._number(call, self._ask(call, self._game.step, action))
        self._paid += reward if mover == 0 else -reward
        self._rewards = zlib.crc32(REWARD.pack(reward, mover), self._rewards)
        self._settle()
        self._check_reward(call, reward)
        if self._spec.alternates and not self._over and self._player == mover:
            self._refuse(f"to_play() after {call}", f"player {1 - mover}, as the spec says alternates=True",
                         f"player {mover} again")
        self.moves.append(action)
        return reward

    def observe(self) -> NDArray[Any]:
        """The position, of the spec's shape and dtype; don't modify. `check_finite` checks its numbers."""
        if self._seen is None:
            self._seen = self._look().copy()
        return self._seen

    def check_finite(self) -> None:
        """Raises GameError for a position that holds NaN or infinity."""
        seen = self.observe()
        if not np.isfinite(seen).all():
            place = np.argwhere(~np.isfinite(seen))[0].tolist()
            self._refuse("observe()", "finite numbers", f"{seen[tuple(place)]} at {place}")

    def checksum(self) -> int:
        """Checksum of what the game has shown so far: every reward, and the current position."""
        seen = b"" if self._over else self.observe().tobytes() + self.legal().tobytes()
        return zlib.crc32(seen, self._rewards)

    def close(self) -> None:
        """Close the game, if it has a `close` method."""
        if not self._closed and isinstance(self._game, Closing):
            self._closed = True
            self._ask("close()", self._game.close)

    def _look(self) -> NDArray[Any]:
        seen = self._ask("observe()", self._game.observe)
        shape, dtype = self._spec.observation_shape, np.dtype(self._spec.observation_dtype)
        if not isinstance(seen, np.ndarray):
            self._refuse("observe()", f"an array of {dtype} {list(shape)}", shown(seen))
        if seen.shape != shape or seen.dtype != dtype:
            self._refuse("observe()", f"{dtype} {list(shape)}", f"{seen.dtype} {list(seen.shape)}")
        fine: NDArray[Any] = seen
        return fine

    def render(self) -> str:
        return str(self._ask("render()", self._game.render))

    def action_name(self, action: int) -> str:
        return str(self._ask(f"action_name({action})", self._game.action_name, action))

    def _settle(self) -> None:
        """Ask whose turn it is, or how it ended."""
        self._legal, self._seen, self._cut = None, None, False
        self._over = bool(self._ask("over()", lambda: bool(self._game.over())))
        if not self._over:
            self._player = self._mover()
        elif isinstance(self._game, Limited):
            self._cut = bool(self._ask("cut()", self._game.cut))

    def _mover(self) -> int:
        player = self._ask("to_play()", self._game.to_play)
        if not isinstance(player, (int, np.integer)) or not 0 <= player < self._spec.players:
            self._refuse("to_play()", "player 0 or 1" if self._spec.players == 2 else "player 0", shown(player))
        return int(player)

    def _mask(self) -> MaskArray:
        count = self._spec.num_actions
        given = self._ask("legal()", self._game.legal)
        if isinstance(given, range) and given == range(count):
            return np.ones(count, np.bool_)
        whole = given is None or isinstance(given, (np.ndarray, int))
        found = given if whole else self._ask("legal()", list, given)
        moves = self._ask("legal()", np.asarray, found)
        if moves.ndim != 1 or moves.size == 0 or moves.dtype.kind not in "iu" or not inside(found, count):
            self._refuse_moves(given, moves)
        mask: MaskArray = np.zeros(count, np.bool_)
        mask[moves] = True
        return mask

    def _refuse_moves(self, given: Any, moves: NDArray[Any]) -> None:
        expected = f"whole numbers from 0 to {self._spec.num_actions - 1}, the legal actions"
        if moves.size == 0:
            self._refuse("legal()", f"at least one of {expected}, as over() is False", "none")
        mask = "; of a mask, give np.flatnonzero(mask)" if moves.dtype.kind == "b" else ""
        self._refuse("legal()", expected + mask, shown(given))

    def _number(self, call: str, given: Any) -> float:
        """A reward as a number; arrays of one element are accepted."""
        if type(given) is float:
            number = given
        else:
            value = self._ask(call, np.asarray, given)
            if value.size != 1 or value.dtype.kind not in "biuf":
                self._refuse(call, "a reward, one number", shown(given))
            number = float(value.item())
        if not abs(number) <= LARGEST:
            self._refuse(call, "a finite reward" if not math.isfinite(number) else "a reward that float32 holds",
                         f"{number}")
        return number

    def _check_reward(self, call: str, reward: float) -> None:
        """If only the end pays, earlier rewards are 0 and the return is in the spec's range."""
        spec = self._spec
        if spec.rewards_on_the_way:
            return
        if not self._over:
            if reward:
                self._refuse(call, "a reward of 0 before the last move, as the spec says rewards_on_the_way=False",
                             f"{reward:g}")
            return
        for paid in (self._paid, -self._paid)[: spec.players]:
            low, high = spec.min_return - _slack(spec.min_return), spec.max_return + _slack(spec.max_return)
            if not low <= paid <= high:
                self._refuse(call, f"a return from min_return {spec.min_return:g} to max_return {spec.max_return:g} of "
                                   "the spec", f"{paid:g}")

    def _refuse(self, call: str, expected: str, got: str) -> None:
        raise GameError(f"{self._where()}: {call}: expected {expected}, got {got}")

    def _where(self) -> str:
        return f"{self._spec.name}: row {self._row}, move {len(self.moves) + 1}"

    def _ask(self, call: str, method: Callable[..., Any], *arguments: Any) -> Any:
        """Call a method of the game. Raises GameError for anything it raises."""
        try:
            return method(*arguments)
        except PASSED_ON:
            raise
        except BaseException as error:
            raise broken(f"{self._where()}: {call}", error) from error


def broken(where: str, error: BaseException) -> GameError:
    """The error to raise from one that a game's own code raised in the call that `where` names.

    If a Ctrl-C or a MemoryError caused it, raises that instead: it isn't the game's fault.
    """
    _pass_on(error)
    if isinstance(error, GameError):
        return GameError(f"{where}: {error}")
    return GameError(f"{where} raised {told(error)}{_line(error)}")


def _pass_on(error: BaseException) -> None:
    """Raise the cause or context of `error` if it is one of PASSED_ON."""
    step: BaseException | None = error
    while step is not None:
        if isinstance(step, PASSED_ON):
            raise step
        step = step.__cause__ or step.__context__


def told(error: BaseException) -> str:
    """The type of an exception, and its message on one line, cut at a word if long."""
    kind = type(error).__name__
    try:
        said = str(error)
    except PASSED_ON:
        raise
    except BaseException as failure:
        return f"{kind}, whose text raises {type(failure).__name__}"
    return f"{kind}: {textwrap.shorten(said, SAID, placeholder=' ...')}" if said.strip() else kind


def _line(error: BaseException) -> str:
    """` (line N of FILE)`: the last line of the user's own code, else of a package; empty if there is neither."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _of_frameworks(Path(frame.filename))]
    own = [frame for frame in frames if not _installed(Path(frame.filename))] or frames
    return f" (line {own[-1].lineno} of {own[-1].filename})" if own else ""


def _of_frameworks(file: Path) -> bool:
    """True for a file of this engine, of Gymnasium or of Python, and for code that has no file."""
    gymnasium = getattr(sys.modules.get("gymnasium"), "__file__", None)
    folders = [HOME / package for package in ENGINE] + ([Path(gymnasium).parent] if gymnasium else [])
    part = any(file.is_relative_to(folder) for folder in folders) and not file.is_relative_to(EXAMPLES)
    return part or not file.exists() or (file.is_relative_to(STANDARD) and not _installed(file))


def _installed(file: Path) -> bool:
    return not _PACKAGES.isdisjoint(file.parts)


def inside(moves: list[int] | NDArray[Any], count: int) -> bool:
    """True for one or more whole numbers from 0 to `count` - 1."""
    # Python's min and max are several times as fast on lists, numpy's on arrays.
    low, high = (moves.min(), moves.max()) if isinstance(moves, np.ndarray) else (min(moves), max(moves))
    return bool(low >= 0 and high < count)


def _slack(bound: float) -> float:
    return TOLERANCE * (1.0 + abs(bound)) if math.isfinite(bound) else 0.0


def shown(given: Any) -> str:
    """A wrong answer, with its type."""
    text = "None" if given is None else f"{type(given).__name__} {text_of(given)}"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def text_of(given: Any) -> str:
    """`repr` of what a game returned or raised; its type if even that fails."""
    try:
        return repr(given)
    except PASSED_ON:
        raise
    except BaseException as error:
        return f"<a {type(given).__name__} whose repr raises {type(error).__name__}>"
