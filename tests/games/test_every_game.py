"""Every supported game trains: its own preset, made small, takes two learning steps and gives an agent that moves."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import games
from muzero import agent, presets
from muzero.config import Config, changes, replace
from muzero.presets import general, survey
from muzero.storage import metrics, runs
from muzero.training import loop

torch.set_num_threads(1)
SMALLER = {
    "2048": "2048", "amazons": "amazons(board_size=6)", "breakthrough": "breakthrough(rows=5,columns=4)",
    "connect_four": "connect_four(rows=4,columns=5)", "cursor_go": "cursor_go(board_size=5)", "go": "go(board_size=5)",
    "gomoku": "gomoku(size=6)", "havannah": "havannah(board_size=4)", "hex": "hex(board_size=5)",
    "mnk": "mnk(m=4,n=4,k=3)", "y": "y(board_size=6)",
}
"""Smaller boards of the same rules, so that games end."""
FULL = [game.name for game in games.list_games() if game.supported]
NAMES = [SMALLER.get(name, name) for name in FULL]
TUNED = sorted(set(presets.PRESETS) - set(NAMES))
"""Games with a preset of their own, at full size."""
OTHERS = ["misere(game=tic_tac_toe)", "games.examples.subtraction:Subtraction", *TUNED]
STEPS = 2


def small(name: str) -> Config:
    """The game's preset with a tiny network, games cut after 12 moves, and two steps to make."""
    preset, _ = survey.settle(presets.load(name))
    overrides: dict[str, Any] = {
        "model.width": 16, "model.hidden": 16, "model.representation_blocks": 1, "search.simulations": 2,
        "search.threads": 1, "play.simulations": 2, "selfplay.games": 4, "selfplay.max_moves": 12,
        "selfplay.part_moves": 0,
        "selfplay.simulations_share": [[0, 1]],
        "selfplay.warmup_positions": 0, "replay.capacity": 200, "replay.min_positions": 20, "replay.min_window": 0,
        "learner.batch": [[0, 8]], "learner.replay_ratio": 1.0, "train.steps": STEPS, "train.horizon": STEPS,
        "train.minutes": 0.0, "train.actors": 0, "train.device": "cpu", "train.evaluate_minutes": 0.0,
        "train.publish_steps": 1, "train.log_seconds": 0.0, "train.checkpoint_seconds": 1e6,
    }
    return replace(preset, overrides)


@pytest.mark.parametrize("name", NAMES + OTHERS)
def test_a_game_trains_and_is_played(name: str, tmp_path: Path) -> None:
    config = small(name)
    assert loop.run(config, tmp_path) == 0
    folder = runs.newest(tmp_path)
    assert folder is not None
    assert folder.name == f"step-{STEPS:08d}"
    for record in metrics.read(tmp_path):
        assert all(math.isfinite(value) for key, value in record.items() if key.startswith("loss/"))
    player = agent.load(str(folder), own_game=config.game)
    batch = games.make(config.game, 2, seed=1)
    analysis = player.search(batch.observe(), batch.legal())
    chosen = analysis.result.action
    assert batch.legal()[np.arange(2), chosen].all()
    assert analysis.prior.sum(1) == pytest.approx(1.0, abs=1e-5)
    assert (analysis.prior[~batch.legal()] == 0).all()
    batch.step(chosen)


def test_presets_are_found_by_any_spelling_of_their_game() -> None:
    for name in presets.PRESETS:
        assert games.spec(name).name == presets.load(name).game == name
    assert presets.load("go(board_size=9,komi=7.5)") == presets.load("go(board_size=9)")
    assert presets.load("breakthrough(rows=8)") == presets.load("breakthrough")


@pytest.mark.parametrize("name", ["breakthrough", "go(board_size=9)", "hex(board_size=7)", "othello"])
def test_large_boards_differ_from_the_general_preset_in_a_few_settings(name: str) -> None:
    """Minutes to stop after; the model fits the game's turns, and the replay its memory, as in any game."""
    config, same = presets.load(name), general.preset(games.spec(name))
    changed = set(changes(same, config)) - {"preset"}
    assert config.train.minutes > 0 == config.train.steps
    assert len(changed) < 16
    assert not {"game", "search.scale", "model.network", "selfplay.max_moves"} & changed


@pytest.mark.parametrize(
    ("name", "duel"),
    [("nim", True), ("hex", True), ("chess", True), ("catch", False), ("2048", False), ("backgammon", False),
     ("maedn", False)],
)
def test_bold_settings_are_for_two_players_without_chance(name: str, duel: bool) -> None:
    """Reconstruction only where there are planes to rebuild: a vector of counts has none."""
    config = general.preset(games.spec(name))
    assert (config.learner.search_share > 0) == (config.replay.window_fraction < 1) == duel
    assert config.model.reconstruction == (duel and len(games.spec(name).observation_shape) == 3)


@pytest.mark.parametrize(
    ("name", "small"),
    [("nim", True), ("hex(board_size=3)", True), ("dots_and_boxes", True), ("clobber(rows=3,columns=4)", True),
     ("hex(board_size=5)", False), ("othello", False), ("mancala", False), ("catch", False)],
)
def test_games_that_a_search_imagines_to_their_end_have_masks_and_ends(name: str, small: bool) -> None:
    config = general.preset(games.spec(name))
    assert config.model.legality == (config.model.transition == "likeliest") == (config.learner.unroll > 3) == small
    assert (config.play.legality.least > 0) == small
    if small:
        assert config.selfplay.opening_plies == min(12, games.spec(name).max_length)
        rules = presets.with_rules(config)
        assert (rules.model.transition, rules.model.legality, rules.play.legality.least) == ("expected", False, 0.0)


def test_the_list_covers_every_supported_game() -> None:
    assert {name.partition("(")[0] for name in NAMES} == {game.name for game in games.list_games() if game.supported}


@pytest.mark.parametrize("name", sorted({*FULL, *TUNED}))
def test_presets_of_full_games_fit_in_memory(name: str) -> None:
    """At full size: the replay is within its limit and no network is built of hundreds of megabytes."""
    from muzero.model.learned import LearnedModel
    from selfplay.trajectory import stored_bytes

    config, spec = survey.settle(presets.load(name))[0], games.spec(name)
    assert config.replay.capacity * stored_bytes(spec) <= config.replay.memory_limit_mb * 10**6
    with torch.device("meta"):
        model = LearnedModel(spec, config.model, config.learner.gamma)
    numbers = sum(held.numel() for held in (*model.parameters(), *model.buffers()))
    assert numbers < 20_000_000


def test_another_board_of_connect_four_has_the_preset_of_its_family() -> None:
    small, general = presets.load("connect_four(rows=4,columns=4)"), presets.load("hex(board_size=3)")
    assert small.search.simulations > general.search.simulations
    assert small.learner.search_share == 0 < general.learner.search_share
    assert small.train.steps > 0 == presets.load("connect_four").train.steps
