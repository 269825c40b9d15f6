"""What is kept of a search, and its surprise against the definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muzero.records import SearchResult
from muzero.surprise import MOST, fill_surprise, findings, nothing_found


def plain(policy: np.ndarray, logits: np.ndarray, legal: np.ndarray) -> float:
    """KL over the legal actions, in one row."""
    seen = logits[legal].astype(np.float64)
    prior = np.exp(seen - seen.max()) / np.exp(seen - seen.max()).sum()
    return sum(float(p) * math.log(p / q) for p, q in zip(policy[legal], prior, strict=True) if p > 0)


def surprise(policy: np.ndarray, logits: np.ndarray, legal: np.ndarray) -> np.ndarray:
    out = np.full(len(policy), -1.0, np.float32)
    fill_surprise(policy, logits, legal, out)
    return out


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([0.0, 1.0, 10.0]))
@settings(max_examples=100, deadline=None)
def test_surprise_is_its_definition(seed: int, actions: int, width: float) -> None:
    rng = np.random.default_rng(seed)
    legal = rng.random((5, actions)) < 0.7
    legal[:, 0] = True
    weights = rng.random((5, actions)) * (rng.random((5, actions)) < 0.7) * legal + 1e-3 * (np.arange(actions) == 0)
    policy = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    logits = (width * rng.normal(size=(5, actions))).astype(np.float32)
    found = surprise(policy, logits, legal)
    assert found == pytest.approx([plain(*row) for row in zip(policy, logits, legal, strict=True)], abs=1e-4)
    assert (found >= 0.0).all()
    logits[~legal] = 1e30
    assert (surprise(policy, logits, legal) == found).all(), "illegal actions mean nothing"


def test_a_policy_as_expected_and_one_that_is_not() -> None:
    legal = np.array([[True, True, True, False]] * 3)
    logits = np.log(np.array([[0.5, 0.25, 0.25, 1.0]] * 3, np.float32)) + 7.0
    policy = np.array([[0.5, 0.25, 0.25, 0.0], [0.0, 1.0, 0.0, 0.0], [0.25, 0.5, 0.25, 0.0]], np.float32)
    assert surprise(policy, logits, legal) == pytest.approx([0.0, math.log(4), 0.25 * math.log(2)], abs=1e-6)


def test_surprise_stays_finite() -> None:
    policy, legal = np.array([[1.0, 0.0]], np.float32), np.ones((1, 2), np.bool_)
    assert surprise(policy, np.array([[-3e38, 3e38]], np.float32), legal) == MOST


def test_findings_of_full_and_quick_searches_and_of_none() -> None:
    policy, legal = np.array([[0.9, 0.1], [0.5, 0.5]], np.float32), np.ones((2, 2), np.bool_)
    value, nothing = np.array([0.5, -0.5], np.float32), np.zeros((2, 2), np.float32)
    result = SearchResult(np.ones((2, 2), np.int32), policy, nothing, value, np.zeros(2, np.int32), nothing)
    full, quick, none = findings(result, legal, True), findings(result, legal, False), nothing_found(legal)
    assert (full.policy == policy).all()
    assert full.surprise[0] > full.surprise[1] == 0.0
    for found, searched in ((full, True), (quick, True), (none, False)):
        assert (found.searched == searched).all()
        assert (found.root_value == (value if searched else 0.0)).all()
        assert found.searched.dtype == np.bool_
        assert found.surprise.dtype == found.policy.dtype == found.root_value.dtype == np.float32
    for found in (quick, none):
        assert not found.policy.any()
        assert not found.surprise.any()
