"""Held-out games: kept apart as whole games, never drawn from, and what the model is validated on."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_replay import game as random_game
from tiny_replay import replay as tiny_ring
from tiny_runs import TINY, last, tiny, whole_run

import games
from games.symmetry import symmetries
from muzero import presets
from muzero.config import Config, ConfigError, HeldOutConfig, from_json, to_json
from muzero.replay import prefetch
from muzero.replay.buffer import Replay
from muzero.replay.held_out import LEAST_POSITIONS, HeldOut, bytes_reserved, is_held_out, ring_of
from muzero.replay.sampling import DrawConfig, batch_at
from muzero.storage import checkpoint, metrics
from muzero.training import deliveries, loop
from muzero.training.reanalyse import Reanalyser
from muzero.training.source import Delivery
from muzero.training.validating import held_out_sample, in_words, sample_of, too_few, validate_newest
from muzero.validation.trust import Trust
from selfplay.actor import Actor
from selfplay.settings import SelfPlayConfig
from selfplay.trajectory import UNNUMBERED, Trajectory

torch.set_num_threads(1)
FRACTION = 0.3
ON = tiny(held_out__fraction=FRACTION, held_out__seconds=1e6, held_out__positions=64,
          learner__replay_ratio=0.5)
BITS = 2 ** np.arange(16)


def in_parts(moves: int, size: int = 6, seed: int = 0) -> Actor:
    """An actor who plays at random."""
    return Actor(games.make("tic_tac_toe", size, seed), SelfPlayConfig(part_moves=moves), seed, numbered=True)


def parts_of_games(actor: Actor, moves: int) -> dict[int, list[Trajectory]]:
    """The parts that come with `moves` moves of each row, by the numbers of their games."""
    found: dict[int, list[Trajectory]] = defaultdict(list)
    for _ in range(moves):
        for part in actor.play(None, 0.0):
            found[part.number].append(part)
    return found


# --- numbers --------------------------------------------------------------------------------------------------


def test_parts_of_a_game_have_its_number_and_no_other_game_has_it() -> None:
    found = parts_of_games(in_parts(2), 40)
    over = [parts for parts in found.values() if parts[-1].discount[-1] == 0.0]
    assert len(over) > 20
    assert max(map(len, over)) > 2
    for parts in over:
        moves = np.concatenate([part.action for part in parts])
        assert 5 <= len(moves) == len(set(moves.tolist())) <= 9, "one game: no square is taken twice"
        assert parts[0].legal[0].all(), "from its first move"
        assert all(part.discount[-1] != 0.0 for part in parts[:-1])
    others = parts_of_games(in_parts(2, seed=1), 40)
    assert not found.keys() & others.keys()
    assert UNNUMBERED not in found


def test_without_held_out_games_nothing_is_numbered() -> None:
    actor = Actor(games.make("tic_tac_toe", 4), SelfPlayConfig(), 0)
    found = [part for _ in range(12) for part in actor.play(None, 0.0)]
    assert {part.number for part in found} == {UNNUMBERED}
    assert "numbers" not in actor.snapshot()


def test_a_hash_holds_out_the_fraction_of_the_games() -> None:
    numbers = range(1, 20_001)
    for fraction in (0.0, 0.05, 0.5):
        share = sum(is_held_out(number, fraction) for number in numbers) / len(numbers)
        assert share == pytest.approx(fraction, abs=4.0 * np.sqrt(fraction * (1.0 - fraction) / len(numbers)))
    assert not is_held_out(UNNUMBERED, 0.5)
    assert all(is_held_out(number, 0.5) for number in numbers if is_held_out(number, 0.05)), "a larger one holds more"


# --- nothing is drawn -------------------------------------------------------------------------------------------


class Marked:
    """Writes into the observations of each game which game it is: positions in the replay can then be told apart."""

    def __init__(self) -> None:
        self.marks: dict[int, int] = {}

    def collect(self, *args: Any) -> list[Delivery]:
        found = deliveries.collect(*args)
        return [dataclasses.replace(one, games=[self.marked(game) for game in one.games]) for one in found]

    def marked(self, game: Trajectory) -> Trajectory:
        mark = self.marks.setdefault(game.number, len(self.marks) + 1)
        obs = np.zeros_like(game.obs).reshape(len(game), -1)
        obs[:, : len(BITS)] = mark // BITS % 2
        return dataclasses.replace(game, obs=obs.reshape(game.obs.shape))

    @property
    def held(self) -> set[int]:
        """Marks of held-out games."""
        return {mark for number, mark in self.marks.items() if is_held_out(number, FRACTION)}


def marks(replay: Replay, places: NDArray[np.int64]) -> set[int]:
    """Which games the positions at places [B] are of."""
    return set((replay.rings["obs"][places].reshape(len(places), -1)[:, : len(BITS)] @ BITS).tolist())


def stored(replay: Replay) -> set[int]:
    return marks(replay, np.arange(len(replay)))


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> Marked:
    found = Marked()
    monkeypatch.setattr(loop, "deliveries", found)
    return found


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[set[int]]]:
    """The games whose positions are drawn for training, searched again, and given priorities."""
    found: dict[str, list[set[int]]] = defaultdict(list)
    draw, places, priorities = prefetch.draw, Reanalyser.places, Replay.set_priorities

    def drawn(replay: Replay, *args: Any) -> Any:
        batch = draw(replay, *args)
        found["drawn"].append(marks(replay, batch.index))
        return batch

    def searched(self: Reanalyser, replay: Replay) -> NDArray[np.int64]:
        again = places(self, replay)
        found["searched"].append(marks(replay, again))
        return again

    def weighted(self: Replay, places: NDArray[np.int64], *args: Any) -> None:
        found["weighted"].append(marks(self, places))
        priorities(self, places, *args)

    monkeypatch.setattr(prefetch, "draw", drawn)
    monkeypatch.setattr(Reanalyser, "places", searched)
    monkeypatch.setattr(Replay, "set_priorities", weighted)
    return found


def test_no_position_of_a_held_out_game_is_ever_drawn(
    marked: Marked, used: dict[str, list[set[int]]], tmp_path: Path
) -> None:
    """By count, with parts of games from two processes, after a stop, and with what an unfinished game sends then."""
    settings = {"selfplay__part_moves": 3, "replay__prioritized": True, "learner__reanalyse_fraction": 0.5,
                "learner__reanalyse_batch": 8, "held_out__fraction": FRACTION, "held_out__positions": 64}
    for actors, steps in ((2, 6), (0, 12), (0, 18)):
        config = tiny(train__actors=actors, train__steps=steps, **settings)
        with contextlib.closing(loop.Run(config, tmp_path)) as run:
            if steps > 6:
                run.resume(last(tmp_path))
            while run.state.learner.steps < steps:
                run.advance()
            run.validate()
            run.folder.save()
            assert run.state.held_out is not None
            ring = stored(run.state.held_out.replay)
            assert ring
            assert ring <= marked.held
            assert not stored(run.state.replay) & marked.held
    assert len(used["drawn"]) >= len(used["weighted"]) == 18
    assert len(used["searched"]) > 10
    for found in used.values():
        assert set.union(*found)
        assert not set.union(*found) & marked.held


def test_held_out_positions_count_as_played() -> None:
    """So the replay ratio and the limit of positions mean what they do without them."""
    held = HeldOut(games.spec("tic_tac_toe"), ON, symmetries("tic_tac_toe"))
    played = [dataclasses.replace(random_game(seed), number=seed + 1) for seed in range(40)]
    others = held.take(played)
    assert 0 < len(others) < len(played)
    assert held.replay.added == sum(map(len, played)) - sum(map(len, others))


def test_a_run_counts_them_as_played(tmp_path: Path) -> None:
    config = tiny(train__steps=0, train__horizon=0, train__positions=200, held_out__fraction=FRACTION)
    with contextlib.closing(loop.Run(config, tmp_path)) as run:
        while not run.state.done:
            run.advance()
        state = run.state
        assert state.held_out is not None
        assert state.held_out.replay.added > 0
        assert 200 <= state.played == state.replay.added + state.held_out.replay.added < 240
        assert state.drawn <= config.learner.replay_ratio * state.played < state.drawn + 48
        assert run.reporter.progress("").positions == state.played


def test_a_run_waits_for_positions_played_not_for_those_it_trains_on(tmp_path: Path) -> None:
    config = tiny(held_out__fraction=0.5, selfplay__warmup_positions=60, replay__min_positions=60)
    with contextlib.closing(loop.Run(config, tmp_path)) as run:
        state = run.state
        assert state.warming_up
        while not state.ready:
            run.advance()
        assert state.replay.added < 60 <= state.played
        assert not state.warming_up


# --- going on ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"selfplay__part_moves": 3, "learner__ema": 0.9}], ids=["games", "parts"])
def test_a_resumed_run_holds_the_same_games_out(settings: dict[str, Any], tmp_path: Path) -> None:
    config = tiny(held_out__fraction=FRACTION, **settings)
    whole = whole_run(config, tmp_path / "whole")
    whole_run(tiny(held_out__fraction=FRACTION, train__steps=7, **settings), tmp_path / "parts")
    assert checkpoint.same_content(whole, whole_run(config, tmp_path / "parts")) == []


def test_measurements_leave_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a model whose batch norm would learn from what it sees in training."""
    monkeypatch.setattr(loop, "SHARE", np.inf)
    settings = {"model__network": "resnet", "model__norm": "batch", "held_out__fraction": FRACTION, "train__steps": 8,
                "learner__replay_ratio": 0.5}
    quiet = whole_run(tiny(held_out__seconds=1e6, **settings), tmp_path / "quiet")
    busy = whole_run(tiny(held_out__seconds=0.0, **settings), tmp_path / "busy")
    assert checkpoint.same_content(quiet, busy) == ["config.json"]
    counts = [sum("held_out/kl@2" in record for record in metrics.read(tmp_path / name)) for name in ("quiet", "busy")]
    assert counts[0] == 1 < counts[1]


