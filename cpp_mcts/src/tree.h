// One tree, and the arena of all trees. Everything is reserved once; a search allocates nothing.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "memory_limit.h"
#include "rows.h"
#include "types.h"

namespace mcts {

// A non-owning view of one tree's memory, cheap to copy.
struct Tree {
  TreeState* state;
  Node* nodes;
  EdgeBlock* blocks;
  EdgeLinks* links;
  RootEdge* root;
  PathStep* path;
  float* rows;
  int actions;                    // A
  int padded;                     // length of a row
  std::int32_t first_free_block;  // also the number of nodes, S + 1

  float* row(NodeId node) const { return rows + static_cast<std::size_t>(node - 1) * padded; }
  NodeId child(EdgeId edge) const { return links[edge / kLanes].child[edge % kLanes]; }
  int visits(EdgeId edge) const { return blocks[edge / kLanes].visits[edge % kLanes]; }
  double q(EdgeId edge) const { return blocks[edge / kLanes].q[edge % kLanes]; }

  // The edge to a node's i-th child.
  EdgeId edge(NodeId id, int i) const {
    std::int32_t block = id;
    for (; i >= kLanes; i -= kLanes) block = links[block].next;
    return block * kLanes + i;
  }

  // Finds the unvisited action with the highest prior, if not known yet.
  void look_for_next(NodeId id) const {
    Node& node = nodes[id];
    if (node.next_action != kUnknown) return;
    if (node.weight_total == 0.0) {
      const FirstLook look = first_look(row(id), padded);
      node.largest_logit = look.largest;
      node.weight_total = look.weights;
      node.next_action = look.action;  // its weight, exp(0), is the 1 that a new node starts with
      return;
    }
    node.lower_next_weight(row_exp(find_next(id)));
  }

  // The same in two steps for a node with a child: this, then lower_next_weight with the exponential.
  // Returns the logit of the action found, minus the largest one.
  float find_next(NodeId id) const {
    Node& node = nodes[id];
    const float* const logits = row(id);
    const int best = largest_logit(logits, padded);
    node.next_action = logits[best] == kTaken ? kNone : best;
    return logits[best] - node.largest_logit;
  }

  // Prefetches what every walk reads first.
  void prefetch() const {
    __builtin_prefetch(state);
    __builtin_prefetch(nodes);
    __builtin_prefetch(blocks);
    __builtin_prefetch(links);
    __builtin_prefetch(path);
  }
  // Prefetches where the network's output will be written.
  void prefetch_leaf(NodeId leaf) const {
    __builtin_prefetch(nodes + leaf);
    prefetch_row(leaf);
  }
  void prefetch_row(NodeId id) const {
    constexpr int kLine = 16, kAhead = 8 * kLine;  // hardware prefetches the rest once the row is read
    for (int i = 0; i < padded && i < kAhead; i += kLine) __builtin_prefetch(row(id) + i);
  }

  // Makes a node without visits. The logits row of an inner node is already in place.
  void make_node(NodeId id, Action action, float value, float reward, float discount) const {
    nodes[id] = Node{.value_sum = 0.0,
                     .weight_total = 0.0,
                     .raw_value = value,
                     .next_weight = 1.0f,
                     .visits = 0,
                     .children = 0,
                     .reward = reward,
                     .discount = discount,
                     .largest_logit = 0.0f,
                     .next_action = kUnknown,
                     .last = id,
                     .action = action,
                     .choice = kUnknown,
                     .bounds = 0};
  }

  // Gives `parent` an edge for its next_action, leading to `child`. The backup sets its visits and q.
  EdgeId append_edge(NodeId parent, NodeId child) const {
    assert(parent < child && child < first_free_block && nodes[parent].next_action >= 0);
    Node& node = nodes[parent];
    const int lane = node.children % kLanes;
    if (lane == 0) append_block(node, parent);
    blocks[node.last].weight[lane] = node.next_weight;
    links[node.last].child[lane] = child;
    ++node.children;
    if (parent == kRoot) {
      offer_root_edge(node);
    } else {
      row(parent)[node.next_action] = kTaken;
      node.next_action = kUnknown;
      if (state->excludes != 0) look_further(parent);
    }
    return node.last * kLanes + lane;
  }

