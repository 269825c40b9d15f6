// The root of Gumbel MuZero (Danihelka et al. 2022): actions sampled without replacement by Gumbel noise,
// compared by sequential halving, and a policy that provably improves on the prior.
#pragma once

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

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

  // Lays out the schedules of a search of so many simulations; row m - 1 is for m considered actions.
  void begin(int simulations) {
    if (simulations == simulations_) return;
    simulations_ = simulations;
    for (int m = 1; m <= std::min(rows_, simulations); ++m) fill_schedule(m, simulations, row(m));
  }

  // After open_root: the noise, and the considered actions in falling order of g + logit.
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

  // Among the actions with the visits that the schedule asks for, the best of g + logit + sigma(completed Q).
  MCTS_INLINE EdgeId choose(const Rule&, const Tree& tree, int simulation, double*) const {
    const int visits =
        schedule_[static_cast<std::size_t>(tree.state->considered - 1) * simulations_ + simulation];
    // All unvisited actions share one completed Q, so the first of the list is the best of them.
    return visits == 0 ? kNone : best_with(tree, visits);
  }

  // Among the most visited actions, the best of g + logit + sigma(completed Q).
  EdgeId best(const Tree& tree) const {
    int most = 0;
    tree.for_each_edge(kRoot, [&](EdgeId edge) { most = std::max(most, tree.visits(edge)); });
    return best_with(tree, most);
  }

  // policy: softmax(logits + sigma(completed Q)), without g (eq. 11). q: the completed Qs.
  // Returns sum_a policy(a) * q(a).
  double finish(const Tree& tree, float* policy, float* q, double* scratch) const {
    const CompletedQ<double> completed = complete_root(tree);
    const int legal = tree.state->legal;
    double* const value = scratch;
    double* const share = scratch + legal;
    std::fill(value, value + legal, completed.mix);
    std::fill(share, share + legal, completed.of_mix);
    int i = 0;
    tree.for_each_edge(kRoot, [&](EdgeId edge) {
      value[i] = tree.q(edge);
      share[i] = completed.sigma * completed.scale(value[i]);
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
      policy[tree.root[i].action] = static_cast<float>(share[i] / total);
      q[tree.root[i].action] = static_cast<float>(value[i]);
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

  MCTS_INLINE CompletedQ<double> complete_root(const Tree& tree) const {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const Node& root = tree.nodes[kRoot];
    Doubles weight = splat(0.0), weighted_q = splat(0.0), most = splat(0.0);
    Doubles low = splat(kInfinity), high = splat(-kInfinity);
    std::int32_t block = kRoot;
    for (int left = root.children; left > 0; left -= kLanes, block = tree.links[block].next) {
      const EdgeBlock& edges = tree.blocks[block];
      const Doubles q = load_q(edges), w = load_weight(edges), visits = load_visits(edges);
      weight += w;
      weighted_q += w * q;
      most = max(most, visits);
      high = max(high, used(visits) ? q : splat(-kInfinity));
      low = min(low, used(visits) ? q : splat(kInfinity));
    }
    const Visited<double> visited{
        sum(weight), sum(weighted_q), largest(most), {smallest(low), largest(high)}};
    const bool open = root.children < tree.state->legal;
    return complete<Scale, double>(settings_, visited, root.raw_value, root.visits - 1, open,
                                   Bounds<double>{tree.state->low, tree.state->high});
  }

  MCTS_INLINE EdgeId best_with(const Tree& tree, int visits) const {
    const CompletedQ<double> completed = complete_root(tree);
    EdgeId best = kNone;
    double highest = -std::numeric_limits<double>::infinity();
    int i = 0;
    tree.for_each_edge(kRoot, [&](EdgeId edge) {
      const double score = drawn(tree.root[i++]) + completed.sigma * completed.scale(tree.q(edge));
      const bool better = tree.visits(edge) == visits && score > highest;
      best = better ? edge : best;
      highest = better ? score : highest;
    });
    assert(best != kNone);
    return best;
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
