"""Matches: two players, both seats counted equally, many games in lockstep; and one-player runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from games import make, spec
from games.atari_protocol import is_atari
from games.base import NO_LIMIT, NO_PLAYER, GameBatch, GameError, GameSpec, IntArray, MaskArray
from games.rows import released
from selfplay.players import Player
from selfplay.strength.positions import place

CHUNK = 512
"""Games in lockstep; an even number, so that a pair stays together."""
OPENING_TRIES = 1_000
LONGEST = 3_000
"""Moves of a measured game at most, where the game itself has no limit and nobody asked for another."""


@dataclass(frozen=True)
class Score:
    """Results seen by one player."""

    wins: int
    draws: int
    losses: int

    @property
    def games(self) -> int:
        return self.wins + self.draws + self.losses

    @property
    def share(self) -> float:
        """(wins + draws / 2) / games."""
        return (self.wins + self.draws / 2) / self.games if self.games else float("nan")

    def __add__(self, other: Score) -> Score:
        return Score(self.wins + other.wins, self.draws + other.draws, self.losses + other.losses)


@dataclass(frozen=True)
class MatchResult:
    """A match seen by its first-named player."""

    game: str
    player: str
    opponent: str
    moving_first: Score
    """Games in which `player` made the first move."""
    moving_second: Score
    mean_length: float
    """Moves a game, opening moves included."""
    different: int
    """Different sequences of moves among the games: repeated games say nothing new."""
    opening_plies: int
    seed: int
    max_moves: int = 0
    """Moves after which a game was cut, opening moves included."""
    cut: int = 0
    """Games that were cut there; they count with the returns they had by then."""

    @property
    def total(self) -> Score:
        return self.moving_first + self.moving_second


@dataclass(frozen=True)
class PairedGames:
    """G games of two players; games 2i and 2i + 1 are a pair: the same opening, seats swapped."""

    results: NDArray[np.float64]
    """[G] 1 where the first-named player won, 0 for a draw, -1 where it lost; it moved first in even rows"""
    moves: list[tuple[int, ...]]
    """[G] all actions of each game"""
    cut: MaskArray
    """[G] True where a game was cut at the limit of moves; it counts with the returns it had by then"""

    @property
    def moving_first(self) -> Score:
        """The games in which the first-named player made the first move."""
        return _score(self.results[0::2])

    @property
    def moving_second(self) -> Score:
        return _score(self.results[1::2])


@dataclass(frozen=True)
class SoloResult:
    """Returns of a one-player game."""

    game: str
    player: str
    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    """Moves of each game."""
    seed: int
    max_moves: int = 0
    """Moves after which a game was cut."""
    cut: int = 0
    """Games that were cut there; they count with the returns they had by then."""

    @property
    def games(self) -> int:
        return len(self.returns)

    @property
    def mean(self) -> float:
        return float(np.mean(self.returns))

    @property
    def median(self) -> float:
        return float(np.median(self.returns))

    @property
    def deviation(self) -> float:
        """Sample standard deviation; 0 for one game."""
        return float(np.std(self.returns, ddof=1)) if self.games > 1 else 0.0


@dataclass(frozen=True)
class _Played:
    """One chunk of finished games, N rows."""

    returns: NDArray[np.float64]
    """[N, players]"""
    moves: list[tuple[int, ...]]
    """[N] all actions of each game"""
    cut: MaskArray
    """[N] True where the limit of moves was reached first"""


def move_limit(facts: GameSpec, asked: int = 0) -> int:
    """Moves after which a measured game of `facts` is cut: `asked`, but never beyond the game's own longest.

    With 0 the game's own longest, `LONGEST` where it has none. Atari's protocols always state theirs.
    """
    own = facts.max_length if facts.max_length < NO_LIMIT or is_atari(facts.name) else None
    if asked:
        return asked if own is None else min(asked, own)
    return LONGEST if own is None else own


def play_match(
    game: str, first: Player, second: Player, games: int, seed: int, opening_plies: int = 0, max_moves: int = 0
) -> MatchResult:
    """`games` games (even) of two players; `first` moves first in half of them. Played and refused as `play_pairs`."""
    played = play_pairs(game, first, second, games, seed, opening_plies, max_moves)
    return summary(played, game, (first.name, second.name), seed, opening_plies, max_moves)


def summary(
    played: PairedGames, game: str, names: tuple[str, str], seed: int, opening_plies: int = 0, max_moves: int = 0
) -> MatchResult:
    """What the games of two players, named in their order, come to."""
    return MatchResult(
        game=spec(game).name,
        player=names[0],
        opponent=names[1],
        moving_first=played.moving_first,
        moving_second=played.moving_second,
        mean_length=float(np.mean([len(moves) for moves in played.moves])),
        different=len(set(played.moves)),
        opening_plies=opening_plies,
        seed=seed,
        max_moves=move_limit(spec(game), max_moves),
        cut=int(played.cut.sum()),
    )


def play_pairs(
    game: str, first: Player, second: Player, games: int, seed: int, opening_plies: int = 0, max_moves: int = 0
) -> PairedGames:
    """`games` games (even) of two players, in pairs with seats swapped, each of `move_limit` moves at most.

    With `opening_plies` both games of a pair start with the same random moves, which hang on game, seed and numbers
    alone: they are the same for any two players. A seat is told by who makes the first move, as player 0 doesn't
    always. Raises GameError for an odd number, a one-player game, or random openings in a game with chance.
    """
    facts = spec(game)
    if facts.players != 2:
        raise GameError(f"{game} is a one-player game: play_alone measures it")
    if games < 2 or games % 2:
        raise GameError(f"expected an even number of games, 2 or more (each seat the same), got {games}")
    if opening_plies and facts.stochastic:
        raise GameError(f"{game}: random openings can't be repeated for both seats in a game with chance")
    rng, limit = np.random.default_rng(seed), move_limit(facts, max_moves)
    results: list[NDArray[np.float64]] = []
    sequences: list[tuple[int, ...]] = []
    cut: list[MaskArray] = []
    for start in range(0, games, CHUNK):
        rows = min(CHUNK, games - start)
        with released(make(game, rows, seed=batch_seed(rng))) as batch:
            openings = _openings(batch, rows // 2, opening_plies, rng)
            played, outcome = _play_both_seats(batch, first, second, openings, limit)
        results.append(np.sign(outcome))
        sequences += played.moves
        cut.append(played.cut)
    return PairedGames(np.concatenate(results), sequences, np.concatenate(cut))


def batch_seed(rng: np.random.Generator) -> int:
    """The seed of the next batch of games, the first thing drawn for it."""
    return int(rng.integers(2**31))


def play_alone(game: str, player: Player, games: int, seed: int, max_moves: int = 0) -> SoloResult:
    """`games` games of a one-player game, each of `move_limit` moves at most.

    Raises GameError for a two-player one or fewer than one game.
    """
    facts = spec(game)
    if facts.players != 1:
        raise GameError(f"{game} is a two-player game: play_match measures it")
    if games < 1:
        raise GameError(f"expected at least 1 game, got {games}")
    rng, limit, cut = np.random.default_rng(seed), move_limit(facts, max_moves), 0
    returns: list[float] = []
    lengths: list[int] = []
    for start in range(0, games, CHUNK):
        with released(make(game, min(CHUNK, games - start), seed=batch_seed(rng))) as batch:
            played = _play_out(batch, [player], np.zeros(batch.size, np.int32), [()] * batch.size, limit)
        returns += played.returns[:, 0].tolist()
        lengths += [len(moves) for moves in played.moves]
        cut += int(played.cut.sum())
    return SoloResult(facts.name, player.name, tuple(returns), tuple(lengths), seed, limit, cut)


def _play_both_seats(
    batch: GameBatch, first: Player, second: Player, openings: list[tuple[int, ...]], limit: int
) -> tuple[_Played, NDArray[np.float64]]:
    """Play every opening twice; rows 2i and 2i + 1 are a pair, `first` moves first in row 2i.

    Returns the games and each row's return [N] of `first`.
    """
    batch.reset()
    rows = np.arange(batch.size)
    mover = batch.to_play()
    first_is = np.where(rows % 2 == 0, mover, 1 - mover).astype(np.int32)
    repeated = [opening for opening in openings for _ in (0, 1)]
    if any(repeated):
        place(batch, repeated)
    played = _play_out(batch, [first, second], first_is, repeated, limit)
    return played, played.returns[rows, first_is]


def _play_out(
    batch: GameBatch, players: list[Player], owner: IntArray, openings: list[tuple[int, ...]], limit: int
) -> _Played:
    """Play all rows to the end, or to `limit` moves; `owner` [N] is the player number that players[0] has in each row.

    A game cut by that or by its own time limit counts with the returns it has by then.
    """
    moves = [list(opening) for opening in openings]
    timed_out = np.zeros(batch.size, np.bool_)
    while True:
        to_play = batch.to_play()
        going = (to_play != NO_PLAYER) & ~timed_out
        long = np.array([len(row) >= limit for row in moves])
        active = going & ~long
        if not active.any():
            return _Played(batch.returns(), [tuple(row) for row in moves], going)
        actions = np.zeros(batch.size, np.int32)
        for number, player in enumerate(players):
            rows = active & ((to_play == owner) == (number == 0))
            if rows.any():
                actions = np.where(rows, player.act(batch, rows), actions).astype(np.int32)
        for row in np.flatnonzero(active).tolist():
            moves[row].append(int(actions[row]))
        timed_out |= batch.step(actions, active).truncated


def _openings(batch: GameBatch, pairs: int, plies: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """`pairs` sequences of `plies` random moves after which the game still goes on."""
    if not plies:
        return [()] * pairs
    openings: list[tuple[int, ...]] = []
    with released(make(batch.spec.name, 1)) as one:
        for _ in range(OPENING_TRIES * pairs):
            if len(openings) == pairs:
                break
            one.reset()
            moves: list[int] = []
            while len(moves) < plies and one.to_play()[0] != NO_PLAYER:
                moves.append(int(rng.choice(np.flatnonzero(one.legal()[0]))))
                one.step(np.array(moves[-1:], np.int32))
            if one.to_play()[0] != NO_PLAYER:
                openings.append(tuple(moves))
    if len(openings) < pairs:
        raise GameError(f"{batch.spec.name}: hardly any game lasts beyond {plies} random moves; ask for fewer")
    return openings


def _score(returns: NDArray[np.float64]) -> Score:
    wins, losses = int((returns > 0).sum()), int((returns < 0).sum())
    return Score(wins, len(returns) - wins - losses, losses)
