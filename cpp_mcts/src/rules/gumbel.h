// The deterministic rule of Gumbel MuZero inside the tree, and the completed Qs that its root uses as well.
#pragma once

#include "lanes.h"
#include "scale.h"
#include "tree.h"
#include "types.h"

namespace mcts {

// sigma(q) = (c_visit + max_b N(b)) * c_scale * Qn    (Danihelka et al. 2022, eq. 8)
// Completed Q: the child's Q if visited, else
//   v_mix = (v + sumN * (sum_visited P Q) / (sum_visited P)) / (1 + sumN)    (App. D, eq. 33)
struct CompletedQ {
  double mix;             // v_mix
  Line scale;             // of every completed Q of the node
  double sigma;           // sigma(q) = sigma * Qn
  double of_mix;          // sigma(v_mix)
  double top;             // the largest sigma(completed Q) of the node
  double visited_weight;  // sum of the weights of the visited children
};

template <class Scale>
class Completion {
 public:
  explicit Completion(const Settings& s) : settings_(s) {}

  // `open`: at least one action is unvisited. The node has a visited child.
  MCTS_INLINE CompletedQ operator()(const Tree& tree, NodeId id, bool open) const {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const Node& node = tree.nodes[id];
    Doubles weight = splat(0.0), weighted_q = splat(0.0), most = splat(0.0);
    Doubles high = splat(-kInfinity), low = splat(kInfinity);
    std::int32_t block = id;
    for (int left = node.children; left > 0; left -= kLanes, block = tree.links[block].next) {
      const EdgeBlock& edges = tree.blocks[block];
      const Doubles q = load_q(edges), w = load_weight(edges), visits = load_visits(edges);
      weight += w;
      weighted_q += w * q;
      most = max(most, visits);
      high = max(high, used(visits) ? q : splat(-kInfinity));
      if constexpr (Scale::kPerNode) low = min(low, used(visits) ? q : splat(kInfinity));
    }
    CompletedQ completed;
    completed.visited_weight = sum(weight);
    const double visits = node.visits - 1;
    const double mix =
        (node.raw_value + visits * (sum(weighted_q) / completed.visited_weight)) / (1.0 + visits);
    const double highest = largest(high), lowest = smallest(low);
    completed.mix = mix;
    completed.scale = Scale::line(settings_, *tree.state, open && mix < lowest ? mix : lowest,
                                  open && mix > highest ? mix : highest);
    completed.sigma = (settings_.c_visit + largest(most)) * settings_.c_scale;
    completed.of_mix = completed.sigma * Scale::estimate(completed.scale(mix));
    const double of_highest = completed.sigma * completed.scale(highest);
    completed.top = open && completed.of_mix > of_highest ? completed.of_mix : of_highest;
    return completed;
  }

 private:
  const Settings& settings_;
};

// argmax of softmax(logits + sigma(completed Q))(a) - N(a) / (1 + sumN)    (Danihelka et al. 2022, eq. 14)
// Ties: higher prior, then lower action.
//
// One unvisited action is enough to look at: all have N = 0 and the same completed Q, so the score of each
// rises with its logit. The softmax needs only their total weight: what the visited ones leave of
// weight_total.
template <class Scale>
class GumbelRule {
 public:
  explicit GumbelRule(const Settings& s) : complete_(s) {}

  // The edge to follow, or kNone: try the node's next_action. `scratch` has room for whole blocks of A
  // numbers.
  MCTS_INLINE EdgeId choose(const Tree& tree, NodeId id, double* scratch) const {
    const Node& node = tree.nodes[id];
    if (node.children == 0) {
      tree.look_for_next(id);
      return kNone;
    }
    const bool open = node.children < tree.actions;
    const CompletedQ completed = complete_(tree, id, open);
    const double visited = weigh(tree, id, completed, scratch);
    const double left = node.weight_total - completed.visited_weight;
    const double of_mix = open ? exp_of_negative(splat(completed.of_mix - completed.top))[0] : 0.0;
    const double factor = 1.0 / (visited + (left > 0.0 ? left * of_mix : 0.0));

    double highest;
    const EdgeId best = best_visited(tree, id, factor, scratch, highest);
    // While next_action is unknown, next_weight is a bound from above: most nodes need not look for it.
    const double each = of_mix * factor;
    if (!open || !(node.next_weight * each > highest)) return best;
    if (node.next_action == kUnknown) tree.look_for_next(id);
    return node.next_weight * each > highest ? kNone : best;
  }

 private:
  // scratch[i] = weight * exp(sigma(q) - top) for the edges of block i of the chain; returns the sum.
  MCTS_INLINE static double weigh(const Tree& tree, NodeId id, const CompletedQ& completed, double* scratch) {
    Doubles total = splat(0.0);
    std::int32_t block = id;
    for (int left = tree.nodes[id].children; left > 0; left -= kLanes, block = tree.links[block].next) {
      const EdgeBlock& edges = tree.blocks[block];
      const Doubles above = splat(completed.sigma) * completed.scale(load_q(edges)) - splat(completed.top);
      const Doubles each = load_weight(edges) * exp_of_negative(min(above, splat(0.0)));
      store(scratch, each);
      scratch += kLanes;
      total += each;
    }
    return sum(total);
  }

  MCTS_INLINE static EdgeId best_visited(const Tree& tree, NodeId id, double factor, const double* scratch,
                                         double& highest) {
    const double share = 1.0 / tree.nodes[id].visits;
    Best best;
    std::int32_t block = id;
    for (int left = tree.nodes[id].children; left > 0; left -= kLanes, block = tree.links[block].next) {
      const Doubles visits = load_visits(tree.blocks[block]);
      best.offer(load(scratch) * splat(factor) - visits * splat(share), visits, block);
      scratch += kLanes;
    }
    return best.pick(highest);
  }

  Completion<Scale> complete_;
};

}  // namespace mcts
