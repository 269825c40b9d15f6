// The memory limit of this process, and the refusal of searches that would exceed it.
#pragma once

#include <cstdint>
#include <new>
#include <string>
#include <utility>

#include "types.h"

namespace mcts {

// Bytes of the machine, or of the process's control group (version 1 or 2) if that allows fewer. system: the
// folder that holds `proc` and `sys`.
std::uint64_t memory_limit(const std::string& system = "");

// x * y, or the largest number on overflow.
inline std::uint64_t saturating_product(std::uint64_t x, std::uint64_t y) {
  std::uint64_t product;
  return __builtin_mul_overflow(x, y, &product) ? UINT64_MAX : product;
}

inline std::uint64_t saturating_sum(std::uint64_t x, std::uint64_t y) {
  return x + y < x ? UINT64_MAX : x + y;
}

// 2147483648 bytes (2.0 GiB)
std::string size_text(std::uint64_t bytes);

// Its text says how much would be needed.
class NotEnoughMemory : public std::bad_alloc {
 public:
  explicit NotEnoughMemory(std::string text) : text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

// Throws NotEnoughMemory if a search with these settings, which takes `needed` bytes, would not fit.
void require_memory(const Settings& settings, std::uint64_t needed);

}  // namespace mcts
