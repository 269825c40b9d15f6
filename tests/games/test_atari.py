"""Atari: names and protocols, the environment against ALE itself, and what training alone sees."""

from __future__ import annotations

import base64
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from table_model import blank_planner

import games
import muzero
from games import atari_protocol
from games.atari import AtariBatch, action_names
from games.atari_protocol import PROTOCOLS, atari_facts, roms
from games.contract import check_game
from muzero import cli, presets
from muzero.config import Config, ConfigError, SearchConfig, SelfPlayConfig, replace
from muzero.model.build import build_model
from muzero.storage import checkpoint, runs
from muzero.training import loop
from muzero.view.progress import Progress
from selfplay.actor import Actor

ale_py: Any = pytest.importorskip("ale_py")
PLAIN = "protocol=custom,noops=0"
"""From the first frame on, without chance."""


# --- names ----------------------------------------------------------------------------------------------------


def test_the_table_is_ale_s() -> None:
    assert len(roms()) + len(atari_protocol.TWO_PLAYERS) == len(ale_py.roms.get_all_rom_ids()) == 108
    assert sum(rom.atari100k for rom in roms().values()) == 26
    assert sum(rom.human is not None for rom in roms().values()) == 57
    for name in ("pong", "breakout", "ms_pacman", "skiing", "lost_luggage", "video_chess"):
        ale = ale_py.ALEInterface()
        ale.loadROM(ale_py.roms.get_rom_path(name))
        assert roms()[name].actions == len(ale.getMinimalActionSet())
        assert roms()[name].all_actions == len(ale.getLegalActionSet())


@pytest.mark.parametrize(("name", "canonical"), [
    ("atari/pong", "atari/pong"),
    ("atari/pong()", "atari/pong"),
    ("atari/pong(protocol=atari100k,size=84)", "atari/pong"),
    ("atari/pong(size=96,protocol=machado)", "atari/pong(protocol=machado,size=96)"),
    ("atari/pong(protocol=machado,sticky=0.25)", "atari/pong(protocol=machado)"),
    (" atari/pong(colour=rgb)", "atari/pong(colour=rgb)"),
    ("atari/pong(protocol=custom,sticky=0.5)", "atari/pong(protocol=custom,sticky=0.5)"),
])
def test_a_game_has_one_name(name: str, canonical: str) -> None:
    assert games.spec(name).name == canonical
    assert games.spec(canonical) == games.spec(name)


@pytest.mark.parametrize(("name", "words"), [
    ("atari/pogn", "did you mean 'atari/pong'"),
    ("atari/combat", "no mode for one player"),
    ("atari/", "as in atari/pong"),
    ("atari/pong(sticky=0.25)", "atari100k .* has sticky=0.0, which sticky=0.25 contradicts; .* protocol=custom"),
    ("atari/pong(protocol=machado,sticky=0)", "machado has sticky=0.25"),
    ("atari/pong(protocol=machado,actions=minimal)", "machado has actions=full"),
    ("atari/pong(skip=5)", "has skip=4"),
    ("atari/pong(skip=4,skip=4)", "given twice"),
    ("atari/pong(protocol=macado)", "did you mean 'machado'"),
    ("atari/pong(protocl=machado)", "did you mean 'protocol'"),
    ("atari/pong(colour=red)", "expected grey or rgb"),
    ("atari/pong(size=-3)", "whole number from 16 to 210"),
    ("atari/pong(protocol=custom,sticky=1)", "a number from 0.0 to 0.99"),
    ("atari/pong(protocol=custom,skip=1.5)", "whole number"),
])
def test_names_that_contradict_themselves_are_refused(name: str, words: str) -> None:
    with pytest.raises(games.GameError, match=words):
        games.make(name, 1)


