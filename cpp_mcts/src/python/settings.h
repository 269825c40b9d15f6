// The settings of a search from Python's arguments, each checked.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "setting_limits.h"
#include "types.h"

namespace mcts {

namespace py = pybind11;

inline std::string shown(double x) { return static_cast<std::string>(py::str(py::float_(x))); }

// Also false for NaN.
inline void require_between(const char* name, double got, double lowest, double highest) {
  if (got >= lowest && got <= highest) return;
  throw py::value_error(std::string(name) + ": wanted a number from " + shown(lowest) + " to " +
                        shown(highest) + ", got " + shown(got));
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

inline void check(const Settings& s) {
  for (const auto& row : kCounts) require_count(row.name, s.*row.setting, row.highest);
  for (const auto& row : kNumbers) require_between(row.name, s.*row.setting, row.lowest, row.highest);
  const double least = least_span(s.low, s.high);
  if (s.high - s.low >= least) return;
  throw py::value_error("high: wanted at least " + shown(least) + " above low, got low " + shown(s.low) +
                        " and high " + shown(s.high));
}

// {name: (lowest, highest)}, a whole number's bounds being whole numbers.
inline py::dict limits() {
  py::dict table;
  const auto add = [&table](const auto& row) { table[row.name] = py::make_tuple(row.lowest, row.highest); };
  for (const auto& row : kCounts) add(row);
  for (const auto& row : kNumbers) add(row);
  return table;
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
