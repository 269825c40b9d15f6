"""Any Gymnasium environment with discrete actions as a game of one player: `gym/CartPole-v1`."""

from __future__ import annotations

import contextlib
import functools
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.base import NO_LIMIT, GameError, GameSpec
from games.extras import installing
from games.guard import PASSED_ON, broken, shown
from games.gym_spaces import Form, form_of, kind_of
from games.naming import MAX_NAME_LENGTH, nearest, parse_name
from games.own_names import OwnName, module_of, parse_own
from games.single import GameFactory

PREFIX = "gym/"
INSTALL = installing("gym")
STEP = ("observation", "reward", "terminated", "truncated", "info")
"""What an environment's step returns."""
_NAME = re.compile(r"((?P<module>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):)?(?P<id>[\w./-]+)(?P<arguments>\(.*\))?")
_CONSTANTS = {"True": True, "False": False, "None": None}
_WHOLE, _REAL = re.compile(r"[+-]?\d{1,18}"), re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+(?=e))(e[+-]?\d+)?")
MASK = "action_mask"
"""Key of `info` under which environments give the legal-action mask, as Taxi does."""
PLUGINS = "gymnasium.envs"
"""Entry-point group with which packages register environments, as MinAtar does."""
WRAPPED = "was raised from the environment creator"
"""What Gymnasium adds to the error of a constructor."""
DISTRIBUTIONS = {"MinAtar": "minatar"}
"""Packages to install, by the namespace of their environment ids."""
LIMIT = "max_episode_steps"
"""Keyword of every environment: its time limit."""


@dataclass(frozen=True)
class Maker:
    """A reusable factory of environments."""

    name: str
    """as people name the game"""
    entry: str | Callable[..., Any]
    """Gymnasium's id, a class of environments, or a function that gives one"""
    keywords: tuple[tuple[str, Any], ...] = ()

    def __call__(self) -> Any:
        """A new environment. Raises GameError naming the nearest id, or what the environment lacks."""
        gymnasium, keywords = _gymnasium(), dict(self.keywords)
        try:
            if isinstance(self.entry, str):
                return gymnasium.make(self.entry, **keywords)
            limit = keywords.pop(LIMIT, None)
            environment = self.entry(**keywords)
            if not isinstance(environment, gymnasium.Env):
                raise GameError(f"expected a Gymnasium environment, got {shown(environment)}")
            return environment if limit is None else gymnasium.wrappers.TimeLimit(environment, limit)
        except gymnasium.error.Error as error:
            raise GameError(f"{self.name} can't be made: {error}") from error
        except ImportError as error:
            # The environment may have moved to a separate package, or need one.
            raise GameError(f"{self.name} can't be made, its code can't be imported: {error}\n"
                            "  install what it names, or choose a newer version of this environment") from error
        except PASSED_ON:
            raise
        except BaseException as error:
            raise broken(self.name, _raised_first(error)) from error


def _raised_first(error: BaseException) -> BaseException:
    """The environment's own exception, if Gymnasium has wrapped it in another."""
    first = error.__cause__ or error.__context__
    return first if first is not None and type(first) is type(error) and WRAPPED in str(error) else error


def is_gym(name: str) -> bool:
    """True for names that start with `gym/`."""
    return name.strip().startswith(PREFIX)


def load_gym(name: str) -> tuple[GameFactory, GameSpec]:
    """The factory of games of a registered environment, and its spec. `gym/module:ID` imports the module first.

    Raises GameError.
    """
    return _loaded(_named(name))


def load_environment(own: OwnName) -> tuple[GameFactory, GameSpec] | None:
    """The same for an environment in a user's module: a class, a function that returns one, or an id that the module
    registers. None if the name is none of these. Runs the module's code. Raises GameError.
    """
    module = imported(own)
    found = getattr(module, own.attribute, None)
    if isinstance(found, type):
        given = _is_environment(found)
    else:
        given = isinstance(found, FunctionType) and not hasattr(found, "spec")
    if not given and (found is not None or own.attribute not in _registered()):
        return None
    return _loaded(Maker(str(own), own.attribute if found is None else found, keywords(str(own), own.arguments)))


def _is_environment(kind: type) -> bool:
    # A class derived from gymnasium.Env means that gymnasium is imported already.
    gymnasium = sys.modules.get("gymnasium")
    return gymnasium is not None and issubclass(kind, gymnasium.Env)


def _registered() -> Mapping[str, Any]:
    gymnasium = sys.modules.get("gymnasium")
    known: Mapping[str, Any] = {} if gymnasium is None else gymnasium.registry
    return known