def test_the_fraction_of_a_run_can_not_change(tmp_path: Path) -> None:
    """Parts of one game would come to stand on both sides."""
    whole_run(tiny(train__steps=1), tmp_path)
    with pytest.raises(ConfigError, match=r"made with held_out.fraction 0.0, which can't change to 0.3"):
        loop.run(tiny(train__steps=2, held_out__fraction=FRACTION), tmp_path)


def test_runs_of_older_versions_hold_nothing_out() -> None:
    older = to_json(TINY)
    del older["held_out"]
    assert from_json(older) == TINY
    assert Config().held_out.fraction == 0.0


def test_the_memory_of_held_out_games_is_counted() -> None:
    spec = games.spec("tic_tac_toe")
    held = HeldOut(spec, ON, symmetries("tic_tac_toe")).replay
    assert bytes_reserved(spec, ON) == held.memory_bytes + bytes_reserved(spec, TINY)
    assert held.capacity == LEAST_POSITIONS
    stacked = dataclasses.replace(spec, frames=3)
    assert ring_of(stacked, ON).capacity == 3 * LEAST_POSITIONS, "a game of one move takes three places"
    assert HeldOut(spec, tiny(held_out__fraction=0.1, replay__capacity=9_991), held.symmetries).replay.capacity == 1_000


