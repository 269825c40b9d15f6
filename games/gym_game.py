"""Any Gymnasium environment with discrete actions as a game of one player: `gym/CartPole-v1`.

Vectors are seen through symlog, as their ranges are often unbounded: sign(x) log(1 + |x|) (Hafner et al. 2023).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from games.base import NO_LIMIT, PIXEL_HIGH, GameError, GameSpec
from games.naming import MAX_NAME_LENGTH, nearest
from games.single import GameFactory

PREFIX = "gym/"
INSTALL = "pip install 'muzero-engine[gym]'"
_ID = re.compile(r"[\w./-]+")


def is_gym(name: str) -> bool:
    """True for names that start with `gym/`."""
    return name.strip().startswith(PREFIX)


def load_gym(name: str) -> tuple[GameFactory, GameSpec]:
    """What makes games of a Gymnasium environment, and its spec. Raises GameError."""
    identity = _identity(name)
    spec = _spec(identity)
    return lambda generator: GymGame(identity, spec, generator), spec


class GymGame:
    """One episode. See `games.single.SingleGame`."""

    def __init__(self, identity: str, spec: GameSpec, generator: np.random.Generator) -> None:
        self.spec = spec
        self._environment = _environment(identity)
        self._first_action = int(getattr(self._environment.action_space, "start", 0))
        self._over = self._cut = False
        self._seen, _ = self._environment.reset(seed=int(generator.integers(1 << 31)))

    def to_play(self) -> int:
        """Player 0."""
        return 0

    def legal(self) -> Sequence[int]:
        """Every action."""
        return range(self.spec.num_actions)

    def step(self, action: int) -> float:
        """Play an action; its reward."""
        self._seen, reward, ended, cut, _ = self._environment.step(self._first_action + action)
        self._over, self._cut = bool(ended or cut), bool(cut and not ended)
        if self._over:
            self._environment.close()
        return float(reward)

    def over(self) -> bool:
        """True once the episode has ended or was cut."""
        return self._over

    def cut(self) -> bool:
        """True where a time limit ended it."""
        return self._cut

    def observe(self) -> NDArray[Any]:
        """The observation in the form that the spec states."""
        seen = np.asarray(self._seen)
        if seen.ndim == 3:
            return np.ascontiguousarray(np.moveaxis(seen, -1, 0))
        if seen.ndim == 0:
            one: NDArray[np.uint8] = np.eye(self.spec.observation_shape[0], dtype=np.uint8)[int(seen)]
            return one
        numbers = seen.astype(np.float64)
        squashed: NDArray[np.float32] = (np.sign(numbers) * np.log1p(np.abs(numbers))).astype(np.float32)
        return squashed

    def render(self) -> str:
        """The observation's numbers; a picture's size."""
        seen = np.asarray(self._seen)
        return f"{self.spec.name}  {f'picture {seen.shape}' if seen.ndim == 3 else np.array2string(seen, precision=3)}"

    def action_name(self, action: int) -> str:
        """Its number, as the environment counts."""
        return str(self._first_action + action)


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


@functools.lru_cache(maxsize=32)
def _spec(identity: str) -> GameSpec:
    environment = _environment(identity)
    name, actions, seen = PREFIX + identity, environment.action_space, environment.observation_space
    steps = environment.spec.max_episode_steps
    environment.close()
    spaces = _gymnasium().spaces
    if not isinstance(actions, spaces.Discrete):
        raise GameError(f"{name}: discrete actions wanted, got {actions}")
    if isinstance(seen, spaces.Discrete) and seen.start == 0:
        shape, dtype, high = (int(seen.n),), "uint8", 1
    elif isinstance(seen, spaces.Box) and len(seen.shape) == 3 and seen.dtype == np.uint8:
        shape, dtype, high = (seen.shape[2], *seen.shape[:2]), "uint8", PIXEL_HIGH
    elif isinstance(seen, spaces.Box) and len(seen.shape) == 1:
        shape, dtype, high = tuple(seen.shape), "float32", 1
    else:
        raise GameError(f"{name}: observations must be a vector, a picture [H, W, C] of bytes or one whole number, "
                        f"got {seen}")
    return GameSpec(
        name=name,
        players=1,
        observation_shape=shape,
        observation_dtype="uint8" if dtype == "uint8" else "float32",
        num_actions=int(actions.n),
        max_length=steps or NO_LIMIT,
        min_return=float("-inf"),
        max_return=float("inf"),
        alternates=False,
        stochastic=True,
        rewards_on_the_way=True,
        observation_high=high,
    )
