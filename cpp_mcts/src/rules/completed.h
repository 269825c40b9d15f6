// Completed Q values of Gumbel MuZero, shared by the selection rule in the tree and the root policy.
//
// They are computed for one node (T = double), or for several nodes at once (T a vector, one node per lane),
// with the same formulas and the same bits.
#pragma once

#include "lanes.h"
#include "scale.h"
#include "types.h"

namespace mcts {

// Sums over the visited children of a node.
template <class T>
struct Visited {
  T weight{};      // sum of the weights
  T weighted_q{};  // sum of weight * Q
  T most{};        // the largest N
  Bounds<T> q{};
};

// sigma(q) = (c_visit + max_b N(b)) * c_scale * Qn    (Danihelka et al. 2022, eq. 8)
// Completed Q: the child's Q if visited, else
//   v_mix = (v + sumN * (sum_visited P Q) / (sum_visited P)) / (1 + sumN)    (App. D, eq. 33)
template <class T>
struct CompletedQ {
  T mix;          // v_mix
  Line<T> scale;  // of every completed Q of the node
  T sigma;        // sigma(q) = sigma * Qn
  T of_mix;       // sigma(v_mix)
  T top;          // the largest sigma(completed Q) of the node
};

// `visits`: sumN. `open`: at least one action is unvisited. The node has a visited child.
template <class Scale, class T, class Mask>
MCTS_INLINE CompletedQ<T> complete(const Settings& s, const Visited<T>& visited, T raw_value, T visits,
                                   Mask open, const Bounds<T>& tree) {
  const T mix = (raw_value + visits * (visited.weighted_q / visited.weight)) / (1.0 + visits);
  const T low = visited.q.low, high = visited.q.high;
  const T lowest = open ? mix : low, highest = open ? mix : high;
  const Bounds<T> candidates{lowest < low ? lowest : low, highest > high ? highest : high};
  CompletedQ<T> completed;
  completed.mix = mix;
  completed.scale = Scale::line(s, tree, candidates);
  completed.sigma = (s.c_visit + visited.most) * s.c_scale;
  completed.of_mix = completed.sigma * Scale::estimate(completed.scale(mix));
  const T of_high = completed.sigma * completed.scale(high);
  const T of_highest = open ? completed.of_mix : of_high;
  completed.top = of_highest > of_high ? of_highest : of_high;
  return completed;
}

}  // namespace mcts
