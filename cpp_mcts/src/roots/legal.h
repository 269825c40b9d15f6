// Root initialisation shared by both algorithms: legal actions, their weights, and the root node.
#pragma once

#include <algorithm>

#include "rows.h"
#include "tree.h"
#include "types.h"

namespace mcts {

// Lists the legal actions in ascending order with their weights, and makes the root node. False if there are
// none.
inline bool open_root(const Tree& tree, const float* logits, const std::uint8_t* legal, float value) {
  int count = 0;
  float largest = -std::numeric_limits<float>::infinity();
  for (Action action = 0; action < tree.actions; ++action) {
    if (!legal[action]) continue;
    tree.root[count++] = RootEdge{action, logits[action], 0.0f, 0.0f};
    largest = std::max(largest, logits[action]);
  }
  if (count == 0) return false;
  *tree.state = TreeState{};
  tree.state->low = std::numeric_limits<double>::infinity();
  tree.state->high = -std::numeric_limits<double>::infinity();
  tree.state->legal = count;
  tree.state->blocks = tree.first_free_block;
  tree.state->leaf_action = kNone;
  tree.make_node(kRoot, kNone, value, 0.0f, 1.0f);
  Node& root = tree.nodes[kRoot];
  root.value_sum = value;
  root.visits = 1;
  root.largest_logit = largest;
  constexpr int kSome = 64;
  for (int first = 0; first < count; first += kSome) {
    float weights[kSome];
    const int some = std::min(kSome, count - first);
    RootEdge* const edges = tree.root + first;
    for (int i = 0; i < some; ++i) weights[i] = edges[i].logit - largest;
    row_exps(weights, some);
    for (int i = 0; i < some; ++i) root.weight_total += edges[i].weight = weights[i];
  }
  return true;
}

// Sorts the `count` actions that may be tried into the order in which they are tried.
template <class Before>
void sort_root(const Tree& tree, int count, Before before) {
  std::partial_sort(tree.root, tree.root + count, tree.root + tree.state->legal, before);
  tree.offer_root_edge(tree.nodes[kRoot]);
}

}  // namespace mcts
