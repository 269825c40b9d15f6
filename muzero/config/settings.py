"""The sections of a config: every setting with its default, typed and frozen.

No torch here: the command line reads this file before it knows whether it needs a network at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from selfplay.settings import Schedule

EPSILON = 0.001
"""Slope of the value transform far out."""


def squashed(x: float) -> float:
    """The value transform h(x) = sign(x)(sqrt(|x| + 1) - 1) + EPSILON x."""
    return math.copysign(math.sqrt(abs(x) + 1.0) - 1.0, x) + EPSILON * x


def unsquashed(y: float) -> float:
    """The inverse of `squashed`."""
    root = math.sqrt(1.0 + 4.0 * EPSILON * (abs(y) + 1.0 + EPSILON))
    return math.copysign(((root - 1.0) / (2.0 * EPSILON)) ** 2 - 1.0, y)


def raised(number: float) -> float:
    """The next larger number of two digits, for a positive one."""
    step = 10.0 ** (math.floor(math.log10(number)) - 1)
    return float(f"{math.ceil(number / step - 1e-9) * step:.1e}")


@dataclass(frozen=True)
class ScalarConfig:
    """How a network states a scalar (value or reward)."""

    kind: Literal["categorical", "scalar"] = "categorical"
    """categorical: two-hot cross-entropy over `bins`; scalar: squared error."""
    low: float = -1.0
    high: float = 1.0
    """Ends of the support (after the transform when there is one)."""
    bins: int = 3
    """Places of the support, evenly spaced. 0 = by what random games pay before a run is made: as many, and ends as far
    out, as the game's returns need, with a scale and an offset."""
    transform: bool = False
    """Squash by h(x) = sign(x)(sqrt(|x| + 1) - 1) + EPSILON x before the two-hot."""
    scale: float = 1.0
    """What counts as 1: the network states (x - offset) / scale, so that games that pay thousandths or thousands are
    learned alike. Search and targets stay in the game's own units."""
    offset: float = 0.0
    """What counts as 0, for games whose every move pays about the same large amount."""

    @property
    def reach(self) -> tuple[float, float]:
        """The smallest and the largest scalar that can be stated, in the game's units."""
        if self.kind == "scalar":
            return -math.inf, math.inf
        return self._meant(self.low), self._meant(self.high)

    def _meant(self, y: float) -> float:
        """What the place y of the support stands for."""
        return self.offset + self.scale * (unsquashed(y) if self.transform else y)


@dataclass(frozen=True)
class ModelConfig:
    """The learned latent model: representation h, dynamics g, prediction f."""

    dynamics: Literal["learned", "rules"] = "learned"
    """learned: MuZero. rules: AlphaZero: the search makes its moves by the game's own rules, h and f judge real
    positions, and there is no g."""
    network: Literal["mlp", "resnet", "pixels"] = "mlp"
    """resnet: convolutions over a board. pixels: the same, after a picture was made a sixteenth as high and wide."""
    width: int = 64
    """mlp: units of the latent. Others: channels of the latent."""
    hidden: int = 128
    """mlp: units of the one hidden layer. Others: units of the pooled heads' hidden layer."""
    representation_blocks: int = 2
    """resnet: residual blocks of h. pixels: after each of the last two of its four halvings."""
    picture_blocks: int = 1
    """pixels: residual blocks after each of the first two halvings, where they cost most."""
    dynamics_blocks: int = 1
    """resnet, pixels: residual blocks of g."""
    standardise: bool = False
    """pixels: each pixel as its difference from the mean at its place, in deviations, over the positions there are
    before the first learning step. Without it, or batch norm, things of a few pixels are hardly ever learned."""
    norm: Literal["none", "batch"] = "none"
    """resnet, pixels: normalisation inside the blocks."""
    latent_norm: Literal["layer", "rms", "minmax"] = "layer"
    position_bias: bool = True
    """resnet, pixels: a learned bias for each place of the latent board."""
    value: ScalarConfig = field(default_factory=ScalarConfig)
    reward: ScalarConfig = field(default_factory=ScalarConfig)
    prefix: int = 0
    """Moves whose rewards are stated as one sum, by a network with a memory (value prefix); 0 = each by itself."""
    prefix_hidden: int = 64
    """Units of that memory."""
    discount: Literal["fixed", "learned"] = "fixed"
    """fixed: the sign follows from the game (it must alternate, or have one player).
    learned: a head predicts end / same player / other player."""
    reconstruction: bool = False
    """A linear decoder from every imagined latent back to the observation (a training aid)."""
    consistency: bool = False
    """A projector and predictor for self-consistency of latents (a training aid)."""
    consistency_width: int = 128
    """Units of that projection."""


