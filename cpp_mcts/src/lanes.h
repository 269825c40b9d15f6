// SIMD arithmetic on short vectors, written out so that every instruction set computes the same bits.
#pragma once

#include <cstdint>
#include <cstring>

#include "types.h"

#define MCTS_INLINE inline __attribute__((always_inline))
#define MCTS_APART __attribute__((noinline))

// The walk through the trees is compiled three times, and the machine takes the widest form it has. All
// compute the same bits: each lane does its own IEEE arithmetic, nothing is contracted or reordered. An
// AddressSanitizer build keeps to the plain form, so that the tests see that one as well.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_ADDRESS__)
#define MCTS_MANY_FORMS true
#define MCTS_WIDE __attribute__((target("avx2")))
#define MCTS_WIDEST __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw")))
#else
#define MCTS_MANY_FORMS false
#define MCTS_WIDE
#define MCTS_WIDEST
#endif

namespace mcts {

inline constexpr bool kManyForms = MCTS_MANY_FORMS;
enum class Form { kPlain, kWide, kWidest };

inline Form widest_form() {
#if MCTS_MANY_FORMS
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")) {
    return Form::kWidest;
  }
  if (__builtin_cpu_supports("avx2")) return Form::kWide;
#endif
  return Form::kPlain;
}

using Doubles = double __attribute__((vector_size(kLanes * 8)));
using Longs = std::int64_t __attribute__((vector_size(kLanes * 8)));
using Floats4 = float __attribute__((vector_size(kLanes * 4)));
using Ints4 = std::int32_t __attribute__((vector_size(kLanes * 4)));

MCTS_INLINE Doubles splat(double x) { return Doubles{x, x, x, x}; }
MCTS_INLINE double sum(Doubles x) { return (x[0] + x[1]) + (x[2] + x[3]); }
MCTS_INLINE double largest(Doubles x) {
  const double a = x[0] > x[1] ? x[0] : x[1];
  const double b = x[2] > x[3] ? x[2] : x[3];
  return a > b ? a : b;
}
MCTS_INLINE double smallest(Doubles x) {
  const double a = x[0] < x[1] ? x[0] : x[1];
  const double b = x[2] < x[3] ? x[2] : x[3];
  return a < b ? a : b;
}
template <class V>
MCTS_INLINE V max(V x, V y) {
  return x > y ? x : y;
}
template <class V>
MCTS_INLINE V min(V x, V y) {
  return x < y ? x : y;
}

template <class V = Doubles>
MCTS_INLINE V load(const double* at) {
  V x;
  std::memcpy(&x, at, sizeof x);
  return x;
}
template <class V>
MCTS_INLINE void store(double* at, V x) {
  std::memcpy(at, &x, sizeof x);
}

// One vector of four, or two side by side: the widest form has registers for eight doubles.
template <int halves>
struct Joined;
template <>
struct Joined<1> {
  using Doubles = mcts::Doubles;
  using Longs = mcts::Longs;
};
template <>
struct Joined<2> {
  using Doubles = double __attribute__((vector_size(2 * kLanes * 8)));
  using Longs = std::int64_t __attribute__((vector_size(2 * kLanes * 8)));
};

template <class V>
MCTS_INLINE V join(const V (&x)[1]) {
  return x[0];
}
template <class V>
MCTS_INLINE auto join(const V (&x)[2]) {
  static_assert(kLanes == 4);
  return __builtin_shufflevector(x[0], x[1], 0, 1, 2, 3, 4, 5, 6, 7);
}

