"""Does a network foresee an Atari game's rewards? Learned from random play alone, judged on games it hasn't seen.

    python benchmarks/foresight.py [--seconds 60] [--seed 0] [ROM ...]

Each of the ways to read a picture learns the sign of the next reward, from h and one step of g of the preset `small`,
for `seconds` of CPU time; printed is the area under the curve by which it tells moves that pay from others on the
games held out (0.5: it knows nothing, 1: it is always right).
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

import games
from games.atari_protocol import PREFIX
from muzero import presets
from muzero.config import replace
from muzero.model.build import build_model
from muzero.model.learned import LearnedModel

ROMS = ("pong", "ms_pacman", "boxing", "up_n_down", "crazy_climber")
WAYS: dict[str, dict[str, Any]] = {
    "shares of 255": {"model.standardise": False},
    "the same, batch norm": {"model.standardise": False, "model.norm": "batch"},
    "standardised": {"model.standardise": True},
}
GAMES, MOVES, HELD = 8, 1_500, 300
"""Games side by side, moves of each, and how many of the last are held out."""
BATCH, RATE, WARMUP, LOOKS = 64, 1e-3, 200, 2_048


@dataclass
class Positions:
    """What was seen, done and paid: [T * N, ...]."""

    obs: NDArray[Any]
    action: NDArray[np.int64]
    sign: NDArray[np.int64]


def random_play(name: str, seed: int) -> tuple[Positions, Positions]:
    """Positions to learn from, and later ones of the same games to be judged by."""
    batch, rng = games.make(name, GAMES, seed), np.random.default_rng(seed)
    seen, done, paid = [], [], []
    for _ in range(MOVES):
        action = rng.integers(0, batch.spec.num_actions, GAMES).astype(np.int32)
        seen.append(batch.observe())
        step = batch.step(action)
        done.append(action.astype(np.int64))
        paid.append(np.sign(step.reward).astype(np.int64))
        if (over := batch.to_play() < 0).any():
            batch.reset(over)
    parts = (slice(0, MOVES - HELD), slice(MOVES - HELD, MOVES))
    learned, held = (Positions(*(np.concatenate(rows[part]) for rows in (seen, done, paid))) for part in parts)
    return learned, held


def said(model: LearnedModel, part: Positions, chosen: Any) -> Tensor:
    """Logits [B, 3] of a loss, nothing, and a gain."""
    latent = model.encode(torch.from_numpy(part.obs[chosen]))
    return model.advance(latent, torch.from_numpy(part.action[chosen]))[1].float()


def learn(model: LearnedModel, part: Positions, seconds: float, seed: int) -> int:
    """Steps made in `seconds` of CPU time."""
    rng, optimizer = np.random.default_rng(seed), torch.optim.AdamW(model.parameters(), RATE)
    if model.standard is not None:
        model.standard.measure(torch.from_numpy(part.obs[rng.choice(len(part.obs), LOOKS)]))
    began, steps = time.process_time(), 0
    while time.process_time() - began < seconds:
        steps += 1
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, steps / WARMUP)
        chosen = rng.integers(0, len(part.obs), BATCH)
        loss = F.cross_entropy(said(model, part, chosen), torch.from_numpy(part.sign[chosen] + 1))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    return steps


def area(model: LearnedModel, part: Positions) -> float:
    """Chance that a move that pays is told from one that doesn't."""
    model.eval()
    with torch.inference_mode():
        logits = torch.cat([said(model, part, slice(at, at + 256)) for at in range(0, len(part.obs), 256)])
    sure = (1.0 - torch.softmax(logits, 1)[:, 1]).numpy()
    pays = part.sign != 0
    rank = np.empty(len(sure))
    rank[np.argsort(sure)] = np.arange(1, len(sure) + 1)
    return float((rank[pays].sum() - pays.sum() * (pays.sum() + 1) / 2) / (pays.sum() * (~pays).sum()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roms", nargs="*", metavar="ROM", default=ROMS)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for rom in arguments.roms:
        name = PREFIX + rom
        learned, held = random_play(name, arguments.seed)
        found = []
        for way, settings in WAYS.items():
            torch.manual_seed(arguments.seed)
            model = build_model(replace(presets.load(name, "small"), settings)).train()
            steps = learn(model, learned, arguments.seconds, arguments.seed)
            found.append(f"{way} {area(model, held):.3f} ({steps:,} steps)")
        print(f"{rom:<16} {int((held.sign != 0).sum()):>4} of {len(held.sign):,} moves pay   " + "   ".join(found),
              flush=True)


if __name__ == "__main__":
    main()
