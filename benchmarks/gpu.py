"""The figures that need a GPU: search and self-play with captured steps, learning with a captured update.

    python benchmarks/gpu.py [--seconds 10] [--json FILE]

Connect Four with 64 channels and 5 blocks: self-play, and learning at batch 1,024. A one-player game in the shape of an
Atari latent (64 x 6 x 6, 18 actions, 50 simulations): decisions a second for 64 games, and positions searched again in
batches of 4,096, as reanalysis does. Pong (extra `atari`) with each preset of the 100k protocol: learning steps and
self-play's moves a second, and the minutes that 100,000 positions take at those rates, side by side. `busy` is the
share of wall clock in which the GPU ran a kernel or a copy.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from muzero import presets
from muzero.bench import sizing
from muzero.bench.learn import Learning
from muzero.bench.selfplay import SelfPlay, SelfPlayRow
from muzero.bench.watch import Watch
from muzero.config import Config, replace
from muzero.evaluation.provenance import commit, hardware, versions

ATARI = f"{Path(__file__).with_name('atari_shaped.py')}:AtariShaped"
GAMES = (1024, 2048, 4096, 8192)
DEVICE = torch.device("cuda")


def settled(game: str, overrides: dict[str, object]) -> Config:
    return sizing.settle(replace(presets.load(game), {"train.device": "cuda", "selfplay.games": 64, **overrides}))


def busy(work: Callable[[], object], repeats: int = 3) -> float:
    """Share of the wall clock in which something ran on the GPU; what overlaps counts once."""
    work()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as found:
        watch = Watch(DEVICE)
        for _ in range(repeats):
            work()
        wall = watch.read().wall
    spans = sorted((event.time_range.start, event.time_range.end) for event in found.events()
                   if event.device_type == torch.autograd.DeviceType.CUDA)
    covered, reached = 0.0, 0.0
    for start, end in spans:
        covered += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return covered / 1e6 / wall


def selfplay(config: Config, seconds: float) -> tuple[SelfPlayRow, float]:
    playing = SelfPlay(config)
    return playing.measure(seconds), busy(playing.play)


def connect_four(seconds: float) -> list[dict[str, object]]:
    wide = {"model.width": 64, "model.representation_blocks": 5, "model.dynamics_blocks": 5}
    rows: list[dict[str, object]] = []
    for games in GAMES:
        row, share = selfplay(settled("connect_four", {**wide, "selfplay.games": games}), seconds)
        print(f"connect_four 64x5, {games} games: {row.simulations_per_second:,.0f} simulations/s, "
              f"{row.games_per_second:,.0f} games/s, GPU busy {100 * share:.0f} %", flush=True)
        rows.append({"what": "connect_four 64x5 self-play", "busy": share, **asdict(row)})
    learned = Learning(settled("connect_four", {}), "cuda").measure(1024, seconds)
    print(f"connect_four learner, batch 1,024: {learned.steps_per_second:,.0f} steps/s", flush=True)
    return [*rows, {"what": "connect_four learner", **asdict(learned)}]


def atari_shaped(seconds: float) -> list[dict[str, object]]:
    shape = {"model.network": "resnet", "model.width": 64, "search.simulations": 50,
             "selfplay.simulations_share": [[0.0, 1.0]]}
    rows: list[dict[str, object]] = []
    for games, what in ((64, "decisions"), (4096, "positions searched again")):
        playing = SelfPlay(settled(ATARI, {**shape, "selfplay.games": games}))
        batch, planner = playing.actor.games, playing.planner
        seeds = np.arange(games, dtype=np.uint64)
        obs, legal = batch.observe(), batch.legal()
        planner.plan(obs, legal, seeds)
        watch, done = Watch(DEVICE), 0
        while watch.read().wall < seconds:
            planner.plan(obs, legal, seeds)
            done += games
        rate = done / watch.read().wall
        print(f"6x6x64 latent, 50 simulations, {games} games: {rate:,.0f} {what}/s", flush=True)
        rows.append({"what": f"6x6x64, {games} games", "positions_per_second": rate})
    return rows


def pong(preset: str, seconds: float) -> list[dict[str, object]]:
    config = sizing.settle(replace(presets.load("atari/pong", preset), {"train.device": "cuda"}))
    playing, busy_playing = selfplay(config, seconds)
    learning = Learning(config, "cuda")
    batch, positions = int(config.learner.batch[0][1]), config.train.positions
    learned = learning.measure(batch, seconds)
    busy_learning = busy(lambda: learning.learner.step(learning.draw(batch), 1.0), 100)
    steps = positions * config.learner.replay_ratio / batch
    minutes = max(steps / learned.steps_per_second, positions / playing.moves_per_second) / 60.0
    print(f"atari/pong, {preset}: {learned.steps_per_second:.1f} steps/s of {batch} (GPU busy "
          f"{100 * busy_learning:.0f} %), self-play {playing.moves_per_second:,.0f} moves/s (GPU busy "
          f"{100 * busy_playing:.0f} %): {minutes:.0f} minutes for {positions:,} positions", flush=True)
    return [{"what": f"pong {preset} self-play", "busy": busy_playing, **asdict(playing)},
            {"what": f"pong {preset} learner", "busy": busy_learning, "minutes": minutes, **asdict(learned)}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each line")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("no GPU here: these figures are not measured")
    torch.set_num_threads(1)
    print(f"{hardware()['gpu']}; commit {commit()}")
    rows = connect_four(arguments.seconds) + atari_shaped(arguments.seconds)
    for preset in ("gumbel", "efficientzero", "muzero"):
        rows += pong(preset, arguments.seconds)
    if arguments.json:
        arguments.json.write_text(json.dumps(
            {"hardware": hardware(), "versions": versions(), "commit": commit(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