@dataclass(frozen=True)
class SearchConfig:
    """One batched tree search. Field names are those of `cpp_mcts.Search`."""

    simulations: int = 32
    algorithm: Literal["gumbel", "puct"] = "gumbel"
    scale: Literal["fixed", "minmax", "siblings"] = "fixed"
    """How Q is brought into [0, 1]: by known bounds, by the tree's extremes, by the node's own."""
    low: float = -1.0
    high: float = 1.0
    """Bounds of Q for scale = fixed."""
    mirror: bool = True
    """scale = minmax: every Q widens the bounds on both sides, as two players with opposite interests need."""
    epsilon: float = 1e-8
    """scale = minmax or siblings: least width of the bounds."""
    c_init: float = 1.25
    c_base: float = 19652.0
    unvisited: Literal["worst", "parent", "siblings"] = "parent"
    """pUCT: what an unvisited child's Q counts as."""
    dirichlet_alpha: float = 0.3
    dirichlet_fraction: float = 0.0
    """pUCT: noise on the root's prior, over legal actions."""
    c_visit: float = 50.0
    c_scale: float = 1.0
    max_considered: int = 16
    gumbel_scale: float = 1.0
    """Gumbel: 0 makes the choice deterministic (evaluation)."""
    threads: int = 1
    """Threads of the tree; results don't depend on it. 0 = by this machine when training starts."""

    @property
    def noise(self) -> float:
        """How much chance there is in the choice at the root; 0 = none."""
        return self.gumbel_scale if self.algorithm == "gumbel" else self.dirichlet_fraction

    def with_noise(self, noise: float) -> SearchConfig:
        """The same search with as much chance at the root."""
        if self.algorithm == "gumbel":
            return replace(self, gumbel_scale=noise)
        return replace(self, dirichlet_fraction=noise)

    @property
    def tree_settings(self) -> dict[str, float | str | bool]:
        """What `cpp_mcts.Search` calls its settings: all of these but `simulations`, which is one of its sizes."""
        return {name: setting for name, setting in vars(self).items() if name != "simulations"}


@dataclass(frozen=True)
class AloneConfig:
    """How a trained agent plays a game of one player."""

    repeats: Literal["same", "next"] = "same"
    """An observation that has come before in the same game. same: what the search prefers, again, and a circle is
    walked to the end of the game; next: the second best move when it comes again, then the third, and so on; in games
    of chance, or seen in part, a move drawn from the search's policy."""


@dataclass(frozen=True)
class ReplayConfig:
    capacity: int = 50_000
    """Positions kept at most. The memory is reserved at once and printed before the start."""
    window_fraction: float = 1.0
    """Only the newest share of all positions ever played is drawn from..."""
    min_window: int = 0
    """...but never fewer than this many."""
    min_positions: int = 2_000
    """Positions needed before learning starts."""
    prioritized: bool = False
    alpha: float = 0.6
    beta: float = 0.4
    memory_limit_mb: int = 4_096
    """In units of 10^6 bytes. A replay that would be larger is refused with the size it needs."""


