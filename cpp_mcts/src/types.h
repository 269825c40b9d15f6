// The data structures of a search and their memory layout.
//
// One tree is contiguous in memory, so that a thread that works on it keeps it in its cache:
//
//   TreeState | Node[S+1] | EdgeBlock[K] | EdgeLinks[K] | RootEdge[A] | PathStep[S+1] | float rows[S][A']
//
// - Node i is the position whose latent is in slot i: 0 is the root, s + 1 the one that simulation s
// expanded.
// - EdgeBlock holds what a rule reads of four visited children of one node, in one cache line. Block i is the
//   first one of node i, so that both can be fetched at once; a node with five or more children continues in
//   a chain of blocks from S + 1 on, of which there are at most S / 4: K = S + 1 + (S + 1) / 4 is enough.
// - EdgeLinks holds the children of the four edges of the same block, and the next block of the chain.
// - Row i - 1 holds the logits of node i, with those of visited actions replaced by kTaken. A' is A padded
// to 8. A
//   model that knows which actions are impossible gives kTaken from the start, and they are never tried.
//
// An edge has the number block * 4 + lane.
//
// Only visited children have an edge. They are in the order of their first visit, which is descending order
// of prior: all unvisited children of a node have the same value estimate, so a rule that tries a new child
// tries the one with the highest prior (ties: the lowest action). A rule therefore considers the visited
// children and one more.
//
// Letters: B trees, A actions, S simulations, M leaves.
//
// Precision: inputs and outputs are float32, and so are logits and the weight exp(logit - largest logit) of
// each action. Everything computed from these (sums, means, Q, scores) is float64.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace mcts {

using NodeId = std::int32_t;  // equals the slot of the node's latent
using EdgeId = std::int32_t;  // block * kLanes + lane
using Action = std::int32_t;

inline constexpr NodeId kRoot = 0;
inline constexpr std::int32_t kNone = -1;     // no such edge, action or block
inline constexpr std::int32_t kUnknown = -2;  // not computed yet
inline constexpr int kLanes = 4;              // edges in a block
inline constexpr int kRowLanes = 8;           // a row of logits is padded to a multiple of this
// Logit of an action that can't be tried (again): visited, impossible, or padding.
inline constexpr float kTaken = -std::numeric_limits<float>::max();

// A position. Values are for the player to move there; reward and discount belong to the edge into it and are
// for the player who moved.
struct Node {
  double value_sum;       // sum of the returns of all visits, including the network's value
  double weight_total;    // of all actions: prior = weight / weight_total; 0: not computed yet
  float raw_value;        // the network's value
  float next_weight;      // weight of next_action; while that is kUnknown, an upper bound; 0: none is left
  std::int32_t visits;    // 1 + the visits of all children
  std::int32_t children;  // visited children
  float reward;           // on the edge into this node
  float discount;         // on that edge: +g if the same player moves, -g if the other one does, 0 at the end
  float largest_logit;    // of this node's row
  Action next_action;     // unvisited action with the highest prior, kUnknown, or kNone if all are visited
  std::int32_t last;      // last block of the chain
  Action action;          // of the edge into this node
  EdgeId choice;          // made by the rule after the last visit: an edge, kNone (next_action) or kUnknown
  std::int32_t bounds;    // TreeState.bounds at that time
  double mean() const { return value_sum / visits; }
  // Never above the bound: rounding must not violate the order of the logits.
  void lower_next_weight(float weight) { next_weight = weight < next_weight ? weight : next_weight; }
};
static_assert(sizeof(Node) == 64);

struct EdgeBlock {
  double q[kLanes];             // reward + discount * mean of the child, for the player to move at the parent
  float weight[kLanes];         // exp(logit - largest logit); 0 in unused lanes
  std::int32_t visits[kLanes];  // of the child
};
static_assert(sizeof(EdgeBlock) == 64);

struct EdgeLinks {
  NodeId child[kLanes];
  std::int32_t next;  // block, or kNone
};
static_assert(sizeof(EdgeLinks) == 20);

// One legal action of the root, in the order in which the root tries them.
struct RootEdge {
  Action action;
  float logit;
  float noise;   // Gumbel noise; 0 under pUCT
  float weight;  // prior = weight / weight_total of the root; under pUCT the Dirichlet noise is in it
};
static_assert(sizeof(RootEdge) == 16);

struct PathStep {
  EdgeId edge;
  NodeId child;
};
static_assert(sizeof(PathStep) == 8);

struct TreeState {
  double low;                // smallest and largest Q of the tree so far (scale "minmax")
  double high;               //
  std::int64_t edges;        // edges traversed since the reset: the sum of the depths of all simulations
  std::int32_t legal;        // legal actions of the root
  std::int32_t considered;   // how many of those the Gumbel root considers
  std::int32_t blocks;       // the next free block from S + 1 on
  std::int32_t path_length;  // steps from the root to the last selected position
  NodeId leaf_parent;        // where the new node goes
  Action leaf_action;        // kNone: the last selection ended at a terminal node, without a leaf
  std::int32_t bounds;       // how often low or high has changed
  std::int32_t excludes;     // 1 if a row marks an action as impossible: then a node may run out of actions
                             // before all are visited, which must be known at once
  std::int32_t unused[2];
};
static_assert(sizeof(TreeState) == 64);

enum class Algorithm { kGumbel, kPuct };
enum class ScaleKind { kFixed, kMinMax, kSiblings };
enum class Unvisited { kWorst, kParent, kSiblings };

// The user's settings, constant for the life of a search. Names are those of the Python arguments.
struct Settings {
  std::int64_t trees, actions, simulations;  // capacities: the largest B, A, the largest S
  Algorithm algorithm;
  ScaleKind scale;
  double low, high;  // bounds of Q under the scale "fixed"
  bool mirror;       // minmax: Q of one player is -Q of the other
  double epsilon;    // smallest range that minmax and siblings divide by
  double c_init, c_base;
  Unvisited unvisited;
  double dirichlet_alpha, dirichlet_fraction;
  double c_visit, c_scale;
  std::int64_t max_considered;
  std::int64_t max_depth;  // moves from the root to the deepest node; 0: no limit
  double gumbel_scale;
  std::int64_t threads;
};

// Borrowed arrays of one call, row-major.
struct ResetRows {
  std::int32_t trees;          // B
  std::int32_t simulations;    // S of this search
  const float* logits;         // [B,A]
  const float* value;          // [B]
  const std::uint8_t* legal;   // [B,A]
  const std::uint64_t* seeds;  // [B]
};
struct LeafRows {
  std::int32_t* tree;    // [B], the first M are written; the same below
  std::int32_t* slot;    // of the latent of the leaf's parent
  std::int32_t* action;  // from there
};
struct ExpandRows {
  const float* reward;    // [M]
  const float* discount;  // [M]
  const float* logits;    // [M,A]
  const float* value;     // [M]
};
struct ResultRows {
  std::int32_t* visits;  // [B,A]
  float* policy;         // [B,A]
  float* q;              // [B,A]
  float* value;          // [B]
  std::int32_t* action;  // [B]
};

}  // namespace mcts
