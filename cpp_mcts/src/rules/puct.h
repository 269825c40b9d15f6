// The pUCT selection rule, at root and inner nodes.
#pragma once

#include <cmath>
#include <vector>

#include "lanes.h"
#include "scale.h"
#include "tree.h"
#include "types.h"

namespace mcts {

// argmax of Qn + P * sqrt(N) / (1 + n) * (c_init + ln((N + c_base + 1) / c_base))
// where N is the node's visits, its own evaluation included, and n the child's (Schrittwieser et al. 2020,
// App. B, eq. 2). Ties: higher prior, then lower action.
//
// It is enough to consider one unvisited action: all have the same Qn, so their scores rise with their
// priors.
template <class Scale>
class PuctRule {
 public:
  static constexpr bool kAhead = false;
  struct Asked {};
  static std::int64_t scratch(std::int64_t) { return 0; }

  explicit PuctRule(const Settings& s) : settings_(s), explore_(entries(s)) {
    for (std::size_t n = 0; n < explore_.size(); ++n) {
      const double visits = static_cast<double>(n);
      explore_[n] = std::sqrt(visits) * (s.c_init + std::log((visits + s.c_base + 1.0) / s.c_base));
    }
  }

  // The edge to follow, or kNone: try the node's next_action.
  MCTS_INLINE EdgeId choose(const Tree& tree, NodeId id, double*) const {
    const Node& node = tree.nodes[id];
    if (node.children == 0) return kNone;
    const Range range = range_of(tree, id);
    const Line<double> scale = Scale::line(settings_, Bounds<double>{tree.state->low, tree.state->high},
                                           Bounds<double>{range.lowest, range.highest});
    const double explore = explore_[node.visits] / node.weight_total;
    double highest;
    const EdgeId best = best_visited(tree, id, scale, explore, highest);
    const double fresh = unvisited(node, range, scale);
    // While next_action is unknown, next_weight is an upper bound, so most nodes needn't search for it.
    if (node.next_action == kNone || !(fresh + node.next_weight * explore > highest)) return best;
    if (node.next_action == kUnknown) tree.look_for_next(id);
    const bool wins = node.next_action != kNone && fresh + node.next_weight * explore > highest;
    return wins ? kNone : best;
  }

  static std::uint64_t bytes(const Settings& s) { return entries(s) * sizeof(double); }
  std::size_t bytes() const { return explore_.size() * sizeof(double); }

 private:
  static std::size_t entries(const Settings& s) { return s.simulations + 2; }

  // Range of the node's mean value and the Qs of its visited children; zeros if the settings don't need it.
  struct Range {
    double lowest = 0.0, highest = 0.0, mean_q = 0.0;
  };

  MCTS_INLINE Range range_of(const Tree& tree, NodeId id) const {
    if (!Scale::kPerNode && settings_.unvisited != Unvisited::kSiblings) return {};
    const double mean = tree.nodes[id].mean();
    Doubles low = splat(mean), high = low, total = splat(0.0);
    std::int32_t block = id;
    for (int left = tree.nodes[id].children; left > 0; left -= kLanes, block = tree.links[block].next) {
      const EdgeBlock& edges = tree.blocks[block];
      const Doubles q = load_q(edges);  // 0 in unused lanes
      const Longs counts = used(load_visits(edges));
      low = min(low, counts ? q : low);
      high = max(high, counts ? q : high);
      total += q;
    }
    return {smallest(low), largest(high), sum(total) / tree.nodes[id].children};
  }

  // Qn of unvisited actions.
  MCTS_INLINE double unvisited(const Node& node, const Range& range, const Line<double>& scale) const {
    if (settings_.unvisited == Unvisited::kWorst) return 0.0;
    return Scale::estimate(scale(settings_.unvisited == Unvisited::kParent ? node.mean() : range.mean_q));
  }

  MCTS_INLINE static EdgeId best_visited(const Tree& tree, NodeId id, const Line<double>& scale,
                                         double explore, double& highest) {
    const Line<Doubles> lanes{splat(scale.origin), splat(scale.factor)};
    Best best;
    std::int32_t block = id;
    for (int left = tree.nodes[id].children; left > 0; left -= kLanes, block = tree.links[block].next) {
      const EdgeBlock& edges = tree.blocks[block];
      const Doubles visits = load_visits(edges);
      const Doubles score =
          lanes(load_q(edges)) + load_weight(edges) * splat(explore) / (splat(1.0) + visits);
      best.offer(score, used(visits), block);
    }
    return best.pick(id * kLanes, highest);
  }

  const Settings& settings_;
  std::vector<double> explore_;  // by N: all of the exploration term that doesn't depend on the child
};

}  // namespace mcts
