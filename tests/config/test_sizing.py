"""Numbers left to the machine: chosen once, before a run is made, kept when it goes on, never seen by anything else."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import games
from games import list_games
from muzero import presets
from muzero.bench import sizing
from muzero.bench.memory import latent_numbers, selfplay_bytes
from muzero.bench.selfplay import SelfPlay, smallest_near_best
from muzero.bench.sizing import GAMES_BYTES, Measured, Sizing
from muzero.commands import train as command
from muzero.commands import train_folder
from muzero.commands.train_folder import SIZING
from muzero.config import AUTO, Config, ConfigError, check_resolved, replace, unresolved
from muzero.config.bounds import BOUNDS
from muzero.presets import survey
from muzero.storage import checkpoint, runs
from muzero.training.actors import selfplay_network, selfplay_planner

LEFT = {"selfplay.games": 0, "train.actors": -1, "search.threads": 0, "train.device": "cpu"}
SMALL = {"search.simulations": 2, "model.width": 8, "model.hidden": 8, "train.device": "cpu"}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def left_open(game: str = "tic_tac_toe", **changes: Any) -> Config:
    return replace(presets.load(game), {**LEFT, **{name.replace("__", "."): value for name, value in changes.items()}})


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """No clock: 192 games are best, 128 are near. What was tried is appended here."""
    tried: list[list[int]] = []

    def measure(config: Config, candidates: list[int]) -> list[Measured]:
        check_resolved(replace(config, {"selfplay.games": 1}))
        tried.append(list(candidates))
        speed = {64: 80.0, 128: 96.0, 192: 100.0}
        return [Measured(number, speed.get(number, 90.0)) for number in candidates]

    monkeypatch.setattr(sizing, "_measure", measure)
    monkeypatch.setattr(sizing, "cores", lambda: 6)
    return tried


def test_every_number_left_to_the_machine_is_chosen(rates: list[list[int]]) -> None:
    config, how = sizing.resolve(left_open(train__actors=1))
    assert unresolved(config) == []
    assert (config.selfplay.games, config.train.actors, config.search.threads) == (128, 1, 1)
    assert isinstance(how, Sizing)
    assert how.games == 128
    assert rates == [[64, 128, 192, 256, 384, 512]]
    assert how.measured[1] == Measured(128, 96.0)


def test_numbers_that_were_given_stay(rates: list[list[int]]) -> None:
    given = replace(left_open(), {"selfplay.games": 7, "train.actors": 3, "search.threads": 2})
    assert sizing.resolve(given) == (given, None)
    config, how = sizing.resolve(left_open(selfplay__games=7))
    assert (config.selfplay.games, config.train.actors, config.search.threads, how) == (7, 6, 1, None)
    assert rates == []


def test_in_one_process_nothing_is_measured_and_the_machine_has_no_say(
    rates: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for cores in (1, 64):
        monkeypatch.setattr(sizing, "cores", lambda cores=cores: cores)
        found.append(sizing.resolve(left_open(train__actors=0)))
    assert found[0] == found[1]
    assert (found[0][0].selfplay.games, found[0][1]) == (128, None)
    assert rates == []


def test_a_run_that_goes_on_keeps_its_games(rates: list[list[int]]) -> None:
    stored = replace(left_open(), {"selfplay.games": 96, "train.actors": 2, "search.threads": 1})
    config, how = sizing.resolve(left_open(), stored)
    assert (config.selfplay.games, config.train.actors, how) == (96, 6, None)
    assert rates == []
    with pytest.raises(ConfigError, match=r"selfplay\.games: expected a number here, got 0"):
        sizing.resolve(left_open(), left_open())


def test_on_a_gpu_one_process_plays_and_threads_help_the_tree(
    rates: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizing, "device_of", lambda _: torch.device("cuda"))
    monkeypatch.setattr(sizing, "free_bytes", lambda _: 1 << 40)
    config, _ = sizing.resolve(left_open("connect_four"))
    assert (config.train.actors, config.search.threads) == (1, 3)
    assert rates == [[256, 512, 1024, 2048, 4096, 8192][: len(rates[0])]]
    assert max(rates[0]) <= sizing.most_games(config, games.spec("connect_four"))


def test_games_fit_in_memory_and_leave_the_replay_fresh() -> None:
    config, spec = left_open(train__actors=2), games.spec("tic_tac_toe")
    assert sizing.most_games(config, spec) == config.replay.capacity // (30 * 2)
    windowed = replace(config, {"replay.window_fraction": 0.1, "replay.min_window": 6_000})
    assert sizing.most_games(windowed, spec) == 100
    assert sizing.fitting(windowed) == [64]
    assert sizing.fitting(replace(config, {"replay.min_positions": 100, "replay.capacity": 3_000})) == [32]
    large = dataclasses.replace(spec, observation_shape=(1 << 20,))
    assert sizing.most_games(config, large) == GAMES_BYTES // (9 * sizing.unfinished_bytes(large)) < 10


def test_what_the_machine_has_no_memory_for_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    config = left_open("connect_four", train__actors=2)
    taken = selfplay_bytes(replace(config, {"selfplay.games": 128}))["cpu"]
    monkeypatch.setattr(sizing, "free_bytes", lambda _: 8 * taken)
    assert sizing.fitting(config) == [64, 128]
    monkeypatch.setattr(sizing, "free_bytes", lambda _: 0)
    assert sizing.fitting(config) == [64]


@pytest.mark.parametrize("network", ["mlp", "resnet"])
def test_latents_are_counted_with_the_features_that_members_read(network: str) -> None:
    config = left_open("connect_four", selfplay__games=64, search__threads=1, search__simulations=4, model__width=8,
                       model__network=network, model__ensemble__members=2, learner__own_targets=1.0,
                       train__precision="float32")
    features = replace(config, {"model.ensemble.features": 1_000})
    searched = selfplay_planner(selfplay_network(features), features)
    batch = games.make("connect_four", 64)
    searched.plan(searched.view(batch, batch.observe()), batch.legal(), np.zeros(64, np.uint64))
    more = selfplay_bytes(features)["cpu"] - selfplay_bytes(config)["cpu"]
    latents = searched.memory_bytes[1] - 4 * (config.search.simulations + 1) * 64 * latent_numbers(config)
    assert more == latents > 0


@pytest.mark.parametrize("game", [game.name for game in list_games() if game.supported])
def test_unmeasured_games_fit_in_every_game(game: str) -> None:
    config, _ = survey.settle(left_open(game, train__actors=0))
    number, spec = sizing.unmeasured_games(config), games.spec(game)
    moves = min(spec.max_length, config.selfplay.max_moves, config.selfplay.part_moves or spec.max_length)
    assert 4 <= number <= 128
    assert number & (number - 1) == 0
    assert number == 4 or number * moves * sizing.unfinished_bytes(spec) <= GAMES_BYTES


def test_the_smallest_near_the_best_is_taken() -> None:
    assert smallest_near_best({64: 94.9, 128: 95.0, 256: 100.0}, 0.95) == 128
    assert smallest_near_best({64: 100.0, 128: 90.0}, 0.95) == 64


def test_simulations_are_cut_where_a_move_would_take_too_long() -> None:
    assert sizing.affordable(32, each=1e-6, candidates=(64, 512)) == 32
    assert sizing.affordable(800, each=1e-4, candidates=(64, 512)) == 17
    assert sizing.affordable(800, each=1.0, candidates=(64, 512)) == 1


def test_a_real_measurement_moves_no_random_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing, "EACH_SECONDS", 0.0)
    config = replace(sizing.settle(left_open()), SMALL)
    before = torch.get_rng_state()
    how = sizing.best_games(config, candidates=(4, 2))
    assert [one.games for one in how.measured] == [2, 4]
    assert all(one.simulations_per_second > 0 for one in how.measured)
    assert how.games in (2, 4)
    assert torch.equal(torch.get_rng_state(), before)


def test_no_further_candidate_is_begun_when_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing, "EACH_SECONDS", 0.0)
    monkeypatch.setattr(sizing, "ALL_SECONDS", 0.0)
    how = sizing.best_games(replace(sizing.settle(left_open()), SMALL), candidates=(2, 3, 4, 5))
    assert [one.games for one in how.measured] == [2, 3]


@pytest.mark.parametrize("name", sorted(AUTO))
def test_what_was_left_open_is_refused_where_a_number_is_needed(name: str) -> None:
    config = replace(Config(), {name: AUTO[name]})
    assert AUTO[name] == BOUNDS[name][0]
    assert unresolved(config) == [name]
    with pytest.raises(ConfigError, match=rf"^{name}: expected a number here, got {AUTO[name]} \(automatic\)"):
        check_resolved(config)
    with pytest.raises(ConfigError, match=name):
        SelfPlay(config)


def test_play_is_never_left_to_the_machine() -> None:
    with pytest.raises(ConfigError, match=r"play\.threads: expected at least 1"):
        replace(Config(), {"play.threads": 0})


def test_only_the_tuned_preset_names_numbers() -> None:
    assert unresolved(presets.load("tic_tac_toe")) == []
    for game in ("connect_four", "othello"):
        assert unresolved(presets.load(game)) == list(AUTO)


# --- the command ----------------------------------------------------------------------------------------------


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """Configs that the command would train, in place of training."""
    configs: list[Config] = []
    monkeypatch.setattr(command, "train", lambda config, out, stored: configs.append(config) or 0)
    return configs


WORDS = ["tic_tac_toe", *(f"--{name}={value}" for name, value in LEFT.items())]


def test_the_command_chooses_says_and_keeps_what_it_measured(
    tmp_path: Path, rates: list[list[int]], trained: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert command.run([*WORDS, "--out", str(out)]) == 0
    assert unresolved(trained[0]) == []
    assert trained[0].selfplay.games == 128
    assert "--selfplay.games 128, --train.actors 6, --search.threads 1" in capsys.readouterr().err
    kept = json.loads((out / SIZING).read_text())
    assert kept["games"] == 128
    assert kept["measured"][0] == {"games": 64, "simulations_per_second": 80.0}
    assert len(rates) == 1


def test_nothing_is_measured_beside_a_run_at_work(
    tmp_path: Path, rates: list[list[int]], trained: list[Config]
) -> None:
    (tmp_path / SIZING).write_text("its own")
    with runs.lock(tmp_path), pytest.raises(runs.Locked):
        command.run(["connect_four", "--out", str(tmp_path)])
    assert (tmp_path / SIZING).read_text() == "its own"
    assert rates == trained == []


def test_nothing_is_measured_for_a_folder_that_cannot_be(
    tmp_path: Path, rates: list[list[int]], trained: list[Config]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(checkpoint.CheckpointError):
        command.run(["connect_four", "--out", str(tmp_path / "file")])
    assert rates == trained == []


def test_figures_of_a_start_that_failed_do_not_stay(
    tmp_path: Path, rates: list[list[int]], trained: list[Config]
) -> None:
    (tmp_path / SIZING).write_text("of another")
    assert command.run(["connect_four", "--out", str(tmp_path), "--train.actors", "0"]) == 0
    assert not (tmp_path / SIZING).exists()


def test_the_command_goes_on_with_the_games_of_the_run(
    tmp_path: Path, rates: list[list[int]], trained: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = replace(presets.load("tic_tac_toe"), {"selfplay.games": 40, "train.actors": 6, "train.device": "cpu"})
    for module in (command, train_folder):
        monkeypatch.setattr(module, "stored_config", lambda _: stored)
    monkeypatch.setattr(runs, "newest", lambda _: tmp_path / "step-00000001")
    assert command.run([*WORDS, "--out", str(tmp_path)]) == 0
    assert trained == [replace(stored, {"search.threads": 1})]
    assert rates == []
    assert not (tmp_path / SIZING).exists()
