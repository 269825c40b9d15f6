"""What messages of the command line advise: names, exit codes, folders, limits as options take them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from muzero import cli
from muzero.commands.doctor import all_well
from muzero.commands.train_words import limit, written
from muzero.config import TrainConfig
from muzero.view.console import FAILURE, OK, USAGE

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(("name", "said", "left_out"), [
    ("atari/foo", "atari/foo is no game of ALE\n  `muzero games` lists", "did you mean"),
    ("gym/Foo-v0", "gym/Foo-v0 is not a Gymnasium environment; if a module", "muzero games"),
    ("nofile.py:X", "game file 'nofile.py' doesn't exist", "muzero games"),
])
def test_a_name_of_nothing_gets_no_advice_that_leads_nowhere(
    name: str, said: str, left_out: str, capsys: Captured
) -> None:
    assert cli.main(["train", name]) == USAGE
    found = capsys.readouterr().err
    assert said in found
    assert left_out not in found


def test_exit_codes_tell_a_wrong_name_from_an_agent_that_is_missing(tmp_path: Path, capsys: Captured) -> None:
    """2: change the command; 1: the name is right, and there is nothing yet."""
    empty, begun = tmp_path / "empty", tmp_path / "begun"
    for folder in (empty, begun):
        folder.mkdir()
    (begun / "lock").write_text("1\n")
    for name, code, said in (
        (str(empty), USAGE, "expected a run"), (str(tmp_path / "nowhere"), USAGE, "no folder or shipped agent"),
        (str(begun), FAILURE, "found none yet; a run saves the first after train.checkpoint_seconds"),
        ("chess", FAILURE, "train one: muzero train chess"),
    ):
        for words in (["play", name], ["evaluate", "match", name]):
            assert cli.main(words) == code, words
            assert said in capsys.readouterr().err
    assert cli.main(["train", str(begun)]) == USAGE
    assert f"the run in {begun} has no checkpoint yet" in capsys.readouterr().err


def test_a_folder_that_is_a_link_to_itself_gets_the_mend(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for options in ([], ["--fresh"]):
        assert cli.main(["train", "tic_tac_toe", "--out", str(tmp_path / "loop"), *options]) == FAILURE
        assert "choose another folder with --out" in capsys.readouterr().err


def test_shipped_agents_are_listed_as_commands_take_them(capsys: Captured) -> None:
    assert cli.main(["play", "chess"]) == FAILURE
    listed = capsys.readouterr().err.partition("(shipped: ")[2]
    assert listed.startswith("atari/kung_fu_master, atari/pong, ")
    assert "hex(board_size=7)" in listed


def test_help_without_a_game_says_whose_defaults_it_shows(capsys: Captured) -> None:
    assert cli.main(["train", "--help"]) == OK
    out = capsys.readouterr().out
    assert out.startswith("usage: muzero train GAME ")
    assert "those above are tic_tac_toe's" in out


def test_play_says_agent_where_evaluate_does(capsys: Captured) -> None:
    assert cli.main(["play", "--help"]) == OK
    assert " AGENT" in capsys.readouterr().out.splitlines()[0]


def test_the_list_of_games_fits_a_terminal(capsys: Captured) -> None:
    """What needs more room than a column stands below the table, where it can be wrapped."""
    assert cli.main(["games", "--all"]) == OK
    lines = capsys.readouterr().out.splitlines()
    table = lines[: lines.index("")]
    assert max(map(len, table)) <= 80
    assert any(line.startswith("go  ") and line.endswith("one doesn't show a ko") for line in lines[len(table) :])


def test_limits_and_changes_are_written_as_options_take_them() -> None:
    one = TrainConfig(steps=1, minutes=1.0, positions=1)
    assert limit(one) == "training for 1 position or 1 step or 1 minute"
    assert written(((0.0, 256.0),)) == "256"
    assert written(((0.0, 64.0), (0.3, 256.0))) == "0:64,0.3:256"
    assert written(0.5) == "0.5"


def test_all_is_not_simply_well_on_a_busy_machine() -> None:
    assert all_well("").endswith("all is well")
    assert "the machine is busy" in all_well("the machine is busy: 9 processes")


def test_an_own_game_that_is_not_the_agent_s_is_told(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert cli.main(["play", "tic_tac_toe", "--own-game", "nope.py:X"]) == OK
    assert "--own-game nope.py:X has no effect: tic_tac_toe plays tic_tac_toe" in capsys.readouterr().err
