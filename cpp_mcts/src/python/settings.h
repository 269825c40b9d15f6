// The settings of a search from Python's arguments, each checked.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "types.h"

namespace mcts {

namespace py = pybind11;

inline void require(bool right, const std::string& name, const std::string& wanted, double got) {
  if (right) return;
  throw py::value_error(name + ": wanted " + wanted + ", got " +
                        static_cast<std::string>(py::str(py::float_(got))));
}

inline void require_count(const char* name, std::int64_t got, std::int64_t most) {
  if (got >= 1 && got <= most) return;
  throw py::value_error(std::string(name) + ": wanted a whole number from 1 to " + std::to_string(most) +
                        ", got " + std::to_string(got));
}

template <class T>
T choice(const char* name, const std::string& got, const std::vector<std::pair<const char*, T>>& choices) {
  std::string names;
  for (const auto& [known, value] : choices) {
    if (got == known) return value;
    names += (names.empty() ? "" : ", ") + std::string(known);
  }
  throw py::value_error(std::string(name) + ": wanted one of " + names + ", got '" + got + "'");
}

constexpr double kLargestWeight = 1e6;

inline void check(const Settings& s) {
  require_count("trees", s.trees, 1 << 24);
  require_count("actions", s.actions, 1 << 20);
  require_count("simulations", s.simulations, 1 << 24);
  require_count("max_considered", s.max_considered, 1 << 20);
  require_count("threads", s.threads, 1024);
  const auto finite = [](double x) { return x - x == 0.0; };
  require(finite(s.low), "low", "a finite number", s.low);
  require(finite(s.high) && s.high > s.low, "high", "a finite number above low", s.high);
  require(finite(s.epsilon) && s.epsilon > 0.0, "epsilon", "a number above 0", s.epsilon);
  // Larger weights would overflow where scores are computed.
  const auto weight = [](const char* name, double x) {
    require(x >= 0.0 && x <= kLargestWeight, name, "a number from 0 to 1e6", x);
  };
  weight("c_init", s.c_init);
  require(finite(s.c_base) && s.c_base > 0.0, "c_base", "a number above 0", s.c_base);
  require(finite(s.dirichlet_alpha) && s.dirichlet_alpha > 0.0, "dirichlet_alpha", "a number above 0",
          s.dirichlet_alpha);
  require(s.dirichlet_fraction >= 0.0 && s.dirichlet_fraction <= 1.0, "dirichlet_fraction",
          "a number in [0, 1]", s.dirichlet_fraction);
  weight("c_visit", s.c_visit);
  weight("c_scale", s.c_scale);
  weight("gumbel_scale", s.gumbel_scale);
}

inline Settings settings_of(std::int64_t trees, std::int64_t actions, std::int64_t simulations,
                            const std::string& algorithm, const std::string& scale, double low, double high,
                            bool mirror, double epsilon, double c_init, double c_base,
                            const std::string& unvisited, double dirichlet_alpha, double dirichlet_fraction,
                            double c_visit, double c_scale, std::int64_t max_considered, double gumbel_scale,
                            std::int64_t threads) {
  const Settings settings{
      .trees = trees,
      .actions = actions,
      .simulations = simulations,
      .algorithm = choice<Algorithm>("algorithm", algorithm,
                                     {{"gumbel", Algorithm::kGumbel}, {"puct", Algorithm::kPuct}}),
      .scale = choice<ScaleKind>(
          "scale", scale,
          {{"fixed", ScaleKind::kFixed}, {"minmax", ScaleKind::kMinMax}, {"siblings", ScaleKind::kSiblings}}),
      .low = low,
      .high = high,
      .mirror = mirror,
      .epsilon = epsilon,
      .c_init = c_init,
      .c_base = c_base,
      .unvisited = choice<Unvisited>(
          "unvisited", unvisited,
          {{"worst", Unvisited::kWorst}, {"parent", Unvisited::kParent}, {"siblings", Unvisited::kSiblings}}),
      .dirichlet_alpha = dirichlet_alpha,
      .dirichlet_fraction = dirichlet_fraction,
      .c_visit = c_visit,
      .c_scale = c_scale,
      .max_considered = max_considered,
      .gumbel_scale = gumbel_scale,
      .threads = threads,
  };
  check(settings);
  return settings;
}

}  // namespace mcts
