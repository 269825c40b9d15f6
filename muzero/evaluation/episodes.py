"""Whole games of one player: their returns, beside random play and people where these are known."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import games as engines
from games.atari_protocol import AtariFacts, Rom, atari_facts, is_atari
from muzero.evaluation.progress import Announced
from muzero.evaluation.provenance import write_json
from muzero.evaluation.subject import Subject
from muzero.storage import runs
from muzero.storage.disk import Damaged, is_there, named, read_json
from muzero.view.console import USAGE, CommandError, log, tell
from muzero.view.terminal import amount, counted, table, told_cut
from selfplay.strength.arena import SoloResult, move_limit, play_alone
from selfplay.strength.statistics import mean_interval

LIMIT = 64 << 20
"""Bytes of the largest measurement that is read."""
EVALUATION = "evaluation.json"
"""The last measurement of a run's whole games, in its folder: what `--suite` reads."""
LEAST = 5
"""Games for an interval of their mean."""


def episodes(
    subject: Subject, against: str | None, count: int, plies: int | None, max_moves: int = 0
) -> dict[str, Any]:
    """`count` whole games from the beginning, under the protocol of the game's name, with its own rewards.

    Each is of `max_moves` at most (0: as `selfplay.strength.arena.move_limit` says).
    """
    name = engines.spec(subject.game).name
    if against is not None or plies is not None:
        raise CommandError(f"--against and --opening-plies make no sense in {name}: it has one player, "
                           "whose returns are measured", USAGE)
    player = Announced(subject.player(subject.simulations[0]), count)
    limit = move_limit(engines.spec(name), max_moves)
    log(f"playing {counted(count, 'game')} of {limit:,} moves at most, which may take minutes ...")
    result = play_alone(subject.game, player, count, subject.seed, max_moves)
    facts = atari_facts(name) if is_atari(name) else None
    protocol = described(facts, limit)
    interval = interval_of(result)
    tell(f"{result.game}: {result.player}, {counted(result.games, 'game')}, seed {result.seed}")
    tell(f"protocol: {protocol}\n")
    header = ("mean return", "95 % interval", "median", "deviation", "lowest", "highest", "moves")
    tell(table(header, [(
        score(result.mean), "-" if interval is None else f"{score(interval[0])} to {score(interval[1])}",
        f"{result.median:g}", score(result.deviation), f"{min(result.returns):g}", f"{max(result.returns):g}",
        f"{sum(result.lengths) / result.games:.1f}",
    )], left=()))
    if result.cut:
        tell("\n" + told_cut(result.cut, result.games, limit))
    if interval is None:
        tell(f"\nno interval: {without_interval(result)}")
    elif facts is not None and 2 * (different := different_games(result)) < result.games:
        tell(f"\nonly {different} of the games differ in score or length, so the interval is too narrow: it takes "
             "each for a game of its own")
    return {
        "protocol": protocol,
        "returns": as_json(result),
        "mean_interval_95": interval,
        **({} if facts is None else _beside(facts, result.mean)),
    }


def interval_of(result: SoloResult) -> tuple[float, float] | None:
    """The mean's interval; None where the games say nothing of one."""
    if without_interval(result):
        return None
    return mean_interval(result.mean, result.deviation, result.games)


def without_interval(result: SoloResult) -> str:
    """Why there is no interval, where there is none."""
    if result.games < LEAST:
        return f"too few games for an interval, {LEAST} or more wanted"
    return "all games equal" if min(result.returns) == max(result.returns) else ""


def different_games(result: SoloResult) -> int:
    """Courses among the games, as far as score and length tell: without noise a start leads to the same game again."""
    return len(set(zip(result.returns, result.lengths, strict=True)))


def score(number: float) -> str:
    """A score with as many decimals as its size deserves."""
    return f"{number:.1f}" if abs(number) > 100 else amount(number, 3)


