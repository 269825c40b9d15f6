"""Games of one's own by any spelling and from any folder; folders and files called like a game; quoted commands."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import games
from games import GameError, own_names
from games.families import family
from games.own_names import canonical, from_here, is_own, same_game
from games.single import load_own
from muzero import cli, presets
from muzero.agent import load
from muzero.commands import train
from muzero.commands.arguments import find_agent, parse
from muzero.commands.evaluate import field, old_spellings, suite
from muzero.config import Config, ConfigError, check_continues, replace
from muzero.model.build import build_model
from muzero.players import split_simulations
from muzero.storage import checkpoint, runs
from muzero.view.console import OK, USAGE, command

SOURCE = "from games.examples.subtraction import Subtraction\nclass Mine(Subtraction):\n    pass\n"
SMALL = [
    "--train.actors", "0", "--train.device", "cpu", "--selfplay.games", "8", "--search.simulations", "2",
    "--replay.min-positions", "32", "--learner.batch", "16", "--model.width", "16", "--model.hidden", "16",
]
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _imports_as_before(tmp_path: Path) -> Iterator[None]:
    path, folders = list(sys.path), set(own_names._folders)
    yield
    sys.path[:] = path
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/").is_relative_to(tmp_path):
            del sys.modules[name]
    own_names._folders.clear()
    own_names._folders.update(folders)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "house"))
    return tmp_path


def game_file(path: Path, text: str = SOURCE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# --- spelling -------------------------------------------------------------------------------------------------


def test_one_file_is_one_game_by_every_spelling(here: Path) -> None:
    game_file(here / "house" / "mine.py")
    (here / "link.py").symlink_to("house/mine.py")
    spellings = ["house/mine.py:Mine", "./house/../house/mine.py:Mine", f"{here}/house/mine.py:Mine", "~/mine.py:Mine",
                 " link.py:Mine "]
    assert {canonical(name) for name in spellings} == {f"{here}/house/mine.py:Mine"}
    assert {games.spec(name).name for name in spellings} == {f"{here}/house/mine.py:Mine"}
    assert len({load_own(name)[0] for name in spellings}) == 1


@pytest.mark.parametrize("file", [
    "my game (2).py", "a-b.v2.py", "naïve.py", "colon:here.py", "atari/mine.py", "gym/mine.py", "quote's.py",
])
def test_a_file_may_have_any_name(file: str, here: Path) -> None:
    game_file(here / file)
    assert family(f"{file}:Mine") == "own"
    assert games.make(f"{file}:Mine", 2).legal().all()


@pytest.mark.parametrize("name", ["mcts:200", "hex(board_size=5)", "misere(game=tic_tac_toe)", "gym/Maze-v0", ":Mine",
                                  "hex(x):Mine", "mine.py", "mine.py:"])
def test_other_names_are_not_own(name: str) -> None:
    assert not is_own(name)


def test_a_game_is_stored_by_a_name_that_holds_everywhere(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is found again where its file moved, or where an older run named it from another folder."""
    game_file(here / "a" / "mine.py")
    stored = games.spec("a/mine.py:Mine").name
    (here / "b").mkdir()
    monkeypatch.chdir(here / "b")
    assert same_game(stored, canonical("../a/mine.py:Mine"))
    assert same_game("a/mine.py:Mine", canonical("../a/mine.py:Mine")), "named from another folder"
    assert from_here(stored) == stored
    game_file(here / "b" / "mine.py")
    assert not same_game(stored, canonical("mine.py:Mine")), "another file, while the first one is there"
    assert not same_game(stored, canonical("../a/mine.py:Other"))
    (here / "a" / "mine.py").unlink()
    assert same_game(stored, canonical("mine.py:Mine"))
    assert from_here(canonical("mine.py:Mine")) == "mine.py:Mine"
    assert not same_game(stored, canonical("other.py:Mine"))


def test_settings_go_on_under_another_spelling(here: Path) -> None:
    game_file(here / "mine.py")
    old, new = (replace(Config(), {"game": name}) for name in ("mine.py:Mine", f"{here}/mine.py:Mine"))
    assert check_continues("run", old, new) == {"game": (old.game, new.game)}
    batch = games.make(new.game, 2)
    batch.restore({**batch.snapshot(), "game": old.game})
    with pytest.raises(ConfigError, match="was made with game"):
        check_continues("run", old, replace(new, {"game": f"{here}/other.py:Mine"}))


