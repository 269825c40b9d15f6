"""Atari games through ALE's own vector environment, which skips, max-pools, scales and stacks frames.

Each row is a vector environment of one game, so that rows can be stepped and reset separately; all run at the same
time, each in one of ALE's threads. A game is a function of its `Story`, which is what a snapshot holds: ALE's vector
environment doesn't expose its state.
"""

from __future__ import annotations

import base64
import functools
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from games.atari_protocol import AtariFacts
from games.base import NO_PLAYER, GameError, GameSpec, IntArray, MaskArray, Step
from games.extras import installing
from games.machine import cores
from games.rows import check_snapshot, row_mask, rows_to_move

INSTALL = installing("atari")
SCREEN = (210, 160)
"""Height and width of most games' screens."""
_ONLY = [0]
"""Index of the only game of a vector environment. ALE reads a list five times as fast as an array."""
_FULL_STRENGTH = [1.0]
_NO_SEED = [-1]
"""In place of a seed: ALE's random number generator continues from its current state."""
GAMES_A_SEED = 16
"""For each new seed ALE reloads the ROM, which takes as long as 200 moves. Without sticky actions, successive games of
an environment depend only on its seed and their number, not on how the earlier ones were played. The exceptions are
marked in the table (`Rom.apart`) and get a seed for each game."""


class Story(NamedTuple):
    """Everything that determines a game."""

    seed: int
    number: int
    """Games that the environment has begun with this seed before this one."""
    actions: bytes


class Row:
    """One game: its environment, and what is needed to replay it."""

    def __init__(self, facts: AtariFacts) -> None:
        protocol = facts.protocol
        self._environment = _environment(
            facts, protocol.size, protocol.size, protocol.stack, protocol.colour == "grey")
        self._beginning: Future[tuple[Any, Any]] | None = None
        self.seed, self.number = -1, 0
        """As in `Story`; -1 before the first game."""
        self.actions = bytearray()
        self.obs: NDArray[np.uint8] = np.zeros(facts.spec.observation_shape, np.uint8)
        self.lives = 0
        self.frame = 0
        """Emulated frames since the game began, as ALE counts them."""

    def begin(self, seed: int, number: int, pool: ThreadPoolExecutor) -> None:
        """Begin game `number` of a seed in the background; `begun` waits for it."""
        # ALE can't run two resets of an environment at once: wait for the previous one.
        sound = self._beginning is not None and self._beginning.exception() is None
        follows = sound and seed == self.seed and number == self.number + 1
        self.seed, self.number = seed, number
        self.actions.clear()
        if follows:
            self._beginning = pool.submit(_go_on, self._environment)
        else:
            self._beginning = pool.submit(_begin, self._environment, seed, number)

    def begun(self) -> None:
        """Take the game's first observation."""
        assert self._beginning is not None, "no game was begun"
        self._take(*self._beginning.result())

    def send(self, action: int) -> None:
        """Begin a step; `receive` waits for it."""
        self.actions.append(action)
        self._environment.send([action], _FULL_STRENGTH)

    def receive(self) -> tuple[float, bool, bool, bool]:
        """Reward; whether the game is over, was truncated, or a life was lost and it goes on."""
        before = self.lives
        obs, reward, over, cut, info = self._environment.recv()
        self._take(obs, info)
        ended = bool(over[0])
        # With no life left a game may run on for some frames: that doesn't count as a lost life.
        return float(reward[0]), ended, bool(cut[0]) and not ended, not ended and 0 < self.lives < before

    def _take(self, obs: NDArray[np.uint8], info: dict[str, NDArray[np.int32]]) -> None:
        self.lives, self.frame = int(info["lives"][0]), int(info["episode_frame_number"][0])
        # [stack, H, W] or [stack, H, W, 3]
        frames = obs[0] if obs.ndim == 4 else np.moveaxis(obs[0], -1, 1)
        self.obs = np.ascontiguousarray(frames.reshape(self.obs.shape))


