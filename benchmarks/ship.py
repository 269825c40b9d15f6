"""Makes a shipped agent of a run: exports the newest checkpoint with a card that says how it was trained and measured.

    python benchmarks/ship.py RUN TARGET --command "muzero train ..." --result FILE.json [FILE.json ...]

RUN is a run folder; the result files come from `muzero evaluate RUN --json FILE`.
"""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

from muzero.evaluation.provenance import commit, hardware, versions
from muzero.storage import agent_folder, checkpoint, runs
from muzero.storage.metrics import read

CLOCKS = {"wall": "wall clock", "cpu": "CPU time"}


def match_lines(result: dict[str, Any]) -> dict[str, str]:
    """One line a match: both seats, and each seat."""
    lines = {}
    for seat in ("both", "moving_first", "moving_second"):
        score = result["scores"][seat]
        low, high = score["score_interval_95"]
        lines[f"against {result['match']['opponent']}, {seat.replace('_', ' ')}"] = (
            f"{score['wins']} won, {score['draws']} drawn, {score['losses']} lost; score {100 * score['score']:.1f} % "
            f"(95 %: {100 * low:.1f} to {100 * high:.1f}); {result['match']['player'].partition(' ')[2]}")
    return lines


def every_position_lines(result: dict[str, Any]) -> dict[str, str]:
    """Positions in which the move loses value, for each number of simulations."""
    return {f"every position, {one['player'].partition(' ')[2]}":
            f"{one['lose_value']} of {one['positions']:,} lose value" for one in result["every_position"]}


def position_lines(result: dict[str, Any]) -> dict[str, str]:
    """Share of value-keeping moves in the solved positions, over all and by plies."""
    lines = {}
    for player, found in result["positions"].items():
        bands = {band["label"]: band for band in found}
        by_ply = ", ".join(f"plies {label}: {band['critical_keep']:.1f}" for label, band in bands.items()
                           if label != "all")
        whole = bands["all"]
        lines[f"solved positions, {player.partition(' ')[2]}"] = (
            f"critical keep {whole['critical_keep']:.1f} % ({by_ply}), keep {whole['keep']:.1f} %, "
            f"score-perfect {whole['perfect']:.1f} %")
    return lines


def return_lines(result: dict[str, Any]) -> dict[str, str]:
    """Whole games of one player, under their protocol."""
    found = result["returns"]
    interval = "no interval" if result["mean_interval_95"] is None else (
        "95 %: {:,.1f} to {:,.1f}".format(*result["mean_interval_95"]))
    normalised = result.get("human_normalised")
    beside = "" if normalised is None else f", human-normalised {normalised:.3f}"
    return {"protocol": result["protocol"],
            f"{found['games']} games, {found['player'].rpartition(' (')[2].rstrip(')')}":
                f"mean {found['mean']:,.1f} ({interval}), median {found['median']:,g}, "
                f"{found['low']:,g} to {found['high']:,g}{beside}",
            "measured by": f"muzero evaluate {shlex.quote(result['game'])} --episodes {found['games']} "
                           f"--seed {result['seed']} (commit {result['commit'][:7]})"}


def measured(result: dict[str, Any]) -> dict[str, str]:
    """The lines of one result file."""
    for key, lines in (("match", match_lines), ("every_position", every_position_lines),
                       ("positions", position_lines), ("returns", return_lines)):
        if key in result:
            return lines(result)
    raise SystemExit(f"no match, every_position, positions or returns in {sorted(result)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--command", required=True, help="how the run was started, for the card")
    parser.add_argument("--commit", default=commit(), help="commit the run was trained with")
    parser.add_argument("--result", type=Path, nargs="+", required=True)
    arguments = parser.parse_args()
    folder = runs.resolve(str(arguments.run))
    config = checkpoint.read_config(folder)
    last = [line for line in read(arguments.run) if "run/elapsed_s" in line][-1]
    machine = hardware()
    card: dict[str, Any] = {
        "game": config.game, "command": arguments.command, "seed": config.train.seed, "commit": arguments.commit,
        "hardware": f"{machine['processor']}, {machine['cores']} cores, GPU {machine['gpu'] or 'none'}",
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "minutes": f"{last['run/elapsed_s'] / 60:.1f} ({CLOCKS[config.train.clock]}, machine shared with other work)",
        "games_played": f"{int(last['run/games']):,}", "positions_played": f"{int(last['run/positions']):,}",
    }
    for path in arguments.result:
        card |= measured(json.loads(path.read_text()))
    print(agent_folder.export(folder, arguments.target, card))


if __name__ == "__main__":
    main()
