"""Validation of an agent's model on games made for it: every source of actions, every depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import games
from games.base import GameBatch, GameSpec
from games.rows import released
from muzero.agent import Agent
from muzero.errors import USAGE, MuZeroError
from muzero.validation.continuations import GAMES_AT_ONCE, Collector, Mover, Truth, Wanted
from muzero.validation.depth import imagine
from muzero.validation.exact_values import exact_values
from muzero.validation.legality import threshold
from muzero.validation.movers import SOURCES, TITLES, Source, movers, policy_of
from muzero.validation.report import DepthReport, report
from muzero.validation.sample import Sample
from muzero.validation.trust import LEAST, Trust, trusted
from muzero.view.waiting import Say, silent

POSITIONS = 400
"""Of each source."""
LOOKED_AT = 16
"""Games that tell how long games are."""
LONGEST = 512
"""Moves within which a game's end is awaited, if most games end within as many."""
MOST_BYTES = 2 << 30
"""Of the positions of one source."""
KEPT_BYTES = 800
"""Of each position that is seen, besides its observation: its actions, reward, and the objects that hold them."""
GIB = 1 << 30


class ValidationError(MuZeroError):
    """A model that can't be validated: nothing is imagined, or too few positions or too much memory is asked for."""

    exit_code = USAGE


@dataclass(frozen=True)
class ModelReport:
    """What a model's imagination is worth, by source of actions."""

    spec: GameSpec
    agent: str
    step: int
    """learning steps"""
    unroll: int
    """K: depth to which it was trained"""
    seed: int
    positions: int
    """of each source"""
    figures: Mapping[Source, DepthReport]
    trust: Mapping[Source, Trust]

    @property
    def depth(self) -> int:
        """The largest depth that was looked at."""
        return len(self.figures["played"].positions) - 1

    @property
    def worst(self) -> Source:
        """The source of actions that the model is good for least; of equal ones, one with which it goes wrong."""
        return min(SOURCES, key=lambda source: (self.trust[source].depth, not self.trust[source].wrong))


def validate(
    agent: Agent, depth: int | None = None, positions: int = POSITIONS, seed: int = 0, say: Say = silent
) -> ModelReport:
    """Play games and compare what really followed with what the model imagines up to `depth` moves ahead (2K unless
    given). Raises ValidationError for a model of the true rules, for too few positions, and for too many."""
    depth = 2 * agent.config.unroll if depth is None else depth
    figures: dict[Source, DepthReport] = {}
    for source, sample in samples(agent, depth, positions, seed, say):
        with agent.on_its_threads():
            figures[source] = report(sample, imagine(agent.model, sample), threshold(agent.config))
        _check_enough(figures[source], positions)
    return ModelReport(agent.spec, agent.name, agent.step, agent.config.unroll, seed, positions, figures,
                       {source: trusted(figures[source], agent.spec) for source in SOURCES})


def samples(
    agent: Agent, depth: int, positions: int = POSITIONS, seed: int = 0, say: Say = silent
) -> Iterator[tuple[Source, Sample]]:
    """Continuations of games by each source of actions. Raises ValidationError for a model of the true rules, and for
    too many positions."""
    config = agent.config
    if not agent.model.imagines:
        raise ValidationError(f"model.dynamics {config.model.dynamics}: its search follows the true rules and imagines "
                              "nothing, so there is no model to validate")
    _check_memory(agent.spec, positions, depth)
    say("looking at some games ...")
    wanted = Wanted(positions, depth, *usual(agent, depth, seed))
    truth = exact_values(config.game) if config.learner.gamma == 1.0 else None
    for source in SOURCES:
        say(f"following {positions:,} positions: {TITLES[source]} ...")
        yield source, _sample(agent, source, wanted, seed, truth)


def _check_memory(spec: GameSpec, positions: int, depth: int) -> None:
    if (size := positions * (depth + 1) * (spec.observation_bytes + KEPT_BYTES)) > MOST_BYTES:
        raise ValidationError(f"{positions:,} positions followed for {depth} moves: expected at most "
                              f"{MOST_BYTES / GIB:g} GiB of memory, got {size / GIB:.1f}; lower --positions or --depth")


def _check_enough(figures: DepthReport, positions: int) -> None:
    if (got := int(figures.positions[1])) < LEAST:
        mend = f": give --positions at least {-(-positions * LEAST // got):,}" if got else (
            f" of {positions:,}: every game is over after that move, so nothing is left to compare")
        raise ValidationError(f"expected at least {LEAST} positions that are followed for a move, got {got}{mend}")


def _sample(agent: Agent, source: Source, wanted: Wanted, seed: int, truth: Truth | None) -> Sample:
    batch = games.make(agent.config.game, min(wanted.count, GAMES_AT_ONCE if wanted.wait else LOOKED_AT), seed)
    with released(batch):
        collector = Collector(batch, movers(source, agent), wanted, agent.config.selfplay, seed, truth)
        return collector.collect(agent.config.learner.gamma)


def usual(agent: Agent, depth: int, seed: int) -> tuple[int, int]:
    """Where continuations begin and how long their ends are awaited, see `Wanted`: within the usual length of the
    policy's games and up to the end, or, if these are long, at intervals and not at all."""
    with released(games.make(agent.config.game, LOOKED_AT, seed)) as batch:
        lengths = _lengths(batch, policy_of(agent), seed)
    length = int(np.median(lengths))
    return (2 * depth, 0) if length >= LONGEST else (length, LONGEST)


def _lengths(batch: GameBatch, mover: Mover, seed: int) -> NDArray[np.int64]:
    """Moves of the first game in each row, at most LONGEST."""
    rng, lengths = np.random.default_rng(seed), np.zeros(batch.size, np.int64)
    going = np.ones(batch.size, np.bool_)
    while going.any() and lengths.max() < LONGEST:
        step = batch.step(mover(batch, going, rng), going)
        lengths[going] += 1
        going &= (step.discount != 0.0) & ~step.truncated
    return lengths
