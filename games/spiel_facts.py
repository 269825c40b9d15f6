"""Static facts of an OpenSpiel game: whether it is supported, canonical name, `GameSpec`, observation view."""

from __future__ import annotations

import functools
import math
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyspiel
from numpy.typing import NDArray

from games.atari_protocol import PREFIX, roms
from games.base import FloatArray, GameError, GameSpec, IntArray
from games.naming import ParsedName, nearest, parse_name
from games.own_names import classes_in
from games.parameters import checked_parameters
from games.views import View, view_of

LOOKS_HIDDEN_BUT_IS_NOT = frozenset({"deep_sea"})
"""Marked as imperfect information by OpenSpiel although the observation is complete."""
REFUSED = {
    "quoridor": "its observation doesn't show the walls",
    "efg_game": "it reads a file",
    "nfg_game": "it reads a file",
}
"""Games refused although OpenSpiel's game type looks supported, with the reason."""
MAX_OBSERVATION = 1_000_000
MAX_ACTIONS = 100_000
MAX_HISTORY = 64
TRIAL_MOVES = 60
"""Moves of the random game that tests the parameters."""

_ENGINE_ERRORS = (pyspiel.SpielError, IndexError, ValueError, MemoryError, RuntimeError)


@dataclass(frozen=True)
class Facts:
    """One loaded game, and how its tensors become observations."""

    game: Any
    """pyspiel.Game"""
    spec: GameSpec
    view: View
    history: int
    """Positions stacked, at least 1."""
    viewpoints: int
    """Frames stored of each position: 2 if old positions must be available from either player's view, else 1."""
    frame_shape: tuple[int, ...]
    """Shape of one position: [F] or [C, H, W]."""

    def orient(self, frames: FloatArray, to_play: IntArray) -> NDArray[Any]:
        """Frames [N, history, viewpoints, F] as observations [N, *O] of the player to move [N]."""
        rows = len(frames)
        if self.viewpoints == 1:
            seen = frames[:, :, 0]
        else:
            seen = frames[np.arange(rows), :, np.maximum(to_play, 0)]
        dtype = np.dtype(self.spec.observation_dtype)
        stack = _scaled(seen, self.view).astype(dtype).reshape(rows, self.history, *self.frame_shape)
        if self.view.side == "swap":
            stack = _swap_planes(stack, self.view.planes, to_play)
        stack = stack.reshape(rows, -1, *self.frame_shape[1:])
        if self.spec.players == 2 and self.view.side == "append":
            side = np.zeros((rows, 1, *self.frame_shape[1:]), dtype)
            side[to_play == 1] = 1
            stack = np.concatenate([stack, side], axis=1)
        return stack


def _scaled(frames: FloatArray, view: View) -> FloatArray:
    if view.log2:
        frames = np.log2(np.maximum(frames, 1))
    return frames if view.divisor == 1 else frames / np.float32(view.divisor)


def _swap_planes(
    stack: NDArray[Any], planes: tuple[tuple[int, ...], tuple[int, ...]], to_play: IntArray
) -> NDArray[Any]:
    """Planes of stack [N, history, C, H, W] in the order for each row's player; finished rows hold zeros."""
    swapped = np.empty_like(stack)
    second = (to_play == 1).reshape(-1, *(1,) * (stack.ndim - 2))
    for target, (first_plane, second_plane) in enumerate(zip(*planes, strict=True)):
        first = stack[:, :, first_plane]
        if first_plane == second_plane:
            swapped[:, :, target] = first
        else:
            swapped[:, :, target] = np.where(second, stack[:, :, second_plane], first)
    return swapped


@functools.cache
def registry() -> dict[str, Any]:
    """Every registered game's `pyspiel.GameType` by short name."""
    return {kind.short_name: kind for kind in pyspiel.registered_games()}


def checked_name(name: ParsedName) -> ParsedName:
    """The name, with its parameters checked and in canonical spelling. Raises GameError."""
    known = registry()
    if name.short not in known:
        hint = f"; did you mean '{PREFIX}{name.short}'?" if name.short in roms() else nearest(name.short, known)
        file = classes_in(name.short)
        if file is not None:
            raise GameError(f"{name.short!r} is a file: {file}")
        raise GameError(
            f"no OpenSpiel game is called {name.short!r}{hint} "
            "(a game of your own: 'module:Class' or 'path/to/file.py:Class')"
        )
    return checked_parameters(name, known[name.short].parameter_specification, checked_name)


def load_game(name: ParsedName) -> Any:
    """The `pyspiel.Game` of a checked name. Raises GameError with OpenSpiel's reason."""
    try:
        return pyspiel.load_game(name.text())
    except _ENGINE_ERRORS as error:
        raise GameError(f"OpenSpiel can't load {name.text()!r}: {first_line(error)}") from error


def canonical_name(name: ParsedName) -> str:
    """The shortest name of the same game: parameters that don't matter are dropped.

    A parameter at its default may still matter (`hex(board_size=5,num_cols=11)`), so the games are compared.
    """
    if not registry()[name.short].is_concrete:
        return name.text()
    full = load_game(name).get_parameters()
    for key in sorted(name.parameters):
        shorter = name.without(key)
        if load_game(shorter).get_parameters() == full:
            name = shorter
    return name.text()


