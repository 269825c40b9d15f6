"""Every setting of a run, typed, frozen and nested. A preset is a `Config`; the command line overrides single fields.

No torch here: the command line reads this file before it knows whether it needs a network at all.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import games
from games.single import is_own

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

    dynamics: Literal["learned", "rules"] = "learned"
    """learned: MuZero. rules: AlphaZero: the search makes its moves by the game's own rules, h and f judge real
    positions, and there is no g."""
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
    """A linear decoder from every imagined latent back to the observation (a training aid)."""
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
    """Threads of the tree; results don't depend on it. 0 = by this machine when training starts."""


@dataclass(frozen=True)
class SelfPlayConfig:
    """How games are played for training."""

    games: int = 256
    """Games in lockstep in each actor: the batch of the search. 0 = the fewest that are about as fast as any number,
    measured on this machine when a run begins; fixed where train.actors is 0."""
    simulations_share: Schedule = ((0.0, 1.0),)
    """Share of `search.simulations` spent on a move, over the training progress: few early, many late."""
    temperature: Schedule = ((0.0, 1.0),)
    """pUCT: moves are drawn in proportion to visits^(1/T); 0 plays the most visited. Gumbel draws by itself."""
    temperature_moves: int = 30
    """Moves of a game after which the temperature is 0."""
    gumbel_moves: int = 0
    """Gumbel: moves of a game after which the tried action of the highest improved policy is played, whatever the noise
    drew; 0 = never."""
    full_search_fraction: float = 1.0
    """Share of the moves that are searched in full. The others are searched quickly and without noise, and train value
    and reward but no policy (Wu 2019, section 3.1)."""
    fast_share: float = 0.25
    """Share of a full search's simulations that a quick one has."""
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
    surprise_share: float = 0.0
    """Share of the samples drawn in proportion to surprise, KL(search policy || network's policy), within the window;
    the rest uniformly."""
    reanalyse_fraction: float = 0.0
    """Stored positions searched again with the newest weights, for each sample drawn: 0.5 is one for two samples."""
    reanalyse_batch: int = 512
    """Positions of one such search."""
    graphs: Literal["auto", "off"] = "auto"
    """On CUDA, a step runs as one recorded graph; off starts its kernels one by one, which is slower."""


@dataclass(frozen=True)
class TrainConfig:
    steps: int = 4_000
    """Learning steps; 0 = no limit."""
    minutes: float = 0.0
    """Minutes of training; 0 = no limit. When set, schedules follow the time."""
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
    snapshot_minutes: float = 0.0
    """Minutes of training between agents left behind in RUN/snapshots, to be rated later; 0 = none. They are small and
    stay for good."""
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

    @property
    def unroll(self) -> int:
        """K, the steps that are unrolled for the loss: 0 without learned dynamics, where each position is trained by
        itself."""
        return self.learner.unroll if self.model.dynamics == "learned" else 0


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
        return _real(value, path)
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
    return tuple((_real(start, path), _real(number, path)) for start, number in value)


