"""How far self-play's network and the learner are from what this machine can do: arithmetic counted, peaks measured.

    python benchmarks/roofline.py [GAME] [--device cuda] [--rows 256] [--json FILE]

The peak is the faster of a large matrix product and a wide convolution in the same number format, with one thread or
one GPU; the bandwidth that of copying an array much larger than the caches. A rate is the best of several rounds, in
CPU time (on CUDA in wall clock).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from muzero import presets
from muzero.config import Config
from muzero.device.allocator import keep_freed_blocks
from muzero.evaluation.provenance import commit, hardware, versions
from muzero.model.prepared import PreparedModel
from muzero.presets import survey
from muzero.training.actors import selfplay_network

ROUNDS = 7
CHANNELS = 128
BOARDS = {"cpu": 16, "cuda": 4096}  # of 14 x 14
MATRIX = {"cpu": 1024, "cuda": 8192}
COPIED = {"cpu": 1 << 26, "cuda": 1 << 30}  # numbers in the copied array


@dataclass(frozen=True)
class Roof:
    """What the machine can do in one number format."""

    precision: str
    product_flops: float  # a second, of a matrix product
    convolution_flops: float  # a second, of a convolution with 128 channels
    bytes_per_second: float  # read and written by a copy

    @property
    def flops(self) -> float:
        return max(self.product_flops, self.convolution_flops)


@dataclass(frozen=True)
class Distance:
    """One piece of work against the roof."""

    work: str
    precision: str
    per_second: float  # evaluations
    flops: float  # of one evaluation
    bytes: float  # of one evaluation: latents in and out
    share: float  # of the peak that its arithmetic reaches
    bound_by: str


def seconds(work: Callable[[], object], device: torch.device, least: float = 0.1) -> float:
    """Least time of one call over several rounds."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter

    def timed(repeats: int) -> float:
        start = clock()
        for _ in range(repeats):
            work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return (clock() - start) / repeats

    once = max(timed(1), timed(1), 1e-7)
    repeats = max(1, round(least / once))
    return min(timed(repeats) for _ in range(ROUNDS))


def roof(dtype: torch.dtype, device: torch.device) -> Roof:
    size = MATRIX[device.type]
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    source = torch.zeros(COPIED[device.type], device=device)
    target = torch.zeros_like(source)
    planes = torch.randn(BOARDS[device.type], CHANNELS, 14, 14, device=device, dtype=dtype)
    kernel = torch.randn(CHANNELS, CHANNELS, 3, 3, device=device, dtype=dtype)
    planes, kernel = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (planes, kernel))
    operations = 2 * len(planes) * 14 * 14 * kernel.numel()
    return Roof(
        str(dtype).removeprefix("torch."), 2 * size**3 / seconds(lambda: a @ b, device),
        operations / seconds(lambda: F.conv2d(planes, kernel, padding=1), device),
        2 * source.nbytes / seconds(lambda: target.copy_(source), device))


def distance(config: Config, dtype: torch.dtype, rows: int, peak: Roof, device: torch.device) -> Distance:
    """One imagined move of `rows` positions: g and f, as the search asks for them."""
    model = selfplay_network(config).to(device)
    prepared = PreparedModel(model, dtype)
    latent = torch.randn(rows, *model.latent_shape, device=device, dtype=dtype)
    if latent.dim() == 4:
        latent = latent.contiguous(memory_format=torch.channels_last)
    action = torch.randint(0, model.num_actions, (rows,), device=device)
    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            model.step(latent.float(), action)
        flops = counter.get_total_flops() / rows
        rate = rows / seconds(lambda: prepared.step(latent, action), device)
    moved = 2 * latent[0].nbytes
    bound = "bandwidth" if moved / peak.bytes_per_second > flops / peak.flops else "arithmetic"
    return Distance("an evaluation in self-play", peak.precision, rate, flops, moved, rate * flops / peak.flops, bound)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("game", nargs="?", default="connect_four")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("--device cuda: no GPU here")
    torch.set_num_threads(1)
    keep_freed_blocks()
    device, config = torch.device(arguments.device), survey.settle(presets.load(arguments.game))[0]
    roofs = [roof(dtype, device) for dtype in (torch.float32, torch.bfloat16)]
    found = [distance(config, getattr(torch, peak.precision), arguments.rows, peak, device) for peak in roofs]
    print(f"{hardware()['processor']}, {arguments.device}, one thread; commit {commit()}")
    for peak in roofs:
        print(f"{peak.precision:9} matrix product {peak.product_flops / 1e9:9,.0f} GFLOP/s, "
              f"convolution {peak.convolution_flops / 1e9:9,.0f} GFLOP/s, copy {peak.bytes_per_second / 1e9:7.1f} GB/s")
    for one in found:
        print(f"{one.work}, {one.precision}: {one.flops / 1e6:.2f} MFLOP, {one.per_second:,.0f}/s, "
              f"{100 * one.share:.0f} % of the peak; bound by {one.bound_by}")
    if arguments.json:
        arguments.json.write_text(json.dumps({
            "hardware": hardware(), "versions": versions(), "commit": commit(), "roofs": [asdict(r) for r in roofs],
            "distances": [asdict(d) for d in found]}, indent=1))


if __name__ == "__main__":
    main()
