"""Exact values of small deterministic OpenSpiel games, by visiting every position once.

Values follow the signed convention: the sum of rewards still to come, seen by the player to move. Chance is
averaged, so one-player games with chance at the start work too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyspiel

from games.base import GameError
from games.single import is_own
from games.spiel_facts import load_facts

MAX_LENGTH = 400
"""Moves of the longest game that is tried: each takes one level of recursion."""
_NEEDS_HISTORY = frozenset({"go", "cursor_go"})
"""Games whose rules look back: a repetition ends Go."""

_ADVICE = "; choose smaller parameters of the game, or measure against mcts:N"
"""What to do where a game can't be solved."""

Key = tuple[int, str]


class Solver:
    """Values of positions (`pyspiel.State`) of one game, kept once they are known."""

    def __init__(self, name: str, max_states: int = 2_000_000) -> None:
        """Nothing is solved yet. Raises GameError for games that aren't supported or are too long.

        `max_states`: positions whose values are held in memory at most.
        """
        if is_own(name):
            raise GameError(f"{name}: exact values are for OpenSpiel games only")
        facts = load_facts(name)
        self.spec = facts.spec
        self.max_states = max_states
        self._game = facts.game
        if self.spec.max_length > MAX_LENGTH:
            raise GameError(
                f"{self.spec.name}: games of up to {self.spec.max_length} moves are too long to solve "
                f"exactly (at most {MAX_LENGTH}){_ADVICE}"
            )
        if facts.game.get_type().chance_mode == pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC:
            raise GameError(f"{self.spec.name}: the game draws its chance itself; no exact values")
        short = self.spec.name.partition("(")[0]
        self._by_history = short in _NEEDS_HISTORY
        self._values: dict[Key, float] = {}

    def new_state(self) -> Any:
        """The first position."""
        return self._game.new_initial_state()

    def state_after(self, history: tuple[int, ...]) -> Any:
        """The position after these actions, chance included."""
        state = self._game.new_initial_state()
        for action in history:
            state.apply_action(action)
        return state

    def value(self, state: Any) -> float:
        """Rewards still to come under perfect play, seen by the player to move; 0 at the end.

        At a chance node: the expectation, seen by player 0. Raises GameError beyond `max_states` positions.
        """
        if state.is_terminal():
            return 0.0
        if state.is_chance_node():
            return sum(p * self._seen_by(0, child) for p, child in self._chances(state))
        key = self._key(state)
        known = self._values.get(key)
        if known is not None:
            return known
        best = max(self.move_values(state).values())
        if len(self._values) >= self.max_states:
            raise self._too_large()
        self._values[key] = best
        return best

    def move_values(self, state: Any) -> dict[int, float]:
        """Value of each legal action, seen by the player to move: its reward and what comes after it."""
        mover = state.current_player()
        paid = state.player_return(mover)
        values: dict[int, float] = {}
        for action in state.legal_actions():
            child = state.child(action)
            values[action] = child.player_return(mover) - paid + self._seen_by(mover, child)
        return values

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
                if len(seen) >= self.max_states:
                    raise self._too_large()
                seen.add(key)
                yield tuple(state.history())
            waiting += [state.child(action) for action in state.legal_actions()]

    @property
    def solved_states(self) -> int:
        """Positions whose value is known so far."""
        return len(self._values)

    def _too_large(self) -> GameError:
        positions = f"more than {self.max_states} positions"
        return GameError(f"{self.spec.name}: {positions}: too large for exact values{_ADVICE}")

    def _seen_by(self, player: int, state: Any) -> float:
        """The value of a position, seen by `player` whoever is to move."""
        if state.is_chance_node():
            return sum(p * self._seen_by(player, child) for p, child in self._chances(state))
        value = self.value(state)
        return value if state.is_terminal() or state.current_player() == player else -value

    def _chances(self, state: Any) -> list[tuple[float, Any]]:
        return [(probability, state.child(action)) for action, probability in state.chance_outcomes()]

    def _key(self, state: Any) -> Key:
        """Two positions of one key play the same; the text alone may not say whose move it is."""
        return state.current_player(), str(state.history()) if self._by_history else str(state)