def as_json(result: SoloResult) -> dict[str, Any]:
    """The returns one by one, and what they come to."""
    return {**dataclasses.asdict(result), "games": result.games, "mean": result.mean, "median": result.median,
            "deviation": result.deviation, "low": min(result.returns), "high": max(result.returns)}


def described(facts: AtariFacts | None, limit: int) -> str:
    """The protocol in words. limit: moves after which a game is cut."""
    if facts is None:
        return f"whole games of one player, the game's own rewards, cut after {limit:,} moves"
    sooner = f"; cut after {limit:,} moves already" if limit < facts.spec.max_length else ""
    protocol = facts.protocol
    fewer = f"fewer than {protocol.noops}" if protocol.noops else "no"
    return (f"{facts.protocol_name}: whole games of all lives, raw scores, cut after {protocol.cap:,} frames; "
            f"frame skip {protocol.skip}, the maximum of the last two; sticky actions {protocol.sticky:g}; "
            f"{protocol.actions} actions ({facts.spec.num_actions}); {fewer} frames without action at the start; "
            f"{protocol.stack} frames of {protocol.size} x {protocol.size} pixels, {protocol.colour}{sooner}")


def _beside(facts: AtariFacts, mean: float) -> dict[str, Any]:
    """The score beside random play and a human's, printed and as JSON."""
    rom = facts.rom
    content: dict[str, Any] = {"protocol_settings": {"name": facts.protocol_name, **dataclasses.asdict(facts.protocol)}}
    normalised = human_normalised(rom, mean)
    if normalised is None:
        tell(f"\nNobody has published random and human scores of {rom.name}.")
        return content
    tell(f"\nhuman-normalised score {normalised:.3f} (random {rom.random:g}: 0, human {rom.human:g}: 1)")
    return {**content, "human_normalised": normalised, "random": rom.random, "human": rom.human}


def human_normalised(rom: Rom, mean: float) -> float | None:
    """A mean score between random play (0) and a human (1); None where nobody has published theirs."""
    if rom.random is None or rom.human is None:
        return None
    return (mean - rom.random) / (rom.human - rom.random)


def keep(agent: str, content: dict[str, Any]) -> None:
    """Save a measurement in the folder of the run it is of, if it is of one and counts more than what is there."""
    folder = named(agent)
    if runs.newest(folder) is None:
        return
    kept = folder / EVALUATION
    counts, why = weighed(kept, content)
    if why:
        log(f"{kept} {why}")
    if counts:
        write_json(kept, content, "the run can't keep its evaluation, ")


def weighed(kept: Path, content: dict[str, Any]) -> tuple[bool, str]:
    """Whether a measurement takes the place of the one that a run keeps, and what to tell of that one, if anything.

    Fewer games of the same step don't: a quick look takes no long measurement's place. What is no measurement counts
    for nothing.
    """
    try:
        if not is_there(kept):
            return True, ""
        before = read_json(kept, limit=LIMIT)
        games = whole_games(before["returns"]["games"])
        if before["checkpoint"]["step"] != content["checkpoint"]["step"]:
            return True, ""
        if content["returns"]["games"] < games:
            return False, "stays as it is: it holds more games of the same step"
        search = searched(before["checkpoint"])
        same = search == searched(content["checkpoint"])
        return True, "" if same else f"held {counted(games, 'game')} with {search}: these take their place"
    except OSError as error:
        return False, f"stays as it is: it could not be read ({error.strerror})"
    except (Damaged, ValueError, LookupError, TypeError):
        return True, "holds no measurement and counts for nothing"


def searched(checkpoint: dict[str, Any]) -> str:
    """With what search a stored measurement was played. Raises LookupError or TypeError for what is none."""
    # Older versions played without noise.
    return f"{checkpoint['simulations']} simulations, noise {checkpoint.get('noise', 0.0):g}"


def whole_games(count: Any) -> int:
    """The number of games of a stored measurement. Raises ValueError for what is no whole number of at least 1."""
    if type(count) is not int or count < 1:
        raise ValueError(f"games: a whole number of at least 1 wanted, got {count!r:.40}")
    return count
