// The root of Gumbel MuZero (Danihelka et al. 2022): samples actions without replacement by Gumbel noise,
// compares them by sequential halving, and returns a policy that provably improves on the prior.
#pragma once

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <vector>

#include "narrow.h"
#include "rng.h"
#include "roots/legal.h"
#include "roots/schedule.h"
#include "rules/gumbel.h"
#include "tree.h"
#include "types.h"

namespace mcts {

template <class Scale>
class GumbelRoot {
 public:
  using Rule = GumbelRule<Scale>;

  explicit GumbelRoot(const Settings& s)
      : settings_(s), rows_(most_considered(s)), schedule_(static_cast<std::size_t>(rows_) * s.simulations) {}

  static std::uint64_t bytes(const Settings& s) {
    return sizeof(std::int32_t) * static_cast<std::uint64_t>(most_considered(s)) * s.simulations;
  }

  // Fills the schedules for this many simulations; row m - 1 is for m considered actions.
  void begin(int simulations) {
    if (simulations == simulations_) return;
    simulations_ = simulations;
    for (int m = 1; m <= std::min(rows_, simulations); ++m) fill_schedule(m, simulations, row(m));
  }

  // Call after open_root: draws the noise and sorts the considered actions in descending order of g + logit.
  void prepare(const Tree& tree, int simulations, std::uint64_t seed, double*) const {
    const int legal = tree.state->legal;
    if (settings_.gumbel_scale > 0.0) {
      Rng rng(seed);
      for (int i = 0; i < legal; ++i) {
        tree.root[i].noise = static_cast<float>(settings_.gumbel_scale * rng.gumbel());
      }
    }
    tree.state->considered = std::min({rows_, legal, simulations});
    sort_root(tree, tree.state->considered, [](const RootEdge& a, const RootEdge& b) {
      return drawn(a) != drawn(b) ? drawn(a) > drawn(b) : a.action < b.action;
    });
  }

  // Among the actions with the number of visits that the schedule requires, the one with the highest
  // g + logit + sigma(completed Q): its edge in each of `count` trees, kNone: the root's next_action.
  MCTS_INLINE void choose(const Rule&, const Tree* trees, int count, int simulation, double*,
                          EdgeId* edges) const {
    for (int i = 0; i < count; i += kLanes) {
      choose_few(trees + i, std::min(count - i, kLanes), simulation, edges + i);
    }
  }

  // Among the most visited actions, the one with the highest g + logit + sigma(completed Q).
  EdgeId best(const Tree& tree) const {
    int most = 0;
    tree.for_each_edge(kRoot, [&](EdgeId edge) { most = std::max(most, tree.visits(edge)); });
    const CompletedQ<Doubles> completed = complete_roots(&tree, 1);
    return best_with(tree, completed, 0, most);
  }

  // policy: softmax(logits + sigma(completed Q)), without g (eq. 11). q: the completed Qs.
  // Returns sum_a policy(a) * q(a).
  double finish(const Tree& tree, float* policy, float* q, double* scratch, Narrow& narrow) const {
    const CompletedQ<Doubles> completed = complete_roots(&tree, 1);
    const Line<double> scale = line(completed, 0);
    const int legal = tree.state->legal;
    double* const value = scratch;
    double* const share = scratch + legal;
    std::fill(value, value + legal, completed.mix[0]);
    std::fill(share, share + legal, completed.of_mix[0]);
    int i = 0;
    tree.for_each_edge(kRoot, [&](EdgeId edge) {
      value[i] = tree.q(edge);
      share[i] = completed.sigma[0] * scale(value[i]);
      ++i;
    });
    for (i = 0; i < legal; ++i) share[i] += tree.root[i].logit;
    const double top = *std::max_element(share, share + legal);
    double total = 0.0, mean = 0.0;
    for (i = 0; i < legal; ++i) {
      total += share[i] = std::exp(share[i] - top);
      mean += share[i] * value[i];
    }
    for (i = 0; i < legal; ++i) {
      policy[tree.root[i].action] = narrow(share[i] / total);
      q[tree.root[i].action] = narrow(value[i]);
    }
    return mean / total;
  }

  std::size_t bytes() const { return schedule_.size() * sizeof(std::int32_t); }

 private:
  static int most_considered(const Settings& s) {
    return static_cast<int>(std::min({s.max_considered, s.actions, s.simulations}));
  }

  MCTS_INLINE static double drawn(const RootEdge& edge) {
    return static_cast<double>(edge.noise) + edge.logit;
  }

