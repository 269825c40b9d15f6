// The deterministic rule of Gumbel MuZero inside the tree.
#pragma once

#include <algorithm>
#include <cstdint>

#include "lanes.h"
#include "rules/gumbel_nodes.h"
#include "tree.h"
#include "types.h"

namespace mcts {

// The choice at a node changes only with a visit to it (and with the bounds of its tree). So it is made right
// after that visit: the nodes of a whole walk are known then, and several can be computed at once. The next
// walk only reads it.
template <class Scale>
class GumbelRule {
  static constexpr int kGroups = 8, kMost = kGroups * kLanes;

 public:
  static constexpr bool kAhead = true;

  // Nodes that wait until several with about as many children can be computed together.
  struct Asked {
    enum Kind { kTwo, kBlock, kMany, kKinds };  // at most 2 children, at most a block of them, more
    Place places[kKinds][kMost];
    int count[kKinds] = {};
  };

  explicit GumbelRule(const Settings& s) : settings_(s) {}

  // Doubles of scratch that a node with so many children needs.
  static std::int64_t scratch(std::int64_t children) {
    return (children + kLanes - 1) / kLanes * static_cast<std::int64_t>(sizeof(Columns) / sizeof(double));
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

  // Has the choice made, at the latest by `settle`. The node has a child; `tree` must stay until then.
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
    compute_kind(places, count, kind, scratch);
  }
  MCTS_WIDE MCTS_APART void compute_wide(const Place* places, int count, int kind, double* scratch) const {
    compute_kind(places, count, kind, scratch);
  }
  MCTS_APART void compute_plain(const Place* places, int count, int kind, double* scratch) const {
    compute_kind(places, count, kind, scratch);
  }

  // At most kMost nodes of a kind.
  MCTS_INLINE void compute_kind(const Place* places, int count, int kind, double* scratch) const {
    if (kind == Asked::kTwo) {
      compute_short<2>(places, count);
    } else if (kind == Asked::kBlock) {
      compute_short<kLanes>(places, count);
    } else {
      compute_long(places, count, scratch);
    }
  }

  template <int width>
  MCTS_INLINE void compute_short(const Place* places, int count) const {
    GumbelNodes<Scale, width, false> groups[kGroups];
    Columns columns[kGroups];
    const int all = (count + kLanes - 1) / kLanes;
    for (int g = 0; g < all; ++g) {
      groups[g].read(settings_, places + g * kLanes, std::min(count - g * kLanes, kLanes), columns + g);
    }
    for (int g = 0; g < all; ++g) groups[g].weigh();
    Looks<kMost> looks;
    for (int g = 0; g < all; ++g) groups[g].compare(looks);
    looks.look();
    for (int g = 0; g < all; ++g) groups[g].choose();
  }

  MCTS_INLINE void compute_long(const Place* places, int count, double* scratch) const {
    for (int first = 0; first < count; first += kLanes) {
      GumbelNodes<Scale, kLanes, true> group{};
      group.read(settings_, places + first, std::min(count - first, kLanes),
                 reinterpret_cast<Columns*>(scratch));
      group.weigh();
      Looks<kLanes> looks;
      group.compare(looks);
      looks.look();
      group.choose();
    }
  }

  const Settings& settings_;
  const Form form_ = widest_form();
};

}  // namespace mcts
