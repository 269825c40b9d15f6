#include "memory_limit.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace mcts {
namespace {

constexpr const char* kGroups = "/sys/fs/cgroup";

// The file says "max" where there is no limit, and is missing where groups of version 2 are not used.
std::uint64_t limit_in(const std::string& file) {
  std::uint64_t bytes;
  std::ifstream in(file);
  return in >> bytes ? bytes : UINT64_MAX;
}

// A group may have no more than any group above it.
std::uint64_t group_limit() {
  std::ifstream in("/proc/self/cgroup");
  std::string line, group;
  while (std::getline(in, line)) {
    if (line.rfind("0::", 0) == 0) group = line.substr(3);
  }
  std::uint64_t least = limit_in(std::string(kGroups) + "/memory.max");
  for (std::size_t end = group.size(); end != std::string::npos && end > 0; end = group.rfind('/', end - 1)) {
    least = std::min(least, limit_in(kGroups + group.substr(0, end) + "/memory.max"));
  }
  return least;
}

}  // namespace

std::uint64_t memory_limit() {
  const std::uint64_t machine =
      static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return std::min(machine, group_limit());
}

std::string size_text(std::uint64_t bytes) {
  const std::uint64_t tenths = bytes / (1u << 30) * 10 + bytes % (1u << 30) * 10 / (1u << 30);
  return std::to_string(bytes) + " bytes (" + std::to_string(tenths / 10) + "." +
         std::to_string(tenths % 10) + " GiB)";
}

}  // namespace mcts
