"""What a run counts of its own data: targets that the model can't state, games that nobody saw end; and what to say."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from games.base import GameSpec
from muzero.config import ModelConfig, ScalarConfig
from muzero.config.settings import LARGEST_SCALE
from muzero.config.support import raised, squashed, unsquashed
from muzero.model.networks.prefix import sums
from muzero.replay.batch import Batch

ROUNDING = 1e-6
"""Share of a bound, or of the scale, by which a target may lie beyond it."""
NOTABLE = 1e-4
"""Share of targets outside of a support that is worth a warning; the metrics tell any."""
RECENT = 100
"""Games that are judged together."""
FEW = 10
"""Games too few to judge."""
ROOM = 2.0
"""A setting to try is so many times what was needed so far."""


def possible(spec: GameSpec) -> tuple[float, float]:
    """Lowest and highest return, and reward, that a game can pay; without an end where it pays on the way, as what it
    pays in all is no bound of what is left to be paid."""
    if spec.rewards_on_the_way:
        return -math.inf, math.inf
    low, high = min(0.0, spec.min_return), max(0.0, spec.max_return)
    return (low, high) if spec.players == 1 else (min(low, -high), max(high, -low))


class Outside:
    """Counts targets that lie outside of a support, where they are learned as its end.

    Where the support reaches as far as what is `possible` nothing is lost by that: what lies beyond is a search that
    expects too much.
    """

    def __init__(self, config: ScalarConfig, possible: tuple[float, float]) -> None:
        self.config, self.possible = config, possible
        self.lowest = self.highest = config.offset
        """Targets so far"""
        low, high = config.reach
        self.low = -math.inf if low <= possible[0] else low - ROUNDING * max(abs(low), config.scale)
        self.high = math.inf if high >= possible[1] else high + ROUNDING * max(abs(high), config.scale)
        self.seen = self.outside = self.seen_before = self.outside_before = 0

    def add(self, targets: NDArray[np.float32]) -> None:
        """Count targets [...] in the game's units."""
        self.seen += targets.size
        self.outside += int(np.count_nonzero((targets < self.low) | (targets > self.high)))
        # Infinite ones stop the learner.
        finite = targets[np.isfinite(targets)]
        self.lowest = float(finite.min(initial=self.lowest))
        self.highest = float(finite.max(initial=self.highest))

    @property
    def share(self) -> float:
        """Of all targets."""
        return self.outside / max(1, self.seen)

    def wider(self) -> str:
        """The setting, as `NAME VALUE`, with which a support states the targets so far and what is as far again, or all
        that is possible: its scale, or an end where the support leaves that side out."""
        larger = 1.0
        for name, sign, furthest, possible in self._missed():
            distance = min(ROOM * abs(furthest - self.config.offset), abs(possible - self.config.offset))
            needed, end = distance / self.config.scale, sign * getattr(self.config, name)
            if end <= 0.0:
                return f"{name} {sign * math.ceil(squashed(needed) if self.config.transform else needed):g}"
            larger = max(larger, needed / (unsquashed(end) if self.config.transform else end))
        return f"scale {min(raised(self.config.scale * larger), LARGEST_SCALE):g}"

    def _missed(self) -> Iterator[tuple[str, float, float, float]]:
        """Name, sign, furthest target and furthest possible one of each side that targets lie beyond."""
        if self.lowest < self.low:
            yield "low", -1.0, self.lowest, self.possible[0]
        if self.highest > self.high:
            yield "high", 1.0, self.highest, self.possible[1]

    def newest(self) -> float:
        """Share of the targets since this was last asked; NaN where there were none."""
        seen, outside = self.seen - self.seen_before, self.outside - self.outside_before
        self.seen_before, self.outside_before = self.seen, self.outside
        return outside / seen if seen else math.nan


class Supports:
    """The targets of value and reward of a model, counted batch by batch."""

    def __init__(self, config: ModelConfig, spec: GameSpec) -> None:
        self.config = config
        outcomes = possible(spec)
        self.counts = {"value": Outside(config.value, outcomes), "reward": Outside(config.reward, outcomes)}

    def add(self, batch: Batch) -> None:
        """Count what the loss learns from `batch`."""
        self.counts["value"].add(batch.value[batch.value_mask])
        paid = sums(torch.from_numpy(batch.reward).T, self.config.prefix).T.numpy()
        self.counts["reward"].add(paid[batch.in_game[:, :-1] | batch.value_mask[:, 1:]])

    def newest(self) -> dict[str, float]:
        """Share outside of each support since this was last asked."""
        return {f"{name}_outside": count.newest() for name, count in self.counts.items()}

    def advice(self) -> list[str]:
        """What to say of targets that were clipped; nothing where hardly any was."""
        return [_advice(name, count) for name, count in self.counts.items() if count.share >= NOTABLE]


def _advice(name: str, count: Outside) -> str:
    low, high = count.config.reach
    return (f"{100 * count.share:.3g} % of the {name} targets lie outside of what model.{name} can state, {low:.4g} to "
            f"{high:.4g}, and are learned as its end: start a new run with --model.{name}.{count.wider()}")


class Ends:
    """How the newest games ended."""

    def __init__(self) -> None:
        self.cut: deque[bool] = deque(maxlen=RECENT)

    def add(self, ended: int, cut: int) -> None:
        """Games that ended by themselves, and games that were cut."""
        self.cut.extend([False] * ended + [True] * cut)

    def advice(self, max_moves: int, longest: int) -> list[str]:
        """What to say where most games are cut. longest: moves that a game can take."""
        if len(self.cut) < FEW or 2 * sum(self.cut) <= len(self.cut):
            return []
        return [f"{sum(self.cut)} of the newest {len(self.cut)} games were cut at selfplay.max_moves {max_moves:,}, "
                f"so that nobody saw how they end: set --selfplay.max-moves {min(round(ROOM * max_moves), longest)}"]
