// Scales of Q ("Qn"), applied before a rule weighs Q against a prior. Each is linear and increasing, so it
// preserves the order of the Qs.
#pragma once

#include "lanes.h"
#include "types.h"

namespace mcts {

template <class T>
struct Bounds {
  T low{}, high{};
};

// Qn = (q - origin) * factor; T is a number, or a vector with one for each of four nodes.
template <class T>
struct Line {
  T origin, factor;
  MCTS_INLINE T operator()(T q) const { return (q - origin) * factor; }
};

template <class T>
MCTS_INLINE Line<T> between(const Bounds<T>& bounds, double epsilon) {
  const T range = bounds.high - bounds.low, least = T{} + epsilon, one = T{} + 1.0;
  return {bounds.low, one / (range > least ? range : least)};
}

// Fixed bounds: [low, high] to [0, 1]. Not clipped: a Q outside the bounds is mapped outside [0, 1].
struct FixedScale {
  static constexpr bool kPerTree = false, kPerNode = false;
  template <class T>
  MCTS_INLINE static Line<T> line(const Settings& s, const Bounds<T>&, const Bounds<T>&) {
    return {T{} + s.low, T{} + 1.0 / (s.high - s.low)};
  }
  template <class T>
  MCTS_INLINE static T estimate(T qn) {
    return qn;
  }
};

// Extremes of all Qs in this tree since its reset (Schrittwieser et al. 2020, App. B, eq. 5, taken over
// reward + discount * value). The estimate for unvisited actions isn't a Q of the tree and is clipped to [0,
// 1].
struct MinMaxScale {
  static constexpr bool kPerTree = true, kPerNode = false;
  template <class T>
  MCTS_INLINE static Line<T> line(const Settings& s, const Bounds<T>& tree, const Bounds<T>&) {
    return between(tree, s.epsilon);
  }
  template <class T>
  MCTS_INLINE static T estimate(T qn) {
    const T zero{}, one = zero + 1.0;
    return qn < zero ? zero : qn > one ? one : qn;
  }
};

// Extremes of the candidates at this node (the rescaling of Danihelka et al. 2022, App. D, and of the mctx
// library); the rule defines the candidates.
struct SiblingsScale {
  static constexpr bool kPerTree = false, kPerNode = true;
  template <class T>
  MCTS_INLINE static Line<T> line(const Settings& s, const Bounds<T>&, const Bounds<T>& candidates) {
    return between(candidates, s.epsilon);
  }
  template <class T>
  MCTS_INLINE static T estimate(T qn) {
    return qn;
  }
};

}  // namespace mcts
