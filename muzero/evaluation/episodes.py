"""Whole games of one player: their returns, beside random play and people where these are known."""

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
"""Games unless told otherwise."""
LEAST = 5
"""Games for an interval of their mean."""


@dataclass(frozen=True)
class EpisodesReport:
    """Whole games from the beginning, under the protocol of the game's name, with its own rewards."""

    result: SoloResult
    limit: int
    """moves after which a game was cut"""
    atari: AtariFacts | None = None
    """of an Atari game"""

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean; None where the games say nothing of one."""
        result = self.result
        return None if self.without_interval else mean_interval(result.mean, result.deviation, result.games)

    @property
    def without_interval(self) -> str:
        """Why there is no interval, where there is none."""
        if self.result.games < LEAST:
            return f"too few games for an interval, {LEAST} or more wanted"
        return "all games equal" if min(self.result.returns) == max(self.result.returns) else ""

    @property
    def different(self) -> int:
        """Courses among the games, as far as score and length tell: without noise a start leads to the same game
        again."""
        return len(set(zip(self.result.returns, self.result.lengths, strict=True)))

    @property
    def human_normalised(self) -> float | None:
        """The mean between random play (0) and a human (1); None where nobody has published theirs."""
        return None if self.atari is None else human_normalised(self.atari.rom, self.result.mean)


def episodes(subject: Subject, count: int = EPISODES, max_moves: int = 0, say: Say = silent) -> EpisodesReport:
    """Play `count` games of `max_moves` at most (0: as `selfplay.strength.arena.move_limit` says).

    Raises GameError for a game of two players.
    """
    name = subject.spec.name
    player = Announced(subject.player(subject.simulations[0]), say, count)
    limit = move_limit(subject.spec, max_moves)
    say(f"playing {counted(count, 'game')} of {limit:,} moves at most, which may take minutes ...")
    result = play_alone(subject.game, player, count, subject.seed, max_moves)
    return EpisodesReport(result, limit, atari_facts(name) if is_atari(name) else None)


def human_normalised(rom: Rom, mean: float) -> float | None:
    """A mean score between random play (0) and a human (1); None where nobody has published theirs."""
    if rom.random is None or rom.human is None:
        return None
    return (mean - rom.random) / (rom.human - rom.random)
