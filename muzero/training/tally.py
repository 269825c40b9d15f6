"""Checks of a run's data: targets outside the model's supports, truncated games; and warnings about them."""

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
"""Tolerance for targets beyond a bound, relative to the bound or the scale."""
NOTABLE = 1e-4
"""Fraction of targets outside a support that is worth a warning; the metrics report any."""
RECENT = 100
"""Number of newest games that are judged."""
FEW = 10
"""Fewest games to judge."""
ROOM = 2.0
"""Suggested settings are this many times what was needed so far."""


def possible(spec: GameSpec) -> tuple[float, float]:
    """Lowest and highest possible return or reward of a game; infinite if it pays on the way, as the bounds of the
    whole return don't bound the return to go."""
    if spec.rewards_on_the_way:
        return -math.inf, math.inf
    low, high = min(0.0, spec.min_return), max(0.0, spec.max_return)
    return (low, high) if spec.players == 1 else (min(low, -high), max(high, -low))


class Outside:
    """Counts targets outside a support, which are clipped to its ends.

    If the support covers all that is `possible`, clipping loses nothing: targets beyond it come from a search that
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
        # Infinite targets stop the learner anyway.
        finite = targets[np.isfinite(targets)]
        self.lowest = float(finite.min(initial=self.lowest))
        self.highest = float(finite.max(initial=self.highest))

    @property
    def share(self) -> float:
        """Fraction of all targets."""
        return self.outside / max(1, self.seen)

    def wider(self) -> str:
        """The setting, as `NAME VALUE`, with which the support covers twice the targets so far, or all that is
        possible: its scale, or an end if the support has none on that side."""
        larger = 1.0
        for name, sign, furthest, possible in self._missed():
            distance = min(ROOM * abs(furthest - self.config.offset), abs(possible - self.config.offset))
            needed, end = distance / self.config.scale, sign * getattr(self.config, name)
            if end <= 0.0:
                return f"{name} {sign * math.ceil(squashed(needed) if self.config.transform else needed):g}"
            larger = max(larger, needed / (unsquashed(end) if self.config.transform else end))
        return f"scale {min(raised(self.config.scale * larger), LARGEST_SCALE):g}"

    def _missed(self) -> Iterator[tuple[str, float, float, float]]:
        """Name, sign, furthest target and furthest possible target of each end that targets exceed."""
        if self.lowest < self.low:
            yield "low", -1.0, self.lowest, self.possible[0]
        if self.highest > self.high:
            yield "high", 1.0, self.highest, self.possible[1]

    def newest(self) -> float:
        """Fraction of the targets since the last call; NaN if there were none."""
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
        """Count the targets in `batch` that enter the loss."""
        self.counts["value"].add(batch.value[batch.value_mask])
        paid = sums(torch.from_numpy(batch.reward).T, self.config.prefix).T.numpy()
        self.counts["reward"].add(paid[batch.in_game[:, :-1] | batch.value_mask[:, 1:]])

    def newest(self) -> dict[str, float]:
        """Fraction outside each support since the last call."""
        return {f"{name}_outside": count.newest() for name, count in self.counts.items()}

    def advice(self) -> list[str]:
        """Warnings about clipped targets; none if hardly any were."""
        return [_advice(name, count) for name, count in self.counts.items() if count.share >= NOTABLE]


def _advice(name: str, count: Outside) -> str:
    low, high = count.config.reach
    return (f"{100 * count.share:.3g} % of the {name} targets lie outside the range of model.{name}, {low:.4g} to "
            f"{high:.4g}, and are clipped to its ends: start a new run with --model.{name}.{count.wider()}")


class Ends:
    """How the newest games ended."""

    def __init__(self) -> None:
        self.cut: deque[bool] = deque(maxlen=RECENT)

    def add(self, ended: int, cut: int) -> None:
        """Count games that ended on their own, and truncated games."""
        self.cut.extend([False] * ended + [True] * cut)

    def advice(self, max_moves: int, longest: int) -> list[str]:
        """Warning if most games are truncated. longest: most moves that a game can take."""
        if len(self.cut) < FEW or 2 * sum(self.cut) <= len(self.cut):
            return []
        return [f"{sum(self.cut)} of the newest {len(self.cut)} games were cut off at selfplay.max_moves "
                f"{max_moves:,}, before their end: set --selfplay.max-moves {min(round(ROOM * max_moves), longest)}"]
