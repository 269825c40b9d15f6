"""The tree of a search for people: every node is there, on the right side, and on the board that it names."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_agents import agent, by_rules, inspected, reached

import games
from games.base import NO_PLAYER
from muzero.agent import Analysis
from muzero.inspection.position import PositionReport, candidates
from muzero.inspection.tree import ROOT, SearchTree, TreeNode, search_tree
from muzero.reports.inspection.facts import facts
from muzero.search.nodes import Nodes
from selfplay.planner import Plan

DOTS = "dots_and_boxes(num_rows=1,num_cols=2)"


def tree_of(report: PositionReport) -> SearchTree:
    assert report.tree is not None
    return report.tree


def actions(tree: SearchTree, node: TreeNode) -> list[int]:
    """From the root to a node."""
    return [] if node.number == ROOT else [*actions(tree, tree.nodes[node.parent]), node.action]


def test_there_is_a_node_for_each_simulation_and_one_for_the_root() -> None:
    tree = tree_of(inspected(agent("tic_tac_toe"), simulations=25))
    assert len(tree.nodes) == tree.total == 26
    assert tree.nodes[ROOT].visits == 26
    for node in list(tree.nodes.values())[1:]:
        parent = tree.nodes[node.parent]
        assert parent.visits > node.visits >= 1
        assert node.depth == parent.depth + 1 == len(actions(tree, node))
        assert node.q == pytest.approx(node.reward + node.discount * node.value, abs=1e-5)
        assert node.number in parent.children


@pytest.mark.parametrize("algorithm", ["puct", "gumbel"])
def test_the_tree_is_that_of_the_search(algorithm: str) -> None:
    who, batch = agent("tic_tac_toe", play__algorithm=algorithm), games.make("tic_tac_toe", 1)
    obs, legal = who.observe(batch), batch.legal()
    analysis, nodes = who.search_tree(obs, legal, simulations=30, seed=3)
    alone = who.search(obs, legal, simulations=30, seed=3)
    assert nodes is not None
    below = nodes.parent == ROOT
    for action, visits, q in zip(nodes.action[below], nodes.visits[below], nodes.q[below], strict=True):
        assert visits == analysis.result.visits[0, action] == alone.result.visits[0, action]
        assert q == pytest.approx(analysis.result.q[0, action], abs=1e-5)
    assert analysis.result.visits.sum() == nodes.visits[below].sum() == 30
    assert who.search_tree(obs, legal, simulations=0)[1] is None, "no tree of an earlier search"
    with pytest.raises(ValueError, match="expected one position, got 2"):
        who.search_tree(np.repeat(obs, 2, 0), np.repeat(legal, 2, 0))


def test_a_win_is_good_for_whoever_makes_the_move() -> None:
    """X wins at c1; anywhere else, O wins at c2: each Q is for the player who makes the move."""
    tree = tree_of(inspected(by_rules("tic_tac_toe"), "a1", "a2", "b1", "b2", simulations=200))
    win = next(node for node in tree.nodes.values() if node.depth == 1 and node.truth.name == "c1")
    assert (win.q, win.reward, win.discount, win.mover, win.player) == (1, 1, 0, 0, NO_PLAYER)
    assert win.truth.over
    assert win.expected
    replies = [node for node in tree.nodes.values() if node.depth == 2 and node.truth.name == "c2"]
    assert replies
    for reply in replies:
        before = tree.nodes[reply.parent]
        assert (reply.mover, reply.q, reply.truth.over) == (1, 1, True)
        assert (before.mover, before.player) == (0, 1)
        assert before.q == pytest.approx(-before.value, abs=1e-5)


def test_moves_are_listed_by_visits_then_policy_then_prior_behind_the_choice() -> None:
    batch, none = games.make(DOTS, 1), np.zeros((1, 7), np.float32)
    visits = np.array([[3, 5, 5, 0, 0, 0, 0]], np.int32)
    policy = np.array([[0.9, 0.1, 0.2, 0.0, 0.0, 0.3, 0.3]], np.float32)
    prior = np.array([[0.0, 0.9, 0.1, 0.1, 0.2, 0.3, 0.4]], np.float32)
    plan = Plan(visits, policy, none, none[:, 0], np.array([3], np.int32))
    found = candidates(batch, Analysis(plan, prior, none[:, 0], [[3]]))
    assert [one.action for one in found] == [3, 2, 1, 0, 6, 5, 4]
    assert [one.q for one in found] == [None, 0.0, 0.0, 0.0, None, None, None]


def grown() -> Nodes:
    """Below the root four children of 5, 7, 7 and 2 visits, and one more below the first; the game may end there."""
    visits = np.array([23, 5, 7, 7, 2, 1], np.int32)
    q = np.array([0.0, 0.3, 0.1, 0.2, 0.9, 0.0])
    rest = dict.fromkeys(("prior", "reward", "raw_value", "value"), np.zeros(6))
    return Nodes(parent=np.array([-1, 0, 0, 0, 0, 1]), action=np.array([-1, 0, 1, 2, 3, 0]), visits=visits, q=q, **rest,
                 discount=np.array([0.0, 1.0, 1.0, 1.0, 1.0, 0.0]))


def test_children_come_by_visits_then_by_q_behind_the_expected_one() -> None:
    tree = search_tree(grown(), [3], reached(DOTS), 100)
    assert tree.nodes[ROOT].children == (4, 3, 2, 1)
    assert [tree.nodes[number].expected for number in range(6)] == [True, False, False, False, True, False]
    assert search_tree(grown(), [1], reached(DOTS), 100).nodes[ROOT].children == (2, 3, 1, 4)


def test_one_player_makes_all_moves_even_the_last() -> None:
    tree = search_tree(grown(), [], reached("cliff_walking"), 100)
    assert [tree.nodes[number].mover for number in range(1, 6)] == [0] * 5
    assert [tree.nodes[number].player for number in range(6)] == [0, 0, 0, 0, 0, NO_PLAYER]


def test_a_player_who_moves_again_keeps_his_own_sign() -> None:
    """Whoever closes a box moves again. By true rules the tree's movers are the game's."""
    start = [0, 2, 4]
    report = inspected(by_rules(DOTS, model__discount="learned"), *(f"#{action}" for action in start), simulations=300)
    tree, again = tree_of(report), 0
    for node in list(tree.nodes.values())[1:]:
        batch = games.make(DOTS, 1)
        for action in [*start, *actions(tree, node)]:
            mover = int(batch.to_play()[0])
            step = batch.step(np.array([action], np.int32))
        assert node.mover == mover
        assert node.player == batch.to_play()[0]
        assert (node.reward, node.discount) == (step.reward[0], step.discount[0])
        if node.player == node.mover:
            again += 1
            assert node.q == pytest.approx(node.reward + node.value, abs=1e-5)
            said = dict(facts(report, tree, node))
            assert said["discount"].endswith(f"(player {node.mover} moves next)")
            assert said["Q"].endswith(f"for player {node.mover}")
    assert again > 5


def test_few_nodes_are_the_most_visited_and_the_expected_line() -> None:
    who = agent("tic_tac_toe")
    all_of_it = tree_of(inspected(who, simulations=60))
    some = tree_of(inspected(who, simulations=60, nodes=5))
    assert some.total == 61
    line = {number for number, node in all_of_it.nodes.items() if node.expected}
    order = sorted(all_of_it.nodes.values(), key=lambda node: (-node.visits, node.number))
    assert set(some.nodes) == {node.number for node in order[:5]} | line
    shown = all_of_it.limited(2, 2)
    assert len(shown) == 1 + 2 + 4
    assert {all_of_it.nodes[number].depth for number in shown} == {0, 1, 2}


def test_boards_are_those_of_the_game_and_what_it_forbids_is_told() -> None:
    """An untrained model imagines moves on taken cells."""
    tree = tree_of(inspected(agent("tic_tac_toe"), "b2", "a1", simulations=120))
    forbidden = 0
    for node in tree.nodes.values():
        batch = games.make("tic_tac_toe", 1)
        possible = True
        for action in [4, 0, *actions(tree, node)]:
            possible = possible and bool(batch.legal()[0, action])
            if possible:
                batch.step(np.array([action], np.int32))
        assert node.truth.possible == possible
        forbidden += not possible
        if node.truth.possible:
            assert node.truth.position is not None
            assert node.truth.position.text == batch.render(0)
            assert node.truth.over == (batch.to_play()[0] == NO_PLAYER)
        else:
            assert node.truth.position is None
    assert forbidden > 5


def test_behind_chance_no_board_is_the_only_one() -> None:
    tree = tree_of(inspected(agent("pig(winscore=20)", model__discount="learned"), simulations=30))
    first = [node for node in tree.nodes.values() if node.depth == 1]
    assert {node.truth.name for node in first} <= {"roll", "stop"}
    assert all(node.truth.possible for node in first)
    assert all(node.truth.possible is None for node in tree.nodes.values() if node.depth > 1)
    assert [number for number, node in tree.nodes.items() if node.truth.position is not None] == [ROOT]


@pytest.mark.parametrize(("settings", "simulations", "said"), [
    ({"play__algorithm": "cem"}, 20, "no tree: the planner cem searches none; --planner gumbel or puct does"),
    ({}, 0, "no tree: without search (0 simulations) there is none"),
])
def test_without_a_tree_it_is_said_why(settings: dict[str, str], simulations: int, said: str) -> None:
    report = inspected(agent("tic_tac_toe", **settings), simulations=simulations)
    assert report.tree is None
    assert report.no_tree == said
