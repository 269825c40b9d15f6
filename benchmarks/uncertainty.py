"""Measures of uncertainty: which of them knows when a model's value is wrong? Rank correlation and AUROC by depth.

    python benchmarks/uncertainty.py connect_four FILE [--depths 0 1 2 4 6 8] [--json FILE]
        [--members 4 8 --prior-scale 3 --hidden 32 --mask 0.5 --played 60000 --batches 4000 --seed 0]

FILE has positions whose every move has an exact score (`benchmarks/connect_four_positions.py` makes them). Judged are
the positions after each legal move, reached by imagining the last k moves from the real position before them (0: the
real position itself). The error is the distance of the value from the truth; a value is *wrong* if that is above 0.5.

    inconsistency  standard deviation of the values after 0 to 6 more moves of the policy, summed along with the rewards
                   (model-value inconsistency, Filos et al. 2022): needs nothing but the model
    deviation      standard deviation of the categorical value
    entropy        of the policy
    undecided      1 - |value|: no measure, but what a measure must beat
    mirror         distance of the value from that of the mirror image, imagined along with it
    latent         1 - cosine of the imagined latent and the real position's: known in validation only

With `--members`, ensembles are first trained on the agent's frozen networks, by games it plays with itself:

    last move      standard deviation of what the members say of the move to the position
    best reply     standard deviation of the members' values of the real position, each its own best reply
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr
from torch import Tensor

import games
from benchmarks.frozen_ensemble import own_games, trained
from games.base import FloatArray
from muzero.agent import Agent, load
from muzero.config import EnsembleConfig
from muzero.evaluation.provenance import provenance
from muzero.model import scalar
from muzero.model.bootstrap import best_values
from muzero.model.learned import LearnedModel
from selfplay.strength.positions import PositionSet, place, read

STEPS = 6
"""Moves of the policy along which the inconsistency is measured."""
WRONG = SURE = 0.5
MEASURES = ("inconsistency", "deviation", "entropy", "undecided", "mirror", "latent")
SPREADS = ("last move", "best reply")
"""Of an ensemble."""
BATCH = 256


@dataclass(frozen=True)
class Row:
    """What one measure knows at one depth."""

    depth: int
    measure: str
    positions: int
    wrong: float
    """share of the values that are wrong"""
    spearman: float
    """rank correlation of the measure and the error"""
    auroc: float
    """chance that a wrong value has a higher measure than a right one"""
    decided: float
    """the same among values of more than 0.5 in size, which look sure"""


def children(positions: PositionSet, least: int) -> tuple[list[tuple[int, ...]], FloatArray]:
    """Histories that end with a legal move, and the truth for the player to move after it; of games that go on."""
    found = [((*history, action), -float(value))
             for history, values in zip(positions.histories, positions.values, strict=True) if len(history) >= least
             for action, value in enumerate(values) if not np.isnan(value)]
    batch = games.make(positions.game, 1)
    going = [(history, truth) for history, truth in found if goes_on(batch, history)]
    return [history for history, _ in going], np.array([truth for _, truth in going], np.float32)


def goes_on(batch: games.GameBatch, history: tuple[int, ...]) -> bool:
    """Whether the last of the moves doesn't end the game."""
    place(batch, [history[:-1]])
    return bool(batch.step(np.array([history[-1]], np.int32)).discount[0] != 0.0)


def seen(game: str, histories: list[tuple[int, ...]]) -> Tensor:
    """Observations [N, *O]."""
    batch = games.make(game, len(histories))
    place(batch, histories)
    return torch.from_numpy(batch.observe().copy())


def reached(model: LearnedModel, game: str, histories: list[tuple[int, ...]], depth: int, mirrored: bool) -> Tensor:
    """Latents [N, *L] of the positions, imagined by their last `depth` moves; of their mirror images if so asked."""
    if mirrored:
        histories = [tuple(model.num_actions - 1 - action for action in history) for history in histories]
    latent = model.encode(seen(game, [history[: len(history) - depth] for history in histories]))
    for step in range(depth, 0, -1):
        latent, _, _ = model.advance(latent, torch.tensor([history[-step] for history in histories]))
    return latent


def inconsistency(model: LearnedModel, latent: Tensor) -> Tensor:
    """[N] standard deviation of the values after 0 to `STEPS` likeliest moves."""
    total, factor, values = torch.zeros(len(latent)), torch.ones(len(latent)), list[Tensor]()
    for _ in range(STEPS + 1):
        logits, value = model.predict(latent)
        values.append(total + factor * scalar.decode(value, model.config.value))
        step = model.step(latent, logits.argmax(1))
        total, factor, latent = total + factor * step.reward, factor * step.discount, step.latent
    return torch.stack(values).std(0, correction=0)


def deviation(model: LearnedModel, output: Tensor) -> Tensor:
    """[N] standard deviation of a categorical value [N, bins], in units of its support."""
    config = model.config.value
    chance, support = torch.softmax(output.float(), 1), torch.linspace(config.low, config.high, config.bins)
    mean = (chance * support).sum(1, keepdim=True)
    return (chance * (support - mean) ** 2).sum(1).sqrt()


