"""`muzero bench`: what is counted, what is refused, and what comes out; nothing depends on how fast anything is."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cpp_mcts
from muzero import cli, presets
from muzero.agent import Agent
from muzero.bench import games as lockstep
from muzero.bench import learn, memory, search, selfplay, tables
from muzero.commands import bench
from muzero.config import replace
from muzero.model.build import build_model
from muzero.presets import survey
from muzero.view.console import OK, USAGE

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))

import profile_picture  # noqa: E402
import search_gain  # noqa: E402

Captured = pytest.CaptureFixture[str]
TINY = {
    "selfplay.games": 4, "search.simulations": 5, "model.width": 8, "model.hidden": 8, "train.device": "cpu",
    "train.actors": 1, "search.threads": 1, "replay.capacity": 400, "replay.min_positions": 10,
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def told(words: str, capsys: Captured) -> dict[str, Any]:
    """The JSON of a command."""
    assert cli.main(["bench", *words.split(), "--json", "-"]) == OK
    data: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert data["command"][:2] == ["muzero", "bench"]
    assert {"cores", "gpu", "processor"} <= set(data["hardware"])
    assert {"torch", "python"} <= set(data["versions"])
    return data


# --- search ---------------------------------------------------------------------------------------------------


def test_search_counts_simulations_and_edges() -> None:
    row = search.measure(search.Shape(3, 10, 4), "gumbel", 1, 1e-9)
    assert row.rounds == 3
    assert row.simulations_per_cpu_second > 0
    assert 1.0 <= row.depth <= 10.0
    assert row.edges_per_cpu_second == pytest.approx(row.depth * row.simulations_per_cpu_second, rel=0.5)
    tree = cpp_mcts.Search(3, 4, 10, **search.settings("gumbel"))
    assert row.memory_bytes == tree.memory_bytes
    assert row.bytes_per_simulation == tree.memory_bytes / 30


@pytest.mark.parametrize("algorithm", ["gumbel", "puct"])
@pytest.mark.parametrize("shape", [(5, 30, 7), (4, 1600, 400), (2, 300, 3000)])
def test_memory_is_known_before_it_is_taken(shape: tuple[int, int, int], algorithm: str) -> None:
    wanted = search.Shape(*shape)
    held = cpp_mcts.Search(wanted.trees, wanted.actions, wanted.simulations, **search.settings(algorithm)).memory_bytes
    needed = search.memory_needed(wanted, algorithm)
    assert 0.9 * held <= needed <= 1.1 * held + 24 * wanted.actions * (wanted.trees + search.ANSWERS)


def test_a_shape_that_does_not_fit_is_refused_with_its_size(capsys: Captured) -> None:
    assert cli.main(["bench", "search", "--shapes", "64x20x7", "1000000x1000x362"]) == USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert "--shapes 1000000x1000x362" in said.err
    # At least one byte for each edge: 3.6e11 of them.
    needed = float(said.err.partition(" needs ")[2].partition(" GiB")[0].replace(",", ""))
    assert needed > 1e6 * 1e3 * 362 / 2**30
    assert "Traceback" not in said.err


def test_search_command_has_a_row_for_each_choice(capsys: Captured) -> None:
    data = told("search --shapes 2x8x3 1x4x2 --threads 1 2 --seconds 0.001", capsys)
    keys = [(row["trees"], row["algorithm"], row["threads"]) for row in data["rows"]]
    assert keys == [(trees, algorithm, threads) for trees in (2, 1) for algorithm in ("gumbel", "puct")
                    for threads in (1, 2)]


# --- self-play ------------------------------------------------------------------------------------------------


def test_selfplay_counts_what_an_actor_does() -> None:
    playing = selfplay.SelfPlay(replace(presets.load("tic_tac_toe"), TINY))
    before = playing.count()
    playing.play()
    done = playing.count().since(before)
    assert (done.moves, done.simulations) == (4, 20)
    assert 0 < done.leaves <= 20
    assert all(seconds > 0 for seconds in done.spent.values())
    row = playing.measure(1e-9)
    assert (row.games, row.simulations, row.device, row.precision) == (4, 5, "cpu", "float32")
    assert sum(row.shares.values()) == pytest.approx(1.0, abs=0.02)
    assert set(row.shares) == {*selfplay.PARTS, "other"}
    assert 0 < row.batch_fill <= 1
    assert row.evaluations_per_second == pytest.approx(
        row.simulations_per_second * row.batch_fill + row.moves_per_second)
    assert row.latent_bytes == 6 * 4 * 8 * 4
    assert row.tree_bytes > 0
    assert row.recorder_bytes > 0
    assert row.peak_rss_bytes > 2**20


def test_selfplay_command_says_what_is_best_and_what_is_missing(no_gpu: None, capsys: Captured) -> None:
    words = "selfplay tic_tac_toe --games 2 3 --simulations 3 --precision float32 --seconds 0.001"
    data = told(words, capsys)
    assert [(row["games"], row["simulations"], row["precision"]) for row in data["rows"]] == [
        (2, 3, "float32"), (3, 3, "float32")]
    assert data["missing"] == ["cuda: no GPU here"]
    assert data["best"][0].startswith("best on cpu: --selfplay.games ")
    assert cli.main(["bench", *words.split()]) == OK
    out = capsys.readouterr().out
    assert "cuda: no GPU here" in out
    assert "best on cpu" in out.splitlines()[-1]


def test_without_a_gpu_its_row_alone_is_no_failure(no_gpu: None, capsys: Captured) -> None:
    assert told("selfplay tic_tac_toe --device cuda", capsys)["rows"] == []
    assert cli.main(["bench", "learn", "tic_tac_toe", "--device", "cuda"]) == OK
    assert "cuda: no GPU here" in capsys.readouterr().out


@pytest.mark.parametrize("words", [
    "selfplay connect_four --games 1000000 --simulations 100000 --device cpu",
    "learn connect_four --batch 1000000 --device cpu",
])
def test_what_does_not_fit_is_refused_with_its_size(words: str, capsys: Captured) -> None:
    assert cli.main(["bench", *words.split()]) == USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert " GiB, " in said.err
    assert "are free" in said.err


def test_sizes_are_those_of_the_real_thing() -> None:
    for game in ("tic_tac_toe", "connect_four"):
        config = replace(presets.load(game), TINY)
        row = selfplay.SelfPlay(replace(config, {"train.precision": "float32"})).measure(1e-9)
        held = row.tree_bytes + row.latent_bytes + row.recorder_bytes
        assert 0.8 * held <= memory.selfplay_bytes(config)["cpu"] <= 2 * held


# --- learning -------------------------------------------------------------------------------------------------


def test_learning_is_measured_on_a_full_replay_of_real_games() -> None:
    learning = learn.Learning(replace(presets.load("tic_tac_toe"), TINY), "cpu")
    assert len(learning.replay) == 400
    assert learning.replay.rings["searched"].all()
    assert set(np.unique(learning.replay.rings["discount"])) == {-1.0, 0.0}
    row = learning.measure(16, 1e-9)
    assert (row.batch, row.unroll, row.gpu_bytes) == (16, 3, 0)
    assert row.positions_per_second == pytest.approx(16 * row.steps_per_second)
    assert row.weights_bytes == 4 * sum(p.numel() for p in learning.learner.model.parameters())
    assert row.replay_bytes == learning.replay.memory_bytes


def test_learn_command_takes_the_batches_of_the_preset(
    no_gpu: None, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    for name, few in (("FILLED", 500), ("PLAYED", 100), ("LOCKSTEP", 2)):
        monkeypatch.setattr(learn, name, few)
    data = told("learn tic_tac_toe --seconds 0.01", capsys)
    assert [row["batch"] for row in data["rows"]] == [256]
    assert set(data["rows"][0]["shares"]) == set(learn.PARTS)
    data = told("learn atari/pong(size=20) --preset small --seconds 0.01", capsys)
    assert [row["batch"] for row in data["rows"]] == [64]


# --- games ----------------------------------------------------------------------------------------------------


def test_games_are_played_to_their_ends(capsys: Captured) -> None:
    row = lockstep.measure("tic_tac_toe", 8, 0.05)
    assert row.games_per_second > 0
    assert row.steps_per_second / row.games_per_second == pytest.approx(7.6, rel=0.3)
    assert sum(row.shares.values()) == pytest.approx(1.0)
    data = told("games tic_tac_toe nim --games 1 4 --seconds 0.001", capsys)
    assert [(row["game"], row["games"]) for row in data["rows"]] == [
        ("tic_tac_toe", 1), ("tic_tac_toe", 4), ("nim", 1), ("nim", 4)]


# --- the command ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "said"), [
    ("serch", "did you mean 'search'?"),
    ("search --shapes 64x200", "64x200x7"),
    ("search --shapes 64x200x0", "expected 1 to 1,048,576 actions, got 0"),
    ("search --shapes 1x1x2000000", "expected 1 to 1,048,576 actions, got 2000000"),
    ("search --shapes 20000000x1x1", "expected 1 to 16,777,216 trees, got 20000000"),
    ("search --threads 0", "--threads"),
    ("search --algorithm gumble", "gumbel"),
    ("search --seconds 0", "--seconds"),
    ("search --seconds nan", "--seconds"),
    ("search --json /no/such/place.json", "can't be written"),
    ("selfplay conect_four", "did you mean 'connect_four'?"),
    ("selfplay tic_tac_toe --games 0", "--games"),
    ("selfplay tic_tac_toe --precision", "--precision: at least one value"),
    ("selfplay tic_tac_toe --device", "--device: at least one value"),
    ("search --shapes", "--shapes: at least one value"),
    ("search --threads", "--threads: at least one value"),
    ("games tic_tac_toe --games", "--games: at least one value"),
    ("selfplay tic_tac_toe --simulations 0", "--simulations"),
    ("learn tic_tac_toe --batch 0", "--batch: expected 1 to 1,000,000, got 0"),
    ("learn atari/pong --preset smal", "did you mean 'small'?"),
    ("selfplay tic_tac_toe --preset small", "usual"),
    ("games othelo", "did you mean 'othello'?"),
    ("games tic_tac_toe --games 1e9", "--games"),
])
def test_mistakes_name_the_mend(words: str, said: str, capsys: Captured) -> None:
    assert cli.main(["bench", *words.split()]) == USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert "Traceback" not in captured.err


def test_games_that_do_not_fit_are_refused_with_their_size(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr("muzero.bench.memory.free_bytes", lambda: 2**20)
    assert cli.main(["bench", "games", "go(board_size=19)", "--games", "1048576"]) == USAGE
    assert "GiB are free: use fewer games" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["", *bench.KINDS])
def test_every_help_ends_with_examples(kind: str, capsys: Captured) -> None:
    assert cli.main(["bench", *kind.split(), "--help"]) == OK
    out = capsys.readouterr().out
    examples = out.rpartition("examples:\n")[2].splitlines()
    assert examples
    assert all(line.startswith("  muzero bench ") for line in examples)


def test_help_and_mistakes_load_no_torch() -> None:
    words = [["--help"], ["serch"], *([kind, "--help"] for kind in bench.KINDS), ["search", "--shapes", "1x2"],
             ["selfplay", "tic_tac_toe", "--games", "0"], ["learn", "tic_tac_toe", "--batch", "0"]]
    check = (
        "import sys, contextlib, io\n"
        "from muzero.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):\n"
        f"    codes = [main(['bench', *words]) for words in {words!r}]\n"
        "print(codes, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[0, 2, 0, 0, 0, 0, 2, 2, 2] False\n"


def test_without_a_kind_the_overview_is_shown(capsys: Captured) -> None:
    assert cli.main(["bench"]) == USAGE
    out = capsys.readouterr().out
    assert all(kind in out for kind in bench.KINDS)


def test_a_file_gets_the_json_and_the_screen_the_table(tmp_path: Path, capsys: Captured) -> None:
    target = tmp_path / "search.json"
    words = ["search", "--shapes", "2x8x3", "--seconds", "0.001", "--json", str(target)]
    assert cli.main(["bench", *words]) == OK
    out = capsys.readouterr().out
    assert "2x8x3" in out
    data = json.loads(target.read_text())
    assert (data["bench"], len(data["rows"])) == ("search", 2)


def test_columns_have_names_of_their_own() -> None:
    """A name given twice would hide a column."""
    wanted = {"search": 9, "selfplay": 19, "learn": 14, "games": 10}
    found = {"search": tables.SEARCH, "selfplay": tables.SELFPLAY, "learn": tables.LEARN, "games": tables.GAMES}
    assert {kind: len(columns.cells) for kind, columns in found.items()} == wanted  # type: ignore[attr-defined]


# --- the picture ----------------------------------------------------------------------------------------------


def measured(kind: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"bench": kind, "rows": rows, "game": "<g & h>", "commit": "0123456789abcdef", "time": "2030-01-02T03:04:05",
            "hardware": {"processor": "P", "cores": 2, "gpu": None}, "versions": {"torch": "2"}}


def test_the_picture_shows_the_fastest_row_to_scale() -> None:
    playing = [
        {"device": "cpu", "games": games, "simulations_per_cpu_second": rate, "simulations_per_second": 1 / rate,
         "move_milliseconds": 10.0, "seconds": 2.0, "cpu_seconds": 1.0,
         "shares": {"network": 0.75, "tree": 0.25}} for games, rate in ((64, 1e4), (128, 3e4), (256, 2e4))]
    learning = [{"device": "cuda", "batch": 64, "steps_per_second": 5.0, "step_milliseconds": 200.0,
                 "shares": {"draw": 0.5, "forward": 0.5}}]
    drawn = profile_picture.picture([measured("selfplay", playing), measured("learn", learning)])
    root = ET.fromstring(drawn)
    space = "{http://www.w3.org/2000/svg}"
    words = [node.text for node in root.iter(f"{space}text")]
    assert "<g & h>, cpu, 128 games" in words
    assert not any("64 games" in str(word) for word in words)
    assert {"5.0 ms CPU, 30 k sims/s", "200.0 ms, 5 steps/s"} <= set(words)
    assert words.count("50 %") == 2
    widths = [float(node.attrib["width"]) for node in root.iter(f"{space}rect")
              if float(node.attrib["height"]) == profile_picture.BAR]
    full = profile_picture.WIDTH - profile_picture.LEFT - profile_picture.RIGHT
    assert widths == pytest.approx([0.75 * full, 0.25 * full, 0.5 * full, 0.5 * full], abs=0.1)


def test_the_picture_knows_every_part() -> None:
    assert {*selfplay.PARTS, *learn.PARTS, "other", "step"} <= set(profile_picture.COLOURS)


# --- what a search gains --------------------------------------------------------------------------------------

def test_gains_of_a_search_are_the_moves_that_pay() -> None:
    """Catch pays once, with its last move: 1 or -1 in each game, nothing before."""
    torch.manual_seed(0)
    config = replace(presets.load("catch"), TINY)
    agent = search_gain.with_scale(Agent(build_model(config), config, "catch", 0), 0.001)
    assert agent.config.play.c_scale == 0.001
    tally = search_gain.play(agent, 12, 100, seed=0)
    assert tally.gains + tally.losses == 12
    assert min(tally.gains, tally.losses) > 0, "an untrained agent catches some"
    assert tally.reward == pytest.approx((tally.gains - tally.losses) / 12)
    assert tally.over == 12
    young = search_gain.play(agent, 12, 2, seed=0)
    assert str(young).startswith("no rewards   0 games over   ")
    assert young.chosen.total() == 12 * 2


def test_games_that_end_one_by_one_are_all_played_to_their_end() -> None:
    """A pole pays 1 for every move it stands, so the games' rewards are their moves."""
    torch.manual_seed(0)
    config = replace(survey.settle(presets.load("gym/CartPole-v1"))[0], TINY)
    agent = Agent(build_model(config), config, "pole", 0)
    whole = search_gain.play(agent, 4, 600, seed=0)
    assert (whole.over, whole.losses) == (4, 0)
    assert whole.gains == whole.reward * 4 == whole.chosen.total() > 4 * 8
    part = search_gain.play(agent, 4, int(whole.reward), seed=0)
    assert 0 < part.over < 4, "they end at different moves"
    assert f"   {part.over} games over   " in str(part)
    assert set(part.chosen) <= {"0", "1"}
