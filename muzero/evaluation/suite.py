"""Aggregate scores over measured runs of several Atari games and training seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from games.atari_protocol import atari_facts, is_atari, roms
from games.base import GameError
from muzero.errors import MuZeroError
from muzero.evaluation.episodes import cut_short, human_normalised
from muzero.evaluation.kept import EVALUATION, LIMIT, searched, whole_games
from muzero.storage import checkpoint, disk, runs
from muzero.view.console import command
from muzero.view.terminal import printable
from selfplay.strength.suite import Estimate, UnevenError, aggregate

ROUNDING = 1e-3
"""Tolerance for the human-normalised score in a file."""


class SuiteError(MuZeroError):
    """Evaluations that can't be read or combined; the message names the file and how to fix it."""

    exit_code = 2


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
    """Protocol and search settings, which must be the same throughout a suite."""


@dataclass(frozen=True)
class SuiteReport:
    """Evaluations of several games and training seeds, under the same conditions."""

    runs: Sequence[Measured]
    """in the order named"""
    human_normalised: Mapping[str, Estimate]
    """mean, median, iqm and optimality_gap, with bootstrap intervals"""

    @property
    def conditions(self) -> str:
        return self.runs[0].conditions

    @property
    def by_game(self) -> dict[str, list[Measured]]:
        """The runs of each game by training seed."""
        found: dict[str, list[Measured]] = {}
        for one in sorted(self.runs, key=lambda one: (one.game, one.training_seed)):
            found.setdefault(one.game, []).append(one)
        return found

    @property
    def seeds(self) -> int:
        """Number of training seeds per game."""
        return len(self.runs) // len(self.by_game)


def combine(paths: Sequence[Path], seed: int = 0) -> SuiteReport:
    """Aggregate the evaluations of one or more runs or files. Raises SuiteError."""
    found = SuiteReport([read(path) for path in paths], {})
    check(found.runs)
    scores = {game: [one.normalised for one in many] for game, many in found.by_game.items()}
    try:
        return SuiteReport(found.runs, aggregate(scores, seed))
    except UnevenError as error:
        raise SuiteError(str(error)) from error


def read(path: Path) -> Measured:
    """The evaluation in a run's folder or a file. Raises SuiteError naming what is missing."""
    file = path
    try:
        file = path / EVALUATION if disk.is_folder(path) else path
        if missing := _missing(path, file):
            raise SuiteError(missing)
        return _measured(file, json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError,
            GameError) as error:
        raise SuiteError(f"{file}: expected an evaluation of a run under an Atari protocol ({reason(error):.200})"
                         ) from error


def _missing(path: Path, file: Path) -> str:
    """Why there is no evaluation to read, and how to get one; empty if there is one."""
    if disk.mode_of(path) is None:
        return f"{path} doesn't exist; expected the folder of a measured run, or a file from {measure('AGENT', 'FILE')}"
    if not disk.is_file(file):
        return _unmeasured(path)
    if file.stat().st_size > LIMIT:
        return f"{file}: expected an evaluation of at most {LIMIT >> 20} MB"
    return ""


def _unmeasured(path: Path) -> str:
    """Why a folder holds no evaluation, and how to get one."""
    newest = runs.newest(path)
    if newest is None:
        return (f"{path} isn't the folder of a run, which would hold its evaluation: name the file written by "
                f"{measure(path, 'FILE')}")
    # Measuring tells why an agent can't be read.
    with suppress(disk.CheckpointError):
        if not is_atari(game := checkpoint.read_config(newest).game):
            return f"{path} plays {game}: expected runs of Atari games, which a suite combines"
    return f"{path} hasn't been measured yet: {measure(path)}"


def measure(agent: object, file: str = "") -> str:
    """The command that measures an agent's returns."""
    return command("evaluate", "episodes", agent, "--episodes", 100, *(["--json", file] if file else []))


def reason(error: Exception) -> str:
    """What is wrong with a file, for people."""
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error}"
    if isinstance(error, KeyError):
        return f"no entry {error}"
    return str(error) if type(error) is ValueError else repr(error)


def _measured(file: Path, content: dict[str, Any]) -> Measured:
    game = str(content["game"]).partition("(")[0]
    if game.removeprefix("atari/") not in roms():
        raise ValueError(f"{game[:60]} isn't an Atari game")
    returns, protocol, trained = content["returns"], content["protocol_settings"], content["checkpoint"]
    _check_whole(file, content["game"], returns)
    if trained is None:
        raise ValueError("its player isn't a trained agent, so it has no training seed")
    conditions = ", ".join(f"{key} {value}" for key, value in protocol.items())
    newest = runs.newest(file.parent) if file.name == EVALUATION else None
    if newest is not None and runs.order(newest)[0] != trained["step"]:
        raise SuiteError(f"{file.parent} was measured at step {trained['step']} and is now at "
                         f"{runs.order(newest)[0]}: {measure(file.parent)}")
    score, normalised = float(returns["mean"]), float(content["human_normalised"])
    if not all(map(math.isfinite, (score, normalised))):
        raise ValueError("scores are not finite")
    return Measured(
        path=file, game=game, training_seed=int(trained["training_seed"]), score=score,
        normalised=_checked(game, score, normalised), episodes=whole_games(returns["games"]), step=int(trained["step"]),
        conditions=printable(f"protocol {conditions}; {searched(trained)}").replace("\n", " "))


def _check_whole(file: Path, game: str, returns: Mapping[str, Any]) -> None:
    """Refuse games cut off before the protocol's limit. Older files don't say whether any were. Raises SuiteError, and
    GameError for an unknown protocol."""
    cut, limit = returns.get("cut", 0), returns.get("max_moves", 0)
    if cut and cut_short(facts := atari_facts(game), cut, limit):
        raise SuiteError(f"{file}: {cut} of {returns['games']} games were cut off after {limit:,} moves, before the "
                         f"protocol's limit of {facts.spec.max_length:,}: measure it again without --max-moves")


def _checked(game: str, score: float, stated: float) -> float:
    """The human-normalised score, from the table if it has the game. Raises ValueError if the file's score differs."""
    normalised = human_normalised(roms()[game.removeprefix("atari/")], score)
    if normalised is None:
        return stated
    if not math.isclose(normalised, stated, rel_tol=ROUNDING, abs_tol=ROUNDING):
        raise ValueError(f"a mean of {score:g} in {game} is {normalised:.3f} human-normalised, not {stated:.3f}")
    return normalised


def check(found: Sequence[Measured]) -> None:
    """Refuse evaluations that can't be combined: duplicates, or different conditions. Raises SuiteError."""
    first = found[0]
    seen: dict[tuple[str, int], Measured] = {}
    for one in found:
        if one.conditions != first.conditions:
            raise SuiteError(f"different conditions\n  {first.path}: {first.conditions}\n"
                             f"  {one.path}: {one.conditions}")
        other = seen.setdefault((one.game, one.training_seed), one)
        if other is not one:
            raise SuiteError(f"{other.path} and {one.path} are both {one.game} trained with seed {one.training_seed}")
