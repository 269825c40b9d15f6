// The table of search settings: one row each, with its name, member and allowed values.
// There are no defaults here: the caller gives every setting.
//
// Within these bounds no score overflows and none is NaN, whatever finite float32 numbers the network
// outputs: rewards and values are at most 3.5e38 and discounts at most 1, so a return over 2^24 steps, and
// every Q, is at most 6e45; a Q on its scale at most 2 * 6e45 / 1e-30 = 1.2e76; sigma at most (1e6 + 2^24) *
// 1e6 = 2e13, an exploration weight at most sqrt(2^24) * (1e6 + ln(2^24 / 1e-6)) = 5e9. A double goes
// to 1.7e308.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "types.h"

namespace mcts {

// A number. Both ends are inclusive.
template <class T>
struct Range {
  const char* name;
  T Settings::* setting;
  T lowest, highest;
};

struct Flag {
  const char* name;
  bool Settings::* setting;
};

template <class T>
struct Option {
  const char* name;
  T value;
};

template <class T, std::size_t n>
struct Choice {
  const char* name;
  T Settings::* setting;
  Option<T> options[n];
};

// Sizes, for which a search reserves memory; every other row is a setting.
inline constexpr Range<std::int64_t> kSizes[] = {
    {"trees", &Settings::trees, 1, 1 << 24},
    {"actions", &Settings::actions, 1, 1 << 20},
    {"simulations", &Settings::simulations, 1, 1 << 24},
};

inline constexpr Range<std::int64_t> kCounts[] = {
    {"max_considered", &Settings::max_considered, 1, 1 << 20},
    {"max_depth", &Settings::max_depth, 0, 1 << 24},
    {"threads", &Settings::threads, 1, 1 << 10},
};

inline constexpr Range<double> kNumbers[] = {
    {"low", &Settings::low, -1e9, 1e9},
    {"high", &Settings::high, -1e9, 1e9},
    {"epsilon", &Settings::epsilon, 1e-30, 1e9},
    {"c_init", &Settings::c_init, 0.0, 1e6},
    {"c_base", &Settings::c_base, 1e-6, 1e12},
    {"dirichlet_alpha", &Settings::dirichlet_alpha, 1e-6, 1e6},
    {"dirichlet_fraction", &Settings::dirichlet_fraction, 0.0, 1.0},
    {"c_visit", &Settings::c_visit, 0.0, 1e6},
    {"c_scale", &Settings::c_scale, 0.0, 1e6},
    {"gumbel_scale", &Settings::gumbel_scale, 0.0, 1e6},
};

inline constexpr Flag kFlags[] = {
    {"mirror", &Settings::mirror},
};

inline constexpr std::tuple kChoices{
    Choice{"algorithm", &Settings::algorithm, {{"gumbel", Algorithm::kGumbel}, {"puct", Algorithm::kPuct}}},
    Choice{
        "scale",
        &Settings::scale,
        {{"fixed", ScaleKind::kFixed}, {"minmax", ScaleKind::kMinMax}, {"siblings", ScaleKind::kSiblings}}},
    Choice{
        "unvisited",
        &Settings::unvisited,
        {{"worst", Unvisited::kWorst}, {"parent", Unvisited::kParent}, {"siblings", Unvisited::kSiblings}}},
};

// Calls f(row) for every setting except the sizes.
template <class F>
void for_each_setting(const F& f) {
  std::apply([&f](const auto&... rows) { (f(rows), ...); }, kChoices);
  for (const auto& row : kFlags) f(row);
  for (const auto& row : kNumbers) f(row);
  for (const auto& row : kCounts) f(row);
}

// The least high - low: epsilon's lower bound, and a millionth of the larger of the two, as values are
// float32 and closer ones could hardly be distinguished.
inline double least_span(double low, double high) {
  return std::max(1e-30, 1e-6 * std::max(std::abs(low), std::abs(high)));
}

}  // namespace mcts
