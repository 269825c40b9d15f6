"""The table of OpenSpiel and Atari games: which are supported, and why the others aren't."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

from games.atari_protocol import PREFIX, TWO_PLAYERS, atari_facts, roms
from games.base import GameError, GameSpec
from games.spiel_facts import load_facts, refusal, registry


@dataclass(frozen=True)
class GameListing:
    """One row of the table; a game that isn't supported has no shape."""

    name: str
    title: str
    """The display name: `Connect Four`."""
    players: int
    """Players of the default game; 0 if it depends on the parameters."""
    observation_shape: tuple[int, ...]
    num_actions: int
    kind: str
    """`two players`, `two players, chance`, `one player`, `one player, chance`, `Atari` or `not supported`."""
    note: str
    supported: bool
    reason: str
    """Why the game isn't supported; empty if it is."""


def list_games() -> list[GameListing]:
    """All registered games in alphabetical order, with their default parameters."""
    return [_listing(kind) for _, kind in sorted(registry().items())]


def list_atari() -> list[GameListing]:
    """Every Atari game that comes with ALE, under the default protocol."""
    played = []
    for rom in roms().values():
        spec = atari_facts(PREFIX + rom.name).spec
        title = rom.name.replace("_", " ").title()
        played.append(GameListing(spec.name, title, 1, spec.observation_shape, spec.num_actions, "Atari", "", True, ""))
    why = "has no mode for one player: ALE doesn't start it"
    return played + [GameListing(PREFIX + name, name.title(), 2, (), 0, "not supported", "", False, why)
                     for name in TWO_PLAYERS]


def _listing(kind: Any) -> GameListing:
    if not kind.default_loadable:
        return _unsupported(kind, refusal(kind, 1) if kind.is_concrete else _made_from(kind))
    # Loading is slow: refuse by the game's type where that is enough.
    reason = refusal(kind, max(1, kind.min_num_players))
    if reason:
        return _unsupported(kind, reason)
    try:
        return _supported(kind, load_facts(kind.short_name).spec)
    except GameError as error:
        return _unsupported(kind, str(error))


def _made_from(kind: Any) -> str:
    if kind.short_name in ("misere", "start_at", "zerosum", "add_noise"):
        return "made from another game, as in misere(game=nim): supported if that is"
    return refusal(kind, 1) or "needs parameters"


def _supported(kind: Any, spec: GameSpec) -> GameListing:
    words = ("two players" if spec.players == 2 else "one player") + (", chance" if spec.stochastic else "")
    return GameListing(
        name=kind.short_name,
        title=kind.long_name,
        players=spec.players,
        observation_shape=spec.observation_shape,
        num_actions=spec.num_actions,
        kind=words,
        note=spec.note,
        supported=True,
        reason="",
    )


def _unsupported(kind: Any, reason: str) -> GameListing:
    players = kind.min_num_players if kind.min_num_players == kind.max_num_players else 0
    return GameListing(kind.short_name, kind.long_name, players, (), 0, "not supported", "", False, reason)


def markdown() -> str:
    """The tables of `docs/reference/game_list.md`: supported games, then the reasons against the others."""
    listed = list_games()
    supported = [game for game in listed if game.supported]
    lines = [
        f"OpenSpiel registers {len(listed)} games; {len(supported)} are supported by their names alone.",
        "",
        "| game | kind | observation | actions | note |",
        "|---|---|---|---:|---|",
    ]
    for game in supported:
        shape = "x".join(map(str, game.observation_shape))
        lines.append(f"| `{game.name}` | {game.kind} | {shape} | {game.num_actions} | {game.note} |")
    lines += ["", "## Not supported, and why"]
    reasons: dict[str, list[str]] = {}
    for game in listed:
        if not game.supported:
            reasons.setdefault(game.reason, []).append(f"`{game.name}`")
    for reason, names in sorted(reasons.items()):
        # Wrap the items to the page width.
        text = textwrap.fill(f"**{reason}**: {', '.join(names)}", 118, break_on_hyphens=False)
        lines += ["", *text.splitlines()]
    return "\n".join(lines) + "\n"
