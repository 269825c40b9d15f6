"""Exact solver of small OpenSpiel games: visits every position once.

A value is the sum of rewards still to come, for the player to move. Chance nodes are averaged, so one-player games
with chance at the start work too. If a game can only be won, drawn or lost, the same pass also finds how soon: the
*score* of a move.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pyspiel

from games.base import GameError
from games.families import family
from games.spiel_facts import load_facts

MAX_LENGTH = 400
"""Longest game that is attempted, in moves: each takes two levels of recursion."""
_NEEDS_HISTORY = frozenset({"go", "cursor_go", "amazons", "einstein_wurfelt_nicht"})
"""Games whose text doesn't show the whole state: a repetition ends Go, an amazon is chosen before it moves, a die
is rolled."""
PROBE_AT = 20_000
"""Number of positions after which the size of the game is probed; smaller games are solved in the same time."""
DOUBT = 20.0
"""A probe refuses a game if the probability that it isn't too large is at most e^-DOUBT."""
PROGRESS_STEP = 5_000
"""Positions between two calls of `progress`."""

_ADVICE = "; choose smaller parameters of the game, or measure against mcts:N"
"""Advice for a game that can't be solved."""

Key = bytes
T = TypeVar("T")


class Solver:
    """Values of positions (`pyspiel.State`) of one game, cached."""

    def __init__(self, name: str, max_states: int = 2_000_000) -> None:
        """Solves nothing yet. Raises GameError for games that aren't supported or are too long.

        `max_states`: most positions whose values are held in memory.
        """
        if family(name) != "open_spiel":
            raise GameError(f"{name}: exact values are for OpenSpiel games only")
        facts = load_facts(name)
        self.spec = facts.spec
        self.max_states = max_states
        self.progress: Callable[[int], None] | None = None
        """Called with the number of positions seen so far, every PROGRESS_STEP positions."""
        self._game = facts.game
        if self.spec.max_length > MAX_LENGTH:
            raise GameError(
                f"{self.spec.name}: games of up to {self.spec.max_length} moves are too long to solve "
                f"exactly (at most {MAX_LENGTH}){_ADVICE}"
            )
        if facts.game.get_type().chance_mode == pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC:
            raise GameError(f"{self.spec.name}: no exact values, as the game samples its chance events itself")
        short = self.spec.name.partition("(")[0]
        self._by_history = short in _NEEDS_HISTORY
        self.timed = (
            self.spec.players == 2 and not self.spec.stochastic and not self.spec.rewards_on_the_way
            and (self.spec.min_return, self.spec.max_return) == (-1.0, 1.0)
        )
        """True if the game is only won, drawn or lost, at its end: then scores say how soon."""
        self._asked = self.new_state()
        """The position being solved, and the number of known positions at which it is probed."""
        self._probe_at = PROBE_AT
        self._scores: dict[Key, float] = {}
        """NaN while the position is being solved."""

    def new_state(self) -> Any:
        """The first position."""
        return self._game.new_initial_state()

    def state_after(self, history: tuple[int, ...]) -> Any:
        """The position after these actions, chance included."""
        state = self._game.new_initial_state()
        for action in history:
            state.apply_action(action)
        return state

    def quick(self, state: Any) -> bool:
        """Whether a value is found at once: all of them are, once the first is."""
        return True

    def value(self, state: Any) -> float:
        """Rewards still to come under perfect play, for the player to move; 0 at the end.

        At a chance node: the expectation, for player 0. Raises GameError beyond `max_states` positions, and
        if a position can repeat within a game.
        """
        return self._value_of(self._guarded(self._score, state))

    def move_values(self, state: Any) -> dict[int, float]:
        """Value of each legal action for the player to move: its reward plus what comes after."""
        return {action: self._value_of(score) for action, score in self.move_scores(state).items()}

    def move_scores(self, state: Any) -> dict[int, float]:
        """Score of each legal action: its value; in a `timed` game also how soon it comes.

        Timed: a win d moves from now (of both players, this one included) scores 1 + max_length - d, a loss the
        negative, a draw 0, so a larger score is a faster win or a slower loss.
        """
        return self._guarded(self._move_scores, state)

    def reachable_decisions(self) -> Iterator[tuple[int, ...]]:
        """One history, chance included, for every distinct unfinished position; the start comes first."""
        seen: set[Key] = set()
        waiting = [self.new_state()]
        while waiting:
            state = waiting.pop()
            if state.is_terminal():
                continue
            if not state.is_chance_node():
                key = self._key(state)
                if key in seen:
                    continue
                self._admit(len(seen), PROBE_AT, self.new_state())
                seen.add(key)
                yield tuple(state.history())
            waiting += [state.child(action) for action in state.legal_actions()]

    @property
    def solved_states(self) -> int:
        """Positions whose value is known so far."""
        return len(self._scores)

    def _guarded(self, ask: Callable[[Any], T], state: Any) -> T:
        """`ask(state)`; after an error no half-solved position is left behind."""
        self._asked, self._probe_at = state, len(self._scores) + PROBE_AT
        try:
            return ask(state)
        except GameError:
            self._scores.clear()
            raise

    def _score(self, state: Any) -> float:
        """Score of the best move, for the player to move; at a chance node the mean, for player 0."""
        if state.is_terminal():
            return 0.0
        if state.is_chance_node():
            return math.fsum(p * self._seen_by(0, state.child(action)) for action, p in state.chance_outcomes())
        key = self._key(state)
        known = self._scores.get(key)
        if known is None:
            self._admit(len(self._scores), self._probe_at, self._asked)
            self._scores[key] = math.nan
            best = max(self._move_scores(state).values())
            self._scores[key] = best
            return best
        if math.isnan(known):
            raise GameError(f"{self.spec.name}: no exact values, as a position can repeat within a game{_ADVICE}")
        return known

    def _move_scores(self, state: Any) -> dict[int, float]:
        mover = state.current_player()
        paid = state.player_return(mover)
        most = self.spec.max_length + 1
        scores: dict[int, float] = {}
        for action in state.legal_actions():
            child = state.child(action)
            reward = child.player_return(mover) - paid
            score = (reward * most if self.timed else reward) + self._seen_by(mover, child)
            scores[action] = score - math.copysign(1.0, score) if self.timed and score else score
        return scores

    def _seen_by(self, player: int, state: Any) -> float:
        """The score of a position for `player`, whoever is to move."""
        score = self._score(state)
        mine = state.is_terminal() or state.current_player() == player or (state.is_chance_node() and player == 0)
        return score if mine else -score

    def _value_of(self, score: float) -> float:
        return math.copysign(1.0, score) if self.timed and score else score + 0.0  # no -0.0

    def _admit(self, count: int, probe_at: int, start: Any) -> None:
        """Raises GameError if one more than `count` positions is too many; at `probe_at`, if the positions after
        `start` will surely be too many."""
        if count >= self.max_states:
            raise GameError(
                f"{self.spec.name}: more than {self.max_states} positions: too large for exact values{_ADVICE}"
            )
        if count == probe_at and surely_more_than(self.max_states, start, self._key):
            raise GameError(
                f"{self.spec.name}: surely more than {self.max_states} positions, as random games hardly ever reach "
                f"the same one: too large for exact values{_ADVICE}"
            )
        if self.progress is not None and count % PROGRESS_STEP == 0:
            self.progress(count)

    def _key(self, state: Any) -> Key:
        """Positions with the same key are equivalent; the text alone may not say who is to move.

        A 128-bit digest takes half the memory of the text; two of 2 million collide with probability 1e-26.
        """
        text = str(state.history()) if self._by_history else str(state)
        return hashlib.blake2b(f"{state.current_player()} {text}".encode(), digest_size=16).digest()


