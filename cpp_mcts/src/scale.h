// How a rule brings Q onto a common scale ("Qn") before it weighs it against a prior. Each scale is a rising
// straight line, so it keeps the order of the Qs.
#pragma once

#include "lanes.h"
#include "types.h"

namespace mcts {

// Qn = (q - origin) * factor
struct Line {
  double origin, factor;
  double operator()(double q) const { return (q - origin) * factor; }
  MCTS_INLINE Doubles operator()(Doubles q) const { return (q - splat(origin)) * splat(factor); }
};

// Known bounds: [low, high] to [0, 1]. Not clipped; a Q outside of the bounds lies outside of [0, 1].
struct FixedScale {
  static constexpr bool kPerTree = false, kPerNode = false;
  static Line line(const Settings& s, const TreeState&, double, double) {
    return {s.low, 1.0 / (s.high - s.low)};
  }
  static double estimate(double qn) { return qn; }
};

// Bounds of every Q of this tree since its reset (Schrittwieser et al. 2020, App. B, eq. 5, taken over
// reward + discount * value). The estimate of an unvisited action is no Q of the tree and is clipped to [0,
// 1].
struct MinMaxScale {
  static constexpr bool kPerTree = true, kPerNode = false;
  static Line line(const Settings& s, const TreeState& tree, double, double) {
    const double range = tree.high - tree.low;
    return {tree.low, 1.0 / (range > s.epsilon ? range : s.epsilon)};
  }
  static double estimate(double qn) { return qn < 0.0 ? 0.0 : qn > 1.0 ? 1.0 : qn; }
};

// Bounds of the candidates at this very node (the rescaling of Danihelka et al. 2022, App. D, and of the mctx
// library): the rule says which, as [lowest, highest].
struct SiblingsScale {
  static constexpr bool kPerTree = false, kPerNode = true;
  static Line line(const Settings& s, const TreeState&, double lowest, double highest) {
    const double range = highest - lowest;
    return {lowest, 1.0 / (range > s.epsilon ? range : s.epsilon)};
  }
  static double estimate(double qn) { return qn; }
};

}  // namespace mcts
