"""Games seen in pixels, for people: the camera, the film, and a terminal that shows them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import games
from games.atari import SCREEN, AtariBatch, Camera
from muzero import presets
from muzero.agent import Agent
from muzero.commands import evaluate
from muzero.commands.evaluate import video
from muzero.commands.play import watch
from muzero.config import Config, replace
from muzero.model.build import build_model
from muzero.play import filming
from muzero.play.viewing import Viewing
from muzero.players import SearchPlayer
from muzero.presets import survey
from muzero.reports import as_json, terminal
from muzero.view import waiting
from muzero.view.console import CommandError, log
from muzero.view.film import HEIGHT, LEAST_RANGE, PANEL, Scene, picture, scale_of
from selfplay.strength.arena import play_alone

torch.set_num_threads(1)
SMALL = {"model.width": 4, "model.hidden": 4, "play.simulations": 2}
CATCH = "games.examples.pixel_catch:PixelCatch"


def agent(config: Config) -> Agent:
    """Untrained; a network of its own for each config, whatever ran before."""
    torch.manual_seed(0)
    return Agent(build_model(replace(config, SMALL)), config, "made", 0)


@pytest.fixture(scope="module")
def player() -> Agent:
    return agent(presets.load("atari/breakout(protocol=custom,cap=200,size=20)", "small"))


@pytest.fixture(scope="module")
def catcher() -> Agent:
    return agent(presets.load(CATCH))


def scene(**changes: Any) -> Scene:
    values: dict[str, Any] = {
        "frame": np.zeros((*SCREEN, 3), np.uint8), "title": "atari/pong", "move": 3, "score": -2.0,
        "values": (0.1, 0.5, -0.2), "names": ("noop", "fire"), "policy": np.array([0.25, 0.75], np.float32),
        "visits": np.array([3, 5], np.int32),
        "action": 1, "lives": 4}
    return Scene(**{**values, **changes})


# --- the camera -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["atari/pong", "atari/breakout(protocol=machado)"])
def test_the_camera_films_the_game_that_is_played(name: str) -> None:
    """Its grey picture, scaled like the agent's, is what the agent sees, also with sticky actions and new games."""
    whole = f"{name[:-1]},size=210,stack=1)" if name.endswith(")") else f"{name}(size=210,stack=1)"
    batch, rng = games.make(whole, 2, 3), np.random.default_rng(0)
    assert isinstance(batch, AtariBatch)
    camera = Camera(batch, 1)
    for move in range(60):
        if move == 40:
            batch.reset(np.array([False, True]))
        colours = camera.picture()
        assert colours.shape == (*SCREEN, 3)
        # ALE's grey is near the luma of its colours; every 21st column of 210 starts where every 16th of 160 does.
        grey = colours @ np.array([0.299, 0.587, 0.114])
        seen = batch.observe()[1, 0].astype(float)
        assert np.abs(seen[:, ::21] - grey[:, ::16]).mean() < 4.0
        batch.step(rng.integers(0, 4, 2).astype(np.int32))


# --- the film -------------------------------------------------------------------------------------------------


def test_a_picture_shows_frame_and_thoughts() -> None:
    frame = np.full((*SCREEN, 3), 200, np.uint8)
    drawn = picture(scene(frame=frame))
    assert drawn.shape == (HEIGHT, 320 + PANEL, 3)
    assert (drawn[:, :320] == 200).all()
    other = picture(scene(frame=frame, policy=np.array([0.75, 0.25], np.float32), action=0))
    assert (other[:, :320] == drawn[:, :320]).all()
    assert (other[:, 320:] != drawn[:, 320:]).any()
    one = picture(scene(values=(0.0,), policy=np.full(18, 1 / 18, np.float32), names=tuple("abcdefghijklmnopqr")))
    assert one.shape[0] % 2 == one.shape[1] % 2 == 0


@pytest.mark.parametrize("values", [(-0.0213,), (-0.0213, -0.0213), (-0.0213, -0.0211), (0.005, 0.0149), (1.0, 3.0)])
def test_the_ends_of_the_curve_s_scale_are_told_apart(values: tuple[float, ...]) -> None:
    low, high = scale_of(values)
    assert f"{low:.2f}" != f"{high:.2f}"
    assert low <= min(values) <= max(values) <= high
    assert (low, high) == (1.0, 3.0) or high - low == pytest.approx(LEAST_RANGE)


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_game_becomes_a_film(tmp_path: Path, player: Agent, suffix: str) -> None:
    imageio: Any = pytest.importorskip("imageio.v3")
    path = tmp_path / f"game{suffix}"
    told = filming.record(Viewing(player, 0, 2), path)
    assert told.over
    assert not told.cut_short
    plugin = {"plugin": "pyav"} if suffix == ".mp4" else {}
    frames = imageio.imread(path, **plugin)
    assert frames.shape == (told.moves, HEIGHT, 320 + PANEL, 3)
    assert told.moves == 50, "200 frames, four a move"


