#include "rows.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "lanes.h"

// Each loop is compiled three times as well. The code that selects a clone runs before a sanitizer has
// started, so sanitizer builds have no clones; that of the thread sanitizer has the widest form.
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__AVX2__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define MCTS_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define MCTS_CLONES
#endif

namespace mcts {
namespace {

const bool kHasSixteen = widest_form() == Form::kWidest;
constexpr int kWide = 2 * kRowLanes;

using Floats = float __attribute__((vector_size(kRowLanes * 4)));
using Ints = std::int32_t __attribute__((vector_size(kRowLanes * 4)));
using RowDoubles = double __attribute__((vector_size(kRowLanes * 8)));
using WideFloats = float __attribute__((vector_size(kWide * 4)));
using WideInts = std::int32_t __attribute__((vector_size(kWide * 4)));

constexpr Ints kIndex{0, 1, 2, 3, 4, 5, 6, 7};
constexpr WideInts kWideIndex{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
constexpr std::int32_t kNowhere = std::numeric_limits<std::int32_t>::max();

// x = n ln 2 + r with |r| <= ln 2 / 2, a Taylor polynomial of degree 7 in r, then n added to the exponent.
template <class V>
MCTS_INLINE V exp_of(V x) {
  using Integers = decltype(x > x);
  const V least = V{} - 87.0f;
  x = x > least ? x : least;
  const V shift = V{} + 0x1.8p23f;  // adding it rounds to an integer, which then stands in the low bits
  const V shifted = x * 0x1.715476p0f + shift;
  const V n = shifted - shift;
  const V r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;
  V p = V{} + 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 1.0f / 2;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return (V)((Integers)p + ((Integers)shifted << 23));
}

template <class V>
MCTS_INLINE V load_as(const float* at) {
  V x;
  std::memcpy(&x, at, sizeof x);
  return x;
}
MCTS_INLINE Floats load(const float* at) { return load_as<Floats>(at); }
template <class V>
MCTS_INLINE void store(float* at, V x) {
  std::memcpy(at, &x, sizeof x);
}

template <class V>
MCTS_INLINE V larger(V x, V y) {
  return x > y ? x : y;
}
template <class V>
MCTS_INLINE V smaller(V x, V y) {
  return x < y ? x : y;
}

#define MCTS_LOW_HALF(x) __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7)
#define MCTS_HIGH_HALF(x) __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15)

// The functions below process a row of `padded` numbers eight at a time; if `sixteen` is set, sixteen at a
// time as far as possible. Each iteration depends on only one operation of the previous one.

// The largest number, in every lane.
template <bool sixteen>
MCTS_INLINE Floats largest_of(const float* row, int padded) {
  Floats best = load(row), other = best;
  int i = kRowLanes;
  if constexpr (sixteen) {
    if (padded >= kWide) {
      WideFloats wide = load_as<WideFloats>(row);
      for (i = kWide; i + kWide <= padded; i += kWide) wide = larger(wide, load_as<WideFloats>(row + i));
      best = MCTS_LOW_HALF(wide);
      other = MCTS_HIGH_HALF(wide);
    }
  }
  for (; i + kRowLanes < padded; i += kWide) {
    best = larger(best, load(row + i));
    other = larger(other, load(row + i + kRowLanes));
  }
  if (i < padded) best = larger(best, load(row + i));
  best = larger(best, other);
  best = larger(best, __builtin_shufflevector(best, best, 4, 5, 6, 7, 0, 1, 2, 3));
  best = larger(best, __builtin_shufflevector(best, best, 2, 3, 0, 1, 6, 7, 4, 5));
  return larger(best, __builtin_shufflevector(best, best, 1, 0, 3, 2, 5, 4, 7, 6));
}

MCTS_INLINE int first_of(Ints where) {
  where = smaller(where, __builtin_shufflevector(where, where, 4, 5, 6, 7, 0, 1, 2, 3));
  where = smaller(where, __builtin_shufflevector(where, where, 2, 3, 0, 1, 6, 7, 4, 5));
  return std::min(where[0], where[1]);
}

// Finds the largest number first, then its index.
template <bool sixteen>
MCTS_INLINE int find_largest(const float* row, int padded) {
  const Floats best = largest_of<sixteen>(row, padded);
  Ints where = Ints{} + kNowhere;
  int i = 0;
  if constexpr (sixteen) {
    const WideFloats wanted = WideFloats{} + best[0];
    WideInts wide = WideInts{} + kNowhere;
    for (; i + kWide <= padded; i += kWide) {
      wide = smaller(load_as<WideFloats>(row + i) == wanted ? kWideIndex + i : WideInts{} + kNowhere, wide);
    }
    where = smaller<Ints>(MCTS_LOW_HALF(wide), MCTS_HIGH_HALF(wide));
  }
  for (; i < padded; i += kRowLanes) {
    where = smaller(load(row + i) == best ? kIndex + i : Ints{} + kNowhere, where);
  }
  return first_of(where);
}

// The sum has eight lanes in both forms, and each adds in the same order.
template <bool sixteen>
MCTS_INLINE FirstLook look_first(const float* row, int padded) {
  const Floats best = largest_of<sixteen>(row, padded);
  Ints where = Ints{} + kNowhere;
  Doubles low = splat(0.0), high = splat(0.0);
  int i = 0;
  if constexpr (sixteen) {
    const WideFloats wanted = WideFloats{} + best[0];
    WideInts wide = WideInts{} + kNowhere;
    RowDoubles total{};
    for (; i + kWide <= padded; i += kWide) {
      const WideFloats logits = load_as<WideFloats>(row + i), e = exp_of(logits - wanted);
      wide = smaller(logits == wanted ? kWideIndex + i : WideInts{} + kNowhere, wide);
      total += __builtin_convertvector(MCTS_LOW_HALF(e), RowDoubles);
      total += __builtin_convertvector(MCTS_HIGH_HALF(e), RowDoubles);
    }
    where = smaller<Ints>(MCTS_LOW_HALF(wide), MCTS_HIGH_HALF(wide));
    low = __builtin_shufflevector(total, total, 0, 1, 2, 3);
    high = __builtin_shufflevector(total, total, 4, 5, 6, 7);
  }
  for (; i < padded; i += kRowLanes) {
    const Floats logits = load(row + i), e = exp_of(logits - best);
    where = smaller(logits == best ? kIndex + i : Ints{} + kNowhere, where);
    low += __builtin_convertvector(__builtin_shufflevector(e, e, 0, 1, 2, 3), Doubles);
    high += __builtin_convertvector(__builtin_shufflevector(e, e, 4, 5, 6, 7), Doubles);
  }
  return {sum(low + high), best[0], first_of(where)};
}

template <bool sixteen>
MCTS_INLINE CopiedRow copy_looking(const float* from, float* to, int actions, int padded) {
  Floats bad{};  // x - x is 0 if x is finite, else NaN
  Ints taken{};
  int i = 0;
  if constexpr (sixteen) {
    WideFloats wide{};
    WideInts wide_taken{};
    for (; i + kWide <= actions; i += kWide) {
      const WideFloats x = load_as<WideFloats>(from + i);
      wide += x - x;
      wide_taken |= x == WideFloats{} + kTaken;
      store(to + i, x);
    }
    bad = MCTS_LOW_HALF(wide) + MCTS_HIGH_HALF(wide);
    taken = MCTS_LOW_HALF(wide_taken) | MCTS_HIGH_HALF(wide_taken);
  }
  for (; i + kRowLanes <= actions; i += kRowLanes) {
    const Floats x = load(from + i);
    bad += x - x;
    taken |= x == Floats{} + kTaken;
    store(to + i, x);
  }
  float rest = 0.0f;
  std::int32_t any = 0;
  for (; i < actions; ++i) {
    rest += from[i] - from[i];
    any |= from[i] == kTaken ? 1 : 0;
    to[i] = from[i];
  }
  for (; i < padded; ++i) to[i] = kTaken;
  for (int lane = 0; lane < kRowLanes; ++lane) {
    rest += bad[lane];
    any |= taken[lane];
  }
  return {rest == 0.0f, any != 0};
}

MCTS_WIDEST int largest_logit_16(const float* row, int padded) { return find_largest<true>(row, padded); }
MCTS_CLONES int largest_logit_8(const float* row, int padded) { return find_largest<false>(row, padded); }

MCTS_WIDEST FirstLook first_look_16(const float* row, int padded) { return look_first<true>(row, padded); }
MCTS_CLONES FirstLook first_look_8(const float* row, int padded) { return look_first<false>(row, padded); }

MCTS_WIDEST CopiedRow copy_row_16(const float* from, float* to, int actions, int padded) {
  return copy_looking<true>(from, to, actions, padded);
}
MCTS_CLONES CopiedRow copy_row_8(const float* from, float* to, int actions, int padded) {
  return copy_looking<false>(from, to, actions, padded);
}

// With fewer actions, sixteen lanes have no work.
bool wide_enough(int actions) { return kHasSixteen && actions >= kWide; }

}  // namespace

float row_exp(float x) { return exp_of(Floats4{x, x, x, x})[0]; }

MCTS_CLONES void row_exps(float* x, int count) {
  int i = 0;
  for (; i + kRowLanes <= count; i += kRowLanes) store(x + i, exp_of(load(x + i)));
  Floats rest{};
  for (int j = i; j < count; ++j) rest[j - i] = x[j];
  rest = exp_of(rest);
  for (int j = i; j < count; ++j) x[j] = rest[j - i];
}

MCTS_CLONES bool all_finite(const float* numbers, int count) {
  std::uint32_t bad = 0;
  for (int i = 0; i < count; ++i) bad |= is_finite(numbers[i]) ? 0 : 1;
  return bad == 0;
}

CopiedRow copy_row(const float* from, float* to, int actions, int padded) {
  return wide_enough(actions) ? copy_row_16(from, to, actions, padded)
                              : copy_row_8(from, to, actions, padded);
}

int largest_logit(const float* row, int padded) {
  return wide_enough(padded) ? largest_logit_16(row, padded) : largest_logit_8(row, padded);
}

FirstLook first_look(const float* row, int padded) {
  return wide_enough(padded) ? first_look_16(row, padded) : first_look_8(row, padded);
}

}  // namespace mcts
