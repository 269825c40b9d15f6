"""Model validation while a run trains: how far the newest model may be trusted, by unroll depth, on held-out games."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from muzero.config import Config
from muzero.replay.batch import Batch
from muzero.replay.held_out import HeldOut
from muzero.replay.sampling import DrawConfig, draw
from muzero.training.state import RunState
from muzero.validation.depth import imagine
from muzero.validation.legality import threshold
from muzero.validation.report import DepthReport, report
from muzero.validation.sample import Sample
from muzero.validation.trust import Trust, trusted
from muzero.view.terminal import counted

SHARE = 0.02
"""Largest share of a run's time that measurements may take: a slow one is followed by a long pause."""
FIGURES = ("positions", "value_error", "drift", "bias", "kl", "legal_mass", "cosine", "recall", "false_rewards",
           "ends_seen", "false_ends")
"""Of a `DepthReport`, those that are kept as metrics."""
OF_LEGALITY = ("balanced", "kept", "lost", "over")
"""Of its `LegalityReport`, if there is one."""
NEVER = 1 << 30
"""Moves after which a return goes on with a search's value: more than any game has."""
STREAM = 0x4E1D
"""Keeps the positions that are measured apart from all other draws of the same seed."""


def validate_newest(state: RunState) -> tuple[str, dict[str, float]]:
    """Measure the newest weights on held-out games: the verdict in words, and figures by depth as metrics; none while
    there are too few games. Doesn't use the run's random generators. Raises LearningError for weights that aren't
    finite."""
    held, learner = state.held_out, state.learner
    if held is None or learner.steps == 0:
        return "", {}
    if held.lacking:
        return too_few(held, state.played / max(1, state.games)), {}
    learner.check_finite()
    # A copy, as batch norm behaves differently in the model that is trained.
    model = copy.deepcopy(learner.averaged).eval()
    rng = np.random.default_rng([state.config.train.seed, learner.steps, STREAM])
    sample = held_out_sample(held, state.config, rng)
    found = report(sample, imagine(model, sample), threshold(state.config))
    verdict = trusted(found, held.replay.spec)
    return in_words(verdict), {**metrics_of(found), "held_out/trust_depth": float(verdict.depth)}


def in_words(trust: Trust) -> str:
    """A verdict, as short as a display needs it."""
    moves, wrong = counted(trust.depth, "move"), f"wrong about {', '.join(trust.wrong)}"
    if not trust.wrong:
        return f"good to at least {moves}"
    return f"good to {moves}; at {trust.depth + 1}, {wrong}" if trust.depth else f"not good for a single move: {wrong}"


def too_few(held: HeldOut, moves: float) -> str:
    """How many more games it takes until a model can be validated. moves: in a game of this run, on average."""
    needed = counted(max(1, math.ceil(held.lacking / max(1.0, moves))), "more held-out game")
    return f"not validated yet: needs {needed}, one in {1.0 / held.fraction:.0f} of all"


def held_out_sample(held: HeldOut, config: Config, rng: np.random.Generator) -> Sample:
    """Random positions of held-out games, each with the 2 K moves that followed."""
    depth = 2 * config.unroll
    drawing = DrawConfig(unroll=depth, td_steps=NEVER, gamma=config.learner.gamma, search_share=0.0, absorbing=False,
                         symmetries=False, later_obs=depth)
    return sample_of(draw(held.replay, min(config.held_out.positions, len(held.replay)), drawing, rng))


def sample_of(batch: Batch) -> Sample:
    """A batch with all its later observations as continuations of games. Its value targets are the returns: at a random
    move, and where a part of a game ends, the search's value stands for what followed."""
    assert batch.later_obs is not None
    obs = np.concatenate((batch.obs[:, None], batch.later_obs), 1)
    inside = batch.in_game
    return Sample(
        obs=obs, legal=batch.legal, action=batch.action, reward=batch.reward, discount=_discounts(batch.next_mover),
        in_game=inside, returns=np.where(inside & batch.value_mask, batch.value, np.float32(np.nan)))


def _discounts(next_mover: NDArray[np.int64]) -> NDArray[np.float32]:
    """Signed discounts from who moves next: 0 the end, 1 the same player, 2 the other one."""
    return np.array([0.0, 1.0, -1.0], np.float32)[next_mover]


def metrics_of(found: DepthReport) -> Mapping[str, float]:
    """The figures that are known, by name and depth, as `held_out/NAME@k`; a legality head's as `legality_NAME`."""
    figures = {name: getattr(found, name) for name in FIGURES}
    if found.legality is not None:
        figures |= {f"legality_{name}": getattr(found.legality, name) for name in OF_LEGALITY}
    return {f"held_out/{name}@{depth}": float(figure)
            for name, by_depth in figures.items() for depth, figure in enumerate(by_depth.tolist())
            if not math.isnan(figure)}