  // Finds the next action of a node with a child; none is left if all others are impossible.
  void look_further(NodeId id) const {
    Node& node = nodes[id];
    const float below = find_next(id);
    node.lower_next_weight(node.next_action == kNone ? 0.0f : row_exp(below));
  }

  // The root's actions are sorted at the reset, so its next one is simply the next in the list.
  void offer_root_edge(Node& node) const {
    const bool none = node.children >= state->legal;
    node.next_action = none ? kNone : root[node.children].action;
    if (!none) node.next_weight = root[node.children].weight;
  }

  // Calls f(edge) for the edges of a node, in descending order of prior.
  template <class F>
  void for_each_edge(NodeId id, F&& f) const {
    int left = nodes[id].children;
    for (std::int32_t block = id; left > 0; block = links[block].next, left -= kLanes) {
      for (int lane = 0; lane < kLanes && lane < left; ++lane) f(block * kLanes + lane);
    }
  }

 private:
  void append_block(Node& node, NodeId id) const {
    const std::int32_t block = node.children == 0 ? id : state->blocks++;
    assert(block < first_free_block + first_free_block / kLanes);
    blocks[block] = EdgeBlock{};
    links[block] = EdgeLinks{{kNone, kNone, kNone, kNone}, kNone};
    if (block != id) links[node.last].next = block;
    node.last = block;
  }
};

// Memory layout: offsets of the parts of a tree, and the stride between trees.
struct Layout {
  explicit Layout(const Settings& s)
      : padded((s.actions + kRowLanes - 1) / kRowLanes * kRowLanes),
        nodes(sizeof(TreeState)),
        blocks(nodes + sizeof(Node) * (s.simulations + 1)),
        links(blocks + sizeof(EdgeBlock) * blocks_of(s)),
        root(aligned(links + sizeof(EdgeLinks) * blocks_of(s))),
        path(aligned(root + sizeof(RootEdge) * s.actions)),
        rows(aligned(path + sizeof(PathStep) * (s.simulations + 1))),
        stride(aligned(rows + sizeof(float) * padded * s.simulations)) {
    // An odd number of cache lines, as otherwise the same part of every tree would map to the same cache set.
    if (stride / kLine % 2 == 0) stride += kLine;
  }

  static constexpr std::size_t kLine = 64;
  std::size_t padded;                                  // length of a row
  std::size_t nodes, blocks, links, root, path, rows;  // bytes from the start of a tree
  std::size_t stride;                                  // bytes from one tree to the next

 private:
  // Every block other than a node's first belongs to a node with at least five children.
  static std::size_t blocks_of(const Settings& s) {
    return (s.simulations + 1) + (s.simulations + 1) / kLanes;
  }
  static std::size_t aligned(std::size_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }
};

// The bytes of B trees, one after another.
class Arena {
 public:
  explicit Arena(const Settings& s)
      : layout_(s),
        actions_(static_cast<int>(s.actions)),
        first_free_block_(static_cast<std::int32_t>(s.simulations + 1)),
        bytes_(bytes(s)),
        memory_(static_cast<std::byte*>(std::aligned_alloc(Layout::kLine, bytes_))) {
    if (memory_ == nullptr) {
      throw NotEnoughMemory("the trees need " + size_text(bytes_) +
                            ", which the system refuses: ask for fewer trees or simulations");
    }
  }

  static std::uint64_t bytes(const Settings& s) { return saturating_product(Layout(s).stride, s.trees); }

  Tree tree(std::int64_t index) const {
    std::byte* base = memory_.get() + static_cast<std::size_t>(index) * layout_.stride;
    return Tree{reinterpret_cast<TreeState*>(base),
                reinterpret_cast<Node*>(base + layout_.nodes),
                reinterpret_cast<EdgeBlock*>(base + layout_.blocks),
                reinterpret_cast<EdgeLinks*>(base + layout_.links),
                reinterpret_cast<RootEdge*>(base + layout_.root),
                reinterpret_cast<PathStep*>(base + layout_.path),
                reinterpret_cast<float*>(base + layout_.rows),
                actions_,
                static_cast<int>(layout_.padded),
                first_free_block_};
  }

  std::size_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };

  const Layout layout_;
  const int actions_;
  const std::int32_t first_free_block_;
  const std::size_t bytes_;
  const std::unique_ptr<std::byte, Free> memory_;
};

}  // namespace mcts
