#include "rows.h"

#include <cstring>

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

MCTS_INLINE Floats splat8(float x) { return Floats{x, x, x, x, x, x, x, x}; }

// x = n ln 2 + r with |r| <= ln 2 / 2, a Taylor polynomial of degree 7 in r, then n added to the exponent.
MCTS_INLINE Floats exp8(Floats x) {
  x = x > splat8(-87.0f) ? x : splat8(-87.0f);
  const Floats shift =
      splat8(0x1.8p23f);  // adding it rounds to an integer, which then stands in the low bits
  const Floats shifted = x * splat8(0x1.715476p0f) + shift;
  const Floats n = shifted - shift;
  const Floats r = (x - n * splat8(0x1.62e4p-1f)) - n * splat8(0x1.7f7d1cp-20f);
  Floats p = splat8(1.0f / 5040);
  p = p * r + splat8(1.0f / 720);
  p = p * r + splat8(1.0f / 120);
  p = p * r + splat8(1.0f / 24);
  p = p * r + splat8(1.0f / 6);
  p = p * r + splat8(1.0f / 2);
  p = p * r + splat8(1.0f);
  p = p * r + splat8(1.0f);
  return (Floats)((Ints)p + ((Ints)shifted << 23));
}

MCTS_INLINE Floats load(const float* at) {
  Floats x;
  std::memcpy(&x, at, sizeof x);
  return x;
}

// A logit below this is raised to it, so that none is taken for kTaken; its weight is exp(-87) either way.
constexpr float kLowest = kTaken / 2;
constexpr std::uint32_t kExponent = 0x7f800000;  // all ones: infinity or not a number

MCTS_INLINE std::uint32_t not_finite(const float* at) {
  std::uint32_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return (bits & kExponent) == kExponent;
}

}  // namespace

float row_exp(float x) { return exp8(splat8(x))[0]; }

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

MCTS_CLONES int largest_logit(const float* row, int padded) {
  Ints index{0, 1, 2, 3, 4, 5, 6, 7};
  Ints where = index;
  Floats best = load(row);
  for (int i = kRowLanes; i < padded; i += kRowLanes) {
    index += kRowLanes;
    const Floats x = load(row + i);
    const Ints better = x > best;
    best = better ? x : best;
    where = better ? index : where;
  }
  int lane = 0;
  for (int i = 1; i < kRowLanes; ++i) {
    if (best[i] > best[lane] || (best[i] == best[lane] && where[i] < where[lane])) lane = i;
  }
  return where[lane];
}

MCTS_CLONES double weight_sum(const float* row, int padded, float largest) {
  Doubles low = splat(0.0), high = splat(0.0);
  for (int i = 0; i < padded; i += kRowLanes) {
    const Floats e = exp8(load(row + i) - splat8(largest));
    low += __builtin_convertvector(__builtin_shufflevector(e, e, 0, 1, 2, 3), Doubles);
    high += __builtin_convertvector(__builtin_shufflevector(e, e, 4, 5, 6, 7), Doubles);
  }
  return sum(low + high);
}

}  // namespace mcts
