// A double as a float32, whose range is smaller.
#pragma once

#include <limits>

namespace mcts {

// Remembers whether all numbers so far fit into a float32; returns 0 for one that doesn't.
struct Narrow {
  bool all_fit = true;
  float operator()(double x) {
    constexpr double kMost = std::numeric_limits<float>::max();
    if (x >= -kMost && x <= kMost) return static_cast<float>(x);
    all_fit = false;  // NaN ends here as well
    return 0.0f;
  }
};

}  // namespace mcts
