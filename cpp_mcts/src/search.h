// A batch of searches in lockstep, in numbered stages:
//
//   1 reset    initialises the roots
//   2 select   walks from each root to a position that hasn't been evaluated
//   3 expand   turns the network's outputs into nodes
//   4 backup   propagates the value back along the walk
//   5 result   policy, values and the chosen move
//
// Stages 2 to 4 are repeated for each simulation; between 2 and 3 the caller runs the network. So 3, 4 and
// the next 2 can be one call, in which a tree is walked again while it is still in the cache.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <string>
#include <vector>

#include "lanes.h"
#include "memory_limit.h"
#include "narrow.h"
#include "nodes.h"
#include "rows.h"
#include "scale.h"
#include "search_base.h"
#include "thread_pool.h"
#include "tree.h"
#include "types.h"
#include "variation.h"

namespace mcts {

template <class Root, class Scale>
class BatchSearch final : public SearchBase {
  using Rule = typename Root::Rule;

 public:
  // Throws NotEnoughMemory before reserving anything.
  explicit BatchSearch(const Settings& settings)
      : SearchBase((require_memory(settings, bytes(settings)), settings)),
        arena_(settings_),
        rule_(settings_),
        root_(settings_),
        pool_(threads(settings)),
        leaf_tree_(settings.trees),
        leaf_slot_(settings.trees),
        leaf_action_(settings.trees),
        numbers_per_thread_(numbers_per_thread(settings)),
        numbers_(numbers_per_thread_ * pool_.threads()) {}

  // Bytes of a search with these settings, without making it.
  static std::uint64_t bytes(const Settings& s) {
    const std::uint64_t numbers = sizeof(double) * numbers_per_thread(s) * threads(s);
    const std::uint64_t leaves = 3 * sizeof(std::int32_t) * s.trees;
    return saturating_sum(Arena::bytes(s), Rule::bytes(s) + Root::bytes(s) + leaves + numbers);
  }

  std::size_t bytes() const override {
    const std::size_t leaves = leaf_tree_.size() + leaf_slot_.size() + leaf_action_.size();
    return arena_.bytes() + rule_.bytes() + root_.bytes() + leaves * sizeof(std::int32_t) +
           numbers_.size() * sizeof(double);
  }

  std::int64_t edges_visited() const override {
    std::int64_t edges = 0;
    for (int b = 0; b < active_trees(); ++b) edges += arena_.tree(b).state->edges;
    return edges;
  }

 protected:
  // ---- 1 reset ----
  void reset_trees(const ResetRows& rows, Refusal& refusal) override {
    root_.begin(rows.simulations);
    pool_.parallel_for(rows.trees, chunk(), [&](int thread, int begin, int end) {
      double* const scratch = numbers_.data() + numbers_per_thread_ * thread;
      for (int b = begin; b < end; ++b) reset_tree(rows, b, scratch, refusal);
    });
  }

  // ---- 2 select ----
  std::int32_t select_leaves(const LeafRows& rows) override {
    pool_.parallel_for(active_trees(), chunk(), [&](int thread, int begin, int end) {
      double* const scratch = numbers_.data() + numbers_per_thread_ * thread;
      select_chunk(begin, end, simulations_done(), scratch);
    });
    return write_leaves(rows);
  }

  // ---- 3 expand ----
  void expand_leaves(const ExpandRows& rows, Refusal& refusal) override {
    pool_.parallel_for(leaves(), chunk(), [&](int thread, int begin, int end) {
      double* const scratch = numbers_.data() + numbers_per_thread_ * thread;
      expand_trees(rows, begin, end, scratch, refusal);
    });
  }

  // ---- 3 expand, then 2 select ----
  // A tree whose row was refused lacks a node that the next walk relies on: no more walks.
  std::int32_t advance_leaves(const ExpandRows& answers, const LeafRows& rows, Refusal& refusal) override {
    pool_.parallel_for(active_trees(), chunk(), [&](int thread, int begin, int end) {
      double* const scratch = numbers_.data() + numbers_per_thread_ * thread;
      expand_trees(answers, first_leaf(begin), first_leaf(end), scratch, refusal);
      if (!refusal.any()) select_chunk(begin, end, simulations_done() + 1, scratch);
    });
    return refusal.any() ? 0 : write_leaves(rows);
  }