@torch.inference_mode()
def measured(model: LearnedModel, game: str, histories: list[tuple[int, ...]], depth: int) -> tuple[Tensor, Tensor]:
    """Values [N] and the measures [N, M] of positions imagined `depth` moves on."""
    latent, other = (reached(model, game, histories, depth, mirrored) for mirrored in (False, True))
    logits, output = model.predict(latent)
    value, image = (scalar.decode(model.predict(x)[1], model.config.value) for x in (latent, other))
    policy = torch.softmax(logits, 1)
    real = model.encode(seen(game, histories))
    return value, torch.stack((
        inconsistency(model, latent), deviation(model, output), -(policy * policy.clamp(min=1e-9).log()).sum(1),
        1.0 - value.abs(), (value - image).abs(),
        1.0 - torch.cosine_similarity(model.bare(latent).flatten(1), model.bare(real).flatten(1))), 1)


@torch.inference_mode()
def spreads(model: LearnedModel, game: str, histories: list[tuple[int, ...]], depth: int) -> Tensor:
    """The measures [N, S] by the ensemble of `model`, of positions imagined `depth` moves on."""
    assert model.ensemble is not None
    before = reached(model, game, [history[:-1] for history in histories], max(0, depth - 1), mirrored=False)
    last = model.ensemble.said(model.bare(before), torch.tensor([history[-1] for history in histories])).value
    batch = games.make(game, len(histories))
    place(batch, histories)
    best = best_values(model.ensemble, model, torch.from_numpy(batch.observe()), torch.from_numpy(batch.legal()))
    return torch.stack((last.std(1, correction=0), best.std(1, correction=0)), 1)


def named(ensembles: Sequence[LearnedModel]) -> list[str]:
    """Every measure, in the order of the columns."""
    return [*MEASURES, *(f"{what} of {model.config.ensemble.members}" for model in ensembles for what in SPREADS)]


def auroc(measure: NDArray[np.floating], wrong: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: Mann and Whitney's U, ties counted half. NaN if all are wrong or none is."""
    many, others = int(wrong.sum()), int((~wrong).sum())
    if many == 0 or others == 0:
        return float("nan")
    return float((rankdata(measure)[wrong].sum() - many * (many + 1) / 2) / (many * others))


def rows(
    model: LearnedModel, positions: PositionSet, depths: list[int], ensembles: Sequence[LearnedModel] = ()
) -> Iterator[Row]:
    """A row for each depth and measure. All depths judge the same positions. ensembles: `model`, with one each."""
    histories, truth = children(positions, max(depths))
    chunks = [histories[start : start + 512] for start in range(0, len(histories), 512)]
    for depth in depths:
        parts = [measured(model, positions.game, chunk, depth) for chunk in chunks]
        value, plain = (torch.cat(part) for part in zip(*parts, strict=True))
        more = [torch.cat([spreads(one, positions.game, chunk, depth) for chunk in chunks]) for one in ensembles]
        said, error = torch.cat((plain, *more), 1).numpy(), np.abs(value.numpy() - truth)
        wrong, sure = error > WRONG, np.abs(value.numpy()) > SURE
        for index, name in enumerate(named(ensembles)):
            yield Row(depth, name, len(histories), float(wrong.mean()), float(spearmanr(said[:, index], error)[0]),
                      auroc(said[:, index], wrong), auroc(said[sure, index], wrong[sure]))


def ensembles_of(agent: Agent, arguments: argparse.Namespace) -> list[LearnedModel]:
    """The agent with the ensembles asked for, trained."""
    if not arguments.members:
        return []
    settings = [EnsembleConfig(members=count, prior_scale=arguments.prior_scale, hidden=arguments.hidden,
                               mask=arguments.mask) for count in arguments.members]
    replay = own_games(agent, arguments.played, arguments.seed)
    return trained(agent, replay, settings, arguments.batches, BATCH, arguments.seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("agent")
    parser.add_argument("positions", type=Path)
    parser.add_argument("--depths", type=int, nargs="+", default=[0, 1, 2, 4, 6, 8])
    parser.add_argument("--members", type=int, nargs="+", default=[])
    parser.add_argument("--prior-scale", type=float, default=3.0)
    parser.add_argument("--hidden", type=int, default=EnsembleConfig.hidden)
    parser.add_argument("--mask", type=float, default=0.5)
    parser.add_argument("--played", type=int, default=60_000, help="positions of own games")
    parser.add_argument("--batches", type=int, default=4_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    agent = load(arguments.agent)
    positions, ensembles, found = read(arguments.positions, agent.spec.name), ensembles_of(agent, arguments), []
    for row in rows(agent.model, positions, arguments.depths, ensembles):
        found.append(row)
        print(f"{row.depth:>2} moves  {row.measure:<15} Spearman {row.spearman:+.3f}   AUROC {row.auroc:.3f}, "
              f"{row.decided:.3f} of sure values   ({row.positions:,} positions, {100 * row.wrong:.1f} % wrong)",
              flush=True)
    if arguments.json is not None:
        told = {"rows": [asdict(row) for row in found], **provenance([]), "command": sys.argv}
        arguments.json.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