// Four rows of four numbers become four columns.
template <class V>
MCTS_INLINE void transpose(V (&x)[kLanes]) {
  static_assert(kLanes == 4);
  const V a = __builtin_shufflevector(x[0], x[1], 0, 4, 2, 6);
  const V b = __builtin_shufflevector(x[0], x[1], 1, 5, 3, 7);
  const V c = __builtin_shufflevector(x[2], x[3], 0, 4, 2, 6);
  const V d = __builtin_shufflevector(x[2], x[3], 1, 5, 3, 7);
  x[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
  x[1] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
  x[2] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
  x[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}

// `sum`, `largest` and `smallest` of each of four vectors: the result of vector i is in lane i.
MCTS_INLINE Doubles sums(Doubles (&x)[kLanes]) {
  transpose(x);
  return (x[0] + x[1]) + (x[2] + x[3]);
}
MCTS_INLINE Doubles largest(Doubles (&x)[kLanes]) {
  transpose(x);
  return max(max(x[0], x[1]), max(x[2], x[3]));
}
MCTS_INLINE Doubles smallest(Doubles (&x)[kLanes]) {
  transpose(x);
  return min(min(x[0], x[1]), min(x[2], x[3]));
}

MCTS_INLINE Doubles load_q(const EdgeBlock& block) { return load(block.q); }
MCTS_INLINE Doubles load_weight(const EdgeBlock& block) {
  Floats4 x;
  std::memcpy(&x, block.weight, sizeof x);
  return __builtin_convertvector(x, Doubles);
}
MCTS_INLINE Doubles load_visits(const EdgeBlock& block) {
  Ints4 x;
  std::memcpy(&x, block.visits, sizeof x);
  return __builtin_convertvector(x, Doubles);
}
// Lanes in use: those with visits.
template <class V>
MCTS_INLINE auto used(V visits) {
  return visits > V{};
}

// exp(x) for x <= 0, to about one unit in the last place: x = n ln 2 + r with |r| <= ln 2 / 2, a Taylor
// polynomial of degree 12 in r, then n added to the exponent. Below -700 the answer stays exp(-700).
template <class V>
MCTS_INLINE V exp_of_negative(V x) {
  using Integers = decltype(x > x);
  x = max(x, V{} - 700.0);
  const V shift = V{} + 0x1.8p52;  // adding it rounds to an integer, which then stands in the low bits
  const V shifted = x * 0x1.71547652b82fep0 + shift;
  const V n = shifted - shift;
  const V r = (x - n * 0x1.62e42fefa3800p-1) - n * 0x1.ef35793c76730p-45;
  const V r2 = r * r;
  const V r4 = r2 * r2;
  const V a = (1.0 + r) + r2 * (1.0 / 2 + r * (1.0 / 6));
  const V b = (1.0 / 24 + r * (1.0 / 120)) + r2 * (1.0 / 720 + r * (1.0 / 5040));
  const V c = (1.0 / 40320 + r * (1.0 / 362880)) + r2 * (1.0 / 3628800 + r * (1.0 / 39916800));
  const V p = a + r4 * (b + r4 * (c + r4 * (1.0 / 479001600)));
  return (V)((Integers)p + ((Integers)shifted << 52));
}

// The best score so far of each lane, and whose it is.
struct Best {
  Doubles score = splat(-std::numeric_limits<double>::infinity());
  Doubles edge = splat(kNobody);  // every edge number is exact in a double

  // Call in the order of the chain, in which edge numbers rise. Only lanes where `counts` is set are
  // considered.
  MCTS_INLINE void offer(Doubles candidate, Longs counts, std::int32_t block) {
    const double base = static_cast<double>(block) * kLanes;
    const Longs better = (candidate > score) & counts;
    score = better ? candidate : score;
    edge = better ? Doubles{0.0, 1.0, 2.0, 3.0} + base : edge;
  }
  // The earliest edge of the highest score; `first`, the first of the chain, if no candidate counts or none
  // is above -infinity. A score is never NaN, so some lane has the highest.
  MCTS_INLINE EdgeId pick(EdgeId first, double& highest) const {
    highest = largest(score);
    const auto picked = static_cast<EdgeId>(smallest(score == splat(highest) ? edge : splat(kNobody)));
    if (picked == kNobody) [[unlikely]]
      return first;  // a branch: a conditional move would lengthen every walk
    return picked;
  }

 private:
  static constexpr EdgeId kNobody = std::numeric_limits<EdgeId>::max();
};

}  // namespace mcts
