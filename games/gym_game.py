"""Any Gymnasium environment with discrete actions as a game of one player: `gym/CartPole-v1`."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.base import NO_LIMIT, GameError, GameSpec
from games.guard import broken, shown
from games.gym_spaces import Form, form_of
from games.naming import MAX_NAME_LENGTH, nearest
from games.single import GameFactory

PREFIX = "gym/"
INSTALL = "pip install 'muzero-engine[gym]'"
STEP = ("observation", "reward", "terminated", "truncated", "info")
"""What an environment's step gives."""
_ID = re.compile(r"[\w./-]+")


def is_gym(name: str) -> bool:
    """True for names that start with `gym/`."""
    return name.strip().startswith(PREFIX)


def load_gym(name: str) -> tuple[GameFactory, GameSpec]:
    """What makes games of a Gymnasium environment, and its spec. Raises GameError."""
    identity = _identity(name)
    spec, form = _facts(identity)
    return lambda generator: GymGame(identity, spec, form, generator), spec


class GymGame:
    """One episode. See `games.guard.SingleGame`."""

    def __init__(self, identity: str, spec: GameSpec, form: Form, generator: np.random.Generator) -> None:
        self.spec, self._form = spec, form
        self._environment = _environment(identity)
        self._closed = self._over = self._cut = False
        try:
            self._first_action = int(getattr(self._environment.action_space, "start", 0))
            answer = self._environment.reset(seed=int(generator.integers(1 << 31)))
            self._raw, _ = _taken_apart("reset()", ("observation", "info"), answer)
            self._seen = form.see(self._raw)
        except BaseException:
            self.close()
            raise

    def to_play(self) -> int:
        """Player 0."""
        return 0

    def legal(self) -> Sequence[int]:
        """Every action."""
        return range(self.spec.num_actions)

    def step(self, action: int) -> float:
        """Play an action; its reward."""
        answer = self._environment.step(self._first_action + action)
        self._raw, reward, ended, cut, _ = _taken_apart("step()", STEP, answer)
        self._over, self._cut = bool(ended or cut), bool(cut and not ended)
        if self._over:
            self.close()
        else:
            # At once: an environment may write its next observation into the same array.
            self._seen = self._form.see(self._raw)
        paid: float = reward
        return paid

    def close(self) -> None:
        """Close the environment, once."""
        if not self._closed:
            self._closed = True
            self._environment.close()

    def over(self) -> bool:
        """True once the episode has ended or was cut."""
        return self._over

    def cut(self) -> bool:
        """True where a time limit ended it."""
        return self._cut

    def observe(self) -> NDArray[Any]:
        """The observation in the form that the spec states."""
        return self._seen

    def render(self) -> str:
        """The observation's numbers; a picture's size."""
        seen = np.asarray(self._raw)
        return f"{self.spec.name}  {f'picture {seen.shape}' if seen.ndim == 3 else np.array2string(seen, precision=3)}"

    def action_name(self, action: int) -> str:
        """Its number, as the environment counts."""
        return str(self._first_action + action)


def _taken_apart(call: str, parts: tuple[str, ...], answer: Any) -> tuple[Any, ...]:
    """What an environment gave, once it has as many parts as Gymnasium says."""
    if not isinstance(answer, tuple) or len(answer) != len(parts):
        got = f"{len(answer)} values" if isinstance(answer, tuple) else shown(answer)
        raise GameError(f"the environment's {call}: expected ({', '.join(parts)}), got {got}")
    return answer


def _identity(name: str) -> str:
    identity = name.strip().removeprefix(PREFIX)
    if len(identity) > MAX_NAME_LENGTH or not _ID.fullmatch(identity):
        raise GameError(f"game {name[:60]!r}: wanted the id of a registered Gymnasium environment, as in "
                        f"{PREFIX}CartPole-v1 (an environment of your own: a class of its own, docs/games.md)")
    if identity.startswith("ALE/"):
        raise GameError(f"{name}: Atari games are named atari/pong here, with their protocol; Gymnasium's ids skip "
                        "frames by themselves")
    return identity


def _gymnasium() -> Any:
    try:
        import gymnasium
    except ImportError as error:
        raise GameError(f"{PREFIX} games need Gymnasium, which isn't installed ({error}): {INSTALL}") from error
    return gymnasium


def _environment(identity: str) -> Any:
    """A new environment. Raises GameError naming the nearest id, or what the environment lacks."""
    gymnasium = _gymnasium()
    if identity not in gymnasium.registry:
        known = [PREFIX + name for name in gymnasium.registry if not name.startswith("ALE/")]
        raise GameError(f"{PREFIX}{identity} is no environment of Gymnasium{nearest(PREFIX + identity, known)}")
    try:
        return gymnasium.make(identity)
    except gymnasium.error.Error as error:
        raise GameError(f"{PREFIX}{identity} can't be made: {error}") from error
    except ImportError as error:
        # An environment may have been moved to a package of its own, or need one.
        raise GameError(f"{PREFIX}{identity} can't be made, its code can't be imported: {error}\n"
                        "  install what it names, or choose a newer version of this environment") from error
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:
        raise broken(f"{PREFIX}{identity}: a new environment", error) from error


@functools.lru_cache(maxsize=32)
def _facts(identity: str) -> tuple[GameSpec, Form]:
    """What a network has to know of an environment, and how its observations are seen."""
    name, environment = PREFIX + identity, _environment(identity)
    try:
        actions, form = _actions(name, environment), form_of(name, _space(name, environment, "observation_space"))
        steps = None if environment.spec is None else environment.spec.max_episode_steps
    finally:
        environment.close()
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
    """The number of actions. Raises GameError for actions that are no numbered choice."""
    actions = _space(name, environment, "action_space")
    if type(actions).__name__ != "Discrete":
        raise GameError(f"{name}: expected discrete actions (Discrete), got {actions}")
    return int(actions.n)


def _space(name: str, environment: Any, which: str) -> Any:
    space = getattr(environment, which, None)
    if not isinstance(space, _gymnasium().spaces.Space):
        raise GameError(f"{name}: expected a space of Gymnasium as {which}, got {type(space).__name__}")
    return space
