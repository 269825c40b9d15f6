"""Names and evaluation protocols of Atari games: what an agent sees and may do, as published. Doesn't load ALE.

`atari/pong` uses the 100k protocol, `atari/pong(protocol=machado)` that of Machado et al. 2018. What a published
protocol fixes can't be overridden; with `protocol=custom` everything can be set.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from games.base import PIXEL_HIGH, GameError, GameSpec
from games.naming import ParsedName, nearest, parse_name

PREFIX = "atari/"
TABLE = Path(__file__).with_name("atari.csv")
TWO_PLAYERS = ("combat", "joust", "maze_craze", "warlords")
"""ROMs that come with ALE but have no mode for one player; ALE doesn't start them."""
DEFAULT = "atari100k"
CUSTOM = "custom"


@dataclass(frozen=True)
class Protocol:
    """How one game is played and seen, in training as in evaluation."""

    sticky: float = 0.0
    """Probability, at each frame, that the previous action is repeated instead of the chosen one."""
    actions: str = "minimal"
    """minimal: those that have an effect in this game; full: all of them, 18 in most games."""
    noops: int = 30
    """An episode begins with a random number of no-op frames, fewer than this, drawn by ALE; 0: none."""
    skip: int = 4
    """Frames for which an action is repeated; the agent sees the maximum over the last two."""
    cap: int = 108_000
    """Frames after which an episode is truncated."""
    size: int = 84
    """Height and width of a frame the agent sees, in pixels."""
    colour: str = "grey"
    """grey or rgb"""
    stack: int = 4
    """Newest frames in one observation."""


PROTOCOLS = {
    DEFAULT: Protocol(),
    "machado": Protocol(sticky=0.25, actions="full", noops=0),
}
"""The published ones. atari100k: Kaiser et al. 2020 and later work; machado: what Machado et al. 2018
recommend (sticky actions, full action set, no loss-of-life signal), with the frame skip and cap usual since then."""
WITHOUT_LIVES = ("machado",)
"""Protocols under which the loss of a life must not be signalled to the agent, not even in training."""
OPEN = ("size", "colour", "stack")
"""Parameters that a published protocol leaves open."""
_CHOICES = {"actions": ("minimal", "full"), "colour": ("grey", "rgb")}
_BOUNDS = {"sticky": (0.0, 0.99), "noops": (0, 1_000), "skip": (1, 60), "cap": (100, 10_000_000), "size": (16, 210),
           "stack": (1, 16)}
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?")


@dataclass(frozen=True)
class Rom:
    """A row of the table: a game that ALE can start."""

    name: str
    actions: int
    """Size of the minimal action set."""
    all_actions: int
    """Size of the full action set: 18 in all games but two."""
    random: float | None
    """Mean score of random play (Mnih et al. 2015 and Wang et al. 2016), None if none was published."""
    human: float | None
    atari100k: bool
    """One of the 26 games of Atari 100k."""
    apart: bool
    """A game in ALE's environment depends on how the earlier ones were played (benchmarks/atari_seeds.py)."""


@dataclass(frozen=True)
class AtariFacts:
    """A named game with its protocol."""

    rom: Rom
    protocol_name: str
    protocol: Protocol
    spec: GameSpec

    @property
    def shows_lives(self) -> bool:
        """Whether the loss of a life may be signalled to the agent in training."""
        return self.protocol_name not in WITHOUT_LIVES


def is_atari(name: str) -> bool:
    """True for names that start with `atari/`."""
    return name.strip().startswith(PREFIX)


@functools.cache
def roms() -> dict[str, Rom]:
    """All games that ALE can start, by name."""
    with TABLE.open(newline="") as file:
        return {line["rom"]: Rom(
            line["rom"], int(line["actions"]), int(line["all_actions"]), _score(line["random"]), _score(line["human"]),
            line["atari100k"] == "1", line["apart"] == "1") for line in csv.DictReader(file)}


def _score(text: str) -> float | None:
    return float(text) if text else None