def first_line(error: BaseException) -> str:
    """An engine's message without its dump of values."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def refusal(kind: Any, players: int) -> str:
    """Why a game of this `pyspiel.GameType` isn't supported; empty if it is."""
    game_type = pyspiel.GameType
    if kind.short_name in REFUSED:
        return REFUSED[kind.short_name]
    if kind.dynamics == game_type.Dynamics.MEAN_FIELD:
        return "mean-field game"
    if kind.dynamics != game_type.Dynamics.SEQUENTIAL:
        return "simultaneous moves"
    hidden = kind.information != game_type.Information.PERFECT_INFORMATION
    if hidden and kind.short_name not in LOOKS_HIDDEN_BUT_IS_NOT:
        return "hidden information"
    if not kind.provides_observation_tensor:
        return "no observation tensor"
    if players not in (1, 2):
        return f"{players} players (1 or 2 are supported)"
    if players == 2 and kind.utility != game_type.Utility.ZERO_SUM:
        return "two players but not zero-sum"
    return ""


@functools.lru_cache(maxsize=256)
def load_facts(text: str, history: int | None = None) -> Facts:
    """Load a supported game by name; `history` positions stacked (None: the game's default).

    Raises GameError for an unknown or unsupported name, parameter or game.
    """
    name = checked_name(parse_name(text))
    kind = registry()[name.short]
    # A game made from another one has that game's type, which is known only after loading.
    if kind.is_concrete or name.short in REFUSED:
        _refuse(name, refusal(kind, max(1, kind.min_num_players)))
    game = load_game(name)
    _refuse(name, refusal(game.get_type(), game.num_players()))
    if history is not None and not 1 <= history <= MAX_HISTORY:
        raise GameError(f"{name.text()}: history: expected 1 to {MAX_HISTORY} positions, got {history}")
    _check_playable(name.text(), game)
    return _make_facts(canonical_name(name), game, history)


def _refuse(name: ParsedName, reason: str) -> None:
    if reason:
        raise GameError(f"{name.text()} isn't supported: {reason}; `muzero games` lists the supported games")


def _make_facts(name: str, game: Any, history: int | None) -> Facts:
    view = view_of(game.get_type().short_name, game.get_parameters())
    frame_shape = _frame_shape(tuple(game.observation_tensor_shape()), view)
    stacked = history or view.history
    two = game.num_players() == 2
    channels = frame_shape[0] * stacked + (two and view.side == "append")
    viewpoints = 2 if two and view.side == "relative" and stacked > 1 else 1
    spec = _make_spec(name, game, view, (channels, *frame_shape[1:]))
    return Facts(game, spec, view, stacked, viewpoints, frame_shape)


def _make_spec(name: str, game: Any, view: View, observation_shape: tuple[int, ...]) -> GameSpec:
    kind = game.get_type()
    return GameSpec(
        name=name,
        players=game.num_players(),
        observation_shape=observation_shape,
        observation_dtype="uint8" if view.binary else "float32",
        num_actions=game.num_distinct_actions(),
        max_length=game.max_game_length(),
        min_return=game.min_utility(),
        max_return=game.max_utility(),
        alternates=game.num_players() == 2 and view.alternates,
        stochastic=kind.chance_mode != pyspiel.GameType.ChanceMode.DETERMINISTIC,
        rewards_on_the_way=kind.reward_model == pyspiel.GameType.RewardModel.REWARDS,
        layout=view.layout,
        note=view.note,
    )


def _frame_shape(shape: tuple[int, ...], view: View) -> tuple[int, ...]:
    if view.board == "one_plane" and len(shape) == 2:
        return (1, *shape)
    if view.board == "square" and len(shape) == 2:
        edge = math.isqrt(shape[1])
        return (shape[0], edge, edge)
    if view.board == "turned":
        return (shape[0], shape[2], shape[1])
    return shape if len(shape) == 3 else (math.prod(shape),)


def _check_playable(name: str, game: Any) -> None:
    """Check the sizes, and play a random game: some parameters load and then fail."""
    shape, actions = tuple(game.observation_tensor_shape()), game.num_distinct_actions()
    if not shape or min(shape) < 1 or math.prod(shape) > MAX_OBSERVATION:
        raise GameError(f"{name}: expected observations of 1 to {MAX_OBSERVATION} entries, got {list(shape)}")
    if not 1 <= actions <= MAX_ACTIONS:
        raise GameError(f"{name}: expected 1 to {MAX_ACTIONS} actions, got {actions}")
    if game.max_game_length() < 1:
        raise GameError(f"{name}: the longest game has {game.max_game_length()} moves: nothing to play")
    try:
        moves = _trial(game)
    except _ENGINE_ERRORS as error:
        raise GameError(f"{name}: a game with these parameters fails: {first_line(error)}") from error
    if moves == 0:
        raise GameError(f"{name}: a game with these parameters is over before the first move")


def _trial(game: Any) -> int:
    """Decisions made in a random game of up to TRIAL_MOVES."""
    generator = random.Random(0)
    state, moves = game.new_initial_state(), 0
    while moves < TRIAL_MOVES and not state.is_terminal():
        if state.is_chance_node():
            state.apply_action(generator.choice(state.chance_outcomes())[0])
            continue
        state.observation_tensor(state.current_player())
        state.apply_action(generator.choice(state.legal_actions()))
        moves += 1
    return moves
