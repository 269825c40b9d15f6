"""The sections of a config: every setting with its type, default, bounds, meaning and published value.

The bounds of the search's settings come from the C++ search (`cpp_mcts.limits`). This module doesn't import torch, as
the command line loads it before it knows whether it needs a network.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import Annotated, Literal, get_type_hints

from muzero.config.ensemble_settings import EnsembleConfig
from muzero.config.kinds import Dynamics, Network
from muzero.config.support import unsquashed
from selfplay.bounds import Between, Count, CountOr0, Share, Size, SizeOr0
from selfplay.schedule import Schedule

LARGEST_END, LARGEST_SCALE = 1e9, 1e12
"""Largest end and scale of a support, in absolute value."""
End = Annotated[float, Between(-LARGEST_END, LARGEST_END)]
Scale = Annotated[float, Between(1.0 / LARGEST_SCALE, LARGEST_SCALE)]
Units = Annotated[int, Between(1, 1 << 16)]
Blocks = Annotated[int, Between(0, 256)]
Weight = Annotated[float, Between(0.0, 1e6)]
Seconds = Annotated[float, Between(0.0, 1e9)]
Minutes = Annotated[float, Between(0.0, 1e7)]
POSITIVE = math.ulp(0.0)
"""Lowest value of a number that must be above 0."""


@dataclass(frozen=True)
class TrainedBy:
    """Annotation of a switch of `ModelConfig` for a part trained only by an auxiliary loss: the loss's weight in
    `LearnerConfig`. Both are on or neither is."""

    weight: str


@dataclass(frozen=True)
class ScalarConfig:
    """How a network represents a scalar, such as a value or a reward."""

    kind: Literal["categorical", "scalar"] = "categorical"
    """categorical: two-hot cross-entropy over `bins`; scalar: squared error."""
    low: End = -1.0
    """Lower end of the support (after the transform, if there is one; MuZero in Atari: -300)."""
    high: End = 1.0
    """Upper end of the support (MuZero in Atari: 300)."""
    bins: Annotated[int, Between(0, 1 << 16)] = 3
    """Bins of the support, evenly spaced (MuZero in Atari: 601). 0 = bins, ends, scale and offset are chosen from the
    returns of random games when a run is created."""
    transform: bool = False
    """Squash by h(x) = sign(x)(sqrt(|x| + 1) - 1) + EPSILON x before the two-hot (MuZero in Atari: on)."""
    scale: Scale = 1.0
    """The network predicts (x - offset) / scale, so that games with rewards of thousandths or of thousands are learned
    alike. Search and targets stay in the game's own units."""
    offset: End = 0.0
    """See scale; for games in which every move gives about the same large reward."""

    @property
    def reach(self) -> tuple[float, float]:
        """The smallest and largest scalar that can be represented, in the game's units."""
        if self.kind == "scalar":
            return -math.inf, math.inf
        return self._meant(self.low), self._meant(self.high)

    def _meant(self, y: float) -> float:
        """The scalar at the point y of the support."""
        return self.offset + self.scale * (unsquashed(y) if self.transform else y)