@pytest.mark.parametrize("missing", ["ale_py", "vector"])
def test_a_missing_ale_names_the_extra(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    assert games.spec("atari/pong").num_actions == 6, "facts need no ALE"
    if missing == "ale_py":
        monkeypatch.setitem(sys.modules, "ale_py", None)
    else:
        monkeypatch.delattr(ale_py, "ALEVectorInterface")
    with pytest.raises(games.GameError, match=r"pip install '\.\[atari\]'"):
        games.make("atari/pong", 1)


def test_a_missing_ale_is_told_before_a_run_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ale_py", None)
    assert cli.main(["train", "atari/pong", "--out", str(tmp_path / "run")]) != 0
    assert "pip install '.[atari]'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


# --- the environment ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [
    "atari/pong", "atari/breakout(protocol=machado)", "atari/ms_pacman(colour=rgb,size=96)",
    f"atari/freeway({PLAIN},cap=240,size=40,skip=3,stack=2)",
])
def test_the_contract_holds(name: str) -> None:
    check_game(name, size=2, steps=60)


def raw(rom: str) -> Any:
    """ALE itself, without a chance that an action is repeated."""
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    ale = ale_py.ALEInterface()
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(ale_py.roms.get_rom_path(rom))
    ale.reset_game()
    return ale


# Frogger runs on for some frames with no life left.
@pytest.mark.parametrize("rom", ["pong", "breakout", "space_invaders", "frogger"])
def test_rewards_lives_and_frames_are_ale_s_own(rom: str) -> None:
    """One move is four frames of ALE with the same action, and pays what they paid."""
    batch, ale, rng = games.make(f"atari/{rom}({PLAIN})", 1), raw(rom), np.random.default_rng(0)
    assert isinstance(batch, AtariBatch)
    actions, paid = ale.getMinimalActionSet(), 0.0
    assert [action.name.lower() for action in actions] == action_names(batch.facts)
    for move in range(1, 400):
        action = int(rng.integers(len(actions)))
        # A game that is over stands still.
        reward = sum(0 if ale.game_over() else ale.act(actions[action]) for _ in range(4))
        lives, before = ale.lives(), batch.lives[0]
        step = batch.step(np.array([action], np.int32))
        assert step.reward[0] == reward
        assert batch.frames[0] == ale.getEpisodeFrameNumber()
        assert ale.game_over() or batch.frames[0] == 4 * move
        assert batch.lives[0] == lives
        assert step.life_lost is not None
        assert step.life_lost[0] == (0 < lives < before and not ale.game_over())
        assert (step.discount[0] == 0.0) == ale.game_over()
        paid += reward
        if ale.game_over():
            break
    assert batch.returns()[0, 0] == paid


@pytest.mark.parametrize("rom", ["pong", "demon_attack"])
def test_the_newest_frame_is_the_maximum_of_two(rom: str) -> None:
    """Of a move's last two frames, and neither of them alone. Rows keep their mean when columns are stretched."""
    batch, ale, rng = games.make(f"atari/{rom}({PLAIN},size=210)", 1), raw(rom), np.random.default_rng(0)
    actions, error = ale.getMinimalActionSet(), np.zeros(3)
    for _ in range(60):
        action, screens = int(rng.integers(len(actions))), []
        for _ in range(4):
            ale.act(actions[action])
            screens.append(ale.getScreenGrayscale().astype(float))
        batch.step(np.array([action], np.int32))
        seen = batch.observe()[0, -1].mean(1)
        wanted = (np.maximum(screens[2], screens[3]), screens[2], screens[3])
        error += [np.abs(seen - frame.mean(1)).sum() for frame in wanted]
    assert 50 * error[0] < error[1:].min()


def test_a_cap_cuts_and_an_end_ends() -> None:
    batch = games.make(f"atari/breakout({PLAIN},cap=100)", 2)
    for move in range(25):
        step = batch.step(np.zeros(2, np.int32))
        assert step.truncated.all() == (move == 24)
    assert (step.discount == 1.0).all(), "a cut game is not over"
    assert (batch.to_play() == games.NO_PLAYER).all()
    with pytest.raises(games.GameError, match="is over; reset it"):
        batch.step(np.zeros(2, np.int32), np.ones(2, np.bool_))


