"""Messages of `muzero train`: its limit and warnings before training, the next commands after it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import games
from games.machine import busy, free_memory
from games.own_names import from_here, is_own
from muzero import presets
from muzero.commands.values import write_schedule
from muzero.config import Config, TrainConfig
from muzero.config.kinds import NETWORKS
from muzero.storage import runs
from muzero.view.console import INTERRUPTED, command, log, tell
from muzero.view.terminal import counted

if TYPE_CHECKING:
    from muzero.view.progress import Progress

SMALL = "small"
"""The preset for machines without a GPU."""
MANY_SAMPLES = 5_000_000
"""With this many picture samples a CPU core learns for hours: with the preset `small`, two."""


def limit(settings: TrainConfig) -> str:
    """When training stops, in words."""
    parts = [counted(settings.positions, "position")] if settings.positions else []
    parts += [counted(settings.steps, "step")] if settings.steps else []
    of = " of CPU time" if settings.clock == "cpu" else ""
    parts += [f"{settings.minutes:g} minute{'' if settings.minutes == 1 else 's'}{of}"] if settings.minutes else []
    return "training for " + " or ".join(parts)


def crowded(reserved: int) -> list[str]:
    """Warnings about a machine short of cores or memory. reserved: bytes of the replay buffer."""
    found, free = [], free_memory()
    if crowd := busy():
        found.append(f"{crowd}, so this training will be slow and learn less in the same minutes")
    if reserved > free:
        found.append(f"only {free / 1e6:,.0f} MB of memory are free now, less than the replay buffer will fill")
    return found


def for_a_gpu(config: Config) -> str:
    """Advice for training on pictures that would take many hours on a CPU; empty on a GPU."""
    from muzero.device.select import device_of

    samples = config.train.positions * config.learner.replay_ratio
    pictures = NETWORKS[config.model.network].pictures
    if not pictures or samples <= MANY_SAMPLES or device_of(config.train.device).type != "cpu":
        return ""
    advice = f"learning from {samples:,.0f} picture samples takes many hours without a GPU"
    return f"{advice}; --preset {SMALL} learns within an hour" if SMALL in presets.names(config.game) else advice


def written(value: object) -> str:
    """A setting as its option takes it."""
    return write_schedule(value) if isinstance(value, tuple) else str(value)


def step_of(out: Path) -> int:
    """Learning steps of the newest checkpoint; 0 when there is none."""
    newest = runs.newest(out)
    return 0 if newest is None else runs.order(newest)[0]


def twice(train: TrainConfig, step: int) -> str:
    """The option that doubles a run's limit."""
    if train.minutes > 0:
        return f"--minutes {2 * train.minutes:g}"
    return f"--positions {2 * train.positions}" if train.positions > 0 else f"--steps {2 * step}"


def not_yet(last: Progress | None) -> str:
    """What the agent still lacks, by the last report of its training; empty if nothing."""
    if last is not None and last.step == 0:
        return f"no learning yet from {last.positions:,} positions"
    if last is not None and last.warmup_positions > 0:
        return (f"no searches yet: all {last.positions:,} positions were random play, "
                f"which goes on up to {last.warmup_positions:,}")
    # Without policy targets the policy loss is 0.
    if last is not None and last.losses.get("policy") == 0.0:
        return "no learning from searches yet: all samples so far are of random play"
    return ""


def say_next(out: Path, code: int, before: int, config: Config, last: Progress | None = None) -> None:
    """Print the commands to type next. last: the last report of the training."""
    step, game = step_of(out), config.game
    own = from_here(game) if is_own(game) else ""
    again = command("train", *([own, "--out"] if own else []), out)
    trust = ["--own-game", own] if own else []
    mode, *opponent = ["match", "--against", "random"] if games.spec(game).players == 2 else ["episodes"]
    measure = command("evaluate", mode, out, *opponent, *trust)
    if code == INTERRUPTED and last is not None and last.reached:
        left_out = "the last evaluation was skipped; " if last.unmeasured else ""
        log(f"trained to step {step:,}, the limit, and saved; {left_out}measure it: {measure}")
        return
    if code == INTERRUPTED:
        log(f"saved at step {step:,}; continue with: {again}")
        return
    further = f"go further with: {again} {twice(config.train, step)}"
    if missing := not_yet(last):
        tell(f"too short: {missing}; {further}")
    elif step == before:
        tell(f"this run has already reached its limit; {further}")
    tell(f"trained to step {step:,}; saved in {out}")
    tell(f"  play it:     {command('play', out, *trust)}")
    tell(f"  measure it:  {measure}")
