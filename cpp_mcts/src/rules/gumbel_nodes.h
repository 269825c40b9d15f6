// Gumbel MuZero's choices at several nodes at once: one node per lane.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "lanes.h"
#include "rules/completed.h"
#include "scale.h"
#include "tree.h"
#include "types.h"

namespace mcts {

// A node of a tree.
struct Place {
  const Tree* tree;
  NodeId node;
};

// The i-th blocks of `nodes` nodes: row j holds child j of each.
template <int nodes>
struct Columns {
  double q[kLanes][nodes];
  double weight[kLanes][nodes];  // from stage 2 on weight * exp(sigma(q) - top)
  double visits[kLanes][nodes];
};

// Nodes whose unvisited action with the highest prior must be found. They are processed together, so that the
// processor needn't wait for one row, and one exponential, after another.
template <int most>
class Looks {
 public:
  void add(const Place& place) {
    places_[count_++] = place;
    place.tree->prefetch_row(place.node);
  }

  void look() {
    float weights[most];
    for (int i = 0; i < count_; ++i) weights[i] = places_[i].tree->find_next(places_[i].node);
    row_exps(weights, count_);
    for (int i = 0; i < count_; ++i) places_[i].tree->nodes[places_[i].node].lower_next_weight(weights[i]);
  }

 private:
  Place places_[most];
  int count_ = 0;
};

// argmax of softmax(logits + sigma(completed Q))(a) - N(a) / (1 + sumN)    (Danihelka et al. 2022, eq. 14)
// Ties: higher prior, then lower action.
//
// It is enough to consider one unvisited action: all have N = 0 and the same completed Q, so their scores
// rise with their logits. The softmax needs only their total weight: weight_total minus that of the visited
// ones.
//
// There are four stages, so that the processor can overlap the same stage of several groups of nodes: within
// a stage, most operations depend on the previous one. Of each block, `width` children are considered;
// without `chains` no node has more than one block. A group has as many nodes as a vector has lanes, `halves`
// times four.
template <class Scale, int halves, int width, bool chains>
class GumbelNodes {
  using Doubles = typename Joined<halves>::Doubles;
  using Longs = typename Joined<halves>::Longs;

 public:
  static constexpr int kNodes = halves * kLanes;

  // 1: reads at least 1 and at most kNodes nodes, each with a child; `columns` must have room for all blocks
  // of a node and stay until `compare` is done.
  MCTS_INLINE void read(const Settings& settings, const Place* places, int count, Columns<kNodes>* columns) {
    for (int i = 0; i < kNodes; ++i)
      places_[i] = places[i < count ? i : 0];  // spare lanes repeat the first node
    count_ = count;
    columns_ = columns;
    blocks_ = 1;
    for (int i = 0; chains && i < kNodes; ++i) blocks_ = std::max(blocks_, blocks_of(node(i)));
    const Bounds<Doubles> tree = read_heads();
    const Visited<Doubles> visited = read_children();
    visited_weight_ = visited.weight;
    completed_ = complete<Scale>(settings, visited, raw_value_, visits_ - 1.0, open_, tree);
  }

  // 2: the softmax.
  MCTS_INLINE void weigh() {
    const Doubles share = weigh_children();
    const Doubles left = weight_total_ - visited_weight_;
    of_mix_ = open_ ? of_mix_ : Doubles{};
    factor_ = 1.0 / (share + (left > Doubles{} ? left * of_mix_ : Doubles{}));
  }

  // 3: the best child. While next_action is unknown, next_weight is an upper bound, so most nodes needn't
  // search for it.
  template <int most>
  MCTS_INLINE void compare(Looks<most>& looks) {
    best_ = best_visited();
    each_ = of_mix_ * factor_;
    const Doubles none = Doubles{} - std::numeric_limits<double>::infinity();
    maybe_ = (open_ ? next_weight_ * each_ : none) > best_.score;
    for (int i = 0; i < count_; ++i) {
      if (maybe_[i] != 0 && node(i).next_action == kUnknown) looks.add(places_[i]);
    }
  }