def test_a_failure_of_ale_is_told_as_the_game_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a run ends with its cause, and what it had is saved."""
    class Broken:
        def recv(self) -> None:
            raise RuntimeError("the emulator is out of tune")

        def send(self, *_: object) -> None: ...

    batch = games.make("atari/pong(size=20)", 1)
    monkeypatch.setattr(batch._rows[0], "_environment", Broken())  # type: ignore[attr-defined]
    with pytest.raises(games.GameError, match=r"atari/pong.*ALE failed: the emulator is out of tune"):
        batch.step(np.zeros(1, np.int32))


@pytest.mark.parametrize("name", ["atari/breakout(size=20)", "atari/breakout(protocol=machado,size=20)"])
def test_a_new_game_begins_beside_the_others_and_begins_again(name: str) -> None:
    """Each row's games differ, and come again after going back to any point before them, in a new batch too."""
    batch, other, seen = games.make(name, 2, 7), games.make(name, 2, 3), []
    assert isinstance(batch, AtariBatch)
    for number, row in enumerate([0, 0, 1, 0, 1, 1, 0]):
        before, rows = batch.snapshot(), np.arange(2) == row
        begun = []
        other = games.make(name, 2, 3) if number == 6 else other
        for player in (batch, other):
            player.restore(before)
            player.reset(rows)
            begun.append(player.snapshot())
            for _ in range(20):
                player.step(np.ones(2, np.int32))
            begun[-1]["screens"] = player.observe().tobytes()
        assert begun[0] == begun[1]
        batch.restore(begun[0])
        assert batch.frames[row] <= 30, "a game that has just begun"
        seen.append(tuple(begun[0]["begun"][row]))
    assert len(set(seen)) == len(seen)


