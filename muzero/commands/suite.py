"""`muzero evaluate --suite`: measured runs of several games and seeds as one number."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from games.atari_protocol import roms
from muzero.commands.arguments import Maybe, parse
from muzero.evaluation.episodes import EVALUATION, LIMIT, human_normalised, searched, whole_games
from muzero.storage import disk, runs
from muzero.view.console import OK, USAGE, CommandError, quoted, tell
from muzero.view.terminal import counted, printable, table

EXAMPLES = (
    "muzero evaluate checkpoints/runs/atari_pong --episodes 100          # each run first: RUN/evaluation.json",
    "muzero evaluate --suite checkpoints/runs/atari_*",
    "muzero evaluate --suite results/*.json --json suite.json            # what --json wrote will do too",
)
ROUNDING = 1e-3
"""By how much a file's human-normalised score may be off."""
NAMES = {"iqm": "IQM", "median": "median", "mean": "mean", "optimality_gap": "optimality gap"}


@dataclass(frozen=True)
class Arguments:
    """Combine evaluations of several games and training seeds: human-normalised mean, median, interquartile mean and
    optimality gap, with stratified bootstrap intervals."""

    suite: tuple[Path, ...]
    """Folders of runs that were measured with --episodes, or the JSON files of such measurements."""
    seed: int = 0
    """Seed of the bootstrap."""
    json: Maybe[Path] = None
    """Also write the results here, with command, seed, versions and hardware."""


@dataclass(frozen=True)
class Measured:
    """One evaluation."""

    path: Path
    game: str
    training_seed: int
    score: float
    normalised: float
    episodes: int
    step: int
    """Learning steps of the agent."""
    conditions: str
    """Protocol and search: what must be the same in a suite."""


def run(argv: Sequence[str]) -> int:
    """Combine, print, and write the JSON."""
    from selfplay.strength.suite import UnevenError, aggregate

    arguments = parse(Arguments, argv, "muzero evaluate", EXAMPLES)
    if not arguments.suite:
        raise CommandError(f"--suite: folders of measured runs wanted, as in {EXAMPLES[1]}", USAGE)
    found = [read(path) for path in arguments.suite]
    check(found)
    by_game: dict[str, list[Measured]] = {}
    for one in sorted(found, key=lambda one: (one.game, one.training_seed)):
        by_game.setdefault(one.game, []).append(one)
    try:
        numbers = aggregate({game: [one.normalised for one in many] for game, many in by_game.items()}, arguments.seed)
    except UnevenError as error:
        raise CommandError(f"--suite: {error}", USAGE) from error
    rows = [_row(game, many) for game, many in by_game.items()]
    seeds = len(found) // len(by_game)
    tell(f"{counted(len(by_game), 'game')}, {counted(seeds, 'training seed')} each; {found[0].conditions}\n")
    tell(table(("game", "scores", "of games", "after steps", "mean", "human-normalised"), rows, left=(0, 1, 2, 3)))
    tell("\n" + table(("human-normalised", "value", "95 % interval"), [
        (title, f"{numbers[name].value:.3f}",
         "-" if seeds == 1 else f"{numbers[name].low:.3f} to {numbers[name].high:.3f}")
        for name, title in NAMES.items()]))
    if seeds == 1:
        tell("\nno interval: it comes from the differences between training seeds, and there is one of each game")
    if arguments.json is not None:
        from muzero.evaluation.provenance import provenance, write_json

        write_json(arguments.json, {
            **provenance(["evaluate", *argv]), "conditions": found[0].conditions,
            "runs": [{**dataclasses.asdict(one), "path": str(one.path)} for one in found],
            "human_normalised": {name: dataclasses.asdict(estimate) for name, estimate in numbers.items()}})
    return OK


def _row(game: str, many: list[Measured]) -> tuple[str, ...]:
    mean, normalised = (sum(getattr(one, name) for one in many) / len(many) for name in ("score", "normalised"))
    columns = [(f"{one.score:.1f}", f"{one.episodes}", f"{one.step}") for one in many]
    scores, games, steps = (" ".join(texts) for texts in zip(*columns, strict=True))
    return game, scores, games, steps, f"{mean:.1f}", f"{normalised:.3f}"


