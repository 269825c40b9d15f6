// Random numbers for root noise. Doesn't use <random>, whose distributions differ between libraries.
// One generator serves one tree for one search, seeded only by that tree's seed.
#pragma once

#include <cmath>
#include <cstdint>

namespace mcts {

// xoshiro256++ (Blackman and Vigna 2021), its state filled by splitmix64 (Steele, Lea and Flood 2014).
class Rng {
 public:
  explicit Rng(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {
      seed += 0x9E3779B97F4A7C15u;
      std::uint64_t mixed = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9u;
      mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
      word = mixed ^ (mixed >> 31);
    }
  }

  std::uint64_t bits() {
    const std::uint64_t result = rotate(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  // In the open interval (0, 1), so that its logarithm, and the logarithm of that, are finite.
  double uniform() { return (static_cast<double>(bits() >> 12) + 0.5) * 0x1p-52; }

  double gumbel() { return -std::log(-std::log(uniform())); }

  // Polar method (Marsaglia and Bray 1964); discards the second number of the pair.
  double normal() {
    for (;;) {
      const double x = 2.0 * uniform() - 1.0;
      const double y = 2.0 * uniform() - 1.0;
      const double square = x * x + y * y;
      if (square < 1.0 && square > 0.0) return x * std::sqrt(-2.0 * std::log(square) / square);
    }
  }

  // Logarithm of a Gamma(alpha, 1) sample (Marsaglia and Tsang 2000). For a small alpha, samples with alpha +
  // 1 and multiplies by uniform ^ (1 / alpha); taking logarithms keeps that factor from vanishing.
  double log_gamma_draw(double alpha) {
    if (alpha < 1.0) {
      const double larger = log_gamma_draw(alpha + 1.0);
      return larger + std::log(uniform()) / alpha;
    }
    const double d = alpha - 1.0 / 3.0;
    const double c = 1.0 / std::sqrt(9.0 * d);
    for (;;) {
      const double x = normal();
      const double root = 1.0 + c * x;
      if (root <= 0.0) continue;
      const double v = root * root * root;
      if (std::log(uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return std::log(d * v);
    }
  }

 private:
  static std::uint64_t rotate(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  std::uint64_t state_[4];
};

}  // namespace mcts
