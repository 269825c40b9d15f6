"""The comparison with the peers, as far as it runs without them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "peers.py"
sys.path.append(str(SCRIPT.parent))

from peers import loop, own, table  # noqa: E402
from peers.contestant import PEERS, SHAPES, Refused, Shape, Spent, choose, depths  # noqa: E402
from peers.openspiel_mcts import edges_below  # noqa: E402
from peers.process import Process  # noqa: E402

from muzero.bench.stub import run  # noqa: E402

SHAPE = Shape(64, 200, 7)


def pair(own_edges: int, their_edges: int, peer: str = "mctx-gumbel") -> table.Pair:
    """A round of one CPU second each."""
    return table.Pair(SHAPE, peer, Spent(1.0, 100, own_edges), Spent(1.0, 50, their_edges))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Compiled in a third of the time; the numbers are those of the module all the same.
    return loop.compile_loop(tmp_path_factory.mktemp("loop"), ["-O1"])


@pytest.mark.parametrize("rule", ["puct", "gumbel"])
@pytest.mark.parametrize("shape", [Shape(5, 40, 7), Shape(3, 33, 21)], ids=str)
def test_the_loop_does_the_same_search(program: Path, rule: str, shape: Shape) -> None:
    asked = "visits 0\nvisits 3\n0.001\n"
    done = subprocess.run(
        loop.command(program, rule, shape), input=asked, capture_output=True, text=True, check=True
    )
    _, first, second, turn = (json.loads(line) for line in done.stdout.splitlines())
    search, stub = own.make_search(rule, shape), own.make_stub(shape)
    for number, visits in ((0, first), (3, second)):
        assert np.array(visits, np.int32).tobytes() == run(search, stub, number).visits.tobytes()
    assert first != second
    assert turn["simulations"] % (shape.trees * shape.simulations) == 0
    assert turn["edges"] > turn["simulations"]


def test_the_loop_counts_the_same_edges(program: Path) -> None:
    shape = Shape(4, 50, 9)
    done = subprocess.run(
        loop.command(program, "gumbel", shape), input="1e-9\n", capture_output=True, text=True, check=True
    )
    search = own.make_search("gumbel", shape)
    run(search, own.make_stub(shape), 1)
    assert json.loads(done.stdout.splitlines()[1])["edges"] == search.edges_visited


def test_the_loop_names_what_it_refuses(program: Path) -> None:
    words = loop.command(program, "puct", Shape(2, 3, 4))
    refused = {
        "no setting is called c_unit": [*words, "c_unit=1"],
        "scale: no choice is called best": [*words, "scale=best"],
        "expected name=value, got c_visit": [*words, "c_visit"],
        "gumbel_scale: expected a value, got none": [word for word in words if not word.startswith("gumbel_scale=")],
        "STUB: the file is too short": [words[0], "900", *words[2:]],
    }
    for said, changed in refused.items():
        done = subprocess.run(changed, input="", capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert said in done.stderr


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    found = table.ratios([pair(100, 10), pair(400, 10), pair(300, 20)])
    assert found == [table.Ratio("64x200x7", "mctx-gumbel", 15.0, 10.0, 40.0, None, 15)]
    assert found[0].verdict == "met"
    assert table.ratios([pair(149, 10)])[0].verdict == "missed"
    assert table.ratios([pair(1, 10, "openspiel-cpp")])[0].verdict == "reported"


def test_a_ratio_compares_equal_cpu_time() -> None:
    assert table.Pair(SHAPE, "mctx-gumbel", Spent(2.0, 1, 60), Spent(0.5, 1, 5)).ratio == 3.0


def test_lines_hold_this_search_once_and_its_rule_apart() -> None:
    found = table.lines([pair(30, 5), pair(10, 4, "loop-gumbel"), pair(90, 2, "mctx-muzero")])
    assert [line.name for line in found] == ["own-puct", "own-gumbel", "mctx-muzero", "mctx-gumbel", "loop-gumbel"]
    gumbel = found[1]
    assert (gumbel.turns, gumbel.edges_per_second, gumbel.slowest, gumbel.fastest) == (2, 20.0, 10.0, 30.0)
    assert (gumbel.simulations_per_second, gumbel.depth) == (100.0, 0.2)


def test_a_twin_is_compared_apart() -> None:
    twins = [table.Pair(SHAPE, "mctx-muzero", Spent(1.0, 1, 50), Spent(1.0, 1, 10), Spent(1.0, 1, 20))]
    (ratio,) = table.ratios(twins)
    assert (ratio.ratio, ratio.same_rule) == (5.0, 2.0)
    assert [line.name for line in table.lines(twins)] == ["own-puct", "own-as-mctx", "mctx-muzero"]


def test_tables_say_target_and_verdict() -> None:
    text = table.ratio_table(table.ratios([pair(100, 10), pair(90, 100, "loop-gumbel"), pair(9, 3, "openspiel-cpp")]))
    assert "[>= 15] missed" in text
    assert "[>= 0.8] met" in text
    assert text.splitlines()[-1].endswith("3.00            reported")
    assert "own-gumbel" in table.speed_table(table.lines([pair(100, 10)]))


def test_every_target_names_a_shape_and_a_peer_that_exist() -> None:
    assert set(table.TARGETS) <= set(SHAPES)
    assert set(table.BATCHES) <= set(SHAPES)
    assert {peer for targets in table.TARGETS.values() for peer in targets} <= set(PEERS)


def test_depth_of_nodes_and_visits_below_a_root() -> None:
    parents = np.array([[-1, 0, 1, 0, 2], [-1, 0, 0, 0, 0]], np.int32)
    assert depths(parents).tolist() == [[0, 1, 2, 1, 3], [0, 1, 1, 1, 1]]
    leaf = SimpleNamespace(explore_count=2, children=[])
    inner = SimpleNamespace(explore_count=5, children=[leaf, leaf])
    assert edges_below(SimpleNamespace(explore_count=100, children=[inner, leaf])) == 11


@pytest.mark.parametrize("text", ["64x200", "64x200x7x1", "0x200x7", "ax200x7", "64x-2x7"])
def test_shapes_are_refused(text: str) -> None:
    with pytest.raises(Refused, match=f"expected TREESxSIMULATIONSxACTIONS .* got '{text}'"):
        Shape.parse(text)
    assert Shape.parse("64x200x7") == SHAPE


def test_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(Refused, match="did you mean mctx-gumbel"):
        choose(["mctx_gumbel"])
    assert list(choose(["loop-puct", "mctx-muzero"])) == ["mctx-muzero", "loop-puct"]
    assert list(choose([])) == list(PEERS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--shapes", "64x200"], "expected TREES"),
        (["--only", "mctx"], "expected some of"),
        (["--rounds", "0"], "at least 1"),
        (["--seconds", "nan"], "above 0"),
        (["--json", "no_such_folder/figures.json"], "folder that exists"),
    ],
)
def test_the_script_refuses_before_it_installs(words: list[str], said: str, tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--venv", str(tmp_path / "venv"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise SystemExit('no such instruction')", "no such instruction"),
        ("print('{\"failed\": \"no wheel\"}')", "no wheel"),
        ("import time; time.sleep(60)", "no answer within"),
    ],
)
def test_a_contestant_that_fails_says_why(code: str, why: str) -> None:
    process = Process([sys.executable, "-c", code], deadline=2.0)
    with pytest.raises(Refused, match=why):
        process.ready()
    process.close()