def _loaded(maker: Maker) -> tuple[GameFactory, GameSpec]:
    spec, form = _facts(maker)
    return lambda generator: GymGame(maker, spec, form, generator), spec


class GymGame:
    """One episode. See `games.guard.SingleGame`."""

    def __init__(self, maker: Maker, spec: GameSpec, form: Form, generator: np.random.Generator) -> None:
        self.spec, self._form = spec, form
        self._environment = maker()
        self._closed = self._over = self._cut = False
        try:
            self._first_action = int(getattr(self._environment.action_space, "start", 0))
            answer = self._environment.reset(seed=int(generator.integers(1 << 31)))
            self._raw, self._info = _taken_apart("reset()", ("observation", "info"), answer)
            self._seen = form.see(self._raw)
        except BaseException:
            self.close()
            raise

    def to_play(self) -> int:
        """Player 0."""
        return 0

    def legal(self) -> Sequence[int]:
        """Every action, or those in the mask that the environment gives in `info`."""
        mask = self._info.get(MASK) if isinstance(self._info, dict) else None
        return range(self.spec.num_actions) if mask is None else self._allowed(mask)

    def _allowed(self, mask: Any) -> list[int]:
        told = np.asarray(mask)
        if told.shape != (self.spec.num_actions,) or told.dtype.kind not in "biuf" or not np.isin(told, (0, 1)).all():
            raise GameError(f"info[{MASK!r}]: expected {self.spec.num_actions} zeros and ones, got {shown(mask)}")
        allowed: list[int] = np.flatnonzero(told).tolist()
        return allowed

    def step(self, action: int) -> float:
        """Play an action; returns its reward."""
        answer = self._environment.step(self._first_action + action)
        self._raw, reward, ended, cut, self._info = _taken_apart("step()", STEP, answer)
        ended, cut = _flag("terminated", ended), _flag("truncated", cut)
        self._over, self._cut = ended or cut, cut and not ended
        if self._over:
            self.close()
        else:
            # Convert now: the environment may write its next observation into the same array.
            self._seen = self._form.see(self._raw)
        paid: float = reward
        return paid

    def close(self) -> None:
        """Close the environment, once."""
        if not self._closed:
            self._closed = True
            self._environment.close()

    def over(self) -> bool:
        """True once the episode has terminated or was truncated."""
        return self._over

    def cut(self) -> bool:
        """True if a time limit ended it."""
        return self._cut

    def observe(self) -> NDArray[Any]:
        """The observation, converted to the spec's shape and dtype."""
        return self._seen

    def render(self) -> str:
        """The observation's numbers; for a picture, its size."""
        seen = np.asarray(self._raw)
        return f"{self.spec.name}  {f'picture {seen.shape}' if seen.ndim == 3 else np.array2string(seen, precision=3)}"

    def action_name(self, action: int) -> str:
        """Its number, as the environment counts it."""
        return str(self._first_action + action)


def _taken_apart(call: str, parts: tuple[str, ...], answer: Any) -> tuple[Any, ...]:
    """An environment's answer, checked to have as many parts as Gymnasium prescribes."""
    if not isinstance(answer, tuple) or len(answer) != len(parts):
        got = f"{len(answer)} values" if isinstance(answer, tuple) else shown(answer)
        raise GameError(f"the environment's {call}: expected ({', '.join(parts)}), got {got}")
    return answer


def _flag(name: str, given: Any) -> bool:
    """A flag given by an environment. Raises GameError if it is neither true nor false."""
    if given is None or type(given) is bool:
        return bool(given)
    told = np.asarray(given)
    if told.size != 1 or told.dtype.kind not in "biuf" or told.item() not in (0, 1):
        raise GameError(f"{name}: expected True or False, got {shown(given)}")
    return bool(told.item())


def _named(name: str) -> Maker:
    """The maker of a registered environment by the game's name. Raises GameError naming the nearest id."""
    match = _NAME.fullmatch(name.strip().removeprefix(PREFIX)) if len(name) <= MAX_NAME_LENGTH else None
    own = parse_own(name)
    if match is None or (match["module"] and own is None):
        raise GameError(f"game {name[:60]!r}: expected the id of a registered Gymnasium environment, as in "
                        f"{PREFIX}CartPole-v1, {PREFIX}FrozenLake-v1(is_slippery=False) or {PREFIX}module:Mine-v0 "
                        "(an environment in a file of your own: FILE.py:Class)")
    identity = match["id"]
    if identity.startswith("ALE/"):
        raise GameError(f"{name}: here Atari games have names like atari/pong, which include their protocol; "
                        "Gymnasium's ids skip frames on their own")
    registry = _gymnasium().registry
    if match["module"]:
        imported(OwnName(match["module"], identity))
    failed = "" if identity in registry else "".join(f"\n  installed, but {failure}" for failure in _plugins())
    if identity not in registry:
        raise GameError(_unregistered(identity, match["module"]) + failed)
    return Maker(name.strip(), identity, keywords(name.strip(), match["arguments"] or ""))


