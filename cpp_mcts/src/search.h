// A batch of searches in lockstep, in numbered stages:
//
//   1 reset    the roots
//   2 select   a walk from each root to a position that has not been evaluated
//   3 expand   the network's answers become nodes
//   4 backup   the answer is carried back along the walk
//   5 result   policy, values and the move
//
// Stages 2 to 4 repeat once a simulation; between 2 and 3 the caller runs the network.
#pragma once

#include <algorithm>
#include <cassert>
#include <vector>

#include "lanes.h"
#include "rows.h"
#include "scale.h"
#include "search_base.h"
#include "thread_pool.h"
#include "tree.h"
#include "types.h"

namespace mcts {

template <class Root, class Scale>
class BatchSearch final : public SearchBase {
  using Rule = typename Root::Rule;

 public:
  explicit BatchSearch(const Settings& settings)
      : SearchBase(settings),
        arena_(settings_),
        rule_(settings_),
        root_(settings_),
        pool_(static_cast<int>(std::min(settings.threads, settings.trees))),
        leaf_tree_(settings.trees),
        numbers_per_thread_(2 * (settings.actions + kLanes)),
        numbers_(numbers_per_thread_ * pool_.threads()) {}

  std::size_t bytes() const override {
    return arena_.bytes() + rule_bytes() + root_.bytes() + leaf_tree_.size() * sizeof(std::int32_t) +
           numbers_.size() * sizeof(double);
  }

  std::int64_t edges_visited() const override {
    std::int64_t edges = 0;
    for (int b = 0; b < active_trees(); ++b) edges += arena_.tree(b).state->edges;
    return edges;
  }

 protected:
  // ---- 1 reset ----
  void reset_trees(const ResetRows& rows) override {
    Refusal refusal;
    root_.begin(rows.simulations);
    pool_.parallel_for(rows.trees, [&](int thread, int begin, int end) {
      double* const scratch = numbers_.data() + numbers_per_thread_ * thread;
      for (int b = begin; b < end; ++b) reset_tree(rows, b, scratch, refusal);
    });
    refusal.raise();
  }

  // ---- 2 select ----
  std::int32_t select_leaves(const LeafRows& rows) override {
    pool_.parallel_for(active_trees(), [&](int thread, int begin, int end) {
      double* const scratch = numbers_.data() + numbers_per_thread_ * thread;
      if (wide_) {
        select_wide(begin, end, scratch);
      } else {
        select_plain(begin, end, scratch);
      }
    });
    std::int32_t m = 0;
    for (int b = 0; b < active_trees(); ++b) {
      const TreeState& state = *arena_.tree(b).state;
      if (state.leaf_action == kNone) continue;
      rows.tree[m] = leaf_tree_[m] = b;
      rows.slot[m] = state.leaf_parent;
      rows.action[m] = state.leaf_action;
      ++m;
    }
    return m;
  }

  // ---- 3 expand ----
  void expand_leaves(const ExpandRows& rows) override {
    Refusal refusal;
    pool_.parallel_for(leaves(), [&](int, int begin, int end) {
      for (int m = begin; m < end; ++m) {
        if (m + 1 < end) prefetch(arena_.tree(leaf_tree_[m + 1]));
        expand_leaf(arena_.tree(leaf_tree_[m]), rows, m, refusal);
      }
    });
    refusal.raise();
  }

  // ---- 5 result ----
  void read_result(const ResultRows& rows) override {
    pool_.parallel_for(active_trees(), [&](int thread, int begin, int end) {
      double* const scratch = numbers_.data() + numbers_per_thread_ * thread;
      for (int b = begin; b < end; ++b) read_tree(arena_.tree(b), rows, b, scratch);
    });
  }