def read(path: Path) -> Measured:
    """The evaluation in a run's folder or a file. Raises CommandError naming what is missing."""
    file = path
    try:
        file = path / EVALUATION if disk.is_folder(path) else path
        if disk.mode_of(path) is None:
            raise CommandError(f"--suite: {path} isn't there; wanted the folder of a measured run, or the file of "
                               "muzero evaluate AGENT --episodes 100 --json FILE", USAGE)
        if not disk.is_file(file) and runs.newest(path) is None:
            raise CommandError(f"--suite: {path} holds no run, which would keep its measurement: name the file of "
                               f"muzero evaluate {quoted(path)} --episodes 100 --json FILE", USAGE)
        if not disk.is_file(file):
            raise CommandError(f"--suite: {path} was not measured yet: "
                               f"muzero evaluate {quoted(path)} --episodes 100", USAGE)
        if file.stat().st_size > LIMIT:
            raise CommandError(f"--suite: {file} is no evaluation: it has more than {LIMIT >> 20} MB", USAGE)
        return _measured(file, json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise CommandError(f"--suite: {file} is no evaluation of a run under an Atari protocol "
                           f"({reason(error):.200})", USAGE) from error


def reason(error: Exception) -> str:
    """What was wrong with a file, for people."""
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON: {error}"
    if isinstance(error, KeyError):
        return f"nothing under {error}"
    return str(error) if type(error) is ValueError else repr(error)


def _measured(file: Path, content: dict[str, Any]) -> Measured:
    game = str(content["game"]).partition("(")[0]
    if game.removeprefix("atari/") not in roms():
        raise ValueError(f"{game[:60]} is no Atari game")
    returns, protocol, trained = content["returns"], content["protocol_settings"], content["checkpoint"]
    if trained is None:
        raise ValueError("its player was not trained, so it has no training seed")
    conditions = ", ".join(f"{key} {value}" for key, value in protocol.items())
    newest = runs.newest(file.parent) if file.name == EVALUATION else None
    if newest is not None and runs.order(newest)[0] != trained["step"]:
        raise CommandError(f"--suite: {file.parent} was measured at step {trained['step']} and is now at "
                           f"{runs.order(newest)[0]}: muzero evaluate {quoted(file.parent)} --episodes 100", USAGE)
    score, normalised = float(returns["mean"]), float(content["human_normalised"])
    if not all(map(math.isfinite, (score, normalised))):
        raise ValueError("scores are not finite")
    return Measured(
        path=file, game=game, training_seed=int(trained["training_seed"]), score=score,
        normalised=_checked(game, score, normalised), episodes=whole_games(returns["games"]), step=int(trained["step"]),
        conditions=printable(f"protocol {conditions}; {searched(trained)}").replace("\n", " "))


def _checked(game: str, score: float, stated: float) -> float:
    """The human-normalised score, by the table where it has the game. Raises ValueError if a file states another."""
    normalised = human_normalised(roms()[game.removeprefix("atari/")], score)
    if normalised is None:
        return stated
    if not math.isclose(normalised, stated, rel_tol=ROUNDING, abs_tol=ROUNDING):
        raise ValueError(f"a mean of {score:g} in {game} is {normalised:.3f} human-normalised, not {stated:.3f}")
    return normalised


def check(found: list[Measured]) -> None:
    """Refuse what can't be combined: a run twice, or different conditions."""
    first = found[0]
    seen: dict[tuple[str, int], Measured] = {}
    for one in found:
        if one.conditions != first.conditions:
            raise CommandError(f"--suite: different conditions\n  {first.path}: {first.conditions}\n"
                               f"  {one.path}: {one.conditions}", USAGE)
        other = seen.setdefault((one.game, one.training_seed), one)
        if other is not one:
            raise CommandError(f"--suite: {other.path} and {one.path} are both {one.game} trained with seed "
                               f"{one.training_seed}", USAGE)