def surely_more_than(bound: int, start: Any, key: Callable[[Any], Key]) -> bool:
    """Whether random games from `start` show that it has more than `bound` successors; False shows nothing.

    Suppose n random games are in n different positions after some number of moves. With at most M possible positions,
    the probability of that is at most (1 - 1/M) ... (1 - (n-1)/M) < exp(-n(n-1) / 2M), whatever the positions'
    probabilities: equal ones make collisions rarest (the birthday problem). A few thousand games are enough; twice
    as many leave room for those that end early.
    """
    generator = random.Random(0)
    enough = 2 * DOUBT * bound
    states = [start.clone() for _ in range(2 * math.isqrt(math.ceil(enough)))]
    while True:
        for state in states:
            state.apply_action(_random_move(state, generator))
        states = [state for state in states if not state.is_terminal()]
        if len(states) * (len(states) - 1) < enough:
            return False
        decisions = [key(state) for state in states if not state.is_chance_node()]
        different = len(set(decisions))
        if different == len(decisions) and different * (different - 1) >= enough:
            return True


def _random_move(state: Any, generator: random.Random) -> int:
    if state.is_chance_node():
        actions, chances = zip(*state.chance_outcomes(), strict=True)
        return int(generator.choices(actions, chances)[0])
    return int(generator.choice(state.legal_actions()))
