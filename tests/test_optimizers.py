"""Muon against a plain formula, and which parameter moves how."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import games
from muzero.config import LearnerConfig, ModelConfig
from muzero.models.learned import LearnedModel
from muzero.muon import Muon, as_matrix, orthogonal
from muzero.optimizers import Optimizers, parameter_groups

RESNET = ModelConfig(network="resnet", width=16, hidden=24, reconstruction=True)


def made(**changes: object) -> Optimizers:
    model = LearnedModel(games.spec("connect_four"), RESNET, 1.0)
    return Optimizers(model, dataclasses.replace(LearnerConfig(), **changes), on_device=False)  # type: ignore[arg-type]


def test_singular_values_become_alike_and_directions_stay() -> None:
    torch.manual_seed(0)
    for shape in ((20, 70), (70, 20), (30, 30)):
        matrix = torch.randn(3, *shape) @ torch.diag(torch.logspace(0, -1, shape[1]))
        found = orthogonal(matrix)
        values = torch.linalg.svdvals(found)
        assert float(values.max()) < 1.25
        assert float(values.median()) > 0.65
        left, _, right = torch.linalg.svd(matrix, full_matrices=False)
        # In the matrix's own directions nothing but the diagonal is left.
        turned = left.mT @ found @ right.mT
        assert torch.allclose(turned, torch.diag_embed(turned.diagonal(dim1=1, dim2=2)), atol=1e-4)


def test_a_matrix_of_zeros_stays() -> None:
    assert not orthogonal(torch.zeros(2, 16, 20)).any()


def polar(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The iteration of the paper in double precision, one matrix at a time."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / np.linalg.norm(wide)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T


@pytest.mark.parametrize("shape", [(17, 40), (40, 17), (16, 8, 3, 3)])
@pytest.mark.parametrize("last", [False, True], ids=["rows", "channels last"])
def test_steps_are_those_of_the_formula(shape: tuple[int, ...], last: bool) -> None:
    torch.manual_seed(1)
    order = torch.channels_last if last and len(shape) == 4 else torch.contiguous_format
    parameters = [torch.randn(shape).contiguous(memory_format=order).requires_grad_() for _ in range(2)]
    muon = Muon(parameters, lr=0.02, weight_decay=0.1)
    wanted = [p.detach().numpy().astype(np.float64).reshape(shape[0], -1) for p in parameters]
    momentum = [np.zeros_like(one) for one in wanted]
    for _ in range(4):
        for i, p in enumerate(parameters):
            p.grad = torch.randn(shape).contiguous(memory_format=order)
            gradient = p.grad.numpy().astype(np.float64).reshape(shape[0], -1)
            momentum[i] = 0.95 * momentum[i] + 0.05 * gradient
            update = polar(0.95 * momentum[i] + 0.05 * gradient) * 0.2 * max(wanted[i].shape) ** 0.5
            wanted[i] = wanted[i] * (1 - 0.02 * 0.1) - 0.02 * update
        muon.step()
    for p, one in zip(parameters, wanted, strict=True):
        assert np.allclose(p.detach().numpy().reshape(shape[0], -1), one, atol=1e-4)


def test_kernels_are_matrices_of_their_output_channels() -> None:
    kernel = torch.randn(5, 4, 3, 2).contiguous(memory_format=torch.channels_last)
    matrix = as_matrix(kernel)
    assert matrix.shape == (5, 24)
    assert matrix.data_ptr() == kernel.data_ptr(), "a view, nothing is copied"
    assert torch.equal(matrix[2].sort().values, kernel[2].flatten().sort().values)


def test_a_parameter_without_gradient_stays() -> None:
    one, other = torch.randn(16, 16, requires_grad=True), torch.randn(16, 16, requires_grad=True)
    one.grad, before = torch.ones(16, 16), other.detach().clone()
    muon = Muon([one, other], weight_decay=0.5)
    muon.step()
    assert torch.equal(other, before)
    assert other not in muon.state


def test_only_matrices_can_be_moved() -> None:
    with pytest.raises(ValueError, match=r"matrices and kernels, got a parameter \[7\]"):
        Muon([torch.zeros(7, requires_grad=True)])


def test_muon_moves_hidden_layers_and_adamw_all_else() -> None:
    optimizers = made(optimizer="muon")
    names = {id(p): name for name, p in optimizers.model.named_parameters()}
    moved = [{names[id(p)] for group in optimizer.param_groups for p in group["params"]}
             for optimizer in optimizers.all]
    assert moved[0] | moved[1] == set(names.values())
    assert not moved[0] & moved[1]
    assert {"h.blocks.0.first.weight", "g.enter.weight", "g.facts.inner.weight", "f.policy.inner.weight"} <= moved[1]
    assert {"h.position", "decoder.outer.weight", "f.policy.outer.weight", "f.value.outer.weight"} <= moved[0]
    assert not [name for name in moved[1] if name.endswith("bias")]


def test_adamw_moves_everything_unless_told_otherwise() -> None:
    optimizers = made()
    held = [p for group in optimizers.all[0].param_groups for p in group["params"]]
    assert len(optimizers.all) == 1
    assert {id(p) for p in held} == {id(p) for p in optimizers.model.parameters()}


def test_only_matrices_decay() -> None:
    model = made().model
    matrices, vectors = parameter_groups(model, 0.3, [])
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.3, 0.0)
    assert all(p.dim() >= 2 for p in matrices["params"])
    assert all(p.dim() == 1 for p in vectors["params"])


def test_momentum_of_another_optimizer_is_refused() -> None:
    adamw, muon = made(), made(optimizer="muon")
    name = "g.enter.weight"
    kernel = dict(muon.model.named_parameters())[name]
    with pytest.raises(ValueError, match=r"g\.enter\.weight: exp_avg, exp_avg_sq, step wanted, got momentum"):
        adamw.check({f"{name}/momentum": torch.zeros(kernel.shape)})
    with pytest.raises(ValueError, match=r"g\.enter\.weight: momentum wanted, got exp_avg"):
        muon.check({f"{name}/exp_avg": torch.zeros(kernel.shape)})
    muon.check({f"{name}/momentum": torch.full(kernel.shape, -1.0)})
