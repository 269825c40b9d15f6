// Gumbel MuZero's deterministic selection rule at non-root nodes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "lanes.h"
#include "rules/gumbel_nodes.h"
#include "tree.h"
#include "types.h"

namespace mcts {

// The choice at a node changes only when the node is visited (or the bounds of its tree change). So it is
// computed right after a visit, when all nodes of a walk are known and several can be computed at once. The
// next walk only reads it.
template <class Scale>
class GumbelRule {
  static constexpr int kMost = 32, kMostLanes = 2 * kLanes;

 public:
  static constexpr bool kAhead = true;

  // Queues of nodes, until several with about the same number of children can be computed together.
  struct Asked {
    enum Kind { kTwo, kBlock, kMany, kKinds };  // at most 2 children, at most a block of them, more
    Place places[kKinds][kMost];
    int count[kKinds] = {};
  };

  explicit GumbelRule(const Settings& s) : settings_(s) {}

  // Doubles of scratch memory for a node with this many children.
  static std::int64_t scratch(std::int64_t children) {
    return (children + kLanes - 1) / kLanes *
           static_cast<std::int64_t>(sizeof(Columns<kMostLanes>) / sizeof(double));
  }

  static std::uint64_t bytes(const Settings&) { return 0; }
  std::size_t bytes() const { return 0; }

  // The edge to follow, or kNone: try the node's next_action.
  MCTS_INLINE EdgeId choose(const Tree& tree, NodeId id, double* scratch) const {
    const Node& node = tree.nodes[id];
    const bool known = node.choice != kUnknown && (!Scale::kPerTree || node.bounds == tree.state->bounds);
    if (known) return node.choice;
    if (node.children == 0) return kNone;
    const Place place{&tree, id};
    compute(&place, 1, Asked::kMany, scratch);
    return node.choice;
  }

  // Queues the computation of a choice, done at the latest by `settle`. The node has a child; `tree` must
  // live until then.
  void ask(Asked& asked, const Tree& tree, NodeId id, double* scratch) const {
    const int children = tree.nodes[id].children;
    const int kind = (children > 2) + (children > kLanes);
    asked.places[kind][asked.count[kind]++] = Place{&tree, id};
    if (asked.count[kind] == kMost) settle(asked, kind, scratch);
  }

  void settle(Asked& asked, double* scratch) const {
    for (int kind = 0; kind < Asked::kKinds; ++kind) {
      if (asked.count[kind] > 0) settle(asked, kind, scratch);
    }
  }

 private:
  void settle(Asked& asked, int kind, double* scratch) const {
    compute(asked.places[kind], asked.count[kind], kind, scratch);
    asked.count[kind] = 0;
  }

  void compute(const Place* places, int count, int kind, double* scratch) const {
    if constexpr (kManyForms) {
      if (form_ == Form::kWidest) return compute_widest(places, count, kind, scratch);
      if (form_ == Form::kWide) return compute_wide(places, count, kind, scratch);
    }
    compute_plain(places, count, kind, scratch);
  }
  MCTS_WIDEST MCTS_APART void compute_widest(const Place* places, int count, int kind,
                                             double* scratch) const {
    // Half of the lanes of a wide group would be unused.
    if (count <= kLanes) return compute_kind<1>(places, count, kind, scratch);
    compute_kind<2>(places, count, kind, scratch);
  }
  MCTS_WIDE MCTS_APART void compute_wide(const Place* places, int count, int kind, double* scratch) const {
    compute_kind<1>(places, count, kind, scratch);
  }
  MCTS_APART void compute_plain(const Place* places, int count, int kind, double* scratch) const {
    compute_kind<1>(places, count, kind, scratch);
  }

  // Computes at most kMost nodes of a kind, `halves` times four at once.
  template <int halves>
  MCTS_INLINE void compute_kind(const Place* places, int count, int kind, double* scratch) const {
    constexpr int kNodes = halves * kLanes;
    if (kind == Asked::kTwo) {
      compute_short<GumbelNodes<Scale, halves, 2, false>>(places, count);
    } else if (kind == Asked::kBlock) {
      compute_short<GumbelNodes<Scale, halves, kLanes, false>>(places, count);
    } else {
      compute_long<GumbelNodes<Scale, halves, kLanes, true>>(places, count,
                                                             reinterpret_cast<Columns<kNodes>*>(scratch));
    }
  }

  template <class Nodes>
  MCTS_INLINE void compute_short(const Place* places, int count) const {
    Nodes groups[kMost / Nodes::kNodes];
    Columns<Nodes::kNodes> columns[kMost / Nodes::kNodes];
    const int all = (count + Nodes::kNodes - 1) / Nodes::kNodes;
    for (int g = 0; g < all; ++g) read(groups[g], places, count, g, columns + g);
    for (int g = 0; g < all; ++g) groups[g].weigh();
    Looks<kMost> looks;
    for (int g = 0; g < all; ++g) groups[g].compare(looks);
    looks.look();
    for (int g = 0; g < all; ++g) groups[g].choose();
  }

  // The columns of long chains are large: the groups use them one after another.
  template <class Nodes>
  MCTS_INLINE void compute_long(const Place* places, int count, Columns<Nodes::kNodes>* columns) const {
    Nodes groups[kMost / Nodes::kNodes];
    Place sorted[kMost];
    if (count > Nodes::kNodes) {
      sort_by_length(places, count, sorted);
      places = sorted;
    }
    const int all = (count + Nodes::kNodes - 1) / Nodes::kNodes;
    Looks<kMost> looks;
    for (int g = 0; g < all; ++g) {
      read(groups[g], places, count, g, columns);
      groups[g].weigh();
      groups[g].compare(looks);
    }
    looks.look();
    for (int g = 0; g < all; ++g) groups[g].choose();
  }

  // Puts chains of similar length next to each other, as a group takes as long as its longest.
  static void sort_by_length(const Place* from, int count, Place* to) {
    constexpr int kLengths = 8;
    int end[kLengths + 1] = {};
    std::uint8_t length[kMost];
    for (int i = 0; i < count; ++i) {
      const int blocks = (from[i].tree->nodes[from[i].node].children - 1) / kLanes;
      length[i] = static_cast<std::uint8_t>(std::min(blocks, kLengths - 1));
      ++end[length[i] + 1];
    }
    for (int k = 1; k < kLengths; ++k) end[k] += end[k - 1];
    for (int i = 0; i < count; ++i) to[end[length[i]]++] = from[i];
  }

  // The g-th group.
  template <class Nodes>
  MCTS_INLINE void read(Nodes& group, const Place* places, int count, int g,
                        Columns<Nodes::kNodes>* columns) const {
    const int first = g * Nodes::kNodes;
    group.read(settings_, places + first, std::min(count - first, Nodes::kNodes), columns);
  }

  const Settings& settings_;
  const Form form_ = widest_form();
};

}  // namespace mcts
