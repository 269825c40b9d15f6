"""The replay: what overwriting, windows, priorities and symmetries may not mix up."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from tiny_replay import random_game

import games
from games.base import GameSpec
from games.symmetry import symmetries
from muzero.config import ConfigError, LearnerConfig, ReplayConfig
from muzero.model import auxiliary
from muzero.replay.batch import Batch
from muzero.replay.buffer import PRIORITY_FLOOR, Replay
from muzero.replay.sampling import DrawConfig, batch_at, draw
from selfplay.trajectory import StoredPlan, Trajectory, stored_bytes

ACTIONS = 5
SPEC = GameSpec("made_up", 2, (2,), "float32", ACTIONS, 50, -9.0, 9.0, False, False, True)
DRAW = DrawConfig(unroll=3, td_steps=2, gamma=0.9, search_share=0.0, absorbing=True, symmetries=True, later_obs=3)


def made_up(number: int, length: int) -> Trajectory:
    """A game whose every entry tells game and move."""
    rng = np.random.default_rng(number)
    discount = rng.choice([1.0, -1.0], length).astype(np.float32)
    truncated = number % 4 == 3
    discount[-1] = -1.0 if truncated else 0.0
    policy = rng.random((length, ACTIONS)).astype(np.float32)
    searched = rng.random(length) >= 0.2
    policy[~searched] = 0.0
    exploratory = rng.random(length) < 0.2
    exploratory[-1] |= truncated
    return Trajectory(
        obs=np.stack([np.full(length, number), np.arange(length)], 1).astype(np.float32),
        action=rng.integers(0, ACTIONS, length).astype(np.int32), reward=rng.normal(size=length).astype(np.float32),
        discount=discount, legal=rng.random((length, ACTIONS)) < 0.7, policy=policy,
        root_value=rng.normal(size=length).astype(np.float32), exploratory=exploratory, searched=searched)


def replay(capacity: int = 40, spec: GameSpec = SPEC, **settings: Any) -> Replay:
    config = ReplayConfig(capacity=capacity, min_positions=1, **settings)
    one = dataclasses.replace(symmetries("chess"), action_index=np.arange(spec.num_actions)[None].astype(np.int32))
    return Replay(spec, config, one)


def value_of(game: Trajectory, start: int) -> float | None:
    """n-step value by its definition, walking a whole game; None where it can't be known."""
    total, factor = 0.0, 1.0
    for t in range(start, len(game)):
        if game.searched[t] and (t - start >= DRAW.td_steps or game.exploratory[t]):
            return total + factor * float(game.root_value[t])
        total += factor * float(game.reward[t])
        factor *= DRAW.gamma * float(game.discount[t])
    return total if game.discount[-1] == 0.0 else None


def assert_row_is(batch: Batch, row: int, game: Trajectory, start: int) -> None:
    """Every step of one row is that of `game` from move `start` on."""
    assert batch.later_obs is not None
    ended = game.discount[-1] == 0.0
    for k in range(DRAW.unroll + 1):
        t = start + k
        inside = t < len(game)
        assert batch.in_game[row, k] == inside
        value = value_of(game, t) if inside else (0.0 if ended else None)
        assert batch.value_mask[row, k] == (value is not None)
        assert value is None or batch.value[row, k] == pytest.approx(value, abs=1e-5)
        assert batch.policy_mask[row, k] == (inside and game.searched[t])
        if not inside:
            assert not batch.legal[row, k].any()
            assert k == DRAW.unroll or batch.reward[row, k] == 0.0
            continue
        assert (batch.legal[row, k] == game.legal[t]).all()
        assert np.allclose(batch.policy[row, k], game.policy[t], atol=1e-3)
        seen = batch.obs[row] if k == 0 else batch.later_obs[row, k - 1]
        assert (seen == game.obs[t]).all()
        if k < DRAW.unroll:
            assert batch.action[row, k] == game.action[t]
            assert batch.reward[row, k] == game.reward[t]
            mover = {0.0: 0, 1.0: 1, -1.0: 2}[float(game.discount[t])]
            assert batch.next_mover[row, k] == mover


