"""Every setting of a run, typed, frozen and nested. A preset is a `Config`; the command line overrides single fields.

No torch here: the command line reads this file before it knows whether it needs a network at all.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

FORMAT = 1
"""Version of the JSON form. A reader refuses a newer one."""

Schedule = tuple[tuple[float, float], ...]
"""Steps over the training progress in [0, 1]: ((from, value), ...), first `from` is 0."""

T = TypeVar("T")


class ConfigError(ValueError):
    """A setting that is unknown, of the wrong type or out of range; the message names it and the mend."""


def at(schedule: Schedule, progress: float) -> float:
    """The value of a piecewise-constant schedule at `progress` in [0, 1]."""
    value = schedule[0][1]
    for start, candidate in schedule:
        if progress >= start:
            value = candidate
    return value


@dataclass(frozen=True)
class ScalarConfig:
    """How a network states a scalar (value or reward)."""

    kind: Literal["categorical", "scalar"] = "categorical"
    """categorical: two-hot cross-entropy over `bins`; scalar: squared error."""
    low: float = -1.0
    high: float = 1.0
    """Ends of the support (after the transform when there is one)."""
    bins: int = 3
    transform: bool = False
    """Squash by h(x) = sign(x)(sqrt(|x| + 1) - 1) + 0.001 x before the two-hot."""


@dataclass(frozen=True)
class ModelConfig:
    """The learned latent model: representation h, dynamics g, prediction f."""

    network: Literal["mlp", "resnet"] = "mlp"
    width: int = 64
    """mlp: units of the latent. resnet: channels of the latent."""
    hidden: int = 128
    """mlp: units of the one hidden layer. resnet: units of the pooled heads' hidden layer."""
    representation_blocks: int = 2
    """resnet: residual blocks of h."""
    dynamics_blocks: int = 1
    """resnet: residual blocks of g."""
    norm: Literal["none", "batch"] = "none"
    """resnet: normalisation inside the blocks."""
    latent_norm: Literal["layer", "rms", "minmax"] = "layer"
    position_bias: bool = True
    """resnet: a learned bias for each place of the board."""
    value: ScalarConfig = field(default_factory=ScalarConfig)
    reward: ScalarConfig = field(default_factory=ScalarConfig)
    discount: Literal["fixed", "learned"] = "fixed"
    """fixed: the sign follows from the game (it must alternate, or have one player).
    learned: a head predicts end / same player / other player."""
    reconstruction: bool = False
    """A linear decoder from every latent back to the observation (a training aid)."""
    consistency: bool = False
    """A projector and predictor for self-consistency of latents (a training aid)."""


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


@dataclass(frozen=True)
class SelfPlayConfig:
    """How games are played for training."""

    games: int = 256
    """Games in lockstep in each actor: the batch of the search."""
    simulations_share: Schedule = ((0.0, 1.0),)
    """Share of `search.simulations` spent on a move, over the training progress: few early, many late."""
    temperature: Schedule = ((0.0, 1.0),)
    """pUCT: moves are drawn in proportion to visits^(1/T); 0 plays the most visited. Gumbel draws by itself."""
    temperature_moves: int = 30
    """Moves of a game after which the temperature is 0."""
    opening_fraction: float = 0.0
    opening_plies: int = 0
    """This share of games opens with 0..opening_plies uniformly random moves."""
    random_fraction: float = 0.0
    """Share of later moves that are uniformly random. Value targets are cut at a random move."""
    max_moves: int = 512
    """A longer game is cut there; the last search value stands for the rest."""
    warmup_positions: int = 0
    """Positions from uniformly random play before the first learning step; they leave with the window."""


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
    """A replay that would be larger is refused with the size it needs."""


@dataclass(frozen=True)
class LearnerConfig:
    batch: Schedule = ((0.0, 256.0),)
    """Positions a step over the training progress."""
    unroll: int = 3
    """K, learned steps after the root."""
    td_steps: int = 1_000
    """n of the n-step value target; longer than the game means the outcome."""
    search_share: float = 0.0
    """Share of the search's own root value in the value target; the rest is the n-step return. Less noise from
    exploring moves, more of the network's own opinion."""
    gamma: float = 1.0
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
    value_weight: float = 1.0
    reward_weight: float = 1.0
    policy_weight: float = 1.0
    discount_weight: float = 1.0
    consistency_weight: float = 0.0
    reconstruction_weight: float = 0.0
    absorbing: bool = True
    """Train steps past the end with random actions to value 0 and reward 0."""
    symmetries: bool = True
    """Draw a random symmetry of the game for each sample."""
    ema: float = 0.0
    """Decay of the averaged weights used for play; 0 plays with the newest weights."""
    replay_ratio: float = 2.0
    """Samples drawn for each position played."""
    reanalyse_fraction: float = 0.0
    """Share of each batch whose stored searches are redone with the newest weights."""