  // The chosen action, then the most visited child of each node (ties: higher Q, then higher prior).
  std::vector<Action> read_variation(std::int32_t index, std::int32_t max_length) override {
    const Tree tree = arena_.tree(index);
    std::vector<Action> actions;
    EdgeId edge = root_.best(tree);
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

 private:
  // A walk on its way down one tree.
  struct Walk {
    Tree tree;
    NodeId node;
    int depth;
  };
  static constexpr int kWalks = 8;

  void reset_tree(const ResetRows& rows, int b, double* scratch, Refusal& refusal) {
    const Tree tree = arena_.tree(b);
    const std::int64_t at = b * settings_.actions;
    if (!all_finite(rows.logits + at, tree.actions)) return refusal.note(b, Refusal::kLogits);
    if (!all_finite(rows.value + b, 1)) return refusal.note(b, Refusal::kValue);
    if (!open_root(tree, rows.logits + at, rows.legal + at, rows.value[b])) {
      return refusal.note(b, Refusal::kLegal);
    }
    root_.prepare(tree, rows.simulations, rows.seeds[b], scratch);
  }

  MCTS_WIDE void select_wide(int begin, int end, double* scratch) { select_trees(begin, end, scratch); }
  void select_plain(int begin, int end, double* scratch) { select_trees(begin, end, scratch); }

  // A few trees are walked side by side, one step of each at a time: while one waits for memory or for a
  // division, the processor works on the next.
  MCTS_INLINE void select_trees(int begin, int end, double* scratch) {
    Walk walks[kWalks];
    for (int b = begin; b < end; b += kWalks) {
      int going = 0;
      for (int i = b; i < end && i < b + kWalks; ++i) walks[going++] = Walk{arena_.tree(i), kRoot, 0};
      for (int i = end < b + kWalks ? end : b + kWalks; i < end && i < b + 2 * kWalks; ++i)
        prefetch(arena_.tree(i));
      for (int i = 0; i < going;) {
        const EdgeId edge = root_.choose(rule_, walks[i].tree, simulations_done(), scratch);
        i = follow(walks[i], edge) ? i + 1 : drop(walks, i, going);
      }
      while (going > 0) {
        for (int i = 0; i < going;) {
          Walk& walk = walks[i];
          const bool ended = walk.tree.nodes[walk.node].discount == 0.0f;
          if (ended) {
            finish_at_terminal(walk);
            i = drop(walks, i, going);
            continue;
          }
          const EdgeId edge = rule_.choose(walk.tree, walk.node, scratch);
          i = follow(walk, edge) ? i + 1 : drop(walks, i, going);
        }
      }
    }
  }

  // The last walk takes the place of the one that ended; returns where to go on.
  MCTS_INLINE static int drop(Walk* walks, int i, int& going) {
    walks[i] = walks[--going];
    return i;
  }

  // One step down, or, if there is no edge, the leaf that the walk has found. True: the walk goes on.
  MCTS_INLINE static bool follow(Walk& walk, EdgeId edge) {
    const Tree& tree = walk.tree;
    if (edge == kNone) {
      tree.state->leaf_parent = walk.node;
      tree.state->leaf_action = tree.nodes[walk.node].next_action;
      tree.state->path_length = walk.depth;
      return false;
    }
    walk.node = tree.child(edge);
    __builtin_prefetch(tree.nodes + walk.node);
    __builtin_prefetch(tree.blocks + walk.node);
    __builtin_prefetch(tree.links + walk.node);
    assert(walk.depth < tree.first_free_block);
    tree.path[walk.depth++] = PathStep{edge, walk.node};
    return true;
  }

  // A terminal node needs no network.
  void finish_at_terminal(const Walk& walk) {
    walk.tree.state->leaf_action = kNone;
    walk.tree.state->path_length = walk.depth;
    backup(walk.tree);
  }

  void expand_leaf(const Tree& tree, const ExpandRows& rows, int m, Refusal& refusal) {
    TreeState& state = *tree.state;
    const NodeId leaf = simulations_done() + 1;
    const float* const logits = rows.logits + m * settings_.actions;
    const float discount = rows.discount[m];
    if (!copy_row(logits, tree.row(leaf), tree.actions, tree.padded))
      return refusal.note(m, Refusal::kLogits);
    if (!all_finite(rows.value + m, 1)) return refusal.note(m, Refusal::kValue);
    if (!all_finite(rows.reward + m, 1)) return refusal.note(m, Refusal::kReward);
    if (!(discount >= -1.0f && discount <= 1.0f)) return refusal.note(m, Refusal::kDiscount);
    tree.make_node(leaf, state.leaf_action, rows.value[m], rows.reward[m], discount);
    const EdgeId edge = tree.append_edge(state.leaf_parent, leaf);
    assert(state.path_length < tree.first_free_block);
    tree.path[state.path_length++] = PathStep{edge, leaf};
    backup(tree);
  }

  // ---- 4 backup ----
  // G = r + d * G from the last position of the walk to the root, each seen by the player to move there.
  void backup(const Tree& tree) {
    TreeState& state = *tree.state;
    state.edges += state.path_length;
    double g = tree.nodes[tree.path[state.path_length - 1].child].raw_value;
    for (int i = state.path_length - 1; i >= 0; --i) {
      const PathStep step = tree.path[i];
      Node& node = tree.nodes[step.child];
      node.value_sum += g;
      ++node.visits;
      const double q = node.reward + node.discount * node.mean();
      EdgeBlock& block = tree.blocks[step.edge / kLanes];
      block.q[step.edge % kLanes] = q;
      block.visits[step.edge % kLanes] = node.visits;
      if constexpr (Scale::kPerTree) observe(state, q);
      g = node.reward + node.discount * g;
    }
    tree.nodes[kRoot].value_sum += g;
    ++tree.nodes[kRoot].visits;
  }

  void observe(TreeState& state, double q) const {
    state.low = std::min(state.low, settings_.mirror ? std::min(q, -q) : q);
    state.high = std::max(state.high, settings_.mirror ? std::max(q, -q) : q);
  }

  void read_tree(const Tree& tree, const ResultRows& rows, int b, double* scratch) const {
    const std::int64_t at = b * settings_.actions;
    std::fill_n(rows.visits + at, tree.actions, 0);
    std::fill_n(rows.policy + at, tree.actions, 0.0f);
    std::fill_n(rows.q + at, tree.actions, 0.0f);
    tree.for_each_edge(kRoot, [&](EdgeId edge) {
      rows.visits[at + tree.nodes[tree.child(edge)].action] = tree.visits(edge);
    });
    rows.value[b] = static_cast<float>(root_.finish(tree, rows.policy + at, rows.q + at, scratch));
    rows.action[b] = tree.nodes[tree.child(root_.best(tree))].action;
  }

  static void prefetch(const Tree& tree) {
    __builtin_prefetch(tree.state);
    __builtin_prefetch(tree.nodes);
    __builtin_prefetch(tree.blocks);
    __builtin_prefetch(tree.links);
    __builtin_prefetch(tree.path);
  }

  std::size_t rule_bytes() const {
    if constexpr (requires { rule_.bytes(); }) return rule_.bytes();
    return 0;
  }

  const bool wide_ = MCTS_HAS_WIDE;
  Arena arena_;
  Rule rule_;
  Root root_;
  ThreadPool pool_;
  std::vector<std::int32_t> leaf_tree_;  // [M] of the last select
  std::size_t numbers_per_thread_;       // twice the actions, in whole blocks
  std::vector<double> numbers_;          // scratch of all threads
};

}  // namespace mcts