def test_overwritten_rings_never_mix_games() -> None:
    """Each stored place, after every game added, unrolls its own game and no other."""
    held, rng = replay(capacity=23), np.random.default_rng(0)
    played = {}
    for number in range(60):
        game = made_up(number, int(rng.integers(1, 12)))
        played[number] = game
        held.add(game)
        places = np.arange(len(held))
        batch = batch_at(held, places, np.ones(len(places), np.float32), DRAW, rng)
        for row in range(len(places)):
            origin, start = batch.obs[row].astype(int).tolist()
            assert_row_is(batch, row, played[origin], start)
    assert len(held) == 23
    assert held.added == sum(map(len, played.values()))


def test_a_game_longer_than_the_ring_keeps_its_newest_positions() -> None:
    held, game = replay(capacity=7), made_up(5, 30)
    held.add(made_up(1, 3))
    held.add(game)
    batch = batch_at(held, np.arange(7), np.ones(7, np.float32), DRAW, np.random.default_rng(0))
    assert sorted(batch.obs[:, 1].astype(int).tolist()) == list(range(23, 30))
    for row in range(7):
        assert_row_is(batch, row, game, int(batch.obs[row, 1]))


def test_only_the_window_of_newest_positions_is_drawn() -> None:
    held, rng = replay(capacity=40, window_fraction=0.2, min_window=6), np.random.default_rng(0)
    for number in range(14):
        held.add(made_up(number, 5))
        newest = {int(place) for place in (held.added - np.arange(1, held.window + 1)) % 40}
        assert held.window == min(held.added, max(6, -(-held.added // 5)))
        drawn = set(draw(held, 400, DRAW, rng).index.tolist())
        assert drawn == newest


def test_memory_is_refused_above_the_limit_and_told_otherwise() -> None:
    spec = dataclasses.replace(SPEC, observation_shape=(3, 64, 64), observation_dtype="uint8")
    assert stored_bytes(spec) == 3 * 64 * 64 + 3 * ACTIONS + 22
    assert replay(10, spec).memory_bytes == sum(ring.nbytes for ring in replay(10, spec).rings.values())
    with pytest.raises(ConfigError, match=r"replay.capacity 100000 needs 1232 MB.*memory_limit_mb 1000"):
        replay(100_000, spec, memory_limit_mb=1000)


def test_policies_are_halved_in_size_and_renewed() -> None:
    held, game = replay(), made_up(2, 6)
    held.add(game)
    assert held.rings["policy"].dtype == np.float16
    policy = np.full((2, ACTIONS), 0.2, np.float32)
    held.renew(np.array([1, 4]), StoredPlan(policy, np.array([7.0, 8.0], np.float32), np.ones(2, np.bool_)))
    batch = batch_at(held, np.array([1, 0]), np.ones(2, np.float32), DRAW, np.random.default_rng(0))
    assert batch.policy[0, 0].tolist() == np.float16(policy[0]).astype(np.float32).tolist()
    assert batch.policy.dtype == np.float32
    assert batch.policy[1, 0].tolist() == np.float16(game.policy[0]).astype(np.float32).tolist()
    assert held.rings["root_value"][[1, 4]].tolist() == [7.0, 8.0]


def test_the_search_has_its_share_of_the_value_where_there_was_one() -> None:
    held = replay()
    game = made_up(0, 12)
    held.add(game)
    places, weight = np.arange(12), np.ones(12, np.float32)
    plain = batch_at(held, places, weight, DRAW, np.random.default_rng(0))
    mixed = batch_at(held, places, weight, dataclasses.replace(DRAW, search_share=0.25), np.random.default_rng(0))
    searched = game.searched
    assert 0 < searched.sum() < 12
    wanted = np.where(searched, 0.75 * plain.value[:, 0] + 0.25 * game.root_value, plain.value[:, 0])
    assert np.allclose(mixed.value[:, 0], wanted, atol=1e-6)
    assert (mixed.value[~mixed.in_game] == 0.0).all(), "past the end nothing is worth anything"


def test_the_searchs_own_value_is_mixed_in_where_there_was_a_search() -> None:
    held, game = replay(), made_up(4, 12)
    held.add(game)
    places, ones = np.arange(12), np.ones(12, np.float32)
    plain = batch_at(held, places, ones, DRAW, np.random.default_rng(0))
    mixed = batch_at(held, places, ones, dataclasses.replace(DRAW, search_share=0.25), np.random.default_rng(0))
    there = np.minimum(places[:, None] + np.arange(4), 11)
    own, searched = game.root_value[there], game.searched[there] & plain.in_game
    assert searched.any()
    assert (plain.in_game & ~searched).any()
    wanted = np.where(searched, 0.75 * plain.value + 0.25 * own, plain.value)
    assert np.allclose(mixed.value, wanted, atol=1e-6)
    assert mixed.value.dtype == np.float32
    assert (mixed.reward == plain.reward).all()


def test_absorbing_ends_can_be_left_out() -> None:
    held = replay()
    held.add(made_up(4, 2))
    plain = dataclasses.replace(DRAW, absorbing=False, later_obs=0)
    batch = batch_at(held, np.array([1]), np.ones(1, np.float32), plain, np.random.default_rng(0))
    assert batch.value_mask[0].tolist() == batch.in_game[0].tolist() == [True, False, False, False]
    assert batch.later_obs is None


@pytest.mark.parametrize(("settings", "later"), [
    ({}, 0),
    ({"consistency_weight": 1.0}, 3),
    ({"consistency_weight": 1.0, "consistency_steps": 2}, 2),
    ({"consistency_steps": 2}, 0),
    ({"consistency_weight": 1.0, "consistency_steps": 2, "reconstruction_weight": 1.0}, 3),
])
def test_as_many_later_observations_are_drawn_as_a_loss_looks_at(settings: dict[str, Any], later: int) -> None:
    held = replay()
    held.add(made_up(0, 9))
    config = LearnerConfig(symmetries=False, **settings)
    drawing = DrawConfig.of(config, 3, auxiliary.later_obs(config, 3))
    batch = draw(held, 5, drawing, np.random.default_rng(0))
    whole = draw(held, 5, dataclasses.replace(DRAW, symmetries=False), np.random.default_rng(0))
    assert whole.later_obs is not None
    assert batch.later_obs is None if later == 0 else (batch.later_obs == whole.later_obs[:, :later]).all()


def test_random_actions_past_the_end_cover_all_actions() -> None:
    held = replay()
    held.add(made_up(4, 1))
    batch = draw(held, 300, DRAW, np.random.default_rng(0))
    assert set(batch.action[:, 1:].ravel().tolist()) == set(range(ACTIONS))


# --- priorities ---------------------------------------------------------------------------------------------


def prioritized() -> Replay:
    held = replay(capacity=16, prioritized=True, alpha=0.5, beta=0.4)
    held.add(made_up(1, 4))
    return held


def test_priorities_set_the_share_of_draws_and_their_weight() -> None:
    held = prioritized()
    errors = np.array([0.0, 1.0, 4.0, 9.0], np.float32)
    held.set_priorities(np.arange(4), errors)
    chance = (errors + PRIORITY_FLOOR) ** 0.5
    chance /= chance.sum()
    batch = draw(held, 4000, DRAW, np.random.default_rng(0))
    counts = np.bincount(batch.index, minlength=16)
    assert np.abs(counts[:4] - 4000 * chance).max() <= 2
    assert counts[4:].sum() == 0
    wanted = (4 * chance) ** -0.4
    for place in range(4):
        assert batch.weight[batch.index == place] == pytest.approx(wanted[place] / wanted.max(), rel=1e-5)
    assert batch.weight.dtype == np.float32


def test_new_positions_get_the_largest_priority_seen() -> None:
    held = prioritized()
    assert held.tree is not None
    held.set_priorities(np.arange(2), np.array([25.0, -100.0], np.float32))
    held.add(made_up(2, 3))
    assert held.tree.get(np.arange(4, 7)) == pytest.approx((100 + PRIORITY_FLOOR) ** 0.5)
    assert held.tree.get(np.arange(7, 16)).sum() == 0.0


def test_an_error_that_is_not_known_leaves_the_priority() -> None:
    held = prioritized()
    assert held.tree is not None
    held.set_priorities(np.arange(2), np.array([4.0, np.nan], np.float32))
    held.set_priorities(np.arange(2, 4), np.full(2, np.nan, np.float32))
    assert held.tree.get(np.arange(4)) == pytest.approx([(4.0 + PRIORITY_FLOOR) ** 0.5, 1.0, 1.0, 1.0])
    assert held.max_priority == pytest.approx((4.0 + PRIORITY_FLOOR) ** 0.5)


def test_uniform_replays_have_weight_one() -> None:
    held = replay()
    held.add(made_up(1, 9))
    held.set_priorities(np.arange(2), np.ones(2, np.float32))
    assert (draw(held, 20, DRAW, np.random.default_rng(0)).weight == 1.0).all()


# --- symmetries ---------------------------------------------------------------------------------------------

TURNED = ["tic_tac_toe", "connect_four", "go(board_size=3)", "breakthrough(rows=4,columns=3)", "hex(board_size=4)",
          "othello", "amazons(board_size=6)"]


@pytest.mark.parametrize("name", TURNED)
def test_a_turned_sample_is_a_game_that_can_be_played(name: str) -> None:
    """The turned actions, played in the real game, show the turned observations and legal moves."""
    spec, table = games.spec(name), symmetries(name)
    held = Replay(spec, ReplayConfig(capacity=100, min_positions=1), table)
    game = random_game(name, seed=3)
    held.add(game)
    config = dataclasses.replace(DRAW, unroll=8, later_obs=8)
    size = 8 * table.count
    batch = batch_at(held, np.zeros(size, np.int64), np.ones(size, np.float32), config, np.random.default_rng(1))
    assert batch.later_obs is not None
    real = games.make(name, size)
    assert (real.observe() == batch.obs).all()
    for k in range(min(8, len(game) - 1)):
        assert (batch.legal[:, k] == real.legal()).all()
        assert ((batch.policy[:, k] > 0) == real.legal()).all()
        taken = np.take_along_axis(batch.policy[:, k], batch.action[:, k, None], 1)[:, 0]
        assert (taken == np.float16(game.policy[k, game.action[k]])).all()
        step = real.step(batch.action[:, k].astype(np.int32))
        assert (step.reward == batch.reward[:, k]).all()
        assert (real.observe() == batch.later_obs[:, k]).all()
    assert len(np.unique(batch.action, axis=0)) > 1, "several symmetries were drawn"


def test_symmetries_can_be_switched_off() -> None:
    held = Replay(games.spec("tic_tac_toe"), ReplayConfig(capacity=100, min_positions=1), symmetries("tic_tac_toe"))
    game = random_game("tic_tac_toe", 0)
    held.add(game)
    plain = dataclasses.replace(DRAW, symmetries=False)
    batch = batch_at(held, np.zeros(30, np.int64), np.ones(30, np.float32), plain, np.random.default_rng(0))
    assert (batch.action == game.action[:3]).all()


# --- checkpoints --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("priorities", [False, True])
@pytest.mark.parametrize("added", [3, 9])
def test_a_restored_replay_goes_on_like_the_original(priorities: bool, added: int) -> None:
    first, second = (replay(capacity=30, prioritized=priorities) for _ in range(2))
    for number in range(added):
        first.add(made_up(number, 5))
    first.set_priorities(np.arange(4), np.array([3.0, 0.5, 90.0, 1.0], np.float32))
    stored = {name: array.copy() for name, array in first.arrays().items()}
    second.restore(stored, first.added, first.max_priority)
    for held in (first, second):
        held.add(made_up(99, 4))
    for name, array in first.arrays().items():
        assert array.tobytes() == second.arrays()[name].tobytes(), name
    one, other = (draw(held, 50, DRAW, np.random.default_rng(2)) for held in (first, second))
    for field in dataclasses.fields(Batch):
        assert np.array_equal(getattr(one, field.name), getattr(other, field.name)), field.name


def test_what_older_versions_stored_is_understood() -> None:
    """They had searches that left a value alone, and arrays that are gone."""
    first, second = replay(capacity=30), replay(capacity=30)
    for number in range(4):
        first.add(made_up(number, 5))
    stored = first.arrays()
    older = stored | {"searched": np.ones(20, np.bool_), "has_policy": stored["searched"],
                      "surprise": np.ones(20, np.float32)}
    second.restore(older, first.added, 1.0)
    assert second.arrays().keys() == stored.keys()
    for name, array in second.arrays().items():
        assert array.tobytes() == stored[name].tobytes(), name
    assert 0 < stored["searched"].sum() < 20


def test_a_replay_of_another_shape_is_refused() -> None:
    first = replay(capacity=30)
    first.add(made_up(1, 5))
    good = first.arrays()
    for name in ("obs", "policy"):
        for wrong in ({k: v for k, v in good.items() if k != name}, good | {name: good[name][:3]},
                      good | {name: good[name].astype(np.float64)}):
            with pytest.raises(ValueError, match=f"doesn't fit this run: {name}"):
                replay(capacity=30).restore(wrong, 5, 1.0)
    with pytest.raises(ValueError, match="doesn't fit this run: priority"):
        replay(capacity=30, prioritized=True).restore(good, 5, 1.0)
