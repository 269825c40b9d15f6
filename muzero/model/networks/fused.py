"""Fused residual networks for inference: fused operations, precomputed weights, any number format.

Each class is the twin of one in `resnet` and gives the same numbers up to rounding. Folded are batch norm into the
preceding convolution; the action planes, whose convolution is always the same, into a table; and bias, sum and ReLU
into the convolution (oneDNN post-ops on a CPU). Boards are in channels-last format.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from muzero.model.networks import prefix, resnet
from muzero.model.networks.watch import Watch

CONVOLUTION = torch.ops.mkldnn._convolution_pointwise


class Derived:
    """Tensors computed from a model's parameters. `refresh` recomputes them in place, so that anything that holds one
    (such as a captured graph) sees the new values."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._recipes: list[tuple[Tensor, Callable[[], Tensor]]] = []

    def hold(self, recipe: Callable[[], Tensor], dtype: torch.dtype | None = None) -> Tensor:
        """The result of `recipe`, in `dtype` (None: the common one)."""
        with torch.no_grad():
            tensor = recipe().detach().to(dtype or self.dtype, copy=True)
        self._recipes.append((tensor, recipe))
        return tensor

    def refresh(self) -> None:
        """Recompute all of them from the current parameters."""
        with torch.no_grad():
            for tensor, recipe in self._recipes:
                tensor.copy_(recipe())


def folded(module: nn.Module) -> tuple[Tensor, Tensor]:
    """Kernel and bias of a convolution from `resnet.conv`, with batch norm's running statistics folded in."""
    if isinstance(module, nn.Conv2d):
        bias = module.bias if module.bias is not None else module.weight.new_zeros(module.out_channels)
        return module.weight, bias
    assert isinstance(module, nn.Sequential)
    inner, norm = module
    assert isinstance(inner, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return inner.weight * factor[:, None, None, None], norm.bias - norm.running_mean * factor


class Conv:
    """A convolution with an optional fused sum and ReLU."""

    def __init__(
        self, derived: Derived, kernel: Callable[[], Tensor], bias: Callable[[], Tensor], padding: int,
        stride: int = 1,
    ) -> None:
        self.kernel = derived.hold(lambda: kernel().contiguous(memory_format=torch.channels_last))
        self.bias = derived.hold(bias)
        self.padding, self.stride = padding, stride
        self.fused = self.kernel.device.type == "cpu" and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]

    @staticmethod
    def of(derived: Derived, module: nn.Module) -> Conv:
        """The twin of a convolution of `resnet`, with batch norm folded in."""
        inner = module if isinstance(module, nn.Conv2d) else module[0]  # type: ignore[index]
        padding, stride = int(inner.padding[0]), int(inner.stride[0])
        return Conv(derived, lambda: folded(module)[0], lambda: folded(module)[1], padding, stride)

    def plain(self, x: Tensor) -> Tensor:
        """conv(x)"""
        return F.conv2d(x, self.kernel, self.bias, stride=self.stride, padding=self.padding)

    def relu(self, x: Tensor) -> Tensor:
        """relu(conv(x))"""
        if not self.fused:
            return self.plain(x).relu_()
        out: Tensor = CONVOLUTION(
            x, self.kernel, self.bias, [self.padding] * 2, [self.stride] * 2, [1, 1], 1, "relu", [], "")
        return out

    def add_relu(self, x: Tensor, other: Tensor) -> Tensor:
        """relu(conv(x) + other), `other` of the output's shape."""
        if not self.fused:
            return self.plain(x).add_(other).relu_()
        out: Tensor = CONVOLUTION.binary(
            x, other, self.kernel, self.bias, [self.padding] * 2, [self.stride] * 2, [1, 1], 1, "add", 1.0, "relu", [],
            "")
        return out


class Entries:
    """The largest allowed inputs of a network's blocks after the first: see `bounds`."""

    def __init__(self, watch: Watch, reaches: Sequence[Tensor]) -> None:
        """reaches: [] each, of the blocks after the first, in the number format of the network."""
        self.watch = watch
        self._reaches = iter((None, *reaches))

    def next(self) -> Callable[[Tensor], None]:
        """A check of the input of the next block."""
        reach = next(self._reaches)
        if reach is None:
            return lambda x: None
        self.watch.used = True
        return lambda x: self.watch.look(x, reach)


