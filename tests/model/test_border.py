"""What a model can't compute with is an error by name, never a confident move: weights, observations, overflow."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from recorders import Again
from test_prepared import CASES, SMALL, scatter
from torch import Tensor, nn

import games
from muzero.agent import Agent
from muzero.config import Config, LearnerConfig, ModelConfig, ScalarConfig, SearchConfig
from muzero.model import border
from muzero.model.build import WeightsError, build_model, search_model
from muzero.model.learned import LearnedModel
from muzero.model.networks import bounds
from muzero.model.prepared import PreparedModel
from muzero.model.protocol import SearchError
from muzero.search import tree
from muzero.search.inference import GraphedInference
from muzero.search.tree import TreeSearch

torch.set_num_threads(1)
REWARD = ScalarConfig(low=-3.0, high=3.0, bins=7)
NUMBERS = ("gym/CartPole-v1", ModelConfig(width=8, hidden=7))
KINDS: dict[str, tuple[str, ModelConfig]] = {
    **CASES,
    "numbers": NUMBERS,
    "minmax mlp": ("tic_tac_toe", ModelConfig(width=8, hidden=7, latent_norm="minmax")),
    "prefix": ("catch", ModelConfig(**SMALL, prefix=2, prefix_hidden=5, reward=REWARD)),
    "prefix mlp": ("gym/CartPole-v1", ModelConfig(width=8, hidden=7, prefix=2, prefix_hidden=5, reward=REWARD)),
    "rules": ("tic_tac_toe", ModelConfig(**SMALL, dynamics="rules")),
    "aids": ("tic_tac_toe", ModelConfig(**SMALL, reconstruction=True, consistency=True)),
}
"""Every network there is, and each of its parts."""
MOVES = [torch.tensor([0, 1, 0]), torch.tensor([1, 1, 0])]


def made(name: str) -> LearnedModel:
    game, config = KINDS[name]
    model = LearnedModel(games.spec(game), config, 0.97).eval().requires_grad_(False)
    scatter(model, 0)
    return model


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value for name, value in model.state_dict().items() if value.is_floating_point()}


@contextmanager
def spoilt(value: Tensor, bad: float) -> Iterator[None]:
    """One entry of a tensor is `bad` meanwhile."""
    flat = value.view(-1) if value.is_contiguous() else value.permute(0, 2, 3, 1).view(-1)
    place = len(flat) // 2
    before = float(flat[place])
    flat[place] = bad
    yield
    flat[place] = before


def root(model: Any, game: str, change: Callable[[Tensor], None] = lambda _: None) -> Any:
    batch = games.make(game, 3)
    obs = torch.from_numpy(batch.observe().astype(np.float32))
    change(obs)
    return model.root(obs, torch.from_numpy(batch.legal()))


# --- weights ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", KINDS)
def test_a_weight_that_is_not_finite_is_named_wherever_it_is(name: str, bad: float) -> None:
    model = made(name)
    prepared, found = search_model(model), []
    for tensor, value in weights(model).items():
        with spoilt(value, bad):
            for use in (prepared.refresh, lambda: PreparedModel(model), lambda: root(model, KINDS[name][0])):
                with pytest.raises(SearchError, match=f"the weights {tensor} hold NaN or infinity: .*learning_rate"):
                    use()
        found.append(tensor)
    assert found == [key for key in model.state_dict() if not key.endswith("num_batches_tracked")]
    prepared.refresh()
    root(model, KINDS[name][0])


@pytest.mark.parametrize("name", KINDS)
def test_bounds_know_every_weight_that_plays(name: str) -> None:
    """Each is NaN in turn: a bound that didn't read it would prove nothing."""
    model = made(name)
    for tensor, value in weights(model).items():
        plays = not tensor.startswith(("decoder.", "consistency.", "standard."))
        with spoilt(value, math.nan):
            assert bool(border.reaches(model).isnan().any()) == plays, tensor


def test_what_batch_norm_makes_of_its_weights_counts() -> None:
    model = made("batch norm")
    prepared = PreparedModel(model)
    weights(model)["h.stem.1.running_var"].fill_(-1.0)
    with pytest.raises(SearchError, match="the weights of h are so large"):
        prepared.refresh()