@pytest.mark.parametrize("seed", [0, 3])
def test_a_film_is_of_the_game_that_is_measured(tmp_path: Path, seed: int) -> None:
    longer = agent(presets.load("atari/breakout(protocol=custom,cap=600,size=20)", "small"))
    told = filming.record(Viewing(longer, seed, 2), tmp_path / "film.gif")
    measured = play_alone(longer.spec.name, SearchPlayer(longer, 2, seed), 1, seed)
    assert (told.moves, told.score) == (measured.lengths[0], measured.returns[0])


@pytest.mark.parametrize("name", ["film.mp4", "film.gif"])
def test_a_full_disk_leaves_no_half_film(tmp_path: Path, name: str) -> None:
    """And the film that was there; one message, and nothing after it."""
    (tmp_path / name).write_text("the old one")
    full = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from muzero.play import filming\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "rng = np.random.default_rng(0)\n"
        "moments = (rng.integers(0, 256, (64, 64, 3), np.uint8) for _ in range(100))\n"
        "try:\n"
        "    filming.write(Path(sys.argv[1]), moments)\n"
        "except filming.FilmError as error:\n"
        "    print(error)\n")
    done = subprocess.run([sys.executable, "-c", full, str(tmp_path / name)], capture_output=True, text=True,
                          check=True, cwd=Path(__file__).parents[2], timeout=60)
    assert (done.stdout, done.stderr) == (f"the film {tmp_path / name} could not be written: File too large\n", "")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "the old one"