class AtariBatch:
    """N games of one ROM. See `games.base.GameBatch` for the contract of each method."""

    def __init__(self, facts: AtariFacts, size: int, seed: int) -> None:
        if size < 1:
            raise GameError(f"{facts.spec.name}: expected a batch of 1 game or more, got size={size}")
        self.spec: GameSpec = facts.spec
        self.facts = facts
        self.size = size
        self._seed = seed
        self._seeds_taken = 0
        if (there := len(action_names(facts))) != self.spec.num_actions:
            raise GameError(f"{self.spec.name}: expected {self.spec.num_actions} actions, this ALE has {there}")
        self._rows = [Row(facts) for _ in range(size)]
        self._spare = Row(facts)
        """The next game begins in it while the others go on."""
        self._pool = ThreadPoolExecutor(min(size, cores()), "new games")
        self._over = np.zeros(size, np.bool_)
        self._returns: NDArray[np.float64] = np.zeros((size, 1))
        self._begin_next(self._spare)
        self.reset()

    @property
    def frames(self) -> NDArray[np.int64]:
        """Emulated frames [N] of the game in each row, as ALE counts them: including the no-ops at its start."""
        return np.array([row.frame for row in self._rows], np.int64)

    @property
    def lives(self) -> NDArray[np.int64]:
        """Lives left [N]; 0 in games without lives."""
        return np.array([row.lives for row in self._rows], np.int64)

    def reset(self, rows: MaskArray | None = None) -> None:
        """Start new games in `rows` (bool [N]; all when None)."""
        mask = np.ones(self.size, np.bool_) if rows is None else row_mask(rows, self.size)
        chosen = np.flatnonzero(mask).tolist()
        if not chosen:
            return
        self._rows[chosen[0]], self._spare = self._spare, self._rows[chosen[0]]
        for row in [*(self._rows[index] for index in chosen[1:]), self._spare]:
            self._begin_next(row)
        self._take_begun(chosen)

    def _begin_next(self, row: Row) -> None:
        """Begin another game in the environment: with its current seed, or with a new one."""
        lasts = self.facts.protocol.sticky == 0.0 and not self.facts.rom.apart
        if lasts and row.seed >= 0 and row.number + 1 < GAMES_A_SEED:
            row.begin(row.seed, row.number + 1, self._pool)
            return
        self._seeds_taken += 1
        state: int = np.random.SeedSequence([self._seed, self._seeds_taken]).generate_state(1)[0].item()
        row.begin(state % (1 << 31), 0, self._pool)

    def _take_begun(self, chosen: list[int]) -> None:
        self._over[chosen] = True
        with self._told():
            for row in chosen:
                self._rows[row].begun()
        self._over[chosen] = False
        self._returns[chosen] = 0.0

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn ALE's own failures, in one of its threads or in this one, into errors of this game."""
        try:
            yield
        except RuntimeError as error:
            raise GameError(f"{self.spec.name}: ALE failed: {error}") from error

    def observe(self) -> NDArray[Any]:
        """Observations [N, C, H, W]; zeros in finished rows."""
        seen = np.stack([row.obs for row in self._rows])
        seen[self._over] = 0
        return seen

    def legal(self) -> MaskArray:
        """Legal moves [N, A]: every action; all False in finished rows."""
        return np.repeat(~self._over[:, None], self.spec.num_actions, axis=1)

    def to_play(self) -> IntArray:
        """Player to move [N], `NO_PLAYER` in finished rows."""
        return np.where(self._over, NO_PLAYER, 0).astype(np.int32)

    def step(self, actions: IntArray, rows: MaskArray | None = None) -> Step:
        """Play actions [N] in `rows` (all unfinished rows when None), all at the same time."""
        played, chosen = self._checked(actions, rows)
        reward, discount = np.zeros(self.size, np.float32), np.zeros(self.size, np.float32)
        truncated, life_lost = np.zeros(self.size, np.bool_), np.zeros(self.size, np.bool_)
        with self._told():
            for row, action in zip(chosen, played[chosen].tolist(), strict=True):
                self._rows[row].send(action)
            for row in chosen:
                reward[row], over, truncated[row], life_lost[row] = self._rows[row].receive()
                discount[row] = 0.0 if over else 1.0
                self._over[row] = over or truncated[row]
        self._returns[:, 0] += reward
        return Step(reward, discount, truncated, life_lost)

    def returns(self) -> NDArray[np.float64]:
        """Raw score of the game in each row so far [N, 1]."""
        return self._returns.copy()

    def snapshot(self) -> dict[str, Any]:
        """The story of each game, and of the next one."""
        stories = [self.story(row) for row in range(self.size)]
        return {
            "game": self.spec.name,
            "seed": self._seed,
            "seeds_taken": self._seeds_taken,
            "begun": [story[:2] for story in [*stories, (self._spare.seed, self._spare.number)]],
            "actions": [base64.b64encode(story.actions).decode() for story in stories],
            "pictures": [zlib.crc32(row.obs.tobytes()) for row in self._rows],
        }

    def restore(self, snapshot: dict[str, Any]) -> list[int]:
        """Go back to a snapshot of a batch of the same game and size, by replaying its actions; works for every row."""
        stored = [base64.b64decode(text) for text in snapshot["actions"]]
        check_snapshot(snapshot, self.spec.name, self.size, stored)
        for row, (seed, number) in zip([*self._rows, self._spare], snapshot["begun"], strict=True):
            row.begin(seed, number, self._pool)
        self._take_begun(list(range(self.size)))
        for move in range(max(map(len, stored))):
            going = np.array([move < len(actions) for actions in stored])
            now = [actions[move] if move < len(actions) else 0 for actions in stored]
            self.step(np.array(now, np.int32), going)
        if [zlib.crc32(row.obs.tobytes()) for row in self._rows] != snapshot["pictures"]:
            raise GameError(f"{self.spec.name}: a stored game went differently when it was replayed: use the version "
                            "of ale-py that it was stored with, or start a new run")
        self._seed, self._seeds_taken = snapshot["seed"], snapshot["seeds_taken"]
        return []

    def story(self, row: int) -> Story:
        """Everything that determines the row's game so far."""
        game = self._rows[row]
        return Story(game.seed, game.number, bytes(game.actions))

    def render(self, row: int) -> str:
        """Score, lives and frames as text, in place of a picture."""
        game = self._rows[row]
        return f"{self.spec.name}  score {self._returns[row, 0]:g}  lives {game.lives}  frame {game.frame}"

    def action_name(self, row: int, action: int) -> str:
        """ALE's name for the action."""
        del row
        return action_names(self.facts)[action] if 0 <= action < self.spec.num_actions else f"#{action}"

    def _checked(self, actions: IntArray, rows: MaskArray | None) -> tuple[NDArray[Any], list[int]]:
        """Actions and rows to move, after checking that every move is possible: ALE hangs on an unknown action."""
        played, chosen = rows_to_move(self.spec.name, actions, rows, self._over)
        wrong = (played[chosen] < 0) | (played[chosen] >= self.spec.num_actions)
        if wrong.any():
            row = int(chosen[wrong][0])
            raise GameError(f"{self.spec.name}: row {row}: {int(played[row])} is illegal; legal: 0 to "
                            f"{self.spec.num_actions - 1}")
        return played, chosen.tolist()


