"""`muzero bench selfplay`: one actor with an untrained network; the best number of games."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from muzero.commands.arguments import QUIET, Maybe, game_spec
from muzero.commands.bench.found import Found, fewest
from muzero.commands.bench.options import devices, refuse_too_large
from muzero.commands.bounds import check_between
from muzero.config import Config, replace
from muzero.config.bounds import BOUNDS
from muzero.config.kinds import DYNAMICS, Dynamics

if TYPE_CHECKING:
    from muzero.bench.selfplay import SelfPlayRow

EXAMPLES = (
    "muzero bench selfplay connect_four", "muzero bench selfplay 'go(board_size=9)' --games 64 256",
    "muzero bench selfplay atari/pong --preset small")


@dataclass(frozen=True)
class Arguments:
    """Measure self-play of one actor with the game's preset, full-size search, and an untrained network."""

    game: tyro.conf.Positional[str] = "connect_four"
    """Any game that can be trained."""
    preset: Maybe[str] = None
    """As for `muzero train`."""
    games: Annotated[tuple[int, ...], QUIET] = ()
    """Games in lockstep (default: the preset's number, or if that is automatic, the numbers that `muzero train` would
    try)."""
    simulations: Maybe[int] = None
    """Simulations per move (default: the preset's)."""
    dynamics: Dynamics = "learned"
    """Dynamics of the search. With rules, their time counts as the network's."""
    precision: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")
    """Number format of the network's computation."""
    device: tuple[Literal["cpu", "cuda"], ...] = ("cpu", "cuda")
    threads: int = 0
    """Threads of the tree search; 0 = as `muzero train` would choose."""
    plain_allocator: bool = False
    """Leave the C library's allocator as it is, to see how much keeping freed memory helps."""
    seconds: float = 1.0
    """Seconds for each row, with at least one move per round; on a CPU the best of three rounds is shown."""
    json: Maybe[str] = None
    """Also write the figures here, with command, versions and hardware; - for standard output, without the table."""


def measure(arguments: Arguments) -> Found:
    """Every device, precision and number of games."""
    game = game_spec(arguments.game).name
    for number in arguments.games:
        check_between("--games", number, (1, BOUNDS["selfplay.games"][1]))
    if arguments.simulations is not None:
        check_between("--simulations", arguments.simulations, BOUNDS["search.simulations"])
    check_between("--threads", arguments.threads, BOUNDS["search.threads"])
    from muzero.bench import selfplay as playing
    from muzero.bench.memory import free_bytes, selfplay_bytes
    from muzero.bench.tables import SELFPLAY
    from muzero.device.allocator import keep_freed_blocks

    if not arguments.plain_allocator:
        keep_freed_blocks()
    there, said = devices(arguments.device)
    configs = [config for device in there for precision in arguments.precision
               for config in variants(arguments, game, device, precision)]
    for config in configs:
        for device, needed in selfplay_bytes(config).items():
            refuse_too_large(f"--games {config.selfplay.games} on {config.train.device}", needed, free_bytes(device),
                             "use fewer games or simulations")
    rows = [row for device in there for row in playing.in_turns(
        [config for config in configs if config.train.device == device], arguments.seconds)]
    best = [best_line(device, [row for row in rows if row.device == device]) for device in there]
    return Found(rows, SELFPLAY.lines(rows), (*said, *best), {"game": game, "missing": said, "best": best})


def variants(arguments: Arguments, game: str, device: str, precision: str) -> list[Config]:
    """The preset with each requested number of games, or with those that a run could have."""
    from muzero import presets
    from muzero.bench import sizing

    preset = presets.load(game, arguments.preset)
    if not DYNAMICS[arguments.dynamics].learned:
        preset = presets.with_rules(preset)
    config = sizing.settle(replace(preset, {
        "train.device": device, "train.precision": precision, "search.threads": arguments.threads,
        "search.simulations": arguments.simulations or preset.search.simulations,
        "selfplay.simulations_share": [[0.0, 1.0]],
    }))
    # If the preset fixes the number, a run has that one.
    fixed = (preset.selfplay.games,) if preset.selfplay.games else ()
    numbers = arguments.games or fixed or sizing.fitting(config)
    return [replace(config, {"selfplay.games": number}) for number in numbers]


def best_line(device: str, rows: Sequence[SelfPlayRow]) -> str:
    """The best settings on a device."""
    fastest = max(rows, key=lambda row: row.rate())
    same = {row.games: row.rate() for row in rows if row.precision == fastest.precision}
    return (f"best on {device}: --selfplay.games {fewest(same)} --search.threads {fastest.threads} "
            f"--train.precision {fastest.precision}")
