"""Whole games of one player: their returns, beside random play and people where these are known."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import games as engines
from games.atari_protocol import AtariFacts, atari_facts, is_atari
from muzero import runs
from muzero.commands.console import USAGE, CommandError, log
from muzero.commands.progress import Announced
from muzero.commands.subject import Subject
from muzero.terminal import table
from selfplay.arena import SoloResult, play_alone
from selfplay.statistics import mean_interval

EVALUATION = "evaluation.json"
"""The last measurement of a run's whole games, in its folder: what `--suite` reads."""


def episodes(subject: Subject, against: str | None, count: int, plies: int | None) -> dict[str, Any]:
    """`count` whole games from the beginning, under the protocol of the game's name, with its own rewards."""
    name = engines.spec(subject.game).name
    if against is not None or plies is not None:
        raise CommandError(f"--against and --opening-plies make no sense in {name}: it has one player, "
                           "whose returns are measured", USAGE)
    log(f"playing {count} games, which may take minutes ...")
    result = play_alone(subject.game, Announced(subject.player(subject.simulations[0])), count, subject.seed)
    facts = atari_facts(name) if is_atari(name) else None
    low, high = mean_interval(result.mean, result.deviation, result.games)
    print(f"{result.game}: {result.player}, {result.games} games, seed {result.seed}")
    print(f"protocol: {described(facts)}\n")
    interval = f"{low:.3f} to {high:.3f}" if math.isfinite(low) else "none: one game"
    header = ("mean return", "95 % interval", "median", "deviation", "lowest", "highest", "moves")
    print(table(header, [(
        f"{result.mean:.3f}", interval, f"{result.median:g}", f"{result.deviation:.3f}",
        f"{min(result.returns):g}", f"{max(result.returns):g}", f"{sum(result.lengths) / result.games:.1f}",
    )], left=()))
    return {
        "protocol": described(facts),
        "returns": as_json(result),
        "mean_interval_95": [low, high] if math.isfinite(low) else None,
        **({} if facts is None else _beside(facts, result.mean)),
    }


def as_json(result: SoloResult) -> dict[str, Any]:
    """The returns one by one, and what they come to."""
    return {**dataclasses.asdict(result), "games": result.games, "mean": result.mean, "median": result.median,
            "deviation": result.deviation, "low": min(result.returns), "high": max(result.returns)}


def described(facts: AtariFacts | None) -> str:
    """The protocol in words."""
    if facts is None:
        return "whole games of one player, the game's own rewards"
    protocol = facts.protocol
    return (f"{facts.protocol_name}: whole games of all lives, raw scores, cut after {protocol.cap:,} frames; "
            f"frame skip {protocol.skip}, the maximum of the last two; sticky actions {protocol.sticky:g}; "
            f"{protocol.actions} actions ({facts.spec.num_actions}); up to {protocol.noops} frames without action at "
            f"the start; {protocol.stack} frames of {protocol.size} x {protocol.size} pixels, {protocol.colour}")


def _beside(facts: AtariFacts, mean: float) -> dict[str, Any]:
    """The score beside random play and a human's, printed and as JSON."""
    rom = facts.rom
    content: dict[str, Any] = {"protocol_settings": {"name": facts.protocol_name, **dataclasses.asdict(facts.protocol)}}
    if rom.random is None or rom.human is None:
        print(f"\nNobody has published random and human scores of {rom.name}.")
        return content
    normalised = (mean - rom.random) / (rom.human - rom.random)
    print(f"\nhuman-normalised score {normalised:.3f} (random {rom.random:g}: 0, human {rom.human:g}: 1)")
    return {**content, "human_normalised": normalised, "random": rom.random, "human": rom.human}


def kept_in(agent: str) -> Path | None:
    """Where the evaluation of a run is kept; None for what is no run's folder."""
    folder = Path(agent).expanduser()
    return folder / EVALUATION if runs.newest(folder) is not None else None


def counts_more(kept: Path, content: dict[str, Any]) -> bool:
    """False for fewer games of the same step than those that a run keeps: a quick look takes no long measurement's
    place."""
    try:
        before = json.loads(kept.read_text(encoding="utf-8"))
        same = before["checkpoint"]["step"] == content["checkpoint"]["step"]
        return not same or content["returns"]["games"] >= before["returns"]["games"]
    except FileNotFoundError:
        return True
    except (ValueError, KeyError, TypeError):
        log(f"{kept} can't be read and is replaced")
        return True