@dataclass(frozen=True)
class ModelConfig:
    """The learned latent model: representation h, dynamics g, prediction f."""

    dynamics: Dynamics = "learned"
    """learned: MuZero. rules: AlphaZero: the search moves by the game's true rules, h and f evaluate real positions,
    and there is no g."""
    network: Network = "mlp"
    """mlp: fully connected. resnet: convolutions over a board. pixels: the same, after downsampling a picture to a
    sixteenth of its height and width."""
    width: Units = 64
    """mlp: units of the latent. Others: channels of the latent (MuZero: 256)."""
    hidden: Units = 128
    """mlp: units of the hidden layer. Others: units of the pooled heads' hidden layer."""
    representation_blocks: Blocks = 2
    """resnet: residual blocks of h (MuZero: 16). pixels: after each of the last two of four downsamplings."""
    picture_blocks: Blocks = 1
    """pixels: residual blocks after each of the first two downsamplings, where they cost most."""
    dynamics_blocks: Blocks = 1
    """resnet, pixels: residual blocks of g (MuZero: 16)."""
    standardise: bool = False
    """pixels: standardise each pixel by its own mean and standard deviation, measured over the positions collected
    before the first learning step. Without it, or batch norm, objects of a few pixels are hardly ever learned."""
    norm: Literal["none", "batch"] = "none"
    """resnet, pixels: normalisation inside the blocks (MuZero: batch)."""
    latent_norm: Literal["layer", "rms", "minmax"] = "layer"
    """Normalisation of each latent: to mean 0 and variance 1, to mean square 1, or to [0, 1] (MuZero: minmax)."""
    position_bias: bool = True
    """resnet, pixels: a learned bias for each cell of the latent board."""
    value: ScalarConfig = field(default_factory=ScalarConfig)
    reward: ScalarConfig = field(default_factory=ScalarConfig)
    prefix: Annotated[int, Between(0, 64)] = 0
    """Value prefix (EfficientZero: 5): number of moves whose rewards are predicted as one sum, by an LSTM; 0 = predict
    each reward separately."""
    prefix_hidden: Units = 64
    """Units of that LSTM (EfficientZero: 512)."""
    discount: Literal["fixed", "learned"] = "fixed"
    """fixed: the sign follows from the game (players must alternate, or there is only one).
    learned: a head predicts end / same player / other player."""
    transition: Literal["expected", "likeliest"] = "expected"
    """How reward and next mover of an imagined move are read. expected: as means (MuZero). likeliest: the likeliest of
    each, and a reward ends the game: for games without chance whose last move alone pays."""
    reconstruction: Annotated[bool, TrainedBy("reconstruction_weight")] = False
    """A linear decoder from every imagined latent to the observation (an auxiliary loss)."""
    consistency: Annotated[bool, TrainedBy("consistency_weight")] = False
    """A projector and predictor for the self-consistency of latents (an auxiliary loss; EfficientZero)."""
    consistency_width: Units = 128
    """Units of that projection (EfficientZero: 1024)."""
    legality: Annotated[bool, TrainedBy("legality_weight")] = False
    """A legality head: which actions are legal in a position, imagined ones included (an auxiliary loss)."""
    ensemble: EnsembleConfig = field(default_factory=EnsembleConfig)


@functools.cache
def auxiliary_parts() -> dict[str, str]:
    """Switches of `ModelConfig` for parts that an auxiliary loss trains -> the setting of `LearnerConfig` with the
    loss's weight."""
    hints = get_type_hints(ModelConfig, include_extras=True)
    return {name: mark.weight for name, hint in hints.items() for mark in getattr(hint, "__metadata__", ())
            if isinstance(mark, TrainedBy)}


@dataclass(frozen=True)
class AloneConfig:
    """How a trained agent plays a one-player game."""

    repeats: Literal["same", "next"] = "same"
    """The move at an observation that recurs within a game. same: the search's choice again, so that the agent may loop
    until the game ends. next: the second best move the second time, then the third, and so on; in games with chance or
    partial observation, a move sampled from the search's policy."""


@dataclass(frozen=True)
class ReplayConfig:
    """The replay buffer."""

    capacity: Count = 50_000
    """Most positions stored. The memory is reserved at once, and its size is printed at the start."""
    window_fraction: Share = 1.0
    """Samples come only from this newest fraction of all positions ever played..."""
    min_window: CountOr0 = 0
    """...but never from fewer than this many."""
    min_positions: Count = 2_000
    """Positions collected before learning starts."""
    prioritized: bool = False
    """Sample positions in proportion to (value error)^alpha instead of uniformly (MuZero in Atari: on)."""
    alpha: Annotated[float, Between(0.0, 2.0)] = 0.6
    """Exponent of the priorities; 0 samples uniformly (Schaul et al. 2016: 0.6; MuZero: 1)."""
    beta: Annotated[float, Between(0.0, 2.0)] = 0.4
    """Exponent of the importance-sampling weights, constant (Schaul et al. 2016: from 0.4 to 1; MuZero: 1)."""
    memory_limit_mb: Annotated[int, Between(1, 1 << 30)] = 4_096
    """In units of 10^6 bytes. A larger replay buffer is refused, with the size it needs."""


