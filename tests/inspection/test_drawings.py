"""Pictures and pages of a tree: whole, self-contained, and safe whatever moves are called."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from tiny_agents import agent, by_rules, inspected, reached

from muzero.inspection.position import PositionReport
from muzero.inspection.tree import search_tree
from muzero.reports.as_json import content
from muzero.reports.inspection import dot, words
from muzero.reports.inspection import text as screen
from muzero.reports.inspection.drawn import FORMS, drawn
from muzero.reports.inspection.layout import tidy
from muzero.reports.inspection.markup import BEST
from muzero.search.nodes import Nodes
from muzero.view.terminal import Ink

HOSTILE = "\"><script>alert(1)</script>&\\\x1b[31m\n'" + "long" * 30
SVG = "{http://www.w3.org/2000/svg}"
STATEMENT = re.compile(r'''n\d+ \[label="(?:[^"\\]|\\.)*"(?:, penwidth=2, color="#0b63ce")?\];'''
                       r'''|n\d+ -> n\d+ \[penwidth=[\d.]+(?:, color="#0b63ce")?\];''')
"""What stands on a line of DOT between head and end."""
GAMES = ("tic_tac_toe", "hex(board_size=4)", "connect_four", "chess", "breakthrough(rows=5,columns=4)",
         "pig(winscore=20)", "cliff_walking", "dots_and_boxes(num_rows=1,num_cols=2)")


@pytest.fixture(scope="module")
def report() -> PositionReport:
    return inspected(agent("tic_tac_toe"), "b2", simulations=60, imagined=[0, 1, 1], depth=3, children=2)


@pytest.fixture(scope="module")
def hostile(report: PositionReport) -> PositionReport:
    """The same with moves of such a name."""
    assert report.tree is not None
    place = dataclasses.replace(report.position, board=None, text=HOSTILE)
    nodes = {number: dataclasses.replace(node, truth=dataclasses.replace(node.truth, name=HOSTILE, position=place))
             for number, node in report.tree.nodes.items()}
    return dataclasses.replace(
        report, agent=HOSTILE, moves=(HOSTILE,), position=place, imagination=None,
        tree=dataclasses.replace(report.tree, nodes=nodes),
        candidates=tuple(dataclasses.replace(one, name=HOSTILE) for one in report.candidates))


@pytest.mark.parametrize("game", GAMES)
def test_text_fits_a_screen(game: str) -> None:
    found = inspected(agent(game, model__discount="learned"), simulations=30, imagined=[0, 0], depth=6, children=4)
    for fancy in (True, False):
        said = screen.text(found, Ink(False), fancy)
        assert max(map(len, said.splitlines())) <= 80
        assert fancy or screen.tree(found, fancy).isascii()
    assert "The search tree: 31 nodes" in said
    assert "ply 2" in said


def test_a_line_for_each_node_and_the_expected_ones_marked(report: PositionReport) -> None:
    assert report.tree is not None
    shown = report.tree.limited(3, 2)
    lines = screen.tree(report, False).splitlines()
    rows = [line for line in lines if re.search(r"[|`][->] [XO] ", line)]
    assert len(rows) == len(shown) - 1
    marked = [line for line in rows if re.search(r"[|`]> ", line)]
    assert len(marked) == sum(report.tree.nodes[number].expected for number in shown) - 1 > 0
    assert any(line.endswith(" more") for line in lines)


@pytest.mark.parametrize("name", ["report", "hostile"])
def test_dot_can_be_read(name: str, request: pytest.FixtureRequest) -> None:
    found: PositionReport = request.getfixturevalue(name)
    assert found.tree is not None
    head, *body, end = [line.strip() for line in drawn(found, ".dot").splitlines()]
    assert (head, end) == ("digraph tree {", "}")
    statements = [line for line in body if line.startswith("n") and not line.startswith("node")]
    assert [line for line in statements if not STATEMENT.fullmatch(line)] == []
    assert len(statements) == 2 * len(found.tree.limited(3, 2)) - 1


@pytest.mark.parametrize("name", ["report", "hostile"])
def test_svg_is_whole(name: str, request: pytest.FixtureRequest) -> None:
    found: PositionReport = request.getfixturevalue(name)
    assert found.tree is not None
    image = ElementTree.fromstring(drawn(found, ".svg"))
    shown = found.tree.limited(3, 2)
    assert len(image.findall(f"{SVG}g")) == len(shown)
    assert len(image.findall(f"{SVG}path")) == len(shown) - 1
    width, height = (float(image.attrib[side]) for side in ("width", "height"))
    for box in image.findall(f"{SVG}g"):
        x, y = map(float, box.attrib["transform"][len("translate(") : -1].split())
        assert 0 <= x <= width - 150
        assert 40 <= y <= height - 40
    assert {element.tag.removeprefix(SVG) for element in image.iter()} == {
        "svg", "title", "style", "text", "tspan", "path", "g", "rect"}


@pytest.mark.parametrize("name", ["report", "hostile"])
def test_a_page_is_whole_and_needs_nothing_else(name: str, request: pytest.FixtureRequest) -> None:
    found: PositionReport = request.getfixturevalue(name)
    assert found.tree is not None
    text = drawn(found, ".html")
    page = ElementTree.fromstring(text)
    assert page.find(".//script") is None
    links = [value for element in page.iter() for key, value in element.attrib.items() if key in ("href", "src")]
    assert all(link.startswith("#") for link in links)
    assert "://" not in text
    assert not re.search(r"@import|url\(", text)
    assert "default-src 'none'" in page.find(".//meta[@http-equiv]").attrib["content"]  # type: ignore[union-attr]
    assert len(page.findall(".//details")) == len(found.tree.nodes)
    assert all(link[1:] in {element.attrib.get("id") for element in page.iter()} for link in links)


def test_a_line_of_a_thousand_moves_is_shown_as_far_as_browsers_go(report: PositionReport) -> None:
    size = 1_000
    chain, zeros = np.arange(size), np.zeros(size)
    nodes = Nodes(chain - 1, np.where(chain, 0, -1), size - chain, zeros, zeros, -np.ones(size), zeros, zeros, zeros)
    tree = search_tree(nodes, [0] * 20, reached("tic_tac_toe"), size)
    assert (tree.total, tree.deepest, len(tree.nodes)) == (size, size - 1, size)
    page = ElementTree.fromstring(drawn(dataclasses.replace(report, tree=tree), ".html"))
    assert len(page.findall(".//details")) == 101
    assert [note.text for note in page.findall(".//details/p")] == ["1 more"]


def test_pictures_share_the_colour_of_the_expected_line_and_say_what_it_means(report: PositionReport) -> None:
    picture, graph = drawn(report, ".svg"), drawn(report, ".dot")
    assert f"--best: {BEST};" in picture
    assert f'color="{BEST}"' in graph
    assert all("blue: the expected line; width of a line: share of the visits" in text for text in (picture, graph))


def test_names_stay_readable(hostile: PositionReport) -> None:
    for form in FORMS:
        text = drawn(hostile, form)
        assert "\x1b" not in text
        assert "<script" not in text if form != ".dot" else "<script>alert" in text
        assert "script&gt;alert(1)" in text or form == ".dot"


def test_json_has_every_node(report: PositionReport) -> None:
    assert report.tree is not None
    found = json.loads(json.dumps(content(report)))
    assert [node["number"] for node in found["tree"]["nodes"]] == list(range(61))
    assert found["tree"]["total"] == 61
    assert [one["name"] for one in found["imagined"]["plies"]] == ["", "a1", "b1", "b1"]
    assert found["imagined"]["plies"][3]["real"] is None
    bare = inspected(by_rules("tic_tac_toe", play__algorithm="policy"), imagined=[0])
    assert content(bare)["tree"].startswith("no tree: the planner policy searches none")
    assert content(bare)["imagined"].startswith("nothing is imagined: model.dynamics is rules")


def test_without_search_there_is_no_value_after_it(report: PositionReport) -> None:
    assert "after the search" in screen.text(report, Ink(False), True)
    assert "after the search" in drawn(report, ".html")
    bare = screen.text(inspected(agent("tic_tac_toe"), simulations=0), Ink(False), True)
    assert "the network alone" in bare
    assert "after the search" not in bare


def test_a_backslash_in_a_name_is_one_and_no_escape() -> None:
    assert dot.quoted('a\\n"b"\nc') == r'"a\\n\"b\"\nc"'


def test_what_is_special_of_a_node_stands_behind_its_move() -> None:
    """c1 wins by the rules; a learned model may believe in an end, and in moves that can't be made."""
    found = inspected(by_rules("tic_tac_toe"), "a1", "a2", "b1", "b2", simulations=60)
    assert "├▸ X c1 ■" in screen.text(found, Ink(False), True)
    assert "■ the game is over" in screen.text(found, Ink(False), True)
    assert found.tree is not None
    node = next(node for node in found.tree.nodes.values() if node.truth.name == "c1" and node.depth == 1)
    assert words.marks(dataclasses.replace(node, truth=dataclasses.replace(node.truth, over=False)), True) == "□"
    assert words.marks(dataclasses.replace(node, truth=dataclasses.replace(node.truth, possible=False)), True) == "✗"