def test_without_sticky_actions_a_seed_lasts_for_games(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which hang on nothing but its number among them, however those before it were played: ALE goes on by itself."""
    monkeypatch.setattr(games.atari, "GAMES_A_SEED", 3)
    stories: dict[str, list[tuple[int, int]]] = {}
    for name in ("atari/pong(size=20)", "atari/pong(protocol=machado,size=20)"):
        batch = games.make(name, 1, 5)
        assert isinstance(batch, AtariBatch)
        stories[name] = []
        for game in range(8):
            stories[name].append(batch.story(0)[:2])
            for move in range(7 * game):
                batch.step(np.array([move % 3], np.int32))
            again = games.make(name, 1)
            again.restore(batch.snapshot())
            assert (again.observe() == batch.observe()).all()
            batch.reset()
    seeds, numbers = zip(*stories["atari/pong(size=20)"], strict=True)
    # Two environments take turns, in one row.
    assert numbers == (0, 0, 1, 1, 2, 2, 0, 0)
    assert len(set(seeds)) == 4
    assert all(number == 0 for _, number in stories["atari/pong(protocol=machado,size=20)"])


def test_where_a_game_hangs_on_those_before_each_has_its_seed() -> None:
    """Yars' Revenge begins another way after another game, in ALE's environment."""
    batch, rng = games.make("atari/yars_revenge(size=20)", 1, 5), np.random.default_rng(0)
    assert isinstance(batch, AtariBatch)
    for _ in range(4):
        assert batch.story(0).number == 0
        for _ in range(60):
            batch.step(rng.integers(0, batch.spec.num_actions, 1).astype(np.int32))
        again = games.make("atari/yars_revenge(size=20)", 1)
        again.restore(batch.snapshot())
        assert (again.observe() == batch.observe()).all()
        batch.reset()


def test_a_game_that_comes_out_another_way_is_refused() -> None:
    """As with another version of ALE."""
    batch = games.make("atari/pong(size=20)", 2, 5)
    for _ in range(30):
        batch.step(np.array([3, 3], np.int32))
    snapshot = batch.snapshot()
    snapshot["actions"][1] = base64.b64encode(bytes([4] * 30)).decode()
    with pytest.raises(games.GameError, match="went differently when it was replayed"):
        games.make("atari/pong(size=20)", 2).restore(snapshot)


def test_a_failure_in_the_spare_is_told_where_it_is_wanted() -> None:
    """And the row whose game did not begin makes no move before it has one."""
    batch = games.make("atari/breakout(size=20)", 2, 7)
    assert isinstance(batch, AtariBatch)
    failed: Future[Any] = Future()
    failed.set_exception(RuntimeError("no picture"))
    batch._spare.begun()
    batch._spare._beginning = failed
    row = np.array([False, True])
    with pytest.raises(games.GameError, match="ALE failed: no picture"):
        batch.reset(row)
    with pytest.raises(games.GameError, match="over"):
        batch.step(np.zeros(2, np.int32), row)
    other = games.make("atari/breakout(size=20)", 2)
    for _ in range(2):
        # The second time in the environment that failed.
        batch.reset(row)
        other.restore(batch.snapshot())
        assert (batch.observe() == other.observe()).all()


def test_nothing_begins_where_no_row_is_asked_for() -> None:
    batch = games.make("atari/breakout(size=20)", 2, 7)
    assert isinstance(batch, AtariBatch)
    before = batch._spare._beginning
    batch.reset(np.zeros(2, np.bool_))
    assert batch._spare._beginning is before


@pytest.mark.parametrize("name", ["atari/pong", "atari/pong(protocol=machado)"])
def test_a_seed_decides_everything(name: str) -> None:
    def play(seed: int) -> bytes:
        batch, rng = games.make(name, 2, seed), np.random.default_rng(0)
        return b"".join(
            batch.step(rng.integers(0, 6, 2).astype(np.int32)).reward.tobytes() + batch.observe().tobytes()
            for _ in range(60))

    assert play(1) == play(1) != play(2)


# --- what training alone sees ---------------------------------------------------------------------------------


def act(moves: int, **settings: Any) -> tuple[Actor, list[Any], list[float]]:
    actor = Actor(games.make("atari/breakout(size=20)", 1, 0), SelfPlayConfig(games=1, max_moves=27_000, **settings), 0)
    planner = blank_planner(4, 1, SearchConfig(simulations=1))
    parts, returns = [], []
    for _ in range(moves):
        parts += actor.play(planner, 0.0)
        returns += actor.returns
    return actor, parts, returns


def test_lost_lives_end_games_for_the_learner_alone() -> None:
    actor, whole, returns = act(500)
    _, lives, same = act(500, life_ends=True)
    assert returns == same != [], "the games went on as they were"
    assert len(whole) == len(returns) == actor.counters.games
    assert all(part.discount[-1] == 0.0 and not part.exploratory[-1] for part in lives)
    moves = sum(map(len, whole))
    for name in ("action", "reward"):
        one, many = (np.concatenate([getattr(part, name) for part in parts]) for parts in (whole, lives))
        assert (one == many[:moves]).all(), "each move once, in its order"
    ends = np.cumsum([len(part) for part in lives])
    assert (ends <= moves).sum() == 5 * len(whole), "Breakout has five lives"
    assert set(np.cumsum([len(game) for game in whole]).tolist()) <= set(ends.tolist())


def test_clipping_hides_the_size_of_rewards_from_the_learner_alone() -> None:
    actor = Actor(games.make("atari/space_invaders(size=20)", 2, 0),
                  SelfPlayConfig(games=2, max_moves=100, clip_rewards=True), 0)
    planner = blank_planner(6, 2, SearchConfig(simulations=1))
    parts, returns = [], []
    while not returns:
        parts += actor.play(planner, 0.0)
        returns += actor.returns
    assert max(part.reward.max() for part in parts) == 1.0
    assert max(returns) > max(part.reward.sum() for part in parts)
    assert set(np.unique(np.concatenate([part.reward for part in parts]))) <= {-1.0, 0.0, 1.0}


def test_lives_are_not_told_under_machado() -> None:
    for name in presets.names("atari/pong"):
        assert presets.load("atari/pong", name).selfplay.life_ends
        machado = presets.load("atari/pong(protocol=machado)", name)
        assert not machado.selfplay.life_ends
        with pytest.raises(ConfigError, match=r"machado .* forbids"):
            replace(machado, {"selfplay.life_ends": True})


@pytest.mark.parametrize("name", presets.names("atari/pong"))
def test_presets_make_models(name: str) -> None:
    """And differ in settings alone: each is the same classes, searched by the same code."""
    config = presets.load("atari/ms_pacman", name)
    assert config.train.positions == (0 if name == "small" else 100_000)
    model = build_model(replace(config, {"model.width": 4, "model.hidden": 4, "model.consistency_width": 4}))
    assert model.latent_shape[1:] == (6, 6)


def test_discount_and_step_weights_are_the_published_ones() -> None:
    """EfficientZero's discount is 0.997 a frame, MuZero's 0.997 a move, of four frames each."""
    for name in presets.names("atari/pong"):
        learner = presets.load("atari/pong", name).learner
        published = (0.997, "mean") if name == "muzero" else (0.997**4, "equal")
        assert (learner.gamma, learner.step_weights) == (pytest.approx(published[0], abs=1e-4), published[1]), name


def test_the_longest_episodes_have_presets() -> None:
    assert presets.load("atari/pong(protocol=custom,skip=1,cap=2000000)", "small").selfplay.max_moves == 1 << 20


def test_a_limit_inside_the_random_games_is_refused() -> None:
    config = presets.load("atari/pong", "small")
    with pytest.raises(ConfigError, match=r"train\.positions: expected more than .* 20,000, .* got 20,000: raise"):
        replace(config, {"train.positions": 20_000})
    assert replace(config, {"train.positions": 20_001}).train.positions == 20_001


def test_a_short_training_counts_frames_and_learns(tmp_path: Path) -> None:
    """From pixels to a checkpoint that plays: value prefix, consistency, priorities, shifts and reanalysis at work."""
    config = replace(presets.load("atari/pong(size=40)", "gumbel"), {
        "model.width": 4, "model.hidden": 4, "model.consistency_width": 8, "model.prefix_hidden": 8, "train.actors": 0,
        "selfplay.games": 4, "selfplay.part_moves": 20, "search.simulations": 2, "replay.min_positions": 100,
        "replay.capacity": 400, "learner.batch": ((0.0, 8.0),), "learner.replay_ratio": 0.5,
        "learner.reanalyse_fraction": 1.0, "learner.reanalyse_batch": 16, "train.positions": 600})
    last = None

    def report(progress: Progress) -> None:
        nonlocal last
        last = progress

    assert loop.run(config, tmp_path, report=report) == 0
    assert last is not None
    assert 600 <= last.positions <= 680, "parts of four games may go beyond"
    assert last.step == 600 // 16 or last.step == last.positions // 16
    assert all(np.isfinite(value) for value in last.losses.values())
    assert {"reward", "policy", "value", "consistency"} <= last.losses.keys()
    player = muzero.load_agent(str(tmp_path))
    batch = games.make(player.spec.name, 2)
    assert player.search(player.observe(batch), batch.legal(), simulations=2).result.policy.shape == (2, 6)


def test_published_protocols_are_those_published() -> None:
    machado, hundred = PROTOCOLS["machado"], PROTOCOLS["atari100k"]
    assert (machado.sticky, machado.actions, machado.noops) == (0.25, "full", 0)
    assert (hundred.sticky, hundred.actions, hundred.noops) == (0.0, "minimal", 30)
    assert machado.skip == hundred.skip == 4
    assert atari_facts("atari/pong(protocol=machado)").spec.num_actions == 18


@pytest.mark.parametrize("preset", ["gumbel", "muzero"])
def test_a_resumed_training_is_byte_for_byte_the_same(tmp_path: Path, preset: str) -> None:
    """With unfinished games, which are played again from their seeds and actions, and frames that parts share."""
    def config(steps: int) -> Config:
        return replace(presets.load("atari/breakout(size=20)", preset), {
            "model.width": 4, "model.hidden": 4, "model.consistency_width": 8, "model.prefix_hidden": 8,
            "train.actors": 0, "selfplay.games": 3, "selfplay.part_moves": 15, "search.simulations": 2,
            "replay.min_positions": 60, "replay.capacity": 150, "learner.batch": ((0.0, 8.0),),
            "learner.replay_ratio": 1.0, "train.positions": 0, "train.steps": steps, "train.horizon": 40})

    assert loop.run(config(40), tmp_path / "straight") == 0
    assert loop.run(config(17), tmp_path / "twice") == 0
    assert loop.run(config(40), tmp_path / "twice") == 0
    ends = [runs.newest(tmp_path / name) for name in ("straight", "twice")]
    assert ends[0] is not None
    assert ends[1] is not None
    assert checkpoint.same_content(ends[0], ends[1]) == []
