// The nodes of a searched tree, for people who look at it. A search never reads this.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tree.h"
#include "types.h"

namespace mcts {

// One node and the edge into it; of the root, which has none, the edge's numbers are 0.
struct SeenNode {
  NodeId id;            // rises in the order of creation
  std::int32_t parent;  // row of the parent, kNone for the root
  Action action;        // kNone for the root
  std::int32_t visits;  // of the node
  float prior;          // of the action at the parent
  float reward;         // of the edge, seen by the player who moved
  float discount;       // of the edge, signed
  float raw_value;      // the network's value for the player to move
  double value;         // mean return for the player to move
  double q;             // of the action, seen by the player to move at the parent
};

// All nodes of a tree in the order of creation, the root first.
inline std::vector<SeenNode> seen_nodes(const Tree& tree) {
  const Node& root = tree.nodes[kRoot];
  std::vector<SeenNode> seen{{kRoot, kNone, kNone, root.visits, 0, 0, 0, root.raw_value, root.mean(), 0}};
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const NodeId parent = seen[i].id;
    const double total = tree.nodes[parent].weight_total;
    tree.for_each_edge(parent, [&](EdgeId edge) {
      const NodeId id = tree.child(edge);
      const Node& node = tree.nodes[id];
      const float weight = tree.blocks[edge / kLanes].weight[edge % kLanes];
      seen.push_back({id, parent, node.action, node.visits, static_cast<float>(weight / total), node.reward,
                      node.discount, node.raw_value, node.mean(), tree.q(edge)});
    });
  }
  std::sort(seen.begin(), seen.end(), [](const SeenNode& a, const SeenNode& b) { return a.id < b.id; });
  for (SeenNode& node : seen) {
    if (node.parent == kNone) continue;
    const auto before = [](const SeenNode& a, NodeId id) { return a.id < id; };
    node.parent = static_cast<std::int32_t>(std::lower_bound(seen.begin(), seen.end(), node.parent, before) -
                                            seen.begin());
  }
  return seen;
}

}  // namespace mcts