def _real(value: float, path: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ConfigError(f"{path}: a number of {len(str(value))} digits is too large") from None


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


MCTS_MOST = 10_000_000
"""Simulations of an `mcts:N` player at most."""
POSITION_BYTES = 16
"""A stored position takes more than this in any game; what a replay really takes is known with its game."""
ABOVE_0 = math.ulp(0.0)
SHARE = (0.0, 1.0)
WEIGHT = (0.0, 1e6)
COUNT = (1, 1 << 40)
COUNT_OR_0 = (0, 1 << 40)
SIZE = (1, 1 << 20)
SIZE_OR_0 = (0, 1 << 20)
THREADS = (1, 1 << 10)
THREADS_OR_0 = (0, 1 << 10)
SEED = (0, (1 << 63) - 1)
NUMBER = (-1e9, 1e9)

BOUNDS: dict[str, tuple[float, float]] = {
    "model.width": (1, 1 << 16), "model.hidden": (1, 1 << 16), "model.representation_blocks": (0, 256),
    "model.dynamics_blocks": (0, 256), "model.value.low": NUMBER, "model.value.high": NUMBER,
    "model.value.bins": (1, 1 << 16), "model.reward.low": NUMBER, "model.reward.high": NUMBER,
    "model.reward.bins": (1, 1 << 16),
    "search.simulations": SIZE, "search.low": NUMBER, "search.high": NUMBER, "search.epsilon": (ABOVE_0, 1e9),
    "search.c_init": WEIGHT, "search.c_base": (ABOVE_0, 1e12), "search.dirichlet_alpha": (1e-6, 1e6),
    "search.dirichlet_fraction": SHARE, "search.c_visit": WEIGHT, "search.c_scale": WEIGHT,
    "search.max_considered": SIZE, "search.gumbel_scale": WEIGHT, "search.threads": THREADS_OR_0,
    "selfplay.games": SIZE_OR_0, "selfplay.simulations_share": (1e-6, 1.0), "selfplay.temperature": (0.0, 1e3),
    "selfplay.temperature_moves": SIZE_OR_0, "selfplay.gumbel_moves": SIZE_OR_0,
    "selfplay.full_search_fraction": (ABOVE_0, 1.0), "selfplay.fast_share": (1e-6, 1.0),
    "selfplay.opening_fraction": SHARE,
    "selfplay.opening_plies": SIZE_OR_0, "selfplay.random_fraction": SHARE, "selfplay.max_moves": SIZE,
    "selfplay.warmup_positions": COUNT_OR_0,
    "replay.capacity": COUNT, "replay.window_fraction": SHARE, "replay.min_window": COUNT_OR_0,
    "replay.min_positions": COUNT, "replay.alpha": (0.0, 2.0), "replay.beta": (0.0, 2.0),
    "replay.memory_limit_mb": (1, 1 << 30),
    "learner.batch": (1.0, 1e6), "learner.unroll": (1, 64), "learner.td_steps": SIZE,
    "learner.search_share": SHARE, "learner.gamma": SHARE, "learner.learning_rate": (ABOVE_0, 1e3),
    "learner.final_rate": SHARE, "learner.warmup": SHARE, "learner.decay_from": SHARE,
    "learner.weight_decay": (0.0, 1e3), "learner.clip": (ABOVE_0, 1e9), "learner.state_gradient": SHARE,
    "learner.value_weight": WEIGHT, "learner.reward_weight": WEIGHT, "learner.policy_weight": WEIGHT,
    "learner.discount_weight": WEIGHT, "learner.consistency_weight": WEIGHT,
    "learner.reconstruction_weight": WEIGHT, "learner.ema": SHARE, "learner.replay_ratio": (ABOVE_0, 1e6),
    "learner.surprise_share": SHARE,
    "learner.reanalyse_fraction": SHARE, "learner.reanalyse_batch": SIZE,
    "train.steps": COUNT_OR_0, "train.minutes": (0.0, 1e7), "train.horizon": COUNT_OR_0, "train.seed": SEED,
    "train.actors": (-1, 256), "train.threads": THREADS, "train.log_seconds": (0.0, 1e9),
    "train.checkpoint_seconds": (0.0, 1e9), "train.evaluate_minutes": (0.0, 1e9), "train.evaluate_games": (2, 1 << 20),
    "train.publish_steps": COUNT, "train.snapshot_minutes": (0.0, 1e7),
}
"""Lowest and highest value of every number (of every step, for a schedule); `play` has those of `search`, see
`bounds`."""


def bounds(name: str) -> tuple[float, float]:
    """Lowest and highest value of a setting by its dotted name."""
    # Threads of self-play's tree may be left to the machine; play is searched wherever an agent is loaded.
    if name == "play.threads":
        return THREADS
    section, _, setting = name.partition(".")
    return BOUNDS[f"search.{setting}" if section == "play" else name]



AUTO = {"selfplay.games": 0, "train.actors": -1, "search.threads": 0}
"""Settings that may be left to the machine, and the value that says so. `muzero.sizing.resolve` puts numbers there
before a run is made; nothing else reads these values."""


def unresolved(config: Config) -> list[str]:
    """The settings of `AUTO` that are still left to the machine."""
    return [name for name, auto in AUTO.items() if _value(config, name) == auto]


def check_resolved(config: Config) -> None:
    """Refuse a config that still leaves a number to the machine, where the number is needed. Raises ConfigError."""
    for name in unresolved(config):
        raise ConfigError(f"{name} is {AUTO[name]}, left to the machine: a number wanted here; "
                          "muzero.sizing.resolve(config) chooses it")


def _value(config: Config, name: str) -> Any:
    section, _, setting = name.partition(".")
    return getattr(getattr(config, section), setting)


FIXED = ("game", "model.", "replay.capacity", "replay.prioritized", "train.seed")
"""Settings (and groups of them) that everything stored in a run depends on."""


def changes(old: Config, new: Config) -> dict[str, tuple[Any, Any]]:
    """Dotted name -> (old value, new value) of each setting that differs."""
    return dict(_differences(dataclasses.asdict(old), dataclasses.asdict(new), ""))


def _differences(old: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for name, value in old.items():
        if isinstance(value, dict):
            yield from _differences(value, new[name], f"{path}{name}.")
        elif value != new[name]:
            yield f"{path}{name}", (value, new[name])


def check_continues(where: object, stored: Config, config: Config) -> dict[str, tuple[Any, Any]]:
    """What changes when the run in `where` goes on with `config`. Raises ConfigError for what can't change."""
    changed = changes(stored, config)
    # Unfinished games are stored only where they are played in the learner's own process.
    fixed = (*FIXED, "selfplay.games") if stored.train.actors == config.train.actors == 0 else FIXED
    for name, (old, new) in changed.items():
        if name.startswith(fixed):
            raise ConfigError(
                f"{where} was made with {name} {old}, which can't become {new} on the way\n"
                "  choose another folder with --out, or start anew with --fresh (the old run is set aside)")
    return changed


def check(config: Config) -> None:
    """Refuse values no run could use. Raises ConfigError naming the setting."""
    _check_numbers(config, "")
    for name, search in (("search", config.search), ("play", config.play)):
        if not search.low < search.high:
            raise ConfigError(f"{name}.low must be below {name}.high, got {search.low} and {search.high}")
    for name, scalar in (("value", config.model.value), ("reward", config.model.reward)):
        if scalar.kind == "categorical" and (scalar.bins < 2 or not scalar.low < scalar.high):
            raise ConfigError(f"model.{name}: at least 2 bins and low < high wanted, got {scalar}")
    _check_aids(config)
    if config.model.dynamics == "rules":
        _check_rules(config)
    _check_replay(config.replay)
    if config.replay.prioritized and config.learner.surprise_share > 0.0:
        raise ConfigError(f"replay.prioritized and learner.surprise_share ({config.learner.surprise_share:g}) both say "
                          "what is drawn: one of them wanted")
    if config.train.steps == 0 and config.train.minutes == 0.0:
        raise ConfigError("train.steps or train.minutes must set a limit")
    if config.train.clock == "cpu" and config.train.actors != 0:
        raise ConfigError("train.clock cpu counts one process: set train.actors to 0")
    _check_evaluation(config.train.evaluate_games, config.train.evaluate_against)


def _check_evaluation(games: int, against: str) -> None:
    if games % 2:
        raise ConfigError(f"train.evaluate_games must be even, the same for both seats, got {games}")
    if against not in ("random", "perfect") and not names_mcts(against):
        near = difflib.get_close_matches(against, ("random", "perfect", "mcts:100"), n=1)
        raise ConfigError(f"train.evaluate_against: {against!r} is none of random, mcts:N (N up to {MCTS_MOST:,}), "
                          "perfect" + (f"; nearest: {near[0]}" if near else ""))


def names_mcts(text: str) -> bool:
    """True for `mcts` and for `mcts:N` with a usable number N of simulations."""
    kind, colon, number = text.partition(":")
    short = number.isascii() and number.isdecimal() and len(number) <= len(str(MCTS_MOST))
    return kind == "mcts" and (not colon or (short and 1 <= int(number) <= MCTS_MOST))


def _check_numbers(settings: Any, path: str) -> None:
    for setting in dataclasses.fields(settings):
        name, value = f"{path}{setting.name}", getattr(settings, setting.name)
        if dataclasses.is_dataclass(value):
            _check_numbers(value, f"{name}.")
        elif isinstance(value, tuple):
            _check_schedule(name, value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            _check_number(name, value)


def _check_number(name: str, value: float) -> None:
    low, high = bounds(name)
    # Also false for NaN.
    if not low <= value <= high:
        least = "above 0" if low == ABOVE_0 else f"at least {_plain(low)}"
        raise ConfigError(f"{name} must be {least} and at most {_plain(high)}, got {value}")


def _plain(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:,.15g}"


def _check_schedule(name: str, schedule: Schedule) -> None:
    starts = [start for start, _ in schedule]
    if not starts or starts[0] != 0.0 or starts != sorted(starts) or not all(0.0 <= start <= 1.0 for start in starts):
        raise ConfigError(f"{name}: starts must rise from 0 to at most 1, got {starts}")
    for _, value in schedule:
        _check_number(name, value)


def _check_aids(config: Config) -> None:
    """A part of the model that no loss trains, or a loss without its part, is a mistake."""
    weights = {"reconstruction": config.learner.reconstruction_weight, "consistency": config.learner.consistency_weight}
    for name, weight in weights.items():
        if getattr(config.model, name) != (weight > 0):
            raise ConfigError(f"model.{name} ({getattr(config.model, name)}) and learner.{name}_weight ({weight:g}) "
                              "belong together: both or neither wanted")


def _check_rules(config: Config) -> None:
    """Refuse what has no meaning, or can't be had, where the game's own rules are searched."""
    why = "model.dynamics rules"
    for name in ("reconstruction", "consistency"):
        if getattr(config.model, name):
            raise ConfigError(f"{why} has no imagined positions to train: set model.{name} to False and "
                              f"learner.{name}_weight to 0")
    if config.learner.reanalyse_fraction > 0:
        raise ConfigError(f"{why} searches from the history of a game, which stored positions don't have: set "
                          f"learner.reanalyse_fraction to 0, got {config.learner.reanalyse_fraction:g}")
    if is_own(config.game):
        raise ConfigError(f"{why} knows the rules of OpenSpiel's games alone: set model.dynamics to learned for "
                          f"{config.game}")
    try:
        spec = games.spec(config.game)
    except games.GameError as error:
        raise ConfigError(str(error)) from error
    if spec.stochastic:
        raise ConfigError(f"{why} can't search a game with chance: set model.dynamics to learned for {spec.name}")


def _check_replay(replay: ReplayConfig) -> None:
    if replay.capacity < replay.min_positions:
        raise ConfigError(f"replay.capacity ({replay.capacity}) must hold replay.min_positions "
                          f"({replay.min_positions})")
    least = replay.capacity * POSITION_BYTES >> 20
    if least > replay.memory_limit_mb:
        raise ConfigError(f"replay.capacity {replay.capacity} needs more than {least:,} MB, replay.memory_limit_mb is "
                          f"{replay.memory_limit_mb:,}; lower the capacity or raise the limit")
    if replay.prioritized and replay.window_fraction < 1.0:
        raise ConfigError(f"replay.prioritized draws from all positions kept: replay.window_fraction must be 1, "
                          f"got {replay.window_fraction}")
    if replay.window_fraction == 0.0 and replay.min_window == 0:
        raise ConfigError("replay.window_fraction and replay.min_window are both 0: nothing could be drawn")
