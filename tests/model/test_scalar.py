"""The value transform and two-hot coding."""

from __future__ import annotations

import pytest
import torch

from muzero.config import ScalarConfig
from muzero.model import scalar

THREE = ScalarConfig()
WIDE = ScalarConfig(low=-300, high=300, bins=601, transform=True)


def test_transform_round_trip_and_known_values() -> None:
    x = torch.tensor([-58_000.0, -100, -3, -0.5, 0, 0.5, 3, 100, 58_000], dtype=torch.float64)
    assert torch.allclose(scalar.unsquash(scalar.squash(x)), x, rtol=1e-6, atol=1e-6)
    assert scalar.unsquash(torch.tensor(10.0, dtype=torch.float64)).item() == pytest.approx(117, abs=1.0)
    assert scalar.squash(torch.tensor(3.0)).item() == pytest.approx(1.003)


@pytest.mark.parametrize("config", [THREE, WIDE, ScalarConfig(low=-2, high=5, bins=8)])
def test_two_hot_has_the_mean_it_encodes(config: ScalarConfig) -> None:
    x = torch.linspace(-1, 1, 41)
    chances = scalar.two_hot(x, config)
    assert torch.allclose(chances.sum(-1), torch.ones(41))
    assert int((chances > 0).sum(-1).max()) <= 2
    assert torch.allclose(scalar.decode(torch.log(chances + 1e-30), config), x, atol=2e-3)


def test_two_hot_clips_to_its_support() -> None:
    assert scalar.two_hot(torch.tensor([9.0, -9.0]), THREE).tolist() == [[0, 0, 1], [1, 0, 0]]


SCALAR = ScalarConfig(kind="scalar")


@pytest.mark.parametrize("config", [THREE, WIDE, SCALAR, ScalarConfig(kind="scalar", transform=True)])
def test_loss_is_least_at_the_target(config: ScalarConfig) -> None:
    target = torch.tensor([0.5])
    output = torch.zeros(1, scalar.units(config), requires_grad=True)
    optimizer = torch.optim.Adam([output], lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        scalar.loss(output, target, config).sum().backward()
        optimizer.step()
    assert scalar.decode(output, config).item() == pytest.approx(0.5, abs=0.02)
