"""Muon against a plain formula, and which parameter moves how."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import games
from muzero.config import ConfigError, LearnerConfig, ModelConfig, ScalarConfig
from muzero.learning.muon import Muon, as_matrix, orthogonal
from muzero.learning.optimizers import Optimizers, parameter_groups
from muzero.model.learned import LearnedModel

RESNET = ModelConfig(network="resnet", width=16, hidden=24, reconstruction=True, discount="learned")
MLP = ModelConfig(width=16, hidden=24, reconstruction=True)


def made(**changes: object) -> Optimizers:
    model = LearnedModel(games.spec("connect_four"), RESNET, 1.0)
    return Optimizers(model, dataclasses.replace(LearnerConfig(), **changes), on_device=False)  # type: ignore[arg-type]


def test_singular_values_become_alike_and_directions_stay() -> None:
    torch.manual_seed(0)
    for rows, columns in ((20, 70), (70, 20), (30, 30)):
        left, _, right = torch.linalg.svd(torch.randn(3, rows, columns), full_matrices=False)
        found = orthogonal(left @ torch.diag(torch.logspace(0, -1, min(rows, columns))) @ right)
        turned = left.mT @ found @ right.mT
        values = turned.diagonal(dim1=1, dim2=2)
        assert 0.67 < float(values.min()) <= float(values.max()) < 1.2
        assert torch.allclose(turned, torch.diag_embed(values), atol=1e-4)


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


ORDERS = {"rows": torch.contiguous_format, "channels last": torch.channels_last}


def drawn(shape: tuple[int, ...], order: str) -> torch.Tensor:
    return torch.randn(shape).contiguous(memory_format=ORDERS[order] if len(shape) == 4 else torch.contiguous_format)


@pytest.mark.parametrize("of_gradients", ORDERS)
@pytest.mark.parametrize("of_parameters", ORDERS)
@pytest.mark.parametrize("rate", [0.02, torch.tensor(0.02)], ids=["number", "tensor"])
def test_steps_are_those_of_the_formula(of_parameters: str, of_gradients: str, rate: float | torch.Tensor) -> None:
    """Parameters of several shapes together, wherever their numbers lie in memory."""
    torch.manual_seed(1)
    shapes = [(17, 40), (40, 17), (16, 8, 3, 3), (17, 40), (16, 8, 3, 3)]
    parameters = [drawn(shape, of_parameters).requires_grad_() for shape in shapes]
    muon = Muon(parameters, lr=rate, weight_decay=0.1)
    wanted = [p.detach().numpy().astype(np.float64).reshape(len(p), -1) for p in parameters]
    momentum = [np.zeros_like(one) for one in wanted]
    for _ in range(4):
        for i, p in enumerate(parameters):
            p.grad = drawn(shapes[i], of_gradients)
            gradient = p.grad.numpy().astype(np.float64).reshape(len(p), -1)
            momentum[i] = 0.95 * momentum[i] + 0.05 * gradient
            update = polar(0.95 * momentum[i] + 0.05 * gradient) * 0.2 * max(wanted[i].shape) ** 0.5
            wanted[i] = wanted[i] * (1 - 0.02 * 0.1) - 0.02 * update
        muon.step()
    for p, one in zip(parameters, wanted, strict=True):
        assert np.allclose(p.detach().numpy().reshape(len(p), -1), one, atol=1e-4)


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


def moved(optimizers: Optimizers) -> list[set[str]]:
    """Names of the parameters of each optimizer."""
    names = {id(p): name for name, p in optimizers.model.named_parameters()}
    return [{names[id(p)] for group in one.param_groups for p in group["params"]} for one in optimizers.all]


def test_muon_moves_hidden_layers_and_adamw_all_else() -> None:
    optimizers = made(optimizer="muon")
    adamw, muon = moved(optimizers)
    assert not adamw & muon
    assert adamw | muon == {name for name, _ in optimizers.model.named_parameters()}
    assert muon == {f"{layer}.weight" for layer in (
        "h.stem", "h.blocks.0.first", "h.blocks.0.second", "h.blocks.1.first", "h.blocks.1.second", "g.enter",
        "g.blocks.0.first", "g.blocks.0.second", "g.facts.local", "g.facts.inner", "f.policy.inner", "f.value.local",
        "f.value.inner")}


@pytest.mark.parametrize(
    ("game", "model"),
    [("hex(board_size=5)", MLP), ("hex(board_size=5)", RESNET), ("chess", RESNET), ("tic_tac_toe", MLP)])
def test_what_states_an_answer_is_not_hidden_however_wide(game: str, model: ModelConfig) -> None:
    model = dataclasses.replace(model, value=ScalarConfig(bins=21), reward=ScalarConfig(bins=21), consistency=True)
    optimizers = Optimizers(LearnedModel(games.spec(game), model, 1.0), LearnerConfig(optimizer="muon"), False)
    _, muon = moved(optimizers)
    assert muon
    answers = ("facts.outer", "policy.outer", "value.outer", "extra.outer") if model.network == "resnet" else (
        "g.facts", "f.policy", "f.value")
    assert not [name for name in muon if name.removesuffix(".weight").endswith((*answers, "decoder.outer"))]


def test_a_model_too_small_for_muon_is_refused() -> None:
    model = LearnedModel(games.spec("connect_four"), dataclasses.replace(RESNET, width=8, hidden=8), 1.0)
    words = r"learner\.optimizer muon: expected a hidden layer of at least 16 x 16.*model\.width"
    with pytest.raises(ConfigError, match=words):
        Optimizers(model, LearnerConfig(optimizer="muon"), False)


def test_all_parameters_share_rate_and_decay_and_are_remembered() -> None:
    optimizers = made(optimizer="muon", weight_decay=0.3)
    optimizers.set_rate(1e-2)
    groups = [group for one in optimizers.all for group in one.param_groups]
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0, 0.3]
    assert {group["lr"] for group in groups} == {1e-2}
    before = {name: p.detach().clone() for name, p in optimizers.model.named_parameters()}
    for p in optimizers.model.parameters():
        p.grad = torch.randn_like(p)
    optimizers.step()
    assert not [name for name, p in optimizers.model.named_parameters() if torch.equal(p, before[name])]
    adamw, muon = moved(optimizers)
    wanted = {f"{name}/momentum" for name in muon}
    wanted |= {f"{name}/{what}" for name in adamw for what in ("step", "exp_avg", "exp_avg_sq")}
    assert optimizers.tensors().keys() == wanted


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
    with pytest.raises(ValueError, match=r"g\.enter\.weight: expected exp_avg, exp_avg_sq, step .*adamw, got momentum"):
        adamw.check({f"{name}/momentum": torch.zeros(kernel.shape)})
    with pytest.raises(ValueError, match=r"g\.enter\.weight: expected momentum for .*muon, got exp_avg"):
        muon.check({f"{name}/exp_avg": torch.zeros(kernel.shape)})
    muon.check({f"{name}/momentum": torch.full(kernel.shape, -1.0)})
