"""The C++ search against the plain Python one on thousands of random table models: equal visits and moves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from reference_search import IMPOSSIBLE, Node, Outcome, ReferenceSearch, Step
from search_models import TableModel, drive, random_table

from cpp_mcts import Search
from muzero.config import SearchConfig

TREES = 25  # cases of one group
GROUPS = int(os.environ.get("MUZERO_EQUALITY_GROUPS", "400"))  # 400 groups of 25 trees: 10,000 cases
PARTS = 8


@dataclass(frozen=True)
class Group:
    """Cases with the same settings, searched as one batch."""

    rules: SearchConfig
    model: TableModel
    roots: NDArray[np.uint64]  # [B] latents
    legal: NDArray[np.bool_]  # [B,A]
    seeds: NDArray[np.uint64]  # [B]


def drawn(rng: np.random.Generator, *names: str) -> Any:
    return str(rng.choice(names))


def random_rules(rng: np.random.Generator) -> SearchConfig:
    return SearchConfig(
        algorithm=drawn(rng, "gumbel", "puct"),
        simulations=int(rng.choice([1, 2, 3, 5, 8, 8, 12, 12, 16, 16, 24, 32, 64])),
        scale=drawn(rng, "fixed", "minmax", "siblings"),
        low=float(rng.choice([-1.0, -2.5])),
        high=float(rng.choice([1.0, 3.0])),
        mirror=bool(rng.integers(2)),
        epsilon=float(rng.choice([1e-8, 1e-2])),
        c_init=float(rng.choice([1.25, 3.0, 0.5])),
        c_base=float(rng.choice([19652.0, 50.0])),
        unvisited=drawn(rng, "worst", "parent", "siblings"),
        dirichlet_alpha=float(rng.choice([0.03, 0.3, 1.0, 2.5])),
        dirichlet_fraction=float(rng.choice([0.0, 0.25])),
        c_visit=float(rng.choice([50.0, 5.0])),
        c_scale=float(rng.choice([1.0, 0.1])),
        max_considered=int(rng.choice([1, 2, 4, 7, 16])),
        gumbel_scale=float(rng.choice([0.0, 1.0])),
        max_depth=int(rng.choice([0, 0, 1, 2, 5])),
    )


def random_group(index: int) -> Group:
    rng = np.random.default_rng([20, index])
    actions = int(rng.choice([1, 2, 3, 4, 5, 7, 9, 12, 20]))
    g = float(rng.choice([1.0, 0.997, 0.9]))
    kinds = {"alternate": [-g], "alone": [g], "mixed": [g, -g], "ending": [g, -g, 0.0], "two": [-g, -g, 0.0]}
    legal = rng.random((TREES, actions)) < rng.choice([0.3, 0.8, 1.0])
    legal[np.arange(TREES), rng.integers(actions, size=TREES)] = True
    group = Group(
        rules=random_rules(rng),
        model=random_table(rng, actions, kinds[str(rng.choice(list(kinds)))], float(rng.choice([0, 0, 0, 0.5, 100]))),
        roots=rng.integers(1 << 63, size=TREES).astype(np.uint64),
        legal=legal,
        seeds=rng.integers(1 << 63, size=TREES).astype(np.uint64),
    )
    group = replace(group, rules=replace(group.rules, threads=int(rng.integers(1, 3))))
    if rng.random() < 0.3:
        forbid(group.model, rng)
    return group


def forbid(model: TableModel, rng: np.random.Generator) -> None:
    """Make some actions impossible inside the tree, in most rows; one at least stays."""
    rows, actions = model.logits.shape
    possible = rng.random((rows, actions)) < rng.choice([0.2, 0.5, 0.9], (rows, 1))
    possible[np.arange(rows), rng.integers(actions, size=rows)] = True
    model.logits[~possible] = IMPOSSIBLE


def search_native(group: Group) -> list[Outcome]:
    trees, actions = group.legal.shape
    search = Search(trees, actions, group.rules.simulations, **group.rules.tree_settings)
    r = drive(search, group.model, group.roots, group.legal, group.seeds)
    return [
        Outcome(r.visits[b].tolist(), r.policy[b].tolist(), r.q[b].tolist(), float(r.value[b]), int(r.action[b]))
        for b in range(len(group.roots))
    ]


def search_plain(group: Group) -> Iterator[tuple[Outcome, Node]]:
    """What is found from each root, and the root."""
    model = group.model
    columns = (model.reward, model.discount, model.logits, model.value)
    steps = [Step(r, d, tuple(logits), v) for r, d, logits, v in zip(*(c.tolist() for c in columns), strict=True)]
    search = ReferenceSearch(group.rules, group.legal.shape[1])
    for b in range(len(group.roots)):
        latents = {0: group.roots[b : b + 1]}

        def network(slot: int, action: int, new_slot: int, latents: dict[int, NDArray[np.uint64]] = latents) -> Step:
            latents[new_slot] = model.next_latent(latents[slot], np.array([action], np.int32))
            return steps[int(model.row(latents[new_slot])[0])]

        root = steps[int(model.row(latents[0])[0])]
        yield search.run(root, group.legal[b].tolist(), int(group.seeds[b]), network, player=b % 2), search.root


def differences(group: Group) -> list[str]:
    """What differs, in words; empty if nothing does."""
    found = []
    for b, (native, (plain, _)) in enumerate(zip(search_native(group), search_plain(group), strict=True)):
        same = native.visits == plain.visits and native.action == plain.action
        numbers, wanted = ([*x.policy, *x.q, x.value] for x in (native, plain))
        if not (same and np.allclose(numbers, wanted, rtol=1e-6, atol=1e-6)):
            found.append(f"tree {b} of {group.rules}:\n  native {native}\n  plain  {plain}")
    return found


@pytest.mark.parametrize("part", range(PARTS))
def test_visits_and_moves_equal_the_plain_search(part: int) -> None:
    found = [text for index in range(part, GROUPS, PARTS) for text in differences(random_group(index))]
    assert not found, f"{len(found)} cases differ, the first: {found[0]}"


# --- the nodes of a tree, for people who look at it -----------------------------------------------------------------


def plain_nodes(root: Node) -> list[tuple[float, ...]]:
    """(parent's row, action, visits, prior, reward, discount, raw value, value, q) in the order of creation."""
    found: list[tuple[Node, Node | None, int]] = [(root, None, -1)]
    for node, _, _ in found:
        found += [(child, node, action) for action, child in node.children.items()]
    found.sort(key=lambda entry: entry[0].slot)
    row = {id(node): index for index, (node, _, _) in enumerate(found)}
    rows = [(-1.0, -1.0, root.visits, 0.0, 0.0, 0.0, root.raw_value, root.mean, 0.0)]
    for node, parent, action in found[1:]:
        assert parent is not None
        rows.append((row[id(parent)], action, node.visits, parent.weights[action] / sum(parent.weights.values()),
                     parent.sign * node.reward, parent.sign * node.sign * node.discount, node.raw_value, node.mean,
                     parent.q(action)))
    return rows


@pytest.mark.parametrize("index", range(40))
def test_nodes_are_those_of_the_plain_search(index: int) -> None:
    group = random_group(index)
    trees, actions = group.legal.shape
    search = Search(trees, actions, group.rules.simulations, **group.rules.tree_settings)
    drive(search, group.model, group.roots, group.legal, group.seeds)
    for tree, (_, root) in enumerate(search_plain(group)):
        seen = search.nodes(tree)
        names = ("parent", "action", "visits", "prior", "reward", "discount", "raw_value", "value", "q")
        assert np.allclose(np.stack([seen[name] for name in names], 1), plain_nodes(root), rtol=1e-5, atol=1e-5)


def test_nodes_of_a_tree_that_is_not_there_are_refused() -> None:
    group = random_group(0)
    search = Search(TREES, group.legal.shape[1], 4, **group.rules.tree_settings)
    with pytest.raises(RuntimeError, match="no search is running"):
        search.nodes(0)
    drive(search, group.model, group.roots, group.legal, group.seeds)
    with pytest.raises(IndexError, match=f"tree: expected 0 to {TREES - 1}, got {TREES}"):
        search.nodes(TREES)
