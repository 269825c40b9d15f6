"""Old spellings of `muzero evaluate`, from before it had modes, such as `muzero evaluate AGENT --against perfect`:
translates each to a mode and its arguments."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from muzero.commands.arguments import Maybe, parse
from muzero.commands.evaluate import episodes, match, measuring, positions, suite, tournament, video
from muzero.commands.evaluate.options import Common
from muzero.commands.players import check_player
from muzero.view.console import USAGE, CommandError, command, log

PROGRAM = "muzero evaluate"
NEW = ("muzero evaluate MODE ...                                 # the modes: muzero evaluate --help",)
EVERYWHERE = ("agent", "simulations", "seed", "json")
OF_AGENT = (*EVERYWHERE, "noise", "own_game")


@dataclass(frozen=True)
class Flat:
    """All options of all modes in one list."""

    agent: tyro.conf.Positional[str]
    against: Maybe[str] = None
    """The opponent: random, mcts:N, perfect, or an agent."""
    episodes: Maybe[int] = None
    """Games of a one-player game, each played from start to end."""
    video: Maybe[Path] = None
    """A film of one game: .mp4 or .gif."""
    games: Maybe[int] = None
    """Number of games, even between two players."""
    opening_plies: Maybe[int] = None
    """Random moves before each game."""
    simulations: tuple[int, ...] = ()
    """Simulations per search."""
    noise: Maybe[float] = None
    """Noise at the root of each search."""
    seed: int = 0
    own_game: Maybe[str] = None
    """The user's own game (FILE.py:Class), whose Python code may run."""
    every_position: bool = False
    """Compare the moves in every position with exact values."""
    positions: Maybe[Path] = None
    """Compare the moves in the positions of this file with exact values."""
    player: Maybe[str] = None
    """Another player in place of an agent: random, mcts:N, perfect."""
    tournament: Maybe[tuple[str, ...]] = None
    """The players of a tournament."""
    max_moves: Maybe[int] = None
    """Moves after which a game is cut off."""
    skip_unreadable: bool = False
    """Skip agents that can't be read, in a tournament."""
    json: Maybe[Path] = None
    """Also write the results here."""

    @property
    def given(self) -> list[str]:
        """Options that were named, in the order of this list."""
        return [field.name for field in dataclasses.fields(self) if getattr(self, field.name) != field.default]


@dataclass(frozen=True)
class FlatSuite:
    """The options that go with `--suite`."""

    suite: tuple[Path, ...]
    """Folders of measured runs, or the JSON files of measurements."""
    seed: int = 0
    json: Maybe[Path] = None


@dataclass(frozen=True)
class Rule:
    """Which options an old spelling accepts."""

    takes: tuple[str, ...]
    """its options"""
    why: str
    """why it accepts no others"""


SELECTORS: Mapping[str, Rule] = {
    "tournament": Rule(
        (*EVERYWHERE, "tournament", "games", "opening_plies", "max_moves", "skip_unreadable"),
        "doesn't go with --tournament, which takes the game first and then the players"),
    "every_position": Rule(
        (*OF_AGENT, "every_position", "player"),
        "doesn't go with --every-position, which tests single moves and plays no games"),
    "positions": Rule(
        (*OF_AGENT, "positions", "player"),
        "doesn't go with --positions, which tests single moves and plays no games"),
    "episodes": Rule(
        (*OF_AGENT, "episodes", "video", "player", "max_moves"),
        "doesn't go with --episodes, which measures a one-player game: no other test, no opponent, and no --games"),
    "video": Rule(
        (*OF_AGENT, "video", "max_moves"),
        "doesn't go with --video, which films an agent's game: no other test, player or opponent"),
}
"""The option that selected a mode -> what goes with it; the first one given counts."""
GAMES = Rule(
    (*OF_AGENT, "against", "games", "opening_plies", "player", "max_moves"), "goes only with --tournament")
"""Without any of them: a match, or episodes of a one-player game."""
ALONE = Rule(
    (*OF_AGENT, "games", "player", "max_moves"),
    "doesn't go with {game}, a one-player game, in which returns are measured")


def read(argv: Sequence[str]) -> tuple[str, Any]:
    """The mode and its arguments. Raises CommandError (usage) for options that make no sense together."""
    if "--suite" in argv:
        old = parse(FlatSuite, argv, PROGRAM, NEW)
        return "suite", suite.Arguments(old.suite, old.seed, old.json)
    flat = parse(Flat, argv, PROGRAM, NEW)
    selector = next((name for name in SELECTORS if name in flat.given), None)
    refuse(flat, GAMES if selector is None else SELECTORS[selector])
    if selector not in ("every_position", "positions") and len(flat.simulations) > 1:
        raise CommandError("a match or tournament takes one number of --simulations", USAGE)
    if selector is None:
        return _games(flat)
    return _MODES[selector](flat)