  // ---- 5 result ----
  void read_result(const ResultRows& rows, Refusal& refusal) override {
    pool_.parallel_for(active_trees(), chunk(), [&](int thread, int begin, int end) {
      double* const scratch = numbers_.data() + numbers_per_thread_ * thread;
      for (int b = begin; b < end; ++b) read_tree(arena_.tree(b), rows, b, scratch, refusal);
    });
  }

  std::vector<Action> read_variation(std::int32_t index, std::int32_t max_length) override {
    const Tree tree = arena_.tree(index);
    return expected_line(tree, root_.best(tree), max_length);
  }

  std::vector<SeenNode> read_nodes(std::int32_t index) override { return seen_nodes(arena_.tree(index)); }

 private:
  // A walk in progress in one tree.
  struct Walk {
    const Tree* tree;
    NodeId node;
    int depth;
  };
  static constexpr int kWalks = 32;
  static constexpr int kChunk = 32;  // most trees that a thread takes at once
  static constexpr int kApart = 8;   // doubles between the scratch of two threads: a cache line

  // Several threads take smaller chunks, so that they finish together.
  int chunk() const { return pool_.threads() == 1 ? kChunk : kChunk / 2; }

  static int threads(const Settings& s) { return static_cast<int>(std::min(s.threads, s.trees)); }
  static std::size_t numbers_per_thread(const Settings& s) {
    const std::int64_t used = std::max(2 * s.actions, Rule::scratch(std::min(s.actions, s.simulations)));
    return used + kApart;
  }

  void reset_tree(const ResetRows& rows, int b, double* scratch, Refusal& refusal) {
    const Tree tree = arena_.tree(b);
    const std::int64_t at = b * settings_.actions;
    if (!all_finite(rows.logits + at, tree.actions)) return refusal.note(b, Refusal::kLogits);
    if (!is_finite(rows.value[b])) return refusal.note(b, Refusal::kValue);
    if (!open_root(tree, rows.logits + at, rows.legal + at, rows.value[b])) {
      return refusal.note(b, Refusal::kLegal);
    }
    root_.prepare(tree, rows.simulations, rows.seeds[b], scratch);
  }

  // The first row of the last select's leaves that belongs to tree b or a later one.
  int first_leaf(int b) const {
    if (leaves() == active_trees()) return b;
    const auto begin = leaf_tree_.begin();
    return static_cast<int>(std::lower_bound(begin, begin + leaves(), b) - begin);
  }

  // Lists the leaves in the order of their trees and counts them.
  std::int32_t write_leaves(const LeafRows& rows) {
    std::int32_t m = 0;
    for (int b = 0; b < active_trees(); ++b) {
      if (leaf_action_[b] == kNone) continue;
      rows.tree[m] = leaf_tree_[m] = b;
      rows.slot[m] = leaf_slot_[b];
      rows.action[m] = leaf_action_[b];
      ++m;
    }
    return m;
  }

  void select_chunk(int begin, int end, int simulation, double* scratch) {
    if constexpr (kManyForms) {
      if (form_ == Form::kWidest) return select_widest(begin, end, simulation, scratch);
      if (form_ == Form::kWide) return select_wide(begin, end, simulation, scratch);
    }
    select_plain(begin, end, simulation, scratch);
  }
  MCTS_WIDEST void select_widest(int begin, int end, int simulation, double* scratch) {
    select_trees(begin, end, simulation, scratch);
  }
  MCTS_WIDE void select_wide(int begin, int end, int simulation, double* scratch) {
    select_trees(begin, end, simulation, scratch);
  }
  void select_plain(int begin, int end, int simulation, double* scratch) {
    select_trees(begin, end, simulation, scratch);
  }

