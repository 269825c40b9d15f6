"""Viewing one game of a one-player game, move by move, with the agent's analysis."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

import games as engines
from games.base import NO_PLAYER, GameBatch, GameError, IntArray
from muzero.players import repeats_of
from muzero.view.film import Picture, Scene
from selfplay.strength.arena import batch_seed, move_limit

if TYPE_CHECKING:
    from muzero.agent import Agent, Analysis


class Viewing:
    """A game that an agent plays from the start."""

    def __init__(self, agent: Agent, seed: int, simulations: int | None = None, max_moves: int = 0) -> None:
        """A game of at most `max_moves` moves (0: see `selfplay.strength.arena.move_limit`).

        Raises GameError for a two-player game, or one without pictures.
        """
        self.agent, self.simulations = agent, simulations
        # As in `selfplay.strength.arena.play_alone`: the game watched or filmed is one that is measured.
        self.games = engines.make(agent.spec.name, 1, seed=batch_seed(np.random.default_rng(seed)))
        self.spec = self.games.spec
        if self.spec.players != 1 or not self.spec.pictures:
            raise GameError(f"expected a one-player game of pixels, such as atari/pong, got {self.spec.name}, which "
                            "has no pictures")
        self._camera = camera(self.games)
        self._rng = np.random.default_rng(seed)
        self._repeats = repeats_of(agent.spec, agent.config, seed)
        self.names = tuple(self.games.action_name(0, action) for action in range(self.spec.num_actions))
        self.limit = move_limit(self.spec, max_moves)
        self.values: list[float] = []
        self._timed_out = False

    @property
    def cut_short(self) -> bool:
        """True if the move limit cut off the game."""
        return (len(self.values) >= self.limit and not self._timed_out
                and int(self.games.to_play()[0]) != NO_PLAYER)

    @property
    def cut(self) -> bool:
        """True if the game's own time limit or the move limit cut it off."""
        return self._timed_out or self.cut_short

    @property
    def over(self) -> bool:
        return self.cut or int(self.games.to_play()[0]) == NO_PLAYER

    @property
    def score(self) -> float:
        return float(self.games.returns()[0, 0])

    @property
    def lives(self) -> int | None:
        """None if the game has no lives."""
        lives = getattr(self.games, "lives", None)
        return None if lives is None else int(lives[0])

    def picture(self) -> Picture:
        """A picture of the current position."""
        return self._camera()

    def think(self) -> Analysis:
        """The agent's search in this position, with the move that it makes; call once per move."""
        legal = self.games.legal()
        analysis = self.agent.search(self.agent.observe(self.games), legal, simulations=self.simulations,
                                     seed=int(self._rng.integers(2**31)))
        result = analysis.result
        self.values.append(float(result.value[0]))
        if self._repeats is None:
            return analysis
        action = self._repeats.choose(self.games, np.arange(1), result.action, result.policy, legal)
        return dataclasses.replace(analysis, result=dataclasses.replace(result, action=action))

    def scene(self, analysis: Analysis) -> Scene:
        """The picture and analysis before the move in `analysis`."""
        return Scene(
            frame=self.picture(), title=self.spec.name, move=len(self.values), score=self.score,
            values=tuple(self.values), names=self.names, policy=analysis.result.policy[0],
            visits=analysis.result.visits[0], action=int(analysis.result.action[0]),
            lives=self.lives)

    def step(self, analysis: Analysis) -> None:
        """Make the move in `analysis`."""
        action: IntArray = analysis.result.action.astype(np.int32)
        self._timed_out = bool(self.games.step(action).truncated[0])


def camera(games: GameBatch) -> Callable[[], Picture]:
    """A function that takes pictures [H, W, 3] of the game in row 0: ALE's colour screen, else the newest frame."""
    from games.atari_protocol import is_atari

    if is_atari(games.spec.name):
        from games.atari import AtariBatch, Camera

        assert isinstance(games, AtariBatch)
        return Camera(games).picture
    return lambda: newest_frame(games)


def newest_frame(games: GameBatch) -> Picture:
    """The newest frame in row 0's observation, [H, W, 3]."""
    frame = games.observe()[0].reshape(games.spec.frames, *games.spec.frame_shape)[-1]
    shown: Picture = np.moveaxis(frame if len(frame) == 3 else np.repeat(frame[:1], 3, 0), 0, -1)
    return np.ascontiguousarray(shown)
