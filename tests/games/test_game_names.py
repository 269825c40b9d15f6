"""Games: names and parameters, own games, the listing and its page."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import subprocess
import sys
from pathlib import Path

import pyspiel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import games
from games.base import GameError, GameSpec
from games.contract import check_game
from games.examples.subtraction import Subtraction
from games.own_names import is_own

ROOT = Path(__file__).resolve().parents[2]
SUPPORTED = [game.name for game in games.list_games() if game.supported]
OWN = "games.examples.subtraction:Subtraction"


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("connect_four()", "connect_four"),
        (" connect_four ", "connect_four"),
        ("hex(board_size=11)", "hex"),
        ("hex(board_size=5,num_cols=11)", "hex(board_size=5,num_cols=11)"),
        ("hex(board_size=5,num_cols=5)", "hex(board_size=5)"),
        ("go(komi=7,board_size=9)", "go(board_size=9,komi=7.0)"),
        ("go(komi=7.5, board_size=09)", "go(board_size=9)"),
        ("checkers(egocentric=true)", "checkers(egocentric=True)"),
        ("misere(game=tic_tac_toe)", "misere(game=tic_tac_toe())"),
        ("nim(pile_sizes=1;3;5;7)", "nim"),
    ],
)
def test_canonical_names(name: str, canonical: str) -> None:
    assert games.spec(name).name == canonical
    assert games.spec(canonical).name == canonical


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("conect_four", "did you mean 'connect_four'"),
        ("pong", "did you mean 'atari/pong'"),
        ("go(bord_size=9)", "no parameter 'bord_size'; did you mean 'board_size'"),
        ("tic_tac_toe(size=3)", "no parameter 'size'.*it has none"),
        ("go(board_size=x)", "board_size: expected a whole number, got 'x'"),
        ("go(board_size=9", "not closed"),
        ("go)", "expected a name of letters, digits and _, got"),
        ("go(9)", "expected key=value, got '9'"),
        ("go(board_size=)", "expected key=value, got 'board_size='"),
        ("go(board_size=9,board_size=9)", "given twice"),
        ("misere(game=nim()))", r"one '\)' too many"),
        ("", "expected a name"),
        ("x" * 600, "expected a name"),
        ("go(komi=nan)", "expected a number like 7.5"),
        ("checkers(egocentric=maybe)", "expected True or False"),
        ("havannah(board_size=-1)", "expected 1 to 128, got -1"),
        ("deep_sea(size=100000)", "expected 1 to 128"),
        ("crazyhouse(insanity=2147483647)", "expected 0 to 100000"),
        ("yacht(dice_sides=26)", "more than 10000"),
        ("gomoku(dims=26)", "more than 10000"),
        ("go(board_size=26)", "up to 19"),
        ("checkers(columns=26)", "a game with these parameters fails"),
        ("hex(board_size=1)", "a game with these parameters fails"),
        ("2048(max_tile=0)", "nothing to play"),
        ("kuhn_poker", "hidden information"),
        ("misere(game=kuhn_poker())", "hidden information"),
        ("misere", "Missing parameter game"),
        ("goofspiel", "simultaneous moves"),
        ("mfg_garnet", "mean-field"),
        ("morpion_solitaire", "no observation tensor"),
        ("chinese_checkers(players=3)", "3 players"),
        ("efg_game(filename=secret)", "reads a file"),
        ("quoridor", "walls"),
    ],
)
def test_bad_names_say_what_is_wrong(name: str, message: str) -> None:
    with pytest.raises(GameError, match=message):
        games.spec(name)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    st.one_of(
        st.text(max_size=30),
        st.builds(
            "{}({}={})".format,
            st.sampled_from(SUPPORTED),
            st.text("abc_size", max_size=6),
            st.text(max_size=8),
        ),
        st.text("tic_oe(),=;1:", max_size=25),
    )
)
def test_no_text_does_worse_than_a_game_error(text: str) -> None:
    with contextlib.suppress(GameError):
        games.spec(text)


ODD_VALUES = """
import games
from games.spiel_facts import registry
tried = 0
for name in [game.name for game in games.list_games() if game.supported]:
    for key, default in registry()[name].parameter_specification.items():
        whole = isinstance(default, int) and not isinstance(default, bool)
        for value in (-1, 0, 1, 2, 26, 128, 2147483647) if whole else ("True", "99.0", "-1.0", "x", "1;2"):
            tried += 1
            try:
                games.make(f"{name}({key}={value})", 1).observe()
            except games.GameError:
                pass