  // Walks a few trees side by side, one step of each at a time: while one waits for memory or for a division,
  // the processor works on the next.
  MCTS_INLINE void select_trees(int begin, int end, int simulation, double* scratch) {
    for (int first = begin; first < end; first += kWalks) {
      const int last = std::min(first + kWalks, end);
      for (int b = last; b < std::min(last + kWalks, end); ++b) arena_.tree(b).prefetch();
      walk_trees(first, last, simulation, scratch);
      for (int b = first; b < last; ++b) {
        const Tree tree = arena_.tree(b);
        TreeState& state = *tree.state;
        if (state.leaf_action == kUnknown) {
          tree.look_for_next(state.leaf_parent);
          state.leaf_action = tree.nodes[state.leaf_parent].next_action;
        }
        tree.prefetch_leaf(simulation + 1);
        leaf_slot_[b] = state.leaf_parent;
        leaf_action_[b] = state.leaf_action;
      }
    }
  }

  // At most kWalks trees.
  MCTS_INLINE void walk_trees(int first, int last, int simulation, double* scratch) {
    Tree trees[kWalks];
    Walk walks[kWalks];
    typename Rule::Asked asked;
    int going = 0;
    EdgeId edges[kWalks];
    for (int b = first; b < last; ++b) trees[b - first] = arena_.tree(b);
    root_.choose(rule_, trees, last - first, simulation, scratch, edges);
    for (int i = 0; i < last - first; ++i) {
      Walk& walk = walks[going] = Walk{trees + i, kRoot, 0};
      going += follow(walk, edges[i]);
    }
    while (going > 0) {
      for (int i = 0; i < going;) {
        Walk& walk = walks[i];
        if (walk.tree->nodes[walk.node].discount == 0.0f || walk.depth == deepest_) {
          finish_without_leaf(walk);
          ask(asked, *walk.tree, scratch);
          walk = walks[--going];
        } else if (follow(walk, rule_.choose(*walk.tree, walk.node, scratch))) {
          ++i;
        } else {
          walk = walks[--going];
        }
      }
    }
    settle(asked, scratch);
  }

  void expand_trees(const ExpandRows& rows, int begin, int end, double* scratch, Refusal& refusal) {
    Tree trees[kChunk];
    for (int first = begin; first < end; first += kChunk) {
      typename Rule::Asked asked;
      for (int m = first; m < end && m < first + kChunk; ++m) {
        if (m + 1 < end) arena_.tree(leaf_tree_[m + 1]).prefetch();
        Tree& tree = trees[m - first] = arena_.tree(leaf_tree_[m]);
        if (expand_leaf(tree, rows, m, refusal)) ask(asked, tree, scratch);
      }
      settle(asked, scratch);
    }
    if (refusal.suspected()) refuse_stuck(rows, begin, end, refusal);
  }

  // Refuses rows that exclude every action of a non-terminal position.
  MCTS_APART void refuse_stuck(const ExpandRows& rows, int begin, int end, Refusal& refusal) const {
    for (int m = begin; m < end; ++m) {
      if (arena_.tree(leaf_tree_[m]).state->excludes == 0 || rows.discount[m] == 0.0f) continue;
      const float* const row = rows.logits + m * settings_.actions;
      const auto possible = [](float logit) { return logit != kTaken; };
      if (std::none_of(row, row + settings_.actions, possible)) refusal.note(m, Refusal::kPossible);
    }
  }

  // A rule that chooses ahead does so at every node of the walk except the root, where the root policy
  // chooses.
  template <class Asked>
  void ask(Asked& asked, const Tree& tree, double* scratch) const {
    if constexpr (Rule::kAhead) {
      const int last = tree.state->path_length - 1;
      for (int i = 0; i < last; ++i) rule_.ask(asked, tree, tree.path[i].child, scratch);
    }
  }

  template <class Asked>
  void settle(Asked& asked, double* scratch) const {
    if constexpr (Rule::kAhead) rule_.settle(asked, scratch);
  }