@dataclass(frozen=True)
class HeldOutConfig:
    """Games that are never trained on. On them the model is validated by unroll depth while it trains."""

    fraction: Annotated[float, Between(0.0, 0.5)] = 0.0
    """Fraction of all games, chosen by a hash of their numbers, whose positions are never drawn for training; 0 = none.
    They count as played, so that `learner.replay_ratio` and `train.positions` mean the same with and without them."""
    positions: Annotated[int, Between(64, 1 << 16)] = 256
    """Most positions of these games per measurement, each followed for 2 K moves, K being `learner.unroll`."""
    seconds: Seconds = 30.0
    """Least seconds between measurements. They are rarer where they would take more than 2 % of the time."""


@dataclass(frozen=True)
class LearnerConfig:
    """Losses, targets and the optimizer."""

    batch: Annotated[Schedule, Between(1.0, 1e6)] = ((0.0, 256.0),)
    """Minibatch size, over training progress (MuZero: 2048 in board games, 1024 in Atari)."""
    unroll: Annotated[int, Between(1, 64)] = 3
    """K, unroll steps after the root (MuZero: 5)."""
    td_steps: Size = 1_000
    """n of the n-step value target; longer than the game means the final outcome (MuZero in Atari: 10)."""
    td_age: CountOr0 = 0
    """n of a stored position falls by one for every so many positions played since, down to 1, as its moves come from
    an older agent (Ye et al. 2021, section 4.3); 0 = never."""
    search_share: Share = 0.0
    """Fraction of the search's root value in the value target; the rest is the n-step return. More means less noise
    from exploratory moves, but more bias from the network."""
    gamma: Share = 1.0
    """Discount of one move (MuZero: 1 in board games, 0.997 in Atari)."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """muon: Muon for the weight matrices of hidden layers, AdamW for all other parameters."""
    learning_rate: Annotated[float, Between(POSITIVE, 1e3)] = 5e-3
    """Learning rate after the warm-up."""
    final_rate: Share = 0.1
    """Learning rate at the end, as a fraction of `learning_rate`."""
    warmup: Share = 0.05
    """Fraction of training during which the learning rate rises linearly from 0."""
    decay_from: Share = 0.05
    """Progress at which the cosine decay starts."""
    weight_decay: Annotated[float, Between(0.0, 1e3)] = 1e-4
    """Decoupled weight decay of AdamW and Muon (MuZero: an L2 term of 1e-4)."""
    clip: Annotated[float, Between(POSITIVE, 1e9)] = 5.0
    """Gradient clipping: largest norm of the gradient (EfficientZero: 5)."""
    state_gradient: Share = 0.5
    """Factor on the gradient that flows through a latent into the previous step (MuZero: 0.5)."""
    step_weights: Literal["mean", "equal"] = "mean"
    """Each of the K unroll steps has weight 1/K. The root has weight 1 (mean; Schrittwieser et al. 2020, appendix G) or
    1/K as well (equal; Ye et al. 2021)."""
    value_weight: Weight = 1.0
    """Weight of the value loss (MuZero Reanalyze and EfficientZero: 0.25)."""
    reward_weight: Weight = 1.0
    """Weight of the reward loss (MuZero: 1)."""
    policy_weight: Weight = 1.0
    """Weight of the policy loss (MuZero: 1)."""
    discount_weight: Weight = 1.0
    """Weight of the loss for who moves next, if model.discount is learned."""
    consistency_weight: Weight = 0.0
    """Weight of the self-consistency loss, if model.consistency is on (EfficientZero: 2)."""
    consistency_steps: CountOr0 = 0
    """Number of imagined steps compared with the positions really reached; 0 = all. Each takes one more call of h."""
    reconstruction_weight: Weight = 0.0
    """Weight of the reconstruction loss, if model.reconstruction is on."""
    legality_weight: Weight = 0.0
    """Weight of the legality loss, if model.legality is on (0.1 is enough; more takes from the other losses)."""
    own_targets: Share = 0.0
    """Share of a member's own value of the best action there in its value target; else it is the main head's."""
    absorbing: bool = True
    """Train steps past the end, with random actions, towards value 0 and reward 0."""
    symmetries: bool = True
    """Apply a random symmetry of the game to each sample."""
    shift: Annotated[int, Between(0, 64)] = 0
    """Shift pictures by up to this many pixels at random, vertically and horizontally, with edges repeated (DrQ and
    EfficientZero: 4)."""
    ema: Share = 0.0
    """Decay of the averaged weights used for play; 0 plays with the newest weights."""
    replay_ratio: Annotated[float, Between(POSITIVE, 1e6)] = 2.0
    """Samples per position played."""
    reanalyse_fraction: Share = 0.0
    """Stored positions reanalysed with the newest weights, per sample: 0.5 is one for every two samples (MuZero
    Reanalyze: 0.8, EfficientZero: 0.99)."""
    reanalyse_batch: Size = 512
    """Positions per search of reanalysis."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of a learning step, with float32 weights; auto: bfloat16 on CUDA, and for pictures if the CPU
    multiplies it in hardware."""
    graphs: Literal["auto", "off"] = "auto"
    """On CUDA, a step runs as one captured graph; off launches its kernels one by one, which is slower."""


@dataclass(frozen=True)
class TrainConfig:
    """A run: limits, processes, device, reports and evaluations."""

    steps: CountOr0 = 4_000
    """Learning steps; 0 = no limit."""
    minutes: Minutes = 0.0
    """Minutes of training; 0 = no limit. If set, schedules follow the time."""
    positions: CountOr0 = 0
    """Positions to play, each sampled `learner.replay_ratio` times; 0 = no limit. The last part of a game may exceed
    it. Schedules follow the samples if neither steps nor minutes are set."""
    clock: Literal["wall", "cpu"] = "wall"
    """What minutes measure: wall-clock time, or the CPU time of a run in one process, which other load on the machine
    hardly affects: for comparisons."""
    horizon: CountOr0 = 0
    """Steps over which schedules run; 0 = `steps`."""
    seed: Annotated[int, Between(0, (1 << 63) - 1)] = 0
    """Seed of all randomness; it determines a run in one process."""
    actors: Annotated[int, Between(-1, 256)] = 1
    """Self-play processes next to the learner; 0 = a single, deterministic process. -1 = one per core of this machine,
    or one on a GPU."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: CUDA if available."""
    threads: Annotated[int, Between(1, 1 << 10)] = 1
    """torch threads in each process on a CPU."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of the networks in self-play; auto: bfloat16 if the hardware multiplies it. Play and evaluation use
    float32."""
    log_seconds: Seconds = 2.0
    """Seconds between reports."""
    checkpoint_seconds: Seconds = 45.0
    """Seconds between checkpoints."""
    evaluate_minutes: Annotated[float, Between(0.0, 1e9)] = 1.0
    """Minutes between short matches during training, shown in the display; 0 = none."""
    evaluate_against: str = "random"
    """Their opponent: random, mcts:N or perfect."""
    evaluate_games: Annotated[int, Between(2, 1 << 20)] = 20
    """Games per match."""
    evaluate_moves: SizeOr0 = 0
    """Moves after which a game of a match is cut off, counting with its return so far; 0 = the game's own limit, or
    3,000 if it has none."""
    snapshot_minutes: Minutes = 0.0
    """Minutes of training between snapshots of the agent in RUN/snapshots, to be rated later; 0 = none. They are small
    and never deleted."""
    publish_steps: Count = 25
    """Learning steps between updates of the actors' weights (EfficientZero: 100)."""