@dataclass(frozen=True)
class TrainConfig:
    steps: int = 4_000
    """Learning steps; 0 = no limit."""
    minutes: float = 0.0
    """Minutes of training; 0 = no limit. When set, schedules follow the time."""
    horizon: int = 0
    """Steps over which schedules run; 0 = `steps`."""
    seed: int = 0
    actors: int = 1
    """Self-play processes beside the learner; 0 = one process, deterministic."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 1
    """torch threads in each process on a CPU."""
    log_seconds: float = 2.0
    checkpoint_seconds: float = 45.0
    evaluate_minutes: float = 1.0
    """Minutes between short matches during training, for the display; 0 = none."""
    evaluate_against: str = "random"
    """Their opponent: random, mcts:N or perfect."""
    evaluate_games: int = 20
    publish_steps: int = 25
    """Learning steps between weights sent to the actors."""


@dataclass(frozen=True)
class Config:
    game: str = "tic_tac_toe"
    model: ModelConfig = field(default_factory=ModelConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    """Search in self-play."""
    play: SearchConfig = field(default_factory=lambda: SearchConfig(algorithm="puct", simulations=100))
    """Search in play and evaluation."""
    selfplay: SelfPlayConfig = field(default_factory=SelfPlayConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)
    learner: LearnerConfig = field(default_factory=LearnerConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        check(self)


def to_json(config: Config) -> dict[str, Any]:
    """The config as JSON values, with the format's version."""
    return {"format": FORMAT, **dataclasses.asdict(config)}


def from_json(data: Any) -> Config:
    """A config from `to_json`'s form. Raises ConfigError naming an unknown, missing or ill-typed key."""
    if not isinstance(data, dict):
        raise ConfigError(f"a config is a JSON object, got {type(data).__name__}")
    fields = dict(data)
    version = fields.pop("format", None)
    if not isinstance(version, int) or version > FORMAT:
        raise ConfigError(f"config format {version!r} is newer than this version reads ({FORMAT}); update muzero")
    return _build(Config, fields, "")


def _build(cls: type[T], data: Any, path: str) -> T:
    if not isinstance(data, dict):
        raise ConfigError(f"{path or 'config'}: an object wanted, got {type(data).__name__}")
    hints = typing.get_type_hints(cls)
    for key in data:
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1)
            hint = f"; nearest: {path}{near[0]}" if near else f"; known: {', '.join(hints)}"
            raise ConfigError(f"unknown setting {path}{key}{hint}")
    values = {key: _convert(hints[key], value, f"{path}{key}") for key, value in data.items()}
    return cls(**values)


def _convert(hint: Any, value: Any, path: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value, f"{path}.")
    if typing.get_origin(hint) is Literal:
        choices = typing.get_args(hint)
        if value not in choices:
            near = difflib.get_close_matches(str(value), [str(c) for c in choices], n=1)
            raise ConfigError(f"{path}: {value!r} is none of {', '.join(map(str, choices))}"
                              + (f"; nearest: {near[0]}" if near else ""))
        return value
    if hint == Schedule:
        return _schedule(value, path)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and not isinstance(hint, types.GenericAlias):
        if type(value) is not hint:
            raise ConfigError(f"{path}: {hint.__name__} wanted, got {value!r}")
        return value
    raise ConfigError(f"{path}: no reader for {hint}")


def _schedule(value: Any, path: str) -> Schedule:
    ok = isinstance(value, (list, tuple)) and len(value) > 0 and all(
        isinstance(point, (list, tuple)) and len(point) == 2
        and all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in point)
        for point in value
    )
    if not ok:
        raise ConfigError(f"{path}: a schedule is [[from, value], ...], got {value!r}")
    return tuple((float(start), float(number)) for start, number in value)