def test_whoever_waits_for_a_film_hears_of_it(
    tmp_path: Path, catcher: Agent, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(waiting, "PROGRESS_SECONDS", 0.0)
    filming.record(Viewing(catcher, 0, 2), tmp_path / "film.gif", log)
    said = capsys.readouterr().err.splitlines()
    assert said[1] == "filming: move 1, score 0"
    assert len(said) == 10


def test_a_film_and_a_measurement_are_both_told(
    tmp_path: Path, catcher: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muzero.commands.evaluate.measuring.load_agent", lambda *words: catcher)
    told = tmp_path / "told.json"
    assert evaluate.run(["atari/up_n_down", "--video", str(tmp_path / "film.gif"), "--episodes", "2", "--simulations",
                         "2", "--json", str(told)]) == 0
    content = json.loads(told.read_text())
    assert content["video"]["whole"]
    assert content["returns"]["games"] == 2


def test_a_film_that_ends_before_its_game_says_so(
    tmp_path: Path, catcher: Agent, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(filming, "LONGEST", 3)
    report = filming.record(Viewing(catcher, 0, 2), tmp_path / "film.gif")
    assert not as_json.content(report)["video"]["whole"]
    terminal.show(report)
    assert "films end at 3 moves; the game goes on" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "words"), [("film.avi", ".mp4 or .gif"), ("no/film.mp4", "can't be written")])
def test_films_that_cannot_be_written_are_refused(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        video.check_file(tmp_path / name)


def test_own_pictures_are_filmed_too(catcher: Agent) -> None:
    viewing = Viewing(catcher, 0, 2)
    shots = list(filming.film(viewing))
    assert len(shots) == 9
    assert shots[0].shape == (HEIGHT, HEIGHT + PANEL, 3)
    assert viewing.score in (-1.0, 1.0)


def test_a_scene_has_the_values_until_now_in_their_order(catcher: Agent) -> None:
    viewing = Viewing(catcher, 0, 2)
    analysis = viewing.think()
    viewing.values[:] = [0.5, -0.25, 0.125]
    moment = viewing.scene(analysis)
    assert (moment.move, moment.values) == (3, (0.5, -0.25, 0.125))


def test_a_game_without_pictures_is_refused() -> None:
    with pytest.raises(games.GameError, match="has no pictures"):
        Viewing(agent(survey.settle(presets.load("gym/CartPole-v1"))[0]), 0)


# --- the terminal ---------------------------------------------------------------------------------------------


def test_blocks_are_pixels() -> None:
    shot = np.zeros((40, 40, 3), np.uint8)
    shot[:20] = 255
    lines = watch.blocks(shot, 20, 10, colour=True)
    assert len(lines) == 10
    assert lines[0] == "\x1b[38;2;255;255;255;48;2;255;255;255m" + watch.UPPER * 20 + "\x1b[0m"
    assert lines[9] == "\x1b[38;2;0;0;0;48;2;0;0;0m" + watch.UPPER * 20 + "\x1b[0m"
    assert watch.blocks(shot, 20, 10, colour=False) == ["@" * 20] * 5 + [" " * 20] * 5


@pytest.mark.parametrize(("columns", "lines"), [(60, 20), (25, 8), (10, 4), (80, 24), (500, 500)])
@pytest.mark.parametrize("colour", [True, False])
def test_what_is_seen_fits_the_terminal(
    columns: int, lines: int, colour: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda _: os.terminal_size((columns, lines)))
    told = watch.thoughts(scene(names=tuple("abcdefghijklmnopqr"), policy=np.full(18, 1 / 18, np.float32),
                                visits=np.full(18, 7, np.int32)))
    drawn = watch.screen(np.zeros((*SCREEN, 3), np.uint8), told, colour)
    rows = [re.sub(r"\x1b\[[0-9;]*m", "", row) for row in drawn.split("\n")]
    assert max(map(len, rows)) <= columns
    assert len(rows) <= max(1, lines - watch.BELOW)
    if lines >= 20:
        assert sum(row.endswith("6%    7") for row in rows) == watch.TOP, "every move is there"


def typed(*lines: str) -> Callable[[str], str]:
    waiting = list(lines)

    def read(prompt: str) -> str:
        if not waiting:
            raise EOFError
        return waiting.pop(0)

    return read


def test_a_person_watches(player: Agent, capsys: pytest.CaptureFixture[str]) -> None:
    watch.watch(player, 0, 2, typed("", "5", "nonsense", "?", "run", "again", "4", "quit"))
    said = capsys.readouterr().out
    assert "move 1   score" in said
    assert "move 6   score" in said
    assert "not understood: 'nonsense'" in said
    assert "The game was cut off." in said
    assert said.count("move 4   score") == 1, "the new game, in its first move"
    assert said.rstrip().endswith("bye")
    assert "\x1b" not in said, "no control codes where there is no terminal"


def test_the_start_is_shown_at_once_and_a_new_game_may_begin_at_any_time(
    player: Agent, capsys: pytest.CaptureFixture[str]
) -> None:
    watch.watch(player, 0, 2, typed("quit"))
    first = capsys.readouterr().out
    assert "move 0   score 0   lives 5" in first
    assert len(first.splitlines()) > watch.SMALLEST, "the picture"
    watch.watch(player, 0, 2, typed("3", "Again", "2", "quit"))
    said = capsys.readouterr().out
    assert re.findall(r"move (\d+) ", said) == ["0", "3", "0", "2"]
    assert "not understood" not in said


def test_without_colour_every_move_is_seen_on_a_terminal(
    player: Agent, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    watch.watch(player, 0, 2, typed("3", "quit"))
    said = capsys.readouterr().out
    assert re.findall(r"move (\d+) ", said) == ["0", "1", "2", "3"]
    assert set(re.findall(r"\x1b\[[0-9;]*[a-zA-Z]", said)) == {"\x1b[H", "\x1b[J"}, "cleared, and not coloured"


def test_ctrl_c_stops_a_running_game_and_not_the_program(
    player: Agent, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    think, made = Viewing.think, []

    def interrupted(viewing: Viewing) -> Any:
        made.append(1)
        if len(made) == 4:
            raise KeyboardInterrupt
        return think(viewing)

    monkeypatch.setattr(Viewing, "think", interrupted)
    watch.watch(player, 0, 2, typed("run", "2", "quit"))
    said = capsys.readouterr().out
    assert said.index("move 3   score") < said.index("stopped after 3 moves"), "what it stopped at is shown"
    assert "move 5   score" in said, "the game goes on where it was stopped"


def test_the_film_is_the_measured_game_where_play_leaves_circles(player: Agent) -> None:
    """An untrained agent of Breakout sees the same picture again and again before it serves."""
    made = {}
    for repeats in ("same", "next"):
        config = replace(player.config, {"alone.repeats": repeats})
        leaver = Agent(player.model, config, "leaver", 0)
        viewing, moves = Viewing(leaver, 3, 2), list[int]()
        while not viewing.over:
            analysis = viewing.think()
            moves.append(int(analysis.result.action[0]))
            viewing.step(analysis)
        measured = play_alone(leaver.spec.name, SearchPlayer(leaver, 2, 3), 1, 3)
        assert (measured.returns, measured.lengths) == ((viewing.score,), (len(moves),))
        made[repeats] = moves
    assert made["same"] != made["next"]
