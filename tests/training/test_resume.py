"""Going on after a stop or a kill ends in the same bytes as never having stopped."""

from __future__ import annotations

import copy
import multiprocessing
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import TINY, last, tiny, whole_run

from muzero.config import (
    Config,
    ConfigError,
)
from muzero.config import replace as overridden
from muzero.errors import INTERRUPTED
from muzero.storage import checkpoint, runs
from muzero.storage.checkpoint import Damaged
from muzero.training import loop
from muzero.training.in_process import InProcess
from muzero.view.progress import Progress
from selfplay.trajectory import impossible

torch.set_num_threads(1)
KILLS = 5
EVERYTHING = {
    "model.network": "resnet", "model.discount": "learned", "model.norm": "batch", "model.reconstruction": True,
    "model.consistency": True, "model.ensemble.members": 3,
    "learner.reconstruction_weight": 1.0, "learner.consistency_weight": 1.0,
    "learner.ema": 0.9, "learner.reanalyse_fraction": 0.25, "learner.reanalyse_batch": 24, "learner.td_steps": 2,
    "replay.prioritized": True,
    "search.algorithm": "puct", "search.dirichlet_fraction": 0.25, "selfplay.warmup_positions": 100,
    "train.publish_steps": 7,
}


@pytest.mark.parametrize("settings", [{}, EVERYTHING], ids=["plain", "everything"])
@pytest.mark.parametrize("stop", [1, 10])
def test_twenty_steps_are_some_and_the_rest(tmp_path: Path, settings: dict[str, Any], stop: int) -> None:
    config = overridden(TINY, settings)
    first = whole_run(config, tmp_path / "whole")
    assert whole_run(overridden(config, {"train.steps": stop}), tmp_path / "parts").name == f"step-{stop:08d}"
    assert checkpoint.same_content(first, whole_run(config, tmp_path / "parts")) == []


def test_other_seeds_end_elsewhere(tmp_path: Path) -> None:
    """The comparison above can fail."""
    one, other = (whole_run(tiny(train__seed=seed), tmp_path / str(seed)) for seed in (0, 1))
    assert {"weights.safetensors", "replay.safetensors", "state.json"} <= set(checkpoint.same_content(one, other))


def test_a_run_at_its_end_has_nothing_to_do(tmp_path: Path) -> None:
    first = whole_run(TINY, tmp_path)
    assert whole_run(TINY, tmp_path) == first


def test_a_run_stopped_before_its_first_step_goes_on(tmp_path: Path) -> None:
    first = whole_run(TINY, tmp_path / "whole")
    out = tmp_path / "parts"

    def stop(progress: Progress) -> None:
        if progress.status == "playing the first games":
            signal.raise_signal(signal.SIGINT)

    assert loop.run(TINY, out, report=stop) == INTERRUPTED
    assert last(out).name == "step-00000000"
    assert checkpoint.same_content(first, whole_run(TINY, out)) == []


def test_reports_matches_and_checkpoints_leave_no_trace(tmp_path: Path) -> None:
    first = whole_run(TINY, tmp_path / "quiet")
    busy = tiny(train__checkpoint_seconds=0.0, train__log_seconds=0.0, train__evaluate_minutes=1e-9,
                train__evaluate_games=2)
    second = whole_run(busy, tmp_path / "busy")
    assert checkpoint.same_content(first, second) == ["config.json"]


def run_in_child(config: Config, out: Path) -> None:
    torch.set_num_threads(1)
    loop.run(config, out)


def run_and_kill(context: Any, config: Config, out: Path, delay: float) -> bool:
    """Start the run in a process, kill it `delay` seconds after its first new checkpoint; False if it was done."""
    before = runs.newest(out)
    process = context.Process(target=run_in_child, args=(config, out))
    process.start()
    deadline = time.monotonic() + 60
    while process.is_alive() and runs.newest(out) == before and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(delay)
    process.kill()
    process.join()
    return bool(process.exitcode == -signal.SIGKILL)


def test_a_run_killed_again_and_again_ends_the_same(tmp_path: Path) -> None:
    """Processes are forked from one that has imported everything, so that a kill costs little time."""
    first = whole_run(TINY, tmp_path / "whole")
    saving = tiny(train__checkpoint_seconds=0.0)
    context = multiprocessing.get_context("forkserver")
    # The second is what the first optimizer of a process imports.
    context.set_forkserver_preload(["muzero.training.loop", "torch._dynamo"])
    rng, out, killed = random.Random(0), tmp_path / "killed", 0
    for _ in range(KILLS):
        killed += run_and_kill(context, saving, out, rng.uniform(0.0, 0.15))
        checkpoint.load(last(out))
    assert killed >= KILLS - 1, "the run was too short for the kills"
    assert checkpoint.same_content(first, whole_run(TINY, out)) == []


# --- what can't go on ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("short")
    whole_run(tiny(train__steps=2), out)
    return out


