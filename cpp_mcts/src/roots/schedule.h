// The schedule of sequential halving as a table.
#pragma once

#include <algorithm>
#include <cstdint>

namespace mcts {

// visits[s] = the number of visits that an action must have to be tried in simulation s, if `considered`
// actions share `simulations` (Danihelka et al. 2022, Algorithm 1). A phase visits each of the k best actions
// max(1, simulations / (ceil(log2 considered) * k)) times, then k is halved but stays at least 2.
inline void fill_schedule(int considered, int simulations, std::int32_t* visits) {
  int rounds = 0;
  while ((1 << rounds) < considered) ++rounds;
  rounds = std::max(rounds, 1);
  int done = 0, visited = 0;  // simulations scheduled; visits of each action still considered
  for (int k = considered; done < simulations; k = std::max(std::min(considered, 2), k / 2)) {
    const int each = std::max(1, simulations / (rounds * k));
    for (int i = 0; i < each; ++i, ++visited) {
      for (int j = 0; j < k && done < simulations; ++j) visits[done++] = visited;
    }
  }
}

}  // namespace mcts