class Largest:
    """The largest number a module gave or was given, in units of what it may be."""

    def __init__(self) -> None:
        self.share = 0.0

    def __call__(self, module: nn.Module, given: tuple[Tensor, ...], said: Any) -> None:
        for value in (*given, said):
            if isinstance(value, Tensor) and value.is_floating_point() and value.numel():
                share = float(value.abs().amax()) / torch.finfo(torch.float32).max
                self.share = max(self.share, share if math.isfinite(share) else math.inf)


def exact(model: LearnedModel, game: str, norm: Callable[[Tensor], Tensor], watch: Largest) -> None:
    """Unroll the model in doubles, in which nothing overflows here; each module's numbers are looked at."""
    twin = LearnedModel(model.spec, model.config, model.gamma).eval().requires_grad_(False).double()
    twin.load_state_dict(model.state_dict())

    def measured(x: Tensor) -> Tensor:
        watch(twin, (), x.flatten(1).square().sum(1) if norm is not bounds.minmax else x)
        return norm(x)

    for network in (twin.h, twin.g):
        if network is not None:
            network.normalise = measured  # type: ignore[assignment]
    for module in twin.modules():
        if not isinstance(module, LearnedModel):
            module.register_forward_hook(watch)
    latent = twin.encode(torch.from_numpy(games.make(game, 3).observe()))
    twin.predict(latent)
    for action in MOVES if twin.g is not None else ():
        latent, _, _ = twin.advance(latent, action)
        twin.predict(latent)


def sound(prepared: PreparedModel, game: str) -> bool:
    """Whether the same unrolling gives finite numbers alone."""
    out = root(prepared, game)
    found = [out.logits, out.value]
    for action in MOVES if prepared.g is not None else ():
        out = prepared.step(out.latent, action)
        found += [out.logits, out.value, out.reward, out.discount]
    return all(bool(one.isfinite().all()) for one in found)


def accepted(model: LearnedModel, game: str) -> bool:
    try:
        return sound(PreparedModel(model), game)
    except SearchError:
        return False


@pytest.mark.parametrize("name", [name for name in KINDS if name != "aids"])
def test_weights_are_refused_before_anything_overflows(name: str) -> None:
    """What isn't refused keeps all its numbers, squares before a norm included, within a float's range."""
    model, game = made(name), KINDS[name][0]
    norm: Callable[[Tensor], Tensor] = model.h.normalise  # type: ignore[assignment]
    refused = 0
    for tensor, value in weights(model).items():
        for factor in (1e12, 1e19, 1e36):
            before, watch = value.clone(), Largest()
            value.mul_(factor)
            if accepted(model, game):
                exact(model, game, norm, watch)
                assert watch.share < 1.0, (tensor, factor)
            else:
                refused += 1
            value.copy_(before)
    assert refused > 0
    assert accepted(model, game)


# --- what enters a block ------------------------------------------------------------------------------------

DEEP = ("tic_tac_toe", ModelConfig(**SMALL, representation_blocks=3, dynamics_blocks=3))