# --- what is measured -------------------------------------------------------------------------------------------


def test_a_sample_is_what_followed_in_the_game() -> None:
    game, depth = random_game(3), 4
    ring = tiny_ring(0)
    ring.add(dataclasses.replace(game, root_value=np.full(len(game), 0.5, np.float32),
                                 exploratory=np.arange(len(game)) == 2, searched=np.ones(len(game), np.bool_)))
    places = np.arange(len(game))
    drawing = DrawConfig(depth, 1_000, 1.0, 0.0, absorbing=False, symmetries=False, later_obs=depth)
    sample = sample_of(batch_at(ring, places, np.ones(len(game), np.float32), drawing, np.random.default_rng(0)))
    result = game.reward[-1]
    for place in places.tolist():
        left = min(depth, len(game) - place)
        assert sample.in_game[place].tolist() == [place + k < len(game) for k in range(depth + 1)]
        for name in ("action", "reward", "discount"):
            assert (getattr(sample, name)[place, :left] == getattr(game, name)[place : place + left]).all(), name
        assert (sample.discount[place, left:] == 0.0).all()
        for name in ("obs", "legal"):
            seen = getattr(sample, name)[place][sample.in_game[place]]
            assert (seen == getattr(game, name)[place : place + depth + 1]).all(), name
        # A random move at 2 cuts off what followed, and stands for it with the value of its search.
        mover = [0.5 * (-1) ** (2 - k) if k <= 2 else result * (-1) ** (len(game) - 1 - k) for k in range(len(game))]
        known = min(depth + 1, len(game) - place)
        assert sample.returns[place, :known].tolist() == mover[place : place + known]
        assert np.isnan(sample.returns[place, known:]).all()


