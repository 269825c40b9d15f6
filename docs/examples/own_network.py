"""A network of your own: a gated recurrent cell as the dynamics, trained on Tic-Tac-Toe.

    python docs/examples/own_network.py             # about a minute on two cores

A kind of network is a module with three functions, `build`, `bounds` and `fast`, and an entry that names it. Here both
are in this file; in the package it is a file in `muzero/model/networks` and a line in `muzero/config/kinds.py`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from games.base import GameSpec
from muzero.cli import main as muzero
from muzero.config import ModelConfig, kinds, settings
from muzero.model.networks.kind import Outputs, Parts
from muzero.model.networks.output_layer import output_layer


class Dynamics(nn.Module):
    """g: latent [M, width], action [M] -> next latent [M, width], transition outputs [M, outputs].

    The latent is the memory of the cell, the action is its input; entries stay in [-1, 1] however often it is applied.
    """

    def __init__(self, actions: int, width: int, outputs: int) -> None:
        super().__init__()
        self.actions = actions
        self.cell, self.outputs = nn.GRUCell(actions, width), output_layer(nn.Linear(width, outputs))

    def forward(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        reached = self.cell(F.one_hot(action, self.actions).to(latent.dtype), latent)
        return reached, self.outputs(reached)


class Prediction(nn.Module):
    """f: latent [B, width] -> policy logits [B, A], value [B, units]."""

    def __init__(self, width: int, actions: int, units: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, width)
        self.policy, self.value = output_layer(nn.Linear(width, actions)), output_layer(nn.Linear(width, units))

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        hidden = F.relu(self.inner(latent))
        return self.policy(hidden), self.value(hidden)


def build(spec: GameSpec, config: ModelConfig, outputs: Outputs) -> Parts:
    """The networks for one game; `muzero.model.networks.kind.NetworkModule` says what is asked of them."""
    numbers, width, actions = math.prod(spec.observation_shape), config.width, spec.num_actions
    h = nn.Sequential(nn.Flatten(), nn.Linear(numbers, width), nn.ReLU(), nn.Linear(width, width), nn.Tanh())
    g = Dynamics(actions, width, outputs.transition) if outputs.dynamics else None
    return Parts(h, g, Prediction(width, actions, outputs.values), latent_shape=(width,))


def bounds(model: Any) -> dict[str, Any]:
    """Nothing is proven about how large numbers become; what comes out is checked as it comes."""
    return {}


def fast(*_: Any) -> None:
    """There is no other layout for the search, which runs a copy of the networks."""


def main(run: Path, *options: str) -> int:
    """Enter the kind, train, and measure; the exit code of the first command that fails."""
    kinds.NETWORKS["gru"] = kinds.NetworkKind(__name__)
    settings.Network = Literal[tuple(kinds.NETWORKS)]  # which a line in kinds.py would do too
    network = ("--model.network", "gru", "--train.actors", "0")
    return muzero(["train", "tic_tac_toe", "--out", str(run), *network, *options]) or muzero(
        ["evaluate", "match", str(run), "--against", "perfect", "--games", "40"])


if __name__ == "__main__":
    raise SystemExit(main(Path("checkpoints/runs/gru"), "--steps", "4000"))
