"""`muzero bench learn`: learning steps on a replay buffer of random games."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from muzero.commands.arguments import QUIET, Maybe, game_spec
from muzero.commands.bench.found import Found, fewest
from muzero.commands.bench.options import devices, refuse_too_large
from muzero.commands.bounds import check_between
from muzero.config.bounds import BOUNDS

EXAMPLES = ("muzero bench learn connect_four", "muzero bench learn tic_tac_toe --batch 256 1024 --json learn.json")


@dataclass(frozen=True)
class Arguments:
    """Measure learning steps with the game's preset. `draw` is making the batch, `update` the optimizer step."""

    game: tyro.conf.Positional[str] = "connect_four"
    """Any game that can be trained."""
    preset: Maybe[str] = None
    """As for `muzero train`."""
    batch: Annotated[tuple[int, ...], QUIET] = ()
    """Positions per step (default: those of the preset's schedule)."""
    device: tuple[Literal["cpu", "cuda"], ...] = ("cpu", "cuda")
    seconds: float = 2.0
    """Seconds for each row."""
    json: Maybe[str] = None
    """Also write the figures here, with command, versions and hardware; - for standard output, without the table."""


def measure(arguments: Arguments) -> Found:
    """Every device and batch."""
    game = game_spec(arguments.game).name
    for size in arguments.batch:
        check_between("--batch", size, BOUNDS["learner.batch"])
    from muzero import presets
    from muzero.bench import learn as learning
    from muzero.bench.memory import free_bytes, learning_bytes
    from muzero.bench.tables import LEARN
    from muzero.device.allocator import keep_freed_blocks
    from muzero.presets import survey

    keep_freed_blocks()
    config, _ = survey.settle(presets.load(game, arguments.preset))
    there, said = devices(arguments.device)
    batches = arguments.batch or tuple(sorted({int(size) for _, size in config.learner.batch}))
    for device in there:
        for size in batches:
            refuse_too_large(f"--batch {size} on {device}", learning_bytes(config, size),
                             free_bytes(device), "use a smaller batch")
    rows = []
    for device in there:
        learner = learning.Learning(config, device)
        rows += [learner.measure(size, arguments.seconds) for size in batches]
    best = [f"best on {device}: a batch of {fewest({row.batch: row.rate() for row in rows if row.device == device})} "
            "(the smallest that is about as fast as any; learning depends on it too)"
            for device in there if len(batches) > 1]
    return Found(rows, LEARN.lines(rows), (*said, *best), {"game": game, "missing": said, "best": best})
