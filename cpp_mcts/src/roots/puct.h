// The root of MuZero (Schrittwieser et al. 2020): Dirichlet noise in the priors, visit counts as the policy.
#pragma once

#include <algorithm>
#include <cmath>

#include "lanes.h"
#include "narrow.h"
#include "rng.h"
#include "roots/legal.h"
#include "rules/puct.h"
#include "tree.h"
#include "types.h"

namespace mcts {

template <class Scale>
class PuctRoot {
 public:
  using Rule = PuctRule<Scale>;

  explicit PuctRoot(const Settings& s) : settings_(s) {}

  static std::uint64_t bytes(const Settings&) { return 0; }

  void begin(int) {}

  // Call after open_root: adds the noise and sorts actions into the order of trial. `scratch` has room for A
  // numbers.
  void prepare(const Tree& tree, int simulations, std::uint64_t seed, double* scratch) const {
    if (settings_.dirichlet_fraction > 0.0) add_noise(tree, seed, scratch);
    sort_root(tree, std::min(simulations, tree.state->legal), [](const RootEdge& a, const RootEdge& b) {
      return a.weight != b.weight ? a.weight > b.weight : a.action < b.action;
    });
  }

  // The edges to follow from the roots of `count` trees, kNone: a root's next_action.
  MCTS_INLINE void choose(const Rule& rule, const Tree* trees, int count, int, double* scratch,
                          EdgeId* edges) const {
    for (int i = 0; i < count; ++i) edges[i] = rule.choose(trees[i], kRoot, scratch);
  }

  // Most visited; ties: higher Q, then higher prior, then lower action (the order of the edges).
  EdgeId best(const Tree& tree) const {
    EdgeId best = kNone;
    tree.for_each_edge(kRoot, [&](EdgeId edge) {
      if (best == kNone || tree.visits(edge) > tree.visits(best) ||
          (tree.visits(edge) == tree.visits(best) && tree.q(edge) > tree.q(best))) {
        best = edge;
      }
    });
    return best;
  }

  // policy: fraction of the visits. q: the root's mean value for unvisited actions. Returns the root's value.
  double finish(const Tree& tree, float* policy, float* q, double*, Narrow& narrow) const {
    const Node& root = tree.nodes[kRoot];
    for (int i = 0; i < tree.state->legal; ++i) q[tree.root[i].action] = narrow(root.mean());
    int i = 0;
    tree.for_each_edge(kRoot, [&](EdgeId edge) {
      const Action action = tree.root[i++].action;
      policy[action] = static_cast<float>(tree.visits(edge) / static_cast<double>(root.visits - 1));
      q[action] = narrow(tree.q(edge));
    });
    return root.mean();
  }

  std::size_t bytes() const { return 0; }

 private:
  // P' = (1 - fraction) * P + fraction * Dirichlet(alpha), over the legal actions only.
  void add_noise(const Tree& tree, std::uint64_t seed, double* noise) const {
    Rng rng(seed);
    Node& root = tree.nodes[kRoot];
    const int legal = tree.state->legal;
    for (int i = 0; i < legal; ++i) noise[i] = rng.log_gamma_draw(settings_.dirichlet_alpha);
    const double top = *std::max_element(noise, noise + legal);
    double total = 0.0;
    for (int i = 0; i < legal; ++i) total += noise[i] = std::exp(noise[i] - top);
    const double fraction = settings_.dirichlet_fraction;
    for (int i = 0; i < legal; ++i) {
      const double prior = tree.root[i].weight / root.weight_total;
      tree.root[i].weight = static_cast<float>((1.0 - fraction) * prior + fraction * (noise[i] / total));
    }
    root.weight_total = 1.0;
  }

  const Settings& settings_;
};

}  // namespace mcts