  // 4: after the looks; writes Node.choice.
  MCTS_INLINE void choose() const {
    for (int i = 0; i < count_; ++i) {
      const Tree& tree = *places_[i].tree;
      Node& node = tree.nodes[places_[i].node];
      if constexpr (Scale::kPerTree) node.bounds = tree.state->bounds;
      const bool fresh = maybe_[i] != 0 && node.next_weight * each_[i] > best_.score[i];
      node.choice = fresh ? kNone : tree.edge(places_[i].node, static_cast<int>(best_.child[i]));
    }
  }

 private:
  // The next block of a chain, and the number of children in it and after it.
  struct Cursor {
    std::int32_t block;
    int left;
  };

  // A block of each of four nodes, as rows; transposed, row j holds child j of all.
  struct Rows {
    mcts::Doubles q[kLanes];
    Floats4 weight[kLanes];
    Ints4 visits[kLanes];
  };

  struct Best {
    Doubles score = Doubles{} - std::numeric_limits<double>::infinity();
    Longs child{};  // counted in the order of the first visits
  };

  const Node& node(int i) const { return places_[i].tree->nodes[places_[i].node]; }

  static int blocks_of(const Node& node) { return (node.children + kLanes - 1) / kLanes; }
  int blocks() const { return chains ? blocks_ : 1; }

  // Returns the bounds of the trees.
  MCTS_INLINE Bounds<Doubles> read_heads() {
    static_assert(offsetof(Node, next_weight) == offsetof(Node, raw_value) + 4 &&
                  offsetof(Node, visits) == offsetof(Node, raw_value) + 8 &&
                  offsetof(Node, children) == offsetof(Node, raw_value) + 12);
    Floats4 raw_value[halves], next_weight[halves];
    Ints4 visits[halves], children[halves];
    for (int h = 0; h < halves; ++h) {
      Ints4 x[kLanes];
      for (int i = 0; i < kLanes; ++i) std::memcpy(&x[i], &node(h * kLanes + i).raw_value, sizeof x[i]);
      transpose(x);
      raw_value[h] = (Floats4)x[0];
      next_weight[h] = (Floats4)x[1];
      visits[h] = x[2];
      children[h] = x[3];
    }
    raw_value_ = __builtin_convertvector(join(raw_value), Doubles);
    next_weight_ = __builtin_convertvector(join(next_weight), Doubles);
    visits_ = __builtin_convertvector(join(visits), Doubles);
    // Nothing is left to try if the next action has no weight: it and all later ones are impossible.
    const Doubles actions = Doubles{} + places_[0].tree->actions;
    open_ = (next_weight_ > Doubles{} ? __builtin_convertvector(join(children), Doubles) : actions) < actions;
    weight_total_ = gather([&](int i) { return node(i).weight_total; });
    if constexpr (!Scale::kPerTree) return Bounds<Doubles>{};
    return {gather([&](int i) { return places_[i].tree->state->low; }),
            gather([&](int i) { return places_[i].tree->state->high; })};
  }

  // f(i) of each node i.
  template <class F>
  MCTS_INLINE static Doubles gather(F&& f) {
    static_assert(kLanes == 4);
    if constexpr (halves == 1) {
      return Doubles{f(0), f(1), f(2), f(3)};
    } else {
      return Doubles{f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)};
    }
  }

  // Fills the columns and sums them.
  MCTS_INLINE Visited<Doubles> read_children() const {
    const Doubles most = Doubles{} + std::numeric_limits<double>::infinity(), least = -most;
    Cursor cursors[kNodes];
    for (int i = 0; i < kNodes; ++i) cursors[i] = Cursor{places_[i].node, node(i).children};
    Doubles weight[kLanes] = {}, weighted_q[kLanes] = {};
    Visited<Doubles> visited;
    visited.q = {most, least};
    for (int k = 0; k < blocks(); ++k) {
      Rows rows[halves];
      for (int h = 0; h < halves; ++h) read_blocks(h * kLanes, cursors, k + 1 < blocks(), rows[h]);
      for (int j = 0; j < width; ++j) {
        const Doubles q = column(rows, &Rows::q, j);
        const Doubles w = __builtin_convertvector(column(rows, &Rows::weight, j), Doubles);
        const Doubles visits = __builtin_convertvector(column(rows, &Rows::visits, j), Doubles);
        weight[j] += w;
        weighted_q[j] += w * q;
        visited.most = max(visited.most, visits);
        visited.q.high = max(visited.q.high, used(visits) ? q : least);
        if constexpr (Scale::kPerNode) visited.q.low = min(visited.q.low, used(visits) ? q : most);
        store(columns_[k].q[j], q);
        store(columns_[k].weight[j], w);
        store(columns_[k].visits[j], visits);
      }
    }
    visited.weight = (weight[0] + weight[1]) + (weight[2] + weight[3]);
    visited.weighted_q = (weighted_q[0] + weighted_q[1]) + (weighted_q[2] + weighted_q[3]);
    return visited;
  }