def test_a_report_without_a_tree_is_not_drawn() -> None:
    with pytest.raises(ValueError, match="expected a report with a tree, got one without: no tree: without search"):
        drawn(inspected(agent("tic_tac_toe"), simulations=0), ".svg")


@pytest.mark.parametrize("grow", [
    lambda number: (2 * number + 1, 2 * number + 2), lambda number: (number + 1,),
    lambda number: (number + 1, number + 41, number + 81) if number < 20 else (number + 1,)])
def test_nodes_of_a_column_keep_a_row_between_them(grow: Callable[[int], tuple[int, ...]]) -> None:
    children, waiting = {}, [0]
    while waiting:
        number = waiting.pop()
        children[number] = grow(number) if number < 30 else ()
        waiting += children[number]
    places = tidy(children, 0)
    assert places.keys() == children.keys()
    for column in {column for column, _ in places.values()}:
        rows = sorted(row for there, row in places.values() if there == column)
        assert all(later - row >= 1 for row, later in pairwise(rows))
    for number, below in children.items():
        rows = [places[child][1] for child in below]
        assert not rows or min(rows) <= places[number][1] <= max(rows)


@pytest.mark.parametrize(("game", "long", "short"), [
    ("connect_four", ["●", "○"], ["●", "○"]), ("chess", ["black", "white"], ["b", "w"]),
    ("xiangqi", ["capitals", "small letters"], ["c", "s"]), ("antichess", ["black", "white"], ["b", "w"]),
    ("nim", ["player 0", "player 1"], ["0", "1"]), ("cliff_walking", ["", ""], ["", ""])])
def test_players_are_told_as_the_board_shows_them(game: str, long: list[str], short: list[str]) -> None:
    found = inspected(agent(game, model__discount="learned"), simulations=2)
    assert [words.sign(found, player, True) for player in (0, 1)] == long
    assert [words.short_sign(found, player, True) for player in (0, 1)] == short