print(tried)
"""


def test_no_parameter_crashes_or_hangs_the_process() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", ODD_VALUES], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert int(ran.stdout) > 400


def test_sizes_and_history_are_checked() -> None:
    with pytest.raises(GameError, match="got size=0"):
        games.make("tic_tac_toe", 0)
    with pytest.raises(GameError, match="history: expected 1 to 64 positions, got 0"):
        games.make("tic_tac_toe", 1, history=0)
    with pytest.raises(GameError, match="stacks positions itself"):
        games.make(OWN, 1, history=2)


def test_quoridor_still_hides_its_walls() -> None:
    """Why quoridor is refused: positions that differ by a wall look alike. If this fails, support it."""
    state = pyspiel.load_game("quoridor(board_size=5)").new_initial_state()
    walls = [action for action in state.legal_actions() if state.action_to_string(action)[-1] in "hv"]
    pictures = {tuple(state.child(wall).observation_tensor(0)) for wall in walls}
    assert len(walls) > 10
    assert len(pictures) < len(walls)


# --- own games ----------------------------------------------------------------------------------------------


def test_own_game_by_module_and_by_file(tmp_path: Path) -> None:
    by_module = games.make(OWN, 2)
    assert by_module.spec.name == OWN
    copy = tmp_path / "mine.py"
    copy.write_text((ROOT / "games/examples/subtraction.py").read_text())
    name = f"{copy}:Subtraction"
    assert is_own(name)
    assert games.spec(name).name == name
    check_game(name, size=2, steps=40)
    assert by_module.action_name(0, 1) == "take 2"
    assert "21 counters" in by_module.render(0)


def test_own_game_is_short() -> None:
    assert len((ROOT / "games/examples/subtraction.py").read_text().splitlines()) < 80


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("games.examples.subtraction:Subtract", "has no class 'Subtract'"),
        ("games.nowhere:Game", "can't be imported"),
        ("nowhere.py:Game", "doesn't exist"),
        ("..:Game", "expected a module name"),
        ("games.base:GameSpec", "no attribute 'spec'"),
    ],
)
def test_bad_own_games_say_what_is_missing(name: str, message: str) -> None:
    with pytest.raises(GameError, match=message):
        games.spec(name)


def test_own_game_without_methods_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "half.py"
    path.write_text(
        "from games.examples.subtraction import Subtraction\nclass Half:\n    spec = Subtraction.spec\n"
    )
    with pytest.raises(GameError, match="lacks to_play, legal, step, over"):
        games.spec(f"{path}:Half")


@pytest.mark.parametrize("name", ["hex(board_size=5)", "tic_tac_toe", "go(board_size=9)"])
def test_openspiel_names_are_not_own(name: str) -> None:
    assert not is_own(name)


# --- listing, docs, imports ---------------------------------------------------------------------------------


def test_every_registered_game_is_listed_with_a_reason() -> None:
    listed = games.list_games()
    assert len(listed) == len(pyspiel.registered_games())
    assert all(bool(game.reason) != game.supported for game in listed)
    assert len(SUPPORTED) >= 41
    assert {"tic_tac_toe", "connect_four", "catch", "deep_sea", "chinese_checkers"} <= set(SUPPORTED)


def test_docs_show_the_listing() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "games"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert printed in (ROOT / "docs/reference/game_list.md").read_text(), "regenerate with: python -m games"


def test_import_is_light() -> None:
    code = (
        "import sys, games; print([m for m in ('pyspiel', 'torch', 'numba', 'muzero') if m in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == "[]"


def test_spec_refuses_three_players() -> None:
    with pytest.raises(GameError, match="expected 1 or 2 players, got 3"):
        dataclasses.replace(Subtraction.spec, players=3)


def test_spec_sizes_are_whole() -> None:
    for name in SUPPORTED:
        spec: GameSpec = games.spec(name)
        assert len(spec.observation_shape) in (1, 3)
        assert math.prod(spec.observation_shape) > 0
        assert spec.min_return < spec.max_return


def test_an_environment_whose_code_cannot_be_imported_is_a_game_that_cannot_be_had() -> None:
    gymnasium = pytest.importorskip("gymnasium")
    gymnasium.register("Elsewhere-v0", entry_point="no_such_package.here:Environment")
    try:
        with pytest.raises(GameError, match=r"gym/Elsewhere-v0 can't be made.*no_such_package.*\n.*install what it"):
            games.spec("gym/Elsewhere-v0")
    finally:
        del gymnasium.registry["Elsewhere-v0"]