def test_positions_are_measured_as_they_were_played_to_the_end() -> None:
    """Whatever a learning step makes of targets: neither mirrored, nor cut short, nor mixed with what searches say."""
    config = tiny(held_out__fraction=0.5, learner__gamma=0.9, learner__td_steps=1, learner__search_share=0.5)
    held = HeldOut(games.spec("tic_tac_toe"), tiny(held_out__fraction=0.5, replay__capacity=400),
                   symmetries("tic_tac_toe"))
    returns: dict[bytes, set[float]] = defaultdict(set)
    for seed in range(60):
        played = random_game(seed)
        searched = dataclasses.replace(played, number=seed + 1, searched=np.ones(len(played), np.bool_),
                                       root_value=np.full(len(played), 0.123, np.float32))
        if not held.take([searched]):
            for place, obs in enumerate(played.obs):
                left = len(played) - 1 - place
                returns[obs.tobytes()].add(round(float(played.reward[-1]) * (-0.9) ** left, 4))
    sample = held_out_sample(held, config, np.random.default_rng(0))
    assert sample.depth == 2 * config.learner.unroll
    assert len(sample) == min(config.held_out.positions, len(held.replay))
    assert not sample.in_game.all()
    for obs, value in zip(sample.obs[sample.in_game], sample.returns[sample.in_game].tolist(), strict=True):
        assert round(value, 4) in returns[obs.tobytes()]
    assert np.isnan(sample.returns[~sample.in_game]).all()


def test_all_positions_that_are_held_are_measured() -> None:
    """Not the newest alone, as for training."""
    config = tiny(held_out__fraction=0.5, replay__window_fraction=0.1, replay__min_window=1)
    held = HeldOut(games.spec("tic_tac_toe"), config, symmetries("tic_tac_toe"))
    held.take([dataclasses.replace(random_game(seed), number=seed + 1) for seed in range(40)])
    assert held.replay.window == len(held.replay) > LEAST_POSITIONS


def test_what_a_game_brought_that_was_cut_is_not_known() -> None:
    game, ring = random_game(3), tiny_ring(0)
    ring.add(dataclasses.replace(game, discount=np.where(game.discount == 0, np.float32(-1.0), game.discount)))
    drawing = DrawConfig(2, 1_000, 1.0, 0.0, absorbing=False, symmetries=False, later_obs=2)
    places = np.arange(len(game))
    sample = sample_of(batch_at(ring, places, np.ones(len(game), np.float32), drawing, np.random.default_rng(0)))
    assert sample.in_game[:, 0].all()
    assert np.isnan(sample.returns).all()


def test_the_newest_weights_are_measured_of_the_averaged_model(tmp_path: Path) -> None:
    with contextlib.closing(loop.Run(dataclasses.replace(ON, learner=dataclasses.replace(ON.learner, ema=0.9)),
                                     tmp_path)) as run:
        while run.state.held_out is None or run.state.learner.steps < 4 or run.state.held_out.lacking:
            run.advance()
        learner = run.state.learner
        before = validate_newest(run.state)[1]
        with torch.no_grad():
            for weights in learner.model.parameters():
                weights.zero_()
        assert validate_newest(run.state)[1] == before
        with torch.no_grad():
            for weights in learner.averaged.parameters():
                weights.zero_()
        assert validate_newest(run.state)[1] != before


