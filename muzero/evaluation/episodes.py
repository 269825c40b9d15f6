"""Returns in a one-player game, compared with published random and human scores if known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from games.atari_protocol import AtariFacts, Rom, atari_facts, is_atari
from muzero.evaluation.progress import Announced
from muzero.view.terminal import counted
from muzero.view.waiting import Say, silent
from selfplay.strength.arena import SoloResult, move_limit, play_alone
from selfplay.strength.statistics import mean_interval

if TYPE_CHECKING:
    from muzero.evaluation.subject import Subject

EPISODES = 100
"""Default number of games."""
LEAST = 5
"""Fewest games for an interval of their mean."""


@dataclass(frozen=True)
class EpisodesReport:
    """Complete games under the protocol in the game's name, with unclipped rewards."""

    result: SoloResult
    limit: int
    """moves after which a game was cut off"""
    atari: AtariFacts | None = None
    """for an Atari game"""

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean; None if the games don't allow one."""
        result = self.result
        return None if self.without_interval else mean_interval(result.mean, result.deviation, result.games)

    @property
    def without_interval(self) -> str:
        """Why there is no interval; empty if there is one."""
        if self.result.games < LEAST:
            return f"expected {LEAST} or more games for an interval, got {self.result.games}"
        return "all games equal" if min(self.result.returns) == max(self.result.returns) else ""

    @property
    def different(self) -> int:
        """Distinct games, as far as score and length show: without noise the same start leads to the same game."""
        return len(set(zip(self.result.returns, self.result.lengths, strict=True)))

    @property
    def cut_short(self) -> int:
        """Games cut off before the limit of their Atari protocol, so that their mean is no score under it."""
        return 0 if self.atari is None else cut_short(self.atari, self.result.cut, self.limit)

    @property
    def human_normalised(self) -> float | None:
        """The mean on a scale from random play (0) to a human (1); None if these scores aren't published, or if games
        were cut short."""
        return None if self.atari is None or self.cut_short else human_normalised(self.atari.rom, self.result.mean)


def episodes(subject: Subject, count: int = EPISODES, max_moves: int = 0, say: Say = silent) -> EpisodesReport:
    """Play `count` games of at most `max_moves` moves (0: see `selfplay.strength.arena.move_limit`).

    Raises GameError for a two-player game.
    """
    name = subject.spec.name
    player = Announced(subject.player(subject.simulations[0]), say, count)
    limit = move_limit(subject.spec, max_moves)
    say(f"playing {counted(count, 'game')} of at most {limit:,} moves, which may take minutes ...")
    result = play_alone(subject.game, player, count, subject.seed, max_moves)
    return EpisodesReport(result, limit, atari_facts(name) if is_atari(name) else None)


def cut_short(facts: AtariFacts, cut: int, limit: int) -> int:
    """How many games were cut off before the protocol's limit. cut: all that were cut off after `limit` moves."""
    return cut if limit < facts.spec.max_length else 0


def human_normalised(rom: Rom, mean: float) -> float | None:
    """A mean score on a scale from random play (0) to a human (1); None if these scores aren't published."""
    if rom.random is None or rom.human is None:
        return None
    return (mean - rom.random) / (rom.human - rom.random)