def deep(tensor: str) -> LearnedModel:
    """Within range by its weights, as far as its first block, and so far beyond what the next one takes."""
    model = LearnedModel(games.spec(DEEP[0]), DEEP[1], 0.97).eval().requires_grad_(False)
    scatter(model, 0)
    weights(model)[tensor].fill_(1e17)
    return model


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("tensor", ["h.stem.bias", "g.enter.bias"])
def test_what_is_too_large_for_a_later_block_ends_the_search(
    tensor: str, captured: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    if captured:
        monkeypatch.setattr(tree, "inference", lambda *args: GraphedInference(*args, recorder=Again))
    model, batch = deep(tensor), games.make(DEEP[0], 3)
    prepared = PreparedModel(model, dtype)
    search = TreeSearch(SearchConfig(simulations=4), 9, 3)
    run: Callable[[], Any] = lambda: search.run(  # noqa: E731
        prepared, batch.observe(), batch.legal(), np.arange(3, dtype=np.uint64))
    with pytest.raises(SearchError, match="outputs can't be searched: value: expected finite numbers"):
        run()
    scatter(model, 1)
    prepared.refresh()
    assert (run().visits.sum(1) == 4).all(), "with other weights the same model plays"


def test_a_watched_model_says_what_its_network_says() -> None:
    model = LearnedModel(games.spec(DEEP[0]), DEEP[1], 0.97).eval().requires_grad_(False)
    scatter(model, 0)
    prepared = PreparedModel(model)
    assert prepared.watch.used
    one, other = root(prepared, DEEP[0]), root(model, DEEP[0])
    assert torch.allclose(one.value, other.value, atol=1e-5)
    assert not prepared.watch.over


# --- observations -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 3e38])
@pytest.mark.parametrize("name", [name for name in KINDS if name != "rules"])
def test_an_observation_that_is_not_finite_is_named(name: str, bad: float) -> None:
    def change(obs: Tensor) -> None:
        obs[1].view(-1)[-1] = bad

    model, game = made(name), KINDS[name][0]
    for one in (model, PreparedModel(model), PreparedModel(model, torch.bfloat16)):
        root(one, game)
        with pytest.raises(SearchError, match=r"the observation of row 1 of game .*, got (nan|inf|3e\+38)"):
            root(one, game, change)


def test_an_agent_refuses_what_it_can_not_read() -> None:
    config = Config(game=NUMBERS[0], model=NUMBERS[1], play=SearchConfig(simulations=2))
    agent, batch = Agent(build_model(config), config, "made", 0), games.make(NUMBERS[0], 2)
    obs, legal = batch.observe(), batch.legal()
    agent.search(obs, legal)
    for bad in (math.nan, math.inf, -math.inf):
        obs[0, 2] = bad
        for use in (agent.raw, agent.search):
            with pytest.raises(SearchError, match=r"observation of row 0 of game gym/CartPole-v1: expected finite"):
                use(obs, legal)


def test_an_agents_own_opinion_is_finite_or_an_error() -> None:
    config = Config(game="tic_tac_toe", model=ModelConfig(width=8, hidden=8))
    agent, batch = Agent(build_model(config), config, "made", 0), games.make("tic_tac_toe", 2)

    class Broken:
        device = torch.device("cpu")

        def root(self, obs: Tensor, legal: Tensor) -> Any:
            return dataclasses.replace(sound.root(obs, legal), value=torch.tensor([0.0, math.nan]))

    sound = agent.acting
    agent.acting = Broken()  # type: ignore[assignment]
    with pytest.raises(SearchError, match="outputs are not finite"):
        agent.raw(batch.observe(), batch.legal())


# --- loading ------------------------------------------------------------------------------------------------


def test_weights_that_overflow_in_use_are_not_loaded() -> None:
    config = Config(game="tic_tac_toe", model=ModelConfig(width=8, hidden=8))
    held = build_model(config).state_dict()
    assert build_model(config, held)
    with pytest.raises(WeightsError, match=r"weights\.safetensors: the weights of h are so large"):
        build_model(config, held | {"h.outer.weight": held["h.outer.weight"] * 1e25})


def test_shipped_agents_are_far_from_every_bound() -> None:
    import checkpoints
    from muzero import agent as agents

    for name in checkpoints.shipped():
        model = agents.load(name).model
        for (row, need), most in zip(border.needs(model).items(), border.reaches(model).tolist(), strict=True):
            assert most > 1e4 * need, (name, row)


def test_a_learner_does_not_keep_weights_that_no_search_can_use() -> None:
    from muzero.learning.learner import Learner, LearningError

    learner = Learner(LearnedModel(games.spec("tic_tac_toe"), ModelConfig(width=8, hidden=8), 1.0), LearnerConfig())
    learner.check_finite()
    learner.model.state_dict()["g.outer.weight"].mul_(1e25)
    with pytest.raises(LearningError, match=r"the weights of g are so large .*the checkpoints are unchanged"):
        learner.check_finite()