def test_slow_measurements_are_rare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes long is not followed by another one until the end."""
    for taken, expected in ((1e6, {2}), (0.0, set(range(4, 100)))):
        calls: list[int] = []

        def measured(run: loop.Run, calls: list[int] = calls, taken: float = taken) -> float:
            calls.append(run.state.learner.steps)
            return taken

        monkeypatch.setattr(loop.Run, "validate", measured)
        whole_run(tiny(held_out__fraction=FRACTION, held_out__seconds=0.0, train__steps=3), tmp_path / str(taken))
        assert len(calls) in expected


def test_a_run_measures_its_model_by_depth(tmp_path: Path) -> None:
    whole_run(dataclasses.replace(ON, train=dataclasses.replace(ON.train, steps=12)), tmp_path)
    record = [record for record in metrics.read(tmp_path) if "held_out/trust_depth" in record][-1]
    depths = range(2 * ON.learner.unroll + 1)
    for name in ("value_error", "drift", "kl", "legal_mass", "cosine"):
        assert all(np.isfinite(record[f"held_out/{name}@{depth}"]) for depth in depths)
    assert record["held_out/drift@0"] == record["held_out/kl@0"] == 0.0
    assert record["held_out/drift@4"] > 0.0
    assert "held_out/recall@0" not in record, "a move brings a reward"
    assert record["held_out/positions@0"] == 64.0
    assert 0 <= record["held_out/trust_depth"] <= depths[-1]


def test_too_few_games_are_told_with_how_many_more(tmp_path: Path) -> None:
    with contextlib.closing(loop.Run(ON, tmp_path)) as run:
        state = run.state
        assert validate_newest(state) == ("", {}), "before anything was learned"
        while state.learner.steps < 1:
            run.advance()
        held = state.held_out
        assert held is not None
        assert 0 < held.replay.added < LEAST_POSITIONS
        words, values = validate_newest(state)
        assert values == {}
        assert words == too_few(held, state.played / state.games)
        assert words.startswith("not validated yet: ")
    held.replay.added = LEAST_POSITIONS - 17
    assert too_few(held, 8.0) == "not validated yet: needs 3 more held-out games, one in 3 of all"
    held.replay.added = LEAST_POSITIONS
    assert held.lacking == 0


@pytest.mark.parametrize(("game", "fraction"), [
    ("tic_tac_toe", 0.05), ("connect_four", 0.05), ("hex(board_size=7)", 0.05), ("pig", 0.05),
    ("gym/CartPole-v1", 0.05), ("deep_sea", 0.0), ("atari/pong", 0.0)])
def test_new_runs_hold_games_out_unless_every_game_counts(game: str, fraction: float) -> None:
    """As where rewards are rare, or the number of positions is the limit."""
    assert presets.load(game).held_out.fraction == fraction


def test_rules_that_are_searched_imagine_nothing() -> None:
    with pytest.raises(ConfigError, match=r"set held_out.fraction to 0, got 0.05"):
        tiny(model__dynamics="rules", held_out__fraction=0.05)
    assert presets.with_rules(ON).held_out.fraction == 0.0


def test_a_measurement_that_takes_more_memory_than_the_replay_buffer_may_is_refused() -> None:
    """4,000 positions, each followed for 128 moves, of 27 bytes."""
    large = tiny(held_out__fraction=0.5, held_out__positions=5_000, replay__capacity=8_000, learner__unroll=64)
    spec = games.spec(large.game)
    assert bytes_reserved(spec, large) > 0
    limited = dataclasses.replace(large, replay=dataclasses.replace(large.replay, memory_limit_mb=13))
    with pytest.raises(ConfigError, match=r"held_out.positions 4000, each followed for 128 moves, needs 14 MB, more "
                                          r"than replay.memory_limit_mb 13; lower held_out.positions or raise"):
        bytes_reserved(spec, limited)
    without = dataclasses.replace(limited, held_out=HeldOutConfig())
    assert bytes_reserved(spec, without) > 0


def test_a_verdict_is_as_short_as_a_display() -> None:
    assert in_words(Trust(4, 6, ("value", "ends"))) == "good to 4 moves; at 5, wrong about value, ends"
    assert in_words(Trust(0, 6, ("value", "rewards"))) == "not good for a single move: wrong about value, rewards"
    assert in_words(Trust(1, 1, ())) == "good to at least 1 move"