@pytest.mark.parametrize(
    ("setting", "value"),
    [("game", "connect_four"), ("game", "misere(game=tic_tac_toe())"), ("model.width", 16), ("model.network", "resnet"),
     ("replay.capacity", 400), ("replay.prioritized", True), ("learner.optimizer", "muon"), ("selfplay.games", 4)])
def test_a_config_that_does_not_fit_is_refused(short_run: Path, tmp_path: Path, setting: str, value: Any) -> None:
    out = tmp_path / "run"
    shutil.copytree(short_run, out)
    held = last(out)
    with pytest.raises(ConfigError, match=rf"made with {setting} .* can't change") as error:
        loop.run(overridden(TINY, {setting: value}), out)
    assert f"change to {value} when a run is resumed" in str(error.value)
    assert last(out) == held
    assert checkpoint.same_content(held, last(short_run)) == []


def test_other_settings_may_change_on_the_way(short_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(short_run, out)
    changed = tiny(train__steps=4, search__simulations=3, learner__ema=0.5, learner__unroll=3)
    assert whole_run(changed, out).name == "step-00000004"
    assert whole_run(tiny(train__steps=6), out).name == "step-00000006"


def test_reanalysis_that_begins_on_the_way_begins_with_the_stored_weights(short_run: Path, tmp_path: Path) -> None:
    run = loop.Run(tiny(learner__reanalyse_fraction=0.5, train__seed=9), tmp_path)
    run.resume(last(short_run))
    assert run.state.reanalyser is not None
    weights = checkpoint.load(last(short_run)).tensors["weights"]
    assert all(torch.equal(value, weights[name]) for name, value in run.state.reanalyser.network.state_dict().items())


def test_reanalysis_goes_on_where_it_stood(tmp_path: Path) -> None:
    config = tiny(learner__reanalyse_fraction=0.5, learner__reanalyse_batch=24, train__steps=7)
    stored = checkpoint.load(whole_run(config, tmp_path / "a"))
    assert stored.state["reanalysis"]["debt"] == 7 * 8 - 48
    run = loop.Run(config, tmp_path / "b")
    run.folder._restore(stored)
    assert run.state.reanalyser is not None
    assert run.state.reanalyser.snapshot() == stored.state["reanalysis"]
    assert run.state.reanalyser.cursor > 24
    del stored.state["reanalysis"]
    older = loop.Run(config, tmp_path / "c")
    older.folder._restore(stored)
    assert older.state.reanalyser is not None
    assert older.state.reanalyser.snapshot() == {"cursor": 0, "debt": 0.0}, "of a version that knew no cursor"
    stored.state["reanalysis"] = {"cursor": -1, "debt": 0.0}
    checkpoint.save(tmp_path / "d", stored.step, stored.tensors, stored.state, stored.config)
    with pytest.raises(Damaged, match="cursor: expected a whole number"):
        loop.run(config, tmp_path / "d")


def test_a_run_of_an_older_version_goes_on(tmp_path: Path) -> None:
    """One that kept what is gone, and not which moves of its unfinished games were searched."""
    config = tiny(learner__td_steps=2, learner__search_share=0.5, selfplay__warmup_positions=100)
    stored = checkpoint.load(whole_run(config, tmp_path / "new"))
    replay = stored.tensors["replay"]
    replay |= {"has_policy": replay["searched"], "surprise": torch.ones(len(replay["searched"]))}
    del stored.tensors["actors"]["searched"]
    checkpoint.save(tmp_path / "old", stored.step, stored.tensors, stored.state, stored.config)
    old, new = (whole_run(overridden(config, {"train.steps": 26}), tmp_path / name) for name in ("old", "new"))
    assert checkpoint.same_content(old, new) == []


def test_every_run_remembers_its_time(tmp_path: Path) -> None:
    """A run by steps as well: minutes asked for later count in all."""
    run = loop.Run(tiny(), tmp_path)
    run.state.clock.before = 600.0
    run.folder.save()
    again = loop.Run(tiny(train__minutes=11.0), tmp_path)
    again.resume(last(tmp_path))
    assert 600.0 <= again.state.clock.elapsed < 660.0
    assert "elapsed" not in checkpoint.load(last(tmp_path)).state


def test_a_run_can_go_on_without_actors(short_run: Path, tmp_path: Path) -> None:
    """A checkpoint that holds no unfinished games: the stored weights play from the first move on."""
    stored = checkpoint.load(last(short_run))
    state = {name: value for name, value in stored.state.items() if name not in ("actor", "playing", "acting_progress")}
    files = {name: held for name, held in stored.tensors.items() if name not in ("actors", "acting")}
    checkpoint.save(tmp_path, stored.step, files, state, stored.config)
    run = loop.Run(TINY, tmp_path)
    run.resume(last(tmp_path))
    assert isinstance(run.state.source, InProcess)
    assert run.state.source.playing
    for name, value in run.state.source.network.state_dict().items():
        assert torch.equal(value, stored.tensors["weights"][name])


def test_a_checkpoint_that_does_not_fit_its_own_config_is_damaged(short_run: Path, tmp_path: Path) -> None:
    stored = checkpoint.load(last(short_run))
    for number, lost in enumerate(("weights", "replay", "optimizer")):
        out = tmp_path / str(number)
        files = {name: held for name, held in stored.tensors.items() if name != lost}
        checkpoint.save(out, stored.step, files, stored.state, stored.config)
        with pytest.raises(Damaged, match=f"{lost}"):
            loop.run(TINY, out)


Change = Callable[[dict[str, Any], dict[str, dict[str, Any]]], Any]


def put(name: str, value: Any) -> Change:
    """Set the dotted name of the state."""
    def change(state: dict[str, Any], files: dict[str, dict[str, Any]]) -> None:
        *parents, leaf = name.split(".")
        for parent in parents:
            state = state[parent]
        state[leaf] = value

    return change


def fill(file: str, name: str, value: float) -> Change:
    """Set one number of a tensor."""
    return lambda state, files: files[file][name].view(-1)[:1].fill_(value)


def swap(file: str, name: str, value: torch.Tensor) -> Change:
    """Put another tensor in the place of one."""
    return lambda state, files: files[file].update({name: value})


HOSTILE: dict[str, Change] = {
    "optimizer state f.value.bias/exp_avg": swap("optimizer", "f.value.bias/exp_avg", torch.zeros(1)),
    "drawn: expected a whole number": put("drawn", -1), "games: expected a whole number": put("games", 1.5),
    "added: expected a whole number": put("added", True),
    "added: expected a whole number of 0 or more, got 1": put("added", 10**30),
    "max_priority: expected a number": put("max_priority", "1"), "rng|state": put("rng", {"bit_generator": "PCG64"}),
    "hex": put("torch_rng", "zz"), "RNG state": put("torch_rng", "00"),
    "playing: expected true or false": put("playing", 1),
    "acting_progress: expected a number": put("acting_progress", 2.0),
    "actor|list": put("actor", []), "moves: expected a whole number": put("actor.counters.moves", -3),
    "simulations": put("actor.counters", {"moves": 1, "games": 1}),
    "opening: expected a whole": put("actor.opening", [-1] * 8),
    "opening: expected 8 games, got 3": put("actor.opening", [0] * 3),
    "illegal": put("actor.games.histories", [[99]] * 8),
    "replay doesn't fit this run: action": fill("replay", "action", 9),
    "replay doesn't fit this run: discount": fill("replay", "discount", 0.5),
    "replay doesn't fit this run: reward": fill("replay", "reward", float("nan")),
    "replay doesn't fit this run: root_value": fill("replay", "root_value", float("inf")),
    "replay doesn't fit this run: policy": fill("replay", "policy", float("nan")),
    "replay doesn't fit this run: left": fill("replay", "left", 0),
    "replay doesn't fit this run: left holds": fill("replay", "left", 10**6),
    "games don't fit this run: action": fill("actors", "action", -1),
    "games don't fit this run: discount": fill("actors", "discount", 2.0),
    "games don't fit this run: reward": fill("actors", "reward", float("inf")),
    "games don't fit this run: moves": fill("actors", "moves", -1),
    "games don't fit this run: obs": fill("actors", "moves", 10**12),
}


@pytest.mark.parametrize("message", HOSTILE)
def test_a_checkpoint_with_impossible_numbers_is_damaged(short_run: Path, tmp_path: Path, message: str) -> None:
    stored = checkpoint.load(last(short_run))
    state, files = copy.deepcopy(stored.state), copy.deepcopy(stored.tensors)
    HOSTILE[message](state, files)
    checkpoint.save(tmp_path, stored.step, files, state, stored.config)
    with pytest.raises(Damaged, match=rf"doesn't fit its own config: .*({message})"):
        loop.run(TINY, tmp_path)


def test_a_truth_value_is_zero_or_one() -> None:
    good = {"action": np.zeros(2, np.int32), "discount": np.zeros(2), "legal": np.ones((2, 3), np.bool_)}
    assert impossible(good, 1) is None
    assert impossible(good | {"legal": np.full((2, 3), 7, np.uint8).view(np.bool_)}, 1) == "legal"


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_priorities_that_can_not_be(tmp_path: Path, value: float) -> None:
    config = tiny(train__steps=2, replay__prioritized=True)
    stored = checkpoint.load(whole_run(config, tmp_path / "a"))
    fill("replay", "priority", value)(stored.state, stored.tensors)
    checkpoint.save(tmp_path / "b", stored.step, stored.tensors, stored.state, stored.config)
    with pytest.raises(Damaged, match="priorit"):
        loop.run(config, tmp_path / "b")
