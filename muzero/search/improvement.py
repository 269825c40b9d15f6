"""Policy improvement from sampled values: what the planners that grow no tree make of the actions they have tried.

The formulas are those of Gumbel MuZero's root (Danihelka et al. 2022, eq. 11 and appendix D), of numpy arrays: actions
that were not tried count with v_mix, and the policy is softmax(logits + sigma(completed Q)).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from games.base import FloatArray, IntArray, MaskArray
from muzero.config import SearchConfig
from selfplay.planner import Plan

Numbers = NDArray[np.float64]


def prior(logits: FloatArray, legal: MaskArray) -> Numbers:
    """softmax(logits) [N, A] over legal actions."""
    masked = np.where(legal, logits.astype(np.float64), -np.inf)
    weights = np.exp(masked - masked.max(1, keepdims=True))
    found: Numbers = weights / weights.sum(1, keepdims=True)
    return found


def completed(policy: Numbers, value: FloatArray, visits: IntArray, q: Numbers) -> Numbers:
    """q [N, A] where visits [N, A], v_mix elsewhere (eq. 33) of the prior policy [N, A] and the root's value [N]."""
    tried, total = visits > 0, visits.sum(1)
    mass = (policy * tried).sum(1)
    mean = (policy * np.where(tried, q, 0.0)).sum(1) / np.where(mass > 0, mass, 1.0)
    mix = np.where(mass > 0, (value + total * mean) / (1.0 + total), value)
    found: Numbers = np.where(tried, q, mix[:, None])
    return found


def scaled(q: Numbers, legal: MaskArray, seen: Numbers, config: SearchConfig) -> Numbers:
    """Q [N, A] in [0, 1]: by the configured bounds, by the extremes of all values seen [N, S], or by those of the legal
    actions."""
    if config.scale == "fixed":
        return (q - config.low) / (config.high - config.low)
    extremes = seen if config.scale == "minmax" else np.where(legal, q, np.nan)
    low, high = np.nanmin(extremes, 1, keepdims=True), np.nanmax(extremes, 1, keepdims=True)
    found: Numbers = (q - low) / np.maximum(high - low, config.epsilon)
    return found


def improved(
    logits: FloatArray, value: FloatArray, legal: MaskArray, visits: IntArray, q: Numbers, returns: Numbers,
    config: SearchConfig, work: int,
) -> Plan:
    """The plan that follows from the values q [N, A] of the actions tried, visits [N, A] times each, with the returns
    [N, S] that they were made of.

    The scale `minmax` is that of all returns and the root's value, as in a tree: two actions alone are always its two
    ends, however little lies between them.
    """
    policy = prior(logits, legal)
    values = completed(policy, value, visits, q)
    seen: Numbers = np.concatenate((value[:, None], returns), 1)
    sigma = (config.c_visit + visits.max(1, keepdims=True)) * config.c_scale * scaled(values, legal, seen, config)
    return weighed(policy, values, sigma, legal, visits, work)


def weighed(
    policy: Numbers, values: Numbers, advantage: Numbers, legal: MaskArray, visits: IntArray, work: int
) -> Plan:
    """The plan whose policy is policy [N, A] times exp(advantage [N, A]), for actions worth values [N, A]."""
    with np.errstate(divide="ignore"):
        better = prior((np.log(policy) + advantage).astype(np.float64), legal)
    return Plan(
        visits.astype(np.int32), better.astype(np.float32), np.where(legal, values, 0.0).astype(np.float32),
        (better * np.where(legal, values, 0.0)).sum(1).astype(np.float32), better.argmax(1).astype(np.int32),
        weights=better.astype(np.float32), work=work)