class Camera:
    """Colour pictures of the game in one row of a batch: replays the same game from its seed and actions."""

    def __init__(self, batch: AtariBatch, row: int = 0) -> None:
        self._batch, self._row = batch, row
        facts = batch.facts
        self._environment = _environment(facts, *SCREEN, stack=1, grey=False)
        self._game: tuple[int, int] | None = None
        self._seen = 0
        """Actions of that game replayed so far."""
        self._picture: NDArray[np.uint8] = np.zeros((*SCREEN, 3), np.uint8)

    def picture(self) -> NDArray[np.uint8]:
        """The current screen of the row's game, [210, 160, 3]."""
        seed, number, actions = self._batch.story(self._row)
        if (seed, number) != self._game or self._seen > len(actions):
            self._game, self._seen = (seed, number), 0
            self._picture = _begin(self._environment, seed, number)[0][0, -1]
        for action in actions[self._seen :]:
            self._environment.send([action], _FULL_STRENGTH)
            self._picture = self._environment.recv()[0][0, -1]
        self._seen = len(actions)
        return self._picture.copy()


def ale_module() -> Any:
    """The module `ale_py`. Raises GameError naming what to install."""
    try:
        import ale_py
    except ImportError as error:
        raise GameError(f"Atari games need ALE, which isn't installed ({error}): {INSTALL}") from error
    if not hasattr(ale_py, "ALEVectorInterface"):
        raise GameError(f"Atari games need ALE's vector environment and gymnasium: {INSTALL}")
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    return ale_py


def _environment(facts: AtariFacts, height: int, width: int, stack: int, grey: bool) -> Any:
    """A vector environment of one game, with raw rewards and whole episodes."""
    ale, protocol = ale_module(), facts.protocol
    return ale.ALEVectorInterface(
        rom_path=ale.roms.get_rom_path(facts.rom.name),
        num_envs=1,
        frame_skip=protocol.skip,
        stack_num=stack,
        img_height=height,
        img_width=width,
        grayscale=grey,
        maxpool=True,
        noop_max=protocol.noops,
        use_fire_reset=False,
        # ALE's episodic life begins a new game after a lost life: the agent would never see the second one.
        episodic_life=False,
        life_loss_info=False,
        reward_clipping=False,
        max_episode_steps=protocol.cap,
        repeat_action_probability=protocol.sticky,
        full_action_space=protocol.actions == "full",
        batch_size=1,
        num_threads=1,
        thread_affinity_offset=-1,
        autoreset_mode="NextStep",
    )


def _begin(environment: Any, seed: int, number: int) -> tuple[Any, Any]:
    """Reset to game `number` of a seed: its first screens and info."""
    first: tuple[Any, Any] = environment.reset(_ONLY, [seed])
    for _ in range(number):
        first = _go_on(environment)
    return first


def _go_on(environment: Any) -> tuple[Any, Any]:
    """The same for the game after the one in `environment`."""
    first: tuple[Any, Any] = environment.reset(_ONLY, _NO_SEED)
    return first


@functools.lru_cache(maxsize=32)
def action_names(facts: AtariFacts) -> list[str]:
    """ALE's names of the actions, in their order."""
    found = _environment(facts, *SCREEN, stack=1, grey=True).get_action_set()
    return [action.name.lower() for action in found]