  template <class V>
  MCTS_INLINE static auto column(const Rows (&rows)[halves], V (Rows::*field)[kLanes], int j) {
    V x[halves];
    for (int h = 0; h < halves; ++h) x[h] = (rows[h].*field)[j];
    return join(x);
  }

  // Reads the next block of each of the four chains from `first` on (an empty one if a chain has ended) and
  // advances the cursors.
  MCTS_INLINE void read_blocks(int first, Cursor (&cursors)[kNodes], bool more, Rows& rows) const {
    static constexpr EdgeBlock kNoEdges{};
    for (int i = 0; i < kLanes; ++i) {
      const Tree& tree = *places_[first + i].tree;
      Cursor& at = cursors[first + i];
      const EdgeBlock& edges = at.left > 0 ? tree.blocks[at.block] : kNoEdges;
      std::memcpy(&rows.q[i], edges.q, sizeof rows.q[i]);
      std::memcpy(&rows.weight[i], edges.weight, sizeof rows.weight[i]);
      std::memcpy(&rows.visits[i], edges.visits, sizeof rows.visits[i]);
      if (more && at.left > 0) at.block = tree.links[at.block].next;
      at.left -= kLanes;
    }
    transpose(rows.q);
    transpose(rows.weight);
    transpose(rows.visits);
  }

  // Replaces each weight by weight * exp(sigma(q) - top) and returns the sum; of_mix_ becomes
  // exp(sigma(v_mix) - top). The top itself has exp(0) = 1: if it is a child's, that child's exponential is
  // computed for v_mix instead.
  MCTS_INLINE Doubles weigh_children() {
    const CompletedQ<Doubles> completed = completed_;
    const Doubles one = Doubles{} + 1.0, mix_above = completed.of_mix - completed.top;
    Doubles total[kLanes] = {};
    of_mix_ = one;
    for (int k = 0; k < blocks(); ++k) {
      for (int j = 0; j < width; ++j) {
        const Doubles q = load<Doubles>(columns_[k].q[j]);
        const Doubles above = completed.sigma * completed.scale(q) - completed.top;
        const Longs is_top = above >= Doubles{};
        const Doubles power = exp_of_negative(is_top ? mix_above : above);
        of_mix_ = is_top ? power : of_mix_;
        const Doubles each = load<Doubles>(columns_[k].weight[j]) * (is_top ? one : power);
        store(columns_[k].weight[j], each);
        total[j] += each;
      }
    }
    return (total[0] + total[1]) + (total[2] + total[3]);
  }

  MCTS_INLINE Best best_visited() const {
    const Doubles factor = factor_, share = 1.0 / visits_;
    Best best;
    const Doubles none = best.score;
    Longs child{};
    for (int k = 0; k < blocks(); ++k) {
      for (int j = 0; j < width; ++j) {
        const Doubles visits = load<Doubles>(columns_[k].visits[j]);
        const Doubles score = load<Doubles>(columns_[k].weight[j]) * factor - visits * share;
        const Doubles mine = used(visits) ? score : none;
        const Longs better = mine > best.score;
        best.score = better ? mine : best.score;
        best.child = better ? child : best.child;
        child += 1;
      }
    }
    return best;
  }

  Place places_[kNodes];
  int count_;
  int blocks_;  // of the longest chain
  Columns<kNodes>* columns_;
  Doubles raw_value_, next_weight_, visits_, weight_total_;  // of Node
  Longs open_;                                               // at least one action is unvisited
  Doubles visited_weight_;
  CompletedQ<Doubles> completed_;
  Doubles of_mix_;  // exp(sigma(v_mix) - top), 0 if no action is unvisited
  Doubles each_;    // of_mix_ as a share of the softmax, for a weight of 1
  Best best_;
  Longs maybe_;     // by the bound of its weight the next action may be better than the best child
  Doubles factor_;  // makes a softmax of weight * exp(sigma - top)
};

}  // namespace mcts