def mode_meant(argv: Sequence[str]) -> str:
    """The mode of a command in an old spelling, told by its options; where none of them selects one, by the game."""
    named = {word.partition("=")[0].removeprefix("--").replace("-", "_") for word in argv if word.startswith("--")}
    if "suite" in named:
        return "suite"
    selector = next((name for name in SELECTORS if name in named), "episodes" if _alone(argv[0]) else "match")
    return "positions" if selector == "every_position" else selector


def _alone(name: str) -> bool:
    """Whether this is the name of a one-player game."""
    import games

    try:
        return games.spec(name).players == 1
    except games.GameError:
        return False


def refuse(flat: Flat, rule: Rule, game: str = "") -> None:
    """Refuse an option that the rule doesn't accept. Raises CommandError (usage)."""
    for name in flat.given:
        if name not in rule.takes:
            raise CommandError(f"--{name.replace('_', '-')} {rule.why.format(game=game)}", USAGE)


def tell_new(name: str, arguments: Any) -> None:
    """Tell a person the new spelling; piped output stays as it was."""
    if sys.stderr.isatty():
        log(f"this spelling still works; the new one is  {command(*new_words(name, arguments))}")


def new_words(name: str, arguments: Any) -> list[str]:
    """`evaluate MODE ...` for a mode's arguments."""
    return ["evaluate", name, *_words(arguments)]


def _words(arguments: Any) -> list[str]:
    """Positional arguments, then every option that differs from its default."""
    words: list[str] = []
    for field in dataclasses.fields(arguments):
        value = getattr(arguments, field.name)
        texts = [str(part) for part in value] if isinstance(value, tuple) else [str(value)]
        if field.default is dataclasses.MISSING:
            words += texts
        elif dataclasses.is_dataclass(value):
            words += _words(value)
        elif value != field.default:
            option = f"--{field.name.replace('_', '-')}"
            words += [option] if value is True else [option, *texts]
    return words


def _games(flat: Flat) -> tuple[str, Any]:
    """A match, or episodes if the game has one player."""
    who = measuring.Who(flat.agent, _common(flat), _one(flat), flat.player)
    spec = measuring.spec_of(measuring.find(who).game, who)
    if spec is None or spec.players == 2:
        return _match(flat)
    if flat.against is not None:
        check_player("--against", flat.against, spec.name)
    refuse(flat, ALONE, spec.name)
    return _episodes(dataclasses.replace(flat, episodes=flat.games))


def _match(flat: Flat) -> tuple[str, Any]:
    usual = match.Arguments(flat.agent)
    return "match", match.Arguments(
        flat.agent, usual.against if flat.against is None else flat.against,
        usual.games if flat.games is None else flat.games, flat.opening_plies,
        _one(flat), flat.max_moves, flat.player, _common(flat))


def _episodes(flat: Flat) -> tuple[str, Any]:
    count = episodes.Arguments(flat.agent).episodes if flat.episodes is None else flat.episodes
    return "episodes", episodes.Arguments(
        flat.agent, count, _one(flat), flat.max_moves, flat.video, flat.player, _common(flat))


def _video(flat: Flat) -> tuple[str, Any]:
    assert flat.video is not None
    return "video", video.Arguments(flat.agent, flat.video, _one(flat), flat.max_moves, _common(flat))


def _positions(flat: Flat) -> tuple[str, Any]:
    return "positions", positions.Arguments(
        flat.agent, flat.positions, flat.simulations, flat.player, _common(flat))


def _tournament(flat: Flat) -> tuple[str, Any]:
    usual = tournament.Arguments(flat.agent, ())
    return "tournament", tournament.Arguments(
        flat.agent, flat.tournament or (), usual.games if flat.games is None else flat.games,
        usual.opening_plies if flat.opening_plies is None else flat.opening_plies, _one(flat), flat.seed,
        flat.max_moves, flat.skip_unreadable, flat.json)


def _common(flat: Flat) -> Common:
    return Common(flat.noise, flat.seed, flat.own_game, flat.json)


def _one(flat: Flat) -> int | None:
    return flat.simulations[0] if flat.simulations else None


_MODES = {"tournament": _tournament, "every_position": _positions, "positions": _positions, "episodes": _episodes,
          "video": _video}