class Blocks:
    """A tower of `resnet.Block`s."""

    def __init__(self, derived: Derived, blocks: nn.Sequential, entries: Entries) -> None:
        self.blocks = [(entries.next(), Conv.of(derived, block.first), Conv.of(derived, block.second))
                       for block in blocks if isinstance(block, resnet.Block)]
        assert len(self.blocks) == len(blocks)

    def __call__(self, x: Tensor) -> Tensor:
        for look, first, second in self.blocks:
            look(x)
            x = second.add_relu(first.relu(x), x)
        return x


class Representation:
    """Twin of `resnet.Representation`: observation [B, C, H, W] -> latent [B, width, H, W]."""

    def __init__(self, derived: Derived, h: resnet.Representation, entries: Entries) -> None:
        self.stem = Conv.of(derived, h.stem)
        position = h.position
        self.position = None if position is None else derived.hold(lambda: position)
        self.blocks = Blocks(derived, h.blocks, entries)
        self.normalise = h.normalise

    def __call__(self, obs: Tensor) -> Tensor:
        if self.position is None:
            x = self.stem.relu(obs)
        else:
            x = self.stem.plain(obs).add_(self.position).relu_()
        return self.normalise(self.blocks(x))


class Dynamics:
    """Twin of `resnet.Dynamics`: latent [M, width, H, W], action [M] -> next latent, outputs [M, units] in float32."""

    def __init__(self, derived: Derived, g: resnet.Dynamics, num_actions: int, entries: Entries) -> None:
        width = folded(g.enter)[0].shape[0]
        # The bias is included in the table.
        self.enter = Conv(
            derived, lambda: folded(g.enter)[0][:, :width], lambda: torch.zeros_like(folded(g.enter)[1]), 1)
        self.spatial = g.planes is not None
        actions = torch.arange(num_actions, device=self.enter.kernel.device)
        self.table = derived.hold(lambda: action_table(g, actions, width))
        self.blocks = Blocks(derived, g.blocks, entries)
        self.facts = None if g.facts is None else head(derived, g.facts)
        self.normalise = g.normalise

    def __call__(self, latent: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        chosen = self.table.index_select(0, action)
        if self.spatial:
            added = chosen.permute(0, 3, 1, 2).add_(latent)
        else:
            added = latent + chosen[:, :, None, None]
        x = self.blocks(self.enter.add_relu(latent, added))
        return self.normalise(x), x.new_zeros((len(x), 0)) if self.facts is None else self.facts(x)


class Prefix:
    """Twin of `prefix.Prefix`, in float32: latent [M, *L], memory [M, size] -> sum [M, units], memory."""

    def __init__(self, derived: Derived, module: prefix.Prefix) -> None:
        self.module, cell = module, module.cell
        self.narrow = None if module.narrow is None else Conv.of(derived, module.narrow)
        self.cell = [derived.hold(lambda value=value: value, torch.float32)  # type: ignore[misc]
                     for value in (cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh)]
        self.inner, self.outer = Linear(derived, module.inner), Linear(derived, module.outer)

    def __call__(self, latent: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        seen = latent if self.narrow is None else self.narrow.relu(latent)
        memory, hidden = self.module.begun(memory), self.module.hidden
        h, c = torch.lstm_cell(
            seen.flatten(1).float(), [memory[:, :hidden], memory[:, hidden : 2 * hidden]], *self.cell)
        said = self.outer(self.inner(F.relu(h)).relu_())
        facts = torch.stack((self.module.decode(said), memory[:, -1] + 1.0), 1)
        return said, torch.cat((h, c, facts), 1)


def action_table(g: resnet.Dynamics, actions: Tensor, width: int) -> Tensor:
    """What each action adds before the first ReLU, including the convolution's bias: [A, H, W, width], or [A, width]
    if actions have no location on the board."""
    kernel, bias = folded(g.enter)
    if g.planes is None:
        assert g.bias is not None
        added: Tensor = g.bias(actions) + bias
        return added
    planes = g.planes(actions).to(kernel.dtype)
    added = F.conv2d(planes, kernel[:, width:], bias, padding=1)
    if g.bias is not None:
        added = added + g.bias(actions)[:, :, None, None]
    return added.permute(0, 2, 3, 1).contiguous()


class Head(ABC):
    """[B, width, H, W] -> [B, units]: `seen` summarises all cells, then layers in float32."""

    def __init__(self, derived: Derived, head: resnet.PooledHead | resnet.FlatHead) -> None:
        self.local = Conv.of(derived, head.local)
        self.inner = Linear(derived, head.inner)
        self.outer = Linear(derived, head.outer)

    def __call__(self, x: Tensor) -> Tensor:
        return self.outer(self.inner(self.seen(self.local.relu(x))).relu_())

    @abstractmethod
    def seen(self, cells: Tensor) -> Tensor:
        """[B, channels, H, W] -> [B, numbers] in float32."""


class PooledHead(Head):
    """Twin of `resnet.PooledHead`."""

    def seen(self, cells: Tensor) -> Tensor:
        # On a CPU, maxima of bfloat16 are many times slower than those of float32.
        places = cells.permute(0, 2, 3, 1).flatten(1, 2).float()
        return torch.cat((places.mean(1), places.amax(1)), 1)


class FlatHead(Head):
    """Twin of `resnet.FlatHead`."""

    def seen(self, cells: Tensor) -> Tensor:
        return cells.float().flatten(1)


class Linear:
    """A linear layer in float32."""

    def __init__(self, derived: Derived, layer: nn.Linear) -> None:
        self.weight = derived.hold(lambda: layer.weight, torch.float32)
        self.bias = derived.hold(lambda: layer.bias, torch.float32)

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


class PolicyHead:
    """Twin of `resnet.PolicyHead`: [B, width, H, W] -> logits [B, A] in float32."""

    def __init__(self, derived: Derived, head: resnet.PolicyHead) -> None:
        self.extra = None if head.extra is None else PooledHead(derived, head.extra)
        self.spatial = head.kind != "flat"
        self.inner = Conv.of(derived, head.inner if self.spatial else head.inner[0])  # type: ignore[index]
        if self.spatial:
            outer = head.outer
            assert isinstance(outer, nn.Conv2d)
            # A 1x1 convolution is a linear layer on every cell.
            self.weight = derived.hold(lambda: outer.weight.flatten(1), torch.float32)
            self.bias = derived.hold(lambda: folded(outer)[1], torch.float32)
            return
        layer, last = head.inner[3], head.outer  # type: ignore[index]
        assert isinstance(layer, nn.Linear)
        assert isinstance(last, nn.Linear)
        self.dense = (Linear(derived, layer), Linear(derived, last))

    def __call__(self, x: Tensor) -> Tensor:
        y = self.inner.relu(x)
        if self.spatial:
            out = F.linear(y.permute(0, 2, 3, 1).float(), self.weight, self.bias).flatten(1)
        else:
            inner, last = self.dense
            out = last(inner(y.float().flatten(1)).relu_())
        return out if self.extra is None else torch.cat((out, self.extra(x)), 1)


def head(derived: Derived, module: nn.Module) -> Callable[[Tensor], Tensor]:
    """The twin of any head."""
    if isinstance(module, resnet.FlatHead):
        return FlatHead(derived, module)
    if isinstance(module, resnet.PolicyHead):
        return PolicyHead(derived, module)
    assert isinstance(module, resnet.PooledHead)
    return PooledHead(derived, module)


class Prediction:
    """Twin of `resnet.Prediction`: latent [B, width, H, W] -> logits [B, A], value [B, units], in float32."""

    def __init__(self, derived: Derived, f: resnet.Prediction) -> None:
        self.policy, self.value = head(derived, f.policy), head(derived, f.value)

    def __call__(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        return self.policy(latent), self.value(latent)
