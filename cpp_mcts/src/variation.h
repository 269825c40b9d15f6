// The principal variation of a search.
#pragma once

#include <cstdint>
#include <vector>

#include "tree.h"
#include "types.h"

namespace mcts {

// The actions from edge `first` on, at most `max_length`: after `first`, the most visited child of each node
// (ties: higher Q, then higher prior).
inline std::vector<Action> expected_line(const Tree& tree, EdgeId first, std::int32_t max_length) {
  std::vector<Action> actions;
  EdgeId edge = first;
  while (edge != kNone && static_cast<std::int32_t>(actions.size()) < max_length) {
    const NodeId node = tree.child(edge);
    actions.push_back(tree.nodes[node].action);
    edge = kNone;
    tree.for_each_edge(node, [&](EdgeId candidate) {
      const int more = edge == kNone ? 1 : tree.visits(candidate) - tree.visits(edge);
      if (more > 0 || (more == 0 && tree.q(candidate) > tree.q(edge))) edge = candidate;
    });
  }
  return actions;
}

}  // namespace mcts