def replace(config: Config, overrides: dict[str, Any]) -> Config:
    """`config` with dotted overrides such as {"search.simulations": 64}."""
    data = dataclasses.asdict(config)
    for key, value in overrides.items():
        node = data
        *parents, leaf = key.split(".")
        for depth, name in enumerate(parents):
            if not isinstance(node.get(name), dict):
                raise ConfigError(f"unknown setting {'.'.join(parents[: depth + 1])}")
            node = node[name]
        node[leaf] = value
    return _build(Config, data, "")


def check(config: Config) -> None:
    """Refuse values no run could use. Raises ConfigError naming the setting."""
    _check_schedules(config)
    _check_positive(config)
    _check_ranges(config)
    for name, search in (("search", config.search), ("play", config.play)):
        if search.scale == "fixed" and not search.low < search.high:
            raise ConfigError(f"{name}.low must be below {name}.high, got {search.low} and {search.high}")
    for name, scalar in (("value", config.model.value), ("reward", config.model.reward)):
        if scalar.kind == "categorical" and (scalar.bins < 2 or not scalar.low < scalar.high):
            raise ConfigError(f"model.{name}: at least 2 bins and low < high wanted, got {scalar}")
    if config.replay.capacity < config.replay.min_positions:
        raise ConfigError(f"replay.capacity ({config.replay.capacity}) must hold replay.min_positions "
                          f"({config.replay.min_positions})")
    if config.train.steps == 0 and config.train.minutes == 0.0:
        raise ConfigError("train.steps or train.minutes must set a limit")


def _check_schedules(config: Config) -> None:
    schedules = {"selfplay.simulations_share": config.selfplay.simulations_share, "learner.batch": config.learner.batch,
                 "selfplay.temperature": config.selfplay.temperature}
    limits = {"selfplay.simulations_share": (1e-6, 1.0), "learner.batch": (1.0, 1e6),
              "selfplay.temperature": (0.0, 1e3)}
    for name, schedule in schedules.items():
        starts = [start for start, _ in schedule]
        if not starts or starts[0] != 0.0 or starts != sorted(starts) or starts[-1] > 1.0:
            raise ConfigError(f"{name}: starts must rise from 0 to at most 1, got {starts}")
        lowest, highest = limits[name]
        if not all(lowest <= value <= highest for _, value in schedule):
            raise ConfigError(f"{name}: values from {lowest:g} to {highest:g} wanted, got {schedule}")


def _check_positive(config: Config) -> None:
    counts = {
        "model.width": config.model.width, "model.hidden": config.model.hidden,
        "search.simulations": config.search.simulations, "play.simulations": config.play.simulations,
        "selfplay.games": config.selfplay.games, "replay.capacity": config.replay.capacity,
        "replay.min_positions": config.replay.min_positions, "learner.unroll": config.learner.unroll,
        "learner.td_steps": config.learner.td_steps, "learner.learning_rate": config.learner.learning_rate,
        "learner.clip": config.learner.clip, "learner.replay_ratio": config.learner.replay_ratio,
        "train.threads": config.train.threads, "train.publish_steps": config.train.publish_steps,
        "search.threads": config.search.threads, "play.threads": config.play.threads,
        "search.max_considered": config.search.max_considered, "selfplay.max_moves": config.selfplay.max_moves,
    }
    for name, value in counts.items():
        if not value > 0:
            raise ConfigError(f"{name} must be above 0, got {value}")


def _check_ranges(config: Config) -> None:
    shares = {
        "learner.gamma": config.learner.gamma, "learner.warmup": config.learner.warmup,
        "learner.decay_from": config.learner.decay_from, "learner.final_rate": config.learner.final_rate,
        "learner.state_gradient": config.learner.state_gradient, "learner.ema": config.learner.ema,
        "learner.reanalyse_fraction": config.learner.reanalyse_fraction,
        "learner.search_share": config.learner.search_share,
        "replay.window_fraction": config.replay.window_fraction,
        "search.dirichlet_fraction": config.search.dirichlet_fraction,
        "selfplay.opening_fraction": config.selfplay.opening_fraction,
        "selfplay.random_fraction": config.selfplay.random_fraction,
    }
    for name, value in shares.items():
        if not 0.0 <= value <= 1.0:
            raise ConfigError(f"{name} must lie in [0, 1], got {value}")
    for name, number in (("train.actors", config.train.actors), ("train.steps", config.train.steps),
                         ("train.minutes", config.train.minutes)):
        if number < 0:
            raise ConfigError(f"{name} must not be negative, got {number}")