def atari_facts(name: str) -> AtariFacts:
    """The facts of the game with this name. Raises GameError naming the nearest game, parameter or protocol."""
    after = name.strip().removeprefix(PREFIX)
    if not after:
        raise GameError(f"game {name!r}: expected a game of ALE, as in {PREFIX}pong")
    parsed = parse_name(after)
    rom = roms().get(parsed.short)
    if rom is None:
        if parsed.short in TWO_PLAYERS:
            raise GameError(f"{PREFIX}{parsed.short} has no mode for one player: ALE doesn't start it")
        near = nearest(parsed.short, roms(), PREFIX)
        raise GameError(f"{PREFIX}{parsed.short} is no game of ALE{near}")
    protocol_name, protocol = _protocol(name, parsed)
    return AtariFacts(rom, protocol_name, protocol, _spec(rom, protocol_name, protocol))


def _protocol(name: str, parsed: ParsedName) -> tuple[str, Protocol]:
    known = {field.name for field in dataclasses.fields(Protocol)}
    given = dict(parsed.parameters)
    chosen = given.pop("protocol", DEFAULT)
    if chosen not in (*PROTOCOLS, CUSTOM):
        raise GameError(f"{name}: protocol {chosen!r} is none of {', '.join(PROTOCOLS)}, {CUSTOM}"
                        f"{nearest(chosen, (*PROTOCOLS, CUSTOM))}")
    for key in given:
        if key not in known:
            raise GameError(f"{name}: no parameter {key!r}{nearest(key, ('protocol', *known))} "
                            f"(known: protocol, {', '.join(sorted(known))})")
    published = PROTOCOLS.get(chosen, Protocol())
    values = {key: _value(name, key, text) for key, text in given.items()}
    for key, value in values.items():
        fixed = getattr(published, key)
        if chosen != CUSTOM and key not in OPEN and value != fixed:
            told = chosen if "protocol" in parsed.parameters else f"{chosen} (the default)"
            raise GameError(f"{name}: protocol {told} has {key}={fixed}, which {key}={value} contradicts; "
                            f"leave {key} out, or write protocol={CUSTOM}")
    return chosen, dataclasses.replace(published, **values)


def _value(name: str, key: str, text: str) -> Any:
    if key in _CHOICES:
        if text not in _CHOICES[key]:
            raise GameError(f"{name}: {key}: expected {' or '.join(_CHOICES[key])}, got {text!r}")
        return text
    low, high = _BOUNDS[key]
    whole = isinstance(high, int)
    if not _NUMBER.fullmatch(text) or (whole and "." in text) or not low <= float(text) <= high:
        kind = "a whole number" if whole else "a number"
        raise GameError(f"{name}: {key}: expected {kind} from {low} to {high}, got {text!r}")
    return int(text) if whole else float(text)


def canonical(rom: str, protocol_name: str, protocol: Protocol) -> str:
    """The shortest name."""
    base = PROTOCOLS.get(protocol_name, Protocol())
    given = {key: str(value) for key, value in dataclasses.asdict(protocol).items() if value != getattr(base, key)}
    if protocol_name != DEFAULT:
        given["protocol"] = protocol_name
    return PREFIX + ParsedName(rom, given).text()


def _spec(rom: Rom, protocol_name: str, protocol: Protocol) -> GameSpec:
    channels = protocol.stack * (3 if protocol.colour == "rgb" else 1)
    return GameSpec(
        name=canonical(rom.name, protocol_name, protocol),
        players=1,
        observation_shape=(channels, protocol.size, protocol.size),
        observation_dtype="uint8",
        num_actions=rom.all_actions if protocol.actions == "full" else rom.actions,
        max_length=-(-protocol.cap // protocol.skip),
        min_return=float("-inf"),
        max_return=float("inf"),
        alternates=False,
        stochastic=True,
        rewards_on_the_way=True,
        frames=protocol.stack,
        observation_high=PIXEL_HIGH,
    )