  // Goes one step down or, if there is no edge, records the leaf that the walk has found; its action may not
  // be known yet. True: the walk continues.
  MCTS_INLINE static bool follow(Walk& walk, EdgeId edge) {
    const Tree& tree = *walk.tree;
    if (edge == kNone) {
      tree.state->leaf_parent = walk.node;
      tree.state->leaf_action = tree.nodes[walk.node].next_action;
      if (tree.state->leaf_action == kUnknown) tree.prefetch_row(walk.node);
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

  // A terminal node needs no network evaluation; at the largest depth the node's own is counted again.
  void finish_without_leaf(const Walk& walk) {
    walk.tree->state->leaf_action = kNone;
    walk.tree->state->path_length = walk.depth;
    backup(*walk.tree, walk.tree->nodes[walk.node].raw_value);
  }

  // Kept out of the loop, which rarely needs it.
  MCTS_APART static bool refused(Refusal& refusal, int row, Refusal::Why why) {
    refusal.note(row, why);
    return false;
  }

  // Out of the loop as well: most models exclude nothing.
  MCTS_APART static void exclude(TreeState& state, Refusal& refusal) {
    state.excludes = 1;
    refusal.suspect();
  }

  bool expand_leaf(const Tree& tree, const ExpandRows& rows, int m, Refusal& refusal) {
    TreeState& state = *tree.state;
    const NodeId leaf = simulations_done() + 1;
    const float* const logits = rows.logits + m * settings_.actions;
    const float discount = rows.discount[m];
    const CopiedRow copied = copy_row(logits, tree.row(leaf), tree.actions, tree.padded);
    if (!copied.finite) return refused(refusal, m, Refusal::kLogits);
    if (!is_finite(rows.value[m])) return refused(refusal, m, Refusal::kValue);
    if (!is_finite(rows.reward[m])) return refused(refusal, m, Refusal::kReward);
    if (!(discount >= -1.0f && discount <= 1.0f)) return refused(refusal, m, Refusal::kDiscount);
    if (copied.excludes) [[unlikely]]
      exclude(state, refusal);
    tree.make_node(leaf, state.leaf_action, rows.value[m], rows.reward[m], discount);
    const EdgeId edge = tree.append_edge(state.leaf_parent, leaf);
    assert(state.path_length < tree.first_free_block);
    tree.path[state.path_length++] = PathStep{edge, leaf};
    backup(tree, rows.value[m]);
    return true;
  }

  // ---- 4 backup ----
  // G = r + d * G from the value `g` of the walk's last position back to the root, each for the player to
  // move there.
  void backup(const Tree& tree, double g) {
    TreeState& state = *tree.state;
    state.edges += state.path_length;
    for (int i = state.path_length - 1; i >= 0; --i) {
      const PathStep step = tree.path[i];
      Node& node = tree.nodes[step.child];
      node.value_sum += g;
      ++node.visits;
      node.choice = kUnknown;
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
    const double low = settings_.mirror ? std::min(q, -q) : q, high = settings_.mirror ? std::max(q, -q) : q;
    if (low >= state.low && high <= state.high) return;
    state.low = std::min(state.low, low);
    state.high = std::max(state.high, high);
    ++state.bounds;
  }

  void read_tree(const Tree& tree, const ResultRows& rows, int b, double* scratch, Refusal& refusal) const {
    Narrow narrow;
    const std::int64_t at = b * settings_.actions;
    std::fill_n(rows.visits + at, tree.actions, 0);
    std::fill_n(rows.policy + at, tree.actions, 0.0f);
    std::fill_n(rows.q + at, tree.actions, 0.0f);
    tree.for_each_edge(kRoot, [&](EdgeId edge) {
      rows.visits[at + tree.nodes[tree.child(edge)].action] = tree.visits(edge);
    });
    rows.value[b] = narrow(root_.finish(tree, rows.policy + at, rows.q + at, scratch, narrow));
    rows.action[b] = tree.nodes[tree.child(root_.best(tree))].action;
    if (!narrow.all_fit) refusal.note(b, Refusal::kLarge);
  }

  const Form form_ = widest_form();
  // A walk is never deeper than its nodes are many.
  const int deepest_ =
      static_cast<int>(settings_.max_depth > 0 ? settings_.max_depth : settings_.simulations + 1);
  Arena arena_;
  Rule rule_;
  Root root_;
  ThreadPool pool_;
  std::vector<std::int32_t> leaf_tree_;                // [M] of the last select
  std::vector<std::int32_t> leaf_slot_, leaf_action_;  // [B] of the last select; kNone: no leaf
  std::size_t numbers_per_thread_;
  std::vector<double> numbers_;  // scratch of all threads
};

}  // namespace mcts
