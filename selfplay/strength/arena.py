"""Matches between two players, with seats swapped, many games in lockstep; and the episodes of one player."""

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

GAMES_AT_ONCE = 512
"""Games in lockstep; even, so that a pair of games stays together."""
OPENING_TRIES = 1_000
LONGEST = 3_000
"""Most moves of an evaluation game if the game has no limit and none was given."""


@dataclass(frozen=True)
class Score:
    """Results from one player's view."""

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
    """A match from the view of the player named first."""

    game: str
    player: str
    opponent: str
    moving_first: Score
    """Games in which `player` made the first move."""
    moving_second: Score
    mean_length: float
    """Moves per game, opening moves included."""
    different: int
    """Distinct move sequences among the games: repeated games add no information."""
    opening_plies: int
    seed: int
    max_moves: int = 0
    """Moves after which a game was cut off, opening moves included."""
    cut: int = 0
    """Games that were cut off there; they count with their returns so far."""

    @property
    def total(self) -> Score:
        return self.moving_first + self.moving_second


@dataclass(frozen=True)
class PairedGames:
    """G games of two players; games 2i and 2i + 1 are a pair: the same opening, seats swapped."""

    results: NDArray[np.float64]
    """[G] 1 if the player named first won, 0 for a draw, -1 if it lost; it moved first in even rows"""
    moves: list[tuple[int, ...]]
    """[G] all actions of each game"""
    cut: MaskArray
    """[G] True where a game was cut off at the move limit; it counts with its returns so far"""

    @property
    def moving_first(self) -> Score:
        """The games in which the player named first made the first move."""
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
    """Moves after which a game was cut off."""
    cut: int = 0
    """Games that were cut off there; they count with their returns so far."""

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
        """Sample standard deviation; 0 for one game, and for equal returns, of which the mean is rounded."""
        return float(np.std(self.returns, ddof=1)) if min(self.returns) < max(self.returns) else 0.0


@dataclass(frozen=True)
class _Played:
    """One chunk of finished games, N rows."""

    returns: NDArray[np.float64]
    """[N, players]"""
    moves: list[tuple[int, ...]]
    """[N] all actions of each game"""
    cut: MaskArray
    """[N] True where the move limit ended the game"""


def move_limit(facts: GameSpec, asked: int = 0) -> int:
    """Moves after which an evaluation game of `facts` is cut off: `asked`, but at most the game's maximum length.

    With 0: the game's maximum length, or `LONGEST` if it has none. Atari's protocols always have one.
    """
    own = facts.max_length if facts.max_length < NO_LIMIT or is_atari(facts.name) else None
    if asked:
        return asked if own is None else min(asked, own)
    return LONGEST if own is None else own


def play_match(
    game: str, first: Player, second: Player, games: int, seed: int, opening_plies: int = 0, max_moves: int = 0
) -> MatchResult:
    """`games` games (even) of two players; `first` moves first in half of them. Raises what `play_pairs` raises."""
    played = play_pairs(game, first, second, games, seed, opening_plies, max_moves)
    return summary(played, game, (first.name, second.name), seed, opening_plies, max_moves)


def summary(
    played: PairedGames, game: str, names: tuple[str, str], seed: int, opening_plies: int = 0, max_moves: int = 0
) -> MatchResult:
    """The match result of the games of two players, given in order."""
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
    """`games` games (even) of two players, in pairs with seats swapped, each of at most `move_limit` moves.

    With `opening_plies` both games of a pair start with the same random moves, which depend only on the game, the seed
    and the counts: they are the same for any two players. A seat is defined by who makes the first move, which isn't
    always player 0. Raises GameError for an odd number, a one-player game, or random openings in a game with chance.
    """
    facts = spec(game)
    if facts.players != 2:
        raise GameError(f"{game} is a one-player game: use play_alone")
    if games < 2 or games % 2:
        raise GameError(f"expected an even number of games, 2 or more (equally many from each seat), got {games}")
    if opening_plies and facts.stochastic:
        raise GameError(f"{game}: a game with chance can't repeat random openings for both seats")
    rng, limit = np.random.default_rng(seed), move_limit(facts, max_moves)
    results: list[NDArray[np.float64]] = []
    sequences: list[tuple[int, ...]] = []
    cut: list[MaskArray] = []
    for start in range(0, games, GAMES_AT_ONCE):
        rows = min(GAMES_AT_ONCE, games - start)
        with released(make(game, rows, seed=batch_seed(rng))) as batch:
            openings = _openings(batch, rows // 2, opening_plies, rng)
            played, outcome = _play_both_seats(batch, first, second, openings, limit)
        results.append(np.sign(outcome))
        sequences += played.moves
        cut.append(played.cut)
    return PairedGames(np.concatenate(results), sequences, np.concatenate(cut))


def batch_seed(rng: np.random.Generator) -> int:
    """The seed of the next batch of games; draw it before anything else of the batch."""
    return int(rng.integers(2**31))


def play_alone(game: str, player: Player, games: int, seed: int, max_moves: int = 0) -> SoloResult:
    """`games` episodes of a one-player game, each of at most `move_limit` moves.

    Raises GameError for a two-player game or fewer than one episode.
    """
    facts = spec(game)
    if facts.players != 1:
        raise GameError(f"{game} is a two-player game: use play_match")
    if games < 1:
        raise GameError(f"expected at least 1 game, got {games}")
    rng, limit, cut = np.random.default_rng(seed), move_limit(facts, max_moves), 0
    returns: list[float] = []
    lengths: list[int] = []
    for start in range(0, games, GAMES_AT_ONCE):
        with released(make(game, min(GAMES_AT_ONCE, games - start), seed=batch_seed(rng))) as batch:
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

    A game cut off there or by its own time limit counts with its returns so far.
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
    """`pairs` sequences of `plies` random moves that don't end the game."""
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
        raise GameError(f"{batch.spec.name}: hardly any game lasts longer than {plies} random moves; choose fewer")
    return openings


def _score(returns: NDArray[np.float64]) -> Score:
    wins, losses = int((returns > 0).sum()), int((returns < 0).sum())
    return Score(wins, len(returns) - wins - losses, losses)