  MCTS_INLINE static Line<double> line(const CompletedQ<Doubles>& completed, int i) {
    return {completed.scale.origin[i], completed.scale.factor[i]};
  }

  // At most kLanes trees.
  MCTS_INLINE void choose_few(const Tree* trees, int count, int simulation, EdgeId* edges) const {
    int visits[kLanes], most = 0;
    for (int i = 0; i < count; ++i) {
      visits[i] =
          schedule_[static_cast<std::size_t>(trees[i].state->considered - 1) * simulations_ + simulation];
      most = std::max(most, visits[i]);
    }
    // All unvisited actions have the same completed Q, so the first in the list is the best of them.
    CompletedQ<Doubles> completed;
    if (most > 0) completed = complete_roots(trees, count);
    for (int i = 0; i < count; ++i) {
      edges[i] = visits[i] > 0 ? best_with(trees[i], completed, i, visits[i]) : kNone;
    }
  }

  // For at most kLanes trees, one in each lane; spare lanes are undefined.
  MCTS_INLINE CompletedQ<Doubles> complete_roots(const Tree* trees, int count) const {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    Doubles weight[kLanes], weighted_q[kLanes], most[kLanes], low[kLanes], high[kLanes];
    Doubles raw_value, visits, tree_low, tree_high;
    Longs open;
    for (int i = 0; i < kLanes; ++i) {
      const Tree& tree = trees[i < count ? i : 0];
      const Node& root = tree.nodes[kRoot];
      raw_value[i] = root.raw_value;
      visits[i] = root.visits - 1;
      open[i] = root.children < tree.state->legal ? -1 : 0;
      tree_low[i] = tree.state->low;
      tree_high[i] = tree.state->high;
      weight[i] = weighted_q[i] = most[i] = splat(0.0);
      low[i] = splat(kInfinity);
      high[i] = splat(-kInfinity);
      std::int32_t block = kRoot;
      const int children = i < count ? root.children : 0;
      for (int left = children; left > 0; left -= kLanes, block = tree.links[block].next) {
        const EdgeBlock& edges = tree.blocks[block];
        const Doubles q = load_q(edges), w = load_weight(edges), n = load_visits(edges);
        weight[i] += w;
        weighted_q[i] += w * q;
        most[i] = max(most[i], n);
        high[i] = max(high[i], used(n) ? q : splat(-kInfinity));
        low[i] = min(low[i], used(n) ? q : splat(kInfinity));
      }
    }
    const Visited<Doubles> visited{
        sums(weight), sums(weighted_q), largest(most), {smallest(low), largest(high)}};
    return complete<Scale>(settings_, visited, raw_value, visits, open, Bounds<Doubles>{tree_low, tree_high});
  }

  // `lane`: this tree's lane of `completed`.
  MCTS_INLINE static EdgeId best_with(const Tree& tree, const CompletedQ<Doubles>& completed, int lane,
                                      int visits) {
    const Line<double> one = line(completed, lane);
    const Line<Doubles> scale{splat(one.origin), splat(one.factor)};
    const Doubles sigma = splat(completed.sigma[lane]), wanted = splat(visits);
    Best best;
    const RootEdge* root = tree.root;
    std::int32_t block = kRoot;
    for (int left = tree.nodes[kRoot].children; left > 0; left -= kLanes, block = tree.links[block].next) {
      const EdgeBlock& edges = tree.blocks[block];
      best.offer(drawn(root) + sigma * scale(load_q(edges)), load_visits(edges) == wanted, block);
      root += kLanes;
    }
    double highest;
    const EdgeId edge = best.pick(kRoot * kLanes, highest);
    assert(tree.visits(edge) == visits);
    return edge;
  }

  // For four root edges; past the last one it reads memory of the same tree.
  MCTS_INLINE static Doubles drawn(const RootEdge* edges) {
    static_assert(offsetof(RootEdge, logit) == 4 && offsetof(RootEdge, noise) == 8);
    Floats4 x[kLanes];
    std::memcpy(x, edges, sizeof x);
    transpose(x);
    return __builtin_convertvector(x[2], Doubles) + __builtin_convertvector(x[1], Doubles);
  }

  std::int32_t* row(int considered) {
    return schedule_.data() + static_cast<std::size_t>(considered - 1) * simulations_;
  }

  const Settings& settings_;
  int rows_;             // most actions that any tree may consider
  int simulations_ = 0;  // for which the schedules are laid out
  std::vector<std::int32_t> schedule_;
};

}  // namespace mcts
