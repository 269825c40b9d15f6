"""Tables of benchmark results for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from muzero.bench.games import GamesRow
from muzero.bench.learn import LearnRow
from muzero.bench.search import SearchRow
from muzero.bench.selfplay import SelfPlayRow
from muzero.view.terminal import quantity, table

T = TypeVar("T")


class Shared(Protocol):
    """A row with a breakdown of its time."""

    @property
    def shares(self) -> dict[str, float]:
        """Share of the total, by name of the part."""


@dataclass(frozen=True)
class Columns(Generic[T]):
    """Columns of one kind of table; the first `left` are left-aligned."""

    cells: dict[str, Callable[[T], str]]
    left: int

    def lines(self, rows: Sequence[T]) -> str:
        """Header and rows."""
        written = [tuple(cell(row) for cell in self.cells.values()) for row in rows]
        return table(tuple(self.cells), written, left=tuple(range(self.left)))


def shares_of(*names: str) -> dict[str, Callable[[Shared], str]]:
    """A column for each part, in percent, or `-` if it can't be separated from the rest."""
    def column(name: str) -> Callable[[Shared], str]:
        return lambda row: f"{100.0 * row.shares[name]:.0f}" if name in row.shares else "-"

    return {f"{name} %": column(name) for name in names}


def mebibytes(size: int) -> str:
    """`0.4` or `1,234`."""
    amount = size / 2**20
    return f"{amount:,.0f}" if amount >= 10 else f"{amount:.1f}"


SEARCH: Columns[SearchRow] = Columns({
    "algorithm": lambda row: row.algorithm,
    "B x S x A": lambda row: f"{row.trees}x{row.simulations}x{row.actions}",
    "threads": lambda row: str(row.threads),
    "sims/CPU s": lambda row: quantity(row.simulations_per_cpu_second),
    "edges/CPU s": lambda row: quantity(row.edges_per_cpu_second),
    "sims/s": lambda row: quantity(row.simulations_per_second),
    "depth": lambda row: f"{row.depth:.2f}",
    "bytes/sim": lambda row: f"{row.bytes_per_simulation:.0f}",
    "MiB": lambda row: mebibytes(row.memory_bytes),
}, left=2)

SELFPLAY: Columns[SelfPlayRow] = Columns({
    "device": lambda row: row.device,
    "numbers": lambda row: row.precision,
    "games": lambda row: str(row.games),
    "sims/CPU s": lambda row: quantity(row.simulations_per_cpu_second),
    "sims/s": lambda row: quantity(row.simulations_per_second),
    "evals/s": lambda row: quantity(row.evaluations_per_second),
    "moves/s": lambda row: quantity(row.moves_per_second),
    "games/s": lambda row: f"{row.games_per_second:,.1f}",
    "fill %": lambda row: f"{100.0 * row.batch_fill:.0f}",
    **shares_of("network", "tree", "copies", "games", "recording", "other"),
    "ms/move": lambda row: f"{row.move_milliseconds:.1f}",
    "tree MiB": lambda row: mebibytes(row.tree_bytes),
    "latents": lambda row: mebibytes(row.latent_bytes),
    "recorder": lambda row: mebibytes(row.recorder_bytes),
}, left=2)

LEARN: Columns[LearnRow] = Columns({
    "device": lambda row: row.device,
    "batch": lambda row: str(row.batch),
    "steps/CPU s": lambda row: f"{row.steps_per_cpu_second:,.1f}",
    "steps/s": lambda row: f"{row.steps_per_second:,.1f}",
    "positions/s": lambda row: quantity(row.positions_per_second),
    "ms/step": lambda row: f"{row.step_milliseconds:.2f}",
    **shares_of("draw", "forward", "backward", "update", "step"),
    "replay MiB": lambda row: mebibytes(row.replay_bytes),
    "weights": lambda row: mebibytes(row.weights_bytes),
    "GPU": lambda row: mebibytes(row.gpu_bytes),
}, left=1)

GAMES: Columns[GamesRow] = Columns({
    "game": lambda row: row.game,
    "games": lambda row: str(row.games),
    "steps/CPU s": lambda row: quantity(row.steps_per_cpu_second),
    "steps/s": lambda row: quantity(row.steps_per_second),
    "games/s": lambda row: quantity(row.games_per_second),
    **shares_of("observe", "legal", "step", "reset", "other"),
}, left=1)