def _unregistered(identity: str, module: str | None) -> str:
    """The message that no environment has this id, with a guess at what was meant."""
    known = [other for other in _registered() if not other.startswith("ALE/")]
    space = identity.rpartition("/")[0]
    if space and module is None and not any(other.startswith(f"{space}/") for other in known):
        package = DISTRIBUTIONS.get(space)
        mend = f"is it installed (pip install {package})" if package else "is the package that registers it installed"
        return f"{PREFIX}{identity}: no installed package registers {space}/...: {mend}?"
    told = f"{PREFIX}{identity} is not a Gymnasium environment"
    if module is not None:
        return f"{told}, and {module} doesn't register that id{_near(identity, known)}"
    near = _near(identity, known, PREFIX)
    return told + (near or f"; if a module of yours registers it, its name is {PREFIX}module:{identity}")


def _near(identity: str, known: Iterable[str], prefix: str = "") -> str:
    """`; did you mean X?`, X being the newest version of an environment whose name is close."""
    return nearest(identity, sorted(known), prefix, _unversioned)


def _unversioned(identity: str) -> str:
    """An id without its version: the same few letters at the end of all ids."""
    return re.sub(r"-v\d+$", "", identity)


@functools.cache
def _plugins() -> tuple[str, ...]:
    """Let installed packages register their environments; returns the failures.

    Before version 1 Gymnasium did this itself.
    """
    failed = []
    for plugin in entry_points(group=PLUGINS):
        try:
            plugin.load()()
        except PASSED_ON:
            raise
        except (Exception, SystemExit) as error:
            failed.append(f"{plugin.name} ({plugin.value}) can't register its environments: {error!r:.120}")
    return tuple(failed)


def imported(own: OwnName) -> ModuleType:
    """Import the module of a name, which runs its code. Raises GameError for anything it raises."""
    try:
        return module_of(own)
    except (*PASSED_ON, GameError):
        raise
    except BaseException as error:
        raise broken(f"the code of {own}", error) from error


def keywords(name: str, arguments: str) -> tuple[tuple[str, Any], ...]:
    """`(is_slippery=False,size=8,map=8x8)` as names and values. Raises GameError."""
    try:
        parsed = parse_name(f"environment{arguments}")
    except GameError as error:
        raise GameError(f"{name}: {error}") from error
    return tuple((key, _value(text)) for key, text in sorted(parsed.parameters.items()))


def _value(text: str) -> Any:
    """True, False, None, a number, or the text itself, without quotes around it."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    if _REAL.fullmatch(text):
        return float(text)
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def _gymnasium() -> Any:
    try:
        import gymnasium
    except ImportError as error:
        raise GameError(f"{PREFIX} games need Gymnasium, which isn't installed ({error}): {INSTALL}") from error
    return gymnasium


@functools.lru_cache(maxsize=32)
def _facts(maker: Maker) -> tuple[GameSpec, Form]:
    """The spec of an environment, and how its observations are converted."""
    name, environment = maker.name, maker()
    try:
        with contextlib.closing(environment):
            actions, form = _actions(name, environment), form_of(name, _space(name, environment, "observation_space"))
            steps = dict(maker.keywords).get(LIMIT) or getattr(environment.spec, "max_episode_steps", None)
    except (*PASSED_ON, GameError):
        raise
    except BaseException as error:
        raise broken(f"{name}: its spaces, then close()", error) from error
    return GameSpec(
        name=name,
        players=1,
        observation_shape=form.shape,
        observation_dtype=form.dtype,
        num_actions=actions,
        max_length=steps or NO_LIMIT,
        min_return=float("-inf"),
        max_return=float("inf"),
        alternates=False,
        stochastic=True,
        rewards_on_the_way=True,
        observation_high=form.high,
        note=form.note,
    ), form


def _actions(name: str, environment: Any) -> int:
    """The number of actions. Raises GameError for action spaces that aren't discrete."""
    actions = _space(name, environment, "action_space")
    if kind_of(actions) != "Discrete":
        raise GameError(f"{name}: expected discrete actions (Discrete), got {actions}")
    return int(actions.n)


def _space(name: str, environment: Any, which: str) -> Any:
    space = getattr(environment, which, None)
    if not isinstance(space, _gymnasium().spaces.Space):
        raise GameError(f"{name}: expected a Gymnasium space as {which}, got {type(space).__name__}")
    return space