def test_a_run_goes_on_from_another_folder(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """By another spelling, the unfinished games included; what it says next can be typed as it is."""
    game_file(here / "my games" / "mine.py")
    assert cli.main(["train", "my games/mine.py:Mine", "--out", "a run", "--steps", "1", *SMALL]) == OK
    printed = capsys.readouterr().out
    assert "  play it:     muzero play 'a run' --own-game 'my games/mine.py:Mine'\n" in printed
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    words = ["train", "../my games/mine.py:Mine", "--out", "../a run", "--steps", "2", *SMALL]
    assert cli.main(words) == OK
    assert "trained to step 2" in capsys.readouterr().out
    assert cli.main(["train", "../a run"]) == USAGE
    told = capsys.readouterr().err
    mend = shlex.split(told.rpartition("name it: ")[2])
    assert mend == ["muzero", "train", f"{here}/my games/mine.py:Mine", "--out", "../a run"]
    assert cli.main([*mend[1:], "--steps", "3"]) == OK
    evaluate = ["evaluate", "../a run", "--own-game", "../my games/mine.py:Mine", "--games", "2", "--simulations", "2"]
    assert cli.main(evaluate) == OK


@pytest.mark.parametrize("verb", ["train", "play", "evaluate"])
@pytest.mark.parametrize("file", ["nimlike.py", "a/nimlike.py"])
def test_a_file_alone_is_answered_with_its_classes(verb: str, file: str, here: Path, capsys: Captured) -> None:
    text = "".join(f"class Nim{number}:\n    class Inner:\n        pass\n" for number in range(7))
    game_file(here / file, f"raise SystemExit('it ran')\n{text}")
    assert cli.main([verb, file]) == USAGE
    told = capsys.readouterr().err
    named = ", ".join(f"{file}:Nim{number}" for number in range(5))
    assert f"name the class or environment in it: {named}\n" in told
    game_file(here / file, "class Broken(:\n")
    assert cli.main([verb, file]) == USAGE
    assert f"name the class or environment in it: {file}:Class" in capsys.readouterr().err


def test_a_misspelt_class_is_answered_with_the_nearest(here: Path) -> None:
    game_file(here / "mine.py", SOURCE.replace("Mine", "NimLike"))
    with pytest.raises(GameError, match=r"no class 'nimlik'.*; did you mean 'NimLike'\?"):
        load_own("mine.py:nimlik")


# --- imports --------------------------------------------------------------------------------------------------


def test_a_game_imports_its_neighbours_and_no_one_else_s(here: Path) -> None:
    for folder, number in (("a", 1), ("b", 2)):
        game_file(here / folder / "helper.py", f"NUMBER = {number}\n")
        game_file(here / folder / "lib" / "__init__.py", f"NUMBER = {number}\n")
        game_file(here / folder / "mine.py", f"import helper, lib\n{SOURCE}    number = helper.NUMBER, lib.NUMBER\n")
    numbers = [load_own(f"{folder}/mine.py:Mine")[0].number for folder in "ab"]  # type: ignore[attr-defined]
    assert numbers == [(1, 1), (2, 2)]


def test_neighbours_hide_nothing_from_the_engine(here: Path) -> None:
    """Once the game is read, its folder comes last."""
    for name in ("queue", "games", "colorsys"):
        game_file(here / f"{name}.py", "raise AssertionError('hidden')\n")
    game_file(here / "mine.py")
    games.spec("mine.py:Mine")
    sys.modules.pop("colorsys", None)
    __import__("colorsys")
    assert sys.path[-1] == str(here)


def test_a_module_is_looked_for_in_the_current_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    game_file(here / "mypackage" / "__init__.py", "")
    game_file(here / "mypackage" / "rules.py", "from . import tools\n" + SOURCE)
    game_file(here / "mypackage" / "tools.py", "")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    assert games.spec("mypackage.rules:Mine").name == "mypackage.rules:Mine"
    with pytest.raises(GameError, match=r"a file inside a package is named by its module, package\.rules:Class"):
        games.spec("mypackage/rules.py:Mine")


def test_a_module_that_can_t_be_had_names_the_mend(here: Path) -> None:
    game_file(here / "games" / "chess9.py")
    with pytest.raises(GameError, match=r"'games' is a package of this engine, which shadows yours: name the file, "
                                        r"games/chess9\.py:Mine"):
        games.spec("games.chess9:Mine")
    assert games.spec("games/chess9.py:Mine").num_actions == 3
    with pytest.raises(GameError, match=r"looked in .* You can name a file too: nowhere/game\.py:Mine"):
        games.spec("nowhere.game:Mine")
    game_file(here / "broken.py", "import nothing_of_that_name\n")
    with pytest.raises(GameError, match=r"'broken\.py' can't be imported: No module named 'nothing_of_that_name'"):
        games.spec("broken.py:Mine")


# --- folders with a game's name -------------------------------------------------------------------------------


@pytest.mark.parametrize("in_the_way", ["folder", "file", "folder of checkpoints"])
def test_a_folder_without_a_run_is_no_run(in_the_way: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if in_the_way == "file":
        (here / "connect_four").touch()
    else:
        (here / "connect_four" / ("checkpoints" if "of" in in_the_way else "")).mkdir(parents=True)
    (here / "checkpoints").mkdir()
    assert train.locate("connect_four") == ("connect_four", None)
    assert find_agent("connect_four").parent.name == "checkpoints"
    assert find_agent("connect_four").is_absolute()
    asked: list[str] = []
    monkeypatch.setattr(field, "find", lambda players, game, *_: asked.append(game) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["evaluate", "tournament", "connect_four", "connect_four@0", "random"])
    assert asked == ["connect_four"]


@pytest.mark.parametrize("name", ["chess/", "./chess", "notes"])
def test_a_folder_that_can_be_no_game_is_told(name: str, here: Path, capsys: Captured) -> None:
    (here / name).mkdir()
    assert cli.main(["train", name]) == USAGE
    assert f"{name} holds no run: name a game, and the folder with --out" in capsys.readouterr().err


def test_players_are_no_folders(here: Path, capsys: Captured) -> None:
    for name in ("random", "mcts:2", "mcts:1", "tic_tac_toe@2", "tic_tac_toe"):
        (here / name).mkdir()
    assert split_simulations("tic_tac_toe@2") == ("tic_tac_toe", 2)
    assert cli.main(["evaluate", "tic_tac_toe", "--player", "mcts:2", "--against", "mcts:1", "--games", "2"]) == OK
    words = ["evaluate", "tic_tac_toe", "--player", "tic_tac_toe@2", "--against", "random", "--games", "2"]
    assert cli.main(words) == OK
    assert "(2 simulations)" in capsys.readouterr().out


def test_a_run_in_a_folder_of_a_game_s_name_goes_on_and_is_told(here: Path, capsys: Captured) -> None:
    config = Config()
    weights = build_model(config).state_dict()
    checkpoint.save(here / "connect_four", 3, {"weights": weights}, {}, config)
    assert train.locate("connect_four") == ("tic_tac_toe", Path("connect_four"))
    assert f"taken as the run in the folder {here}/connect_four" in capsys.readouterr().err
    assert runs.resolve("connect_four") == Path("connect_four/checkpoints/step-00000003")
    assert load("connect_four").step == 3


def test_a_path_may_begin_with_home(here: Path) -> None:
    default = presets.load("tic_tac_toe")
    assert train.read(["--out=~/runs/a"], default, "tic_tac_toe").out == here / "house" / "runs" / "a"
    assert train.read(["--out", "b"], default, "tic_tac_toe").out == Path("b")
    assert parse(suite.Arguments, ["~/a", "b"], "evaluate", []).runs == (here / "house" / "a", Path("b"))
    assert old_spellings.read(["--suite", "~/a", "b"])[1].runs == (here / "house" / "a", Path("b"))


@pytest.mark.parametrize("words", [
    ["play"], ["train"], ["evaluate"], ["evaluate", "tic_tac_toe", "--games", "2", "--against"]])
def test_a_home_of_nobody_is_a_name_like_any_other(words: list[str], here: Path, capsys: Captured) -> None:
    assert cli.main([*words, "~nobody_of_that_name/run"]) != OK
    assert "~nobody_of_that_name/run" in capsys.readouterr().err


def test_commands_can_be_typed_into_a_shell() -> None:
    words = ["train", "hex(board_size=5)", "--out", Path("my run")]
    assert shlex.split(command(*words)) == ["muzero", *map(str, words)]
