#include "rows.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "lanes.h"

// Each loop is compiled twice and the machine takes the wider form it has; both compute the same bits.
// A sanitizer can't run the code that chooses, because it runs before the sanitizer has started.
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__AVX2__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define MCTS_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define MCTS_CLONES
#endif

namespace mcts {
namespace {

using Floats = float __attribute__((vector_size(kRowLanes * 4)));
using Ints = std::int32_t __attribute__((vector_size(kRowLanes * 4)));

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

MCTS_INLINE Floats load(const float* at) {
  Floats x;
  std::memcpy(&x, at, sizeof x);
  return x;
}

MCTS_INLINE Floats larger(Floats x, Floats y) { return x > y ? x : y; }
MCTS_INLINE Ints smaller(Ints x, Ints y) { return x < y ? x : y; }

// A logit below this is raised to it, so that none is taken for kTaken; its weight is exp(-87) either way.
constexpr float kLowest = kTaken / 2;
constexpr std::uint32_t kExponent = 0x7f800000;  // all ones: infinity or not a number

MCTS_INLINE std::uint32_t not_finite(const float* at) {
  std::uint32_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return (bits & kExponent) == kExponent;
}

}  // namespace

float row_exp(float x) { return exp_of(Floats4{x, x, x, x})[0]; }

MCTS_CLONES bool all_finite(const float* numbers, int count) {
  std::uint32_t bad = 0;
  for (int i = 0; i < count; ++i) bad |= not_finite(numbers + i);
  return bad == 0;
}

MCTS_CLONES bool copy_row(const float* from, float* to, int actions, int padded) {
  std::uint32_t bad = 0;
  for (int i = 0; i < actions; ++i) {
    bad |= not_finite(from + i);
    to[i] = from[i] > kLowest ? from[i] : kLowest;
  }
  for (int i = actions; i < padded; ++i) to[i] = kTaken;
  return bad == 0;
}

// First the largest, then where it is: neither loop waits for more than one operation of the round before.
MCTS_CLONES int largest_logit(const float* row, int padded) {
  Floats best = load(row), other = best;
  int i = kRowLanes;
  for (; i + kRowLanes < padded; i += 2 * kRowLanes) {
    best = larger(best, load(row + i));
    other = larger(other, load(row + i + kRowLanes));
  }
  if (i < padded) best = larger(best, load(row + i));
  best = larger(best, other);
  best = larger(best, __builtin_shufflevector(best, best, 4, 5, 6, 7, 0, 1, 2, 3));
  best = larger(best, __builtin_shufflevector(best, best, 2, 3, 0, 1, 6, 7, 4, 5));
  best = larger(best, __builtin_shufflevector(best, best, 1, 0, 3, 2, 5, 4, 7, 6));
  constexpr std::int32_t kNowhere = std::numeric_limits<std::int32_t>::max();
  const Ints nowhere = Ints{} + kNowhere;
  Ints where = nowhere, index{0, 1, 2, 3, 4, 5, 6, 7};
  for (i = 0; i < padded; i += kRowLanes, index += kRowLanes) {
    const Ints here = load(row + i) == best ? index : nowhere;
    where = smaller(here, where);
  }
  where = smaller(where, __builtin_shufflevector(where, where, 4, 5, 6, 7, 0, 1, 2, 3));
  where = smaller(where, __builtin_shufflevector(where, where, 2, 3, 0, 1, 6, 7, 4, 5));
  return std::min(where[0], where[1]);
}

MCTS_CLONES double weight_sum(const float* row, int padded, float largest) {
  Doubles low = splat(0.0), high = splat(0.0);
  for (int i = 0; i < padded; i += kRowLanes) {
    const Floats e = exp_of(load(row + i) - largest);
    low += __builtin_convertvector(__builtin_shufflevector(e, e, 0, 1, 2, 3), Doubles);
    high += __builtin_convertvector(__builtin_shufflevector(e, e, 4, 5, 6, 7), Doubles);
  }
  return sum(low + high);
}

}  // namespace mcts