@dataclass(frozen=True)
class LearnerConfig:
    batch: Schedule = ((0.0, 256.0),)
    """Positions a step over the training progress."""
    unroll: int = 3
    """K, learned steps after the root."""
    td_steps: int = 1_000
    """n of the n-step value target; longer than the game means the outcome."""
    td_age: int = 0
    """Positions played after which a stored position's n falls by one, down to 1, as what followed there was played by
    an older agent (Ye et al. 2021, section 4.3); 0 = never."""
    search_share: float = 0.0
    """Share of the search's own root value in the value target; the rest is the n-step return. Less noise from
    exploring moves, more of the network's own opinion."""
    gamma: float = 1.0
    optimizer: Literal["adamw", "muon"] = "adamw"
    """muon: the matrices of hidden layers move along orthogonalised momentum, all else by AdamW."""
    learning_rate: float = 5e-3
    final_rate: float = 0.1
    """Learning rate at the end, as a share of the first."""
    warmup: float = 0.05
    """Share of the training spent raising the learning rate linearly from 0."""
    decay_from: float = 0.05
    """Progress at which the cosine decay starts."""
    weight_decay: float = 1e-4
    clip: float = 5.0
    """Largest norm of the gradient."""
    state_gradient: float = 0.5
    """Factor on the gradient that flows back through a latent into the step before."""
    step_weights: Literal["mean", "equal"] = "mean"
    """Of K unrolled steps each weighs 1/K. The position they start from weighs 1 (mean; Schrittwieser et al. 2020,
    appendix G) or 1/K as well (equal; Ye et al. 2021)."""
    value_weight: float = 1.0
    reward_weight: float = 1.0
    policy_weight: float = 1.0
    discount_weight: float = 1.0
    consistency_weight: float = 0.0
    consistency_steps: int = 0
    """Imagined steps, from the first on, compared with the position really reached; 0 = all. Each takes one h more."""
    reconstruction_weight: float = 0.0
    absorbing: bool = True
    """Train steps past the end with random actions to value 0 and reward 0."""
    symmetries: bool = True
    """Draw a random symmetry of the game for each sample."""
    shift: int = 0
    """Pictures are moved by up to this many pixels at random, up or down and sideways, their edges repeated."""
    ema: float = 0.0
    """Decay of the averaged weights used for play; 0 plays with the newest weights."""
    replay_ratio: float = 2.0
    """Samples drawn for each position played."""
    reanalyse_fraction: float = 0.0
    """Stored positions searched again with the newest weights, for each sample drawn: 0.5 is one for two samples."""
    reanalyse_batch: int = 512
    """Positions of one such search."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Numbers a learning step computes with, the weights being float32; auto: bfloat16 on CUDA, and for pictures where
    the processor multiplies it in hardware."""
    graphs: Literal["auto", "off"] = "auto"
    """On CUDA, a step runs as one recorded graph; off starts its kernels one by one, which is slower."""


@dataclass(frozen=True)
class TrainConfig:
    steps: int = 4_000
    """Learning steps; 0 = no limit."""
    minutes: float = 0.0
    """Minutes of training; 0 = no limit. When set, schedules follow the time."""
    positions: int = 0
    """Positions to play, each to be drawn `learner.replay_ratio` times; 0 = no limit. The last part of a game may go
    beyond. Schedules follow the samples where neither steps nor minutes are set."""
    clock: Literal["wall", "cpu"] = "wall"
    """What minutes are of: the wall clock, or CPU time of a run in one process, which other work on the machine hardly
    changes: for comparisons."""
    horizon: int = 0
    """Steps over which schedules run; 0 = `steps`."""
    seed: int = 0
    actors: int = 1
    """Self-play processes beside the learner; 0 = one process, deterministic. -1 = as many as this machine has cores,
    one on a GPU."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 1
    """torch threads in each process on a CPU."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Numbers self-play's networks compute with; auto: bfloat16 where the processor multiplies it in hardware. Play and
    evaluation use float32."""
    log_seconds: float = 2.0
    checkpoint_seconds: float = 45.0
    evaluate_minutes: float = 1.0
    """Minutes between short matches during training, for the display; 0 = none."""
    evaluate_against: str = "random"
    """Their opponent: random, mcts:N or perfect."""
    evaluate_games: int = 20
    evaluate_moves: int = 0
    """Moves after which a game of theirs is cut, counting with what it has been paid by then; 0 = the game's own limit,
    3,000 where it has none."""
    snapshot_minutes: float = 0.0
    """Minutes of training between agents left behind in RUN/snapshots, to be rated later; 0 = none. They are small and
    stay for good."""
    publish_steps: int = 25
    """Learning steps between weights sent to the actors."""
