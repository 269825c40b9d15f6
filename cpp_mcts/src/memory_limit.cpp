#include "memory_limit.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace mcts {
namespace {

// Without a limit the file holds "max" or a huge number; if this version of control groups isn't used, it is
// missing.
std::uint64_t limit_in(const std::string& file) {
  std::uint64_t bytes;
  std::ifstream in(file);
  return in >> bytes ? bytes : UINT64_MAX;
}

// A group may not use more than any of its ancestors. In a container its path may be the host's: then only
// the root exists, which is the container's own group.
std::uint64_t least_in(const std::string& top, const std::string& group, const std::string& name) {
  std::uint64_t least = limit_in(top + "/" + name);
  for (std::size_t end = group.size(); end != std::string::npos && end > 0; end = group.rfind('/', end - 1)) {
    least = std::min(least, limit_in(top + group.substr(0, end) + "/" + name));
  }
  return least;
}

// A line of /proc/self/cgroup is NUMBER:CONTROLLERS:GROUP, with number 0 and no controllers for version 2.
std::uint64_t group_limit(const std::string& system) {
  std::ifstream in(system + "/proc/self/cgroup");
  const std::string top = system + "/sys/fs/cgroup";
  std::uint64_t least = UINT64_MAX;
  for (std::string line; std::getline(in, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1),
                      group = line.substr(second + 1);
    if (controllers.empty()) {
      least = std::min(
          {least, least_in(top, group, "memory.max"), least_in(top + "/unified", group, "memory.max")});
    } else if (("," + controllers + ",").find(",memory,") != std::string::npos) {
      least = std::min({least, least_in(top + "/memory", group, "memory.limit_in_bytes"),
                        least_in(top + "/" + controllers, group, "memory.limit_in_bytes")});
    }
  }
  return least;
}

}  // namespace

std::uint64_t memory_limit(const std::string& system) {
  const std::uint64_t machine =
      static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return std::min(machine, group_limit(system));
}

std::string size_text(std::uint64_t bytes) {
  const std::uint64_t tenths = bytes / (1u << 30) * 10 + bytes % (1u << 30) * 10 / (1u << 30);
  return std::to_string(bytes) + " bytes (" + std::to_string(tenths / 10) + "." +
         std::to_string(tenths % 10) + " GiB)";
}

void require_memory(const Settings& settings, std::uint64_t needed) {
  const std::uint64_t limit = memory_limit();
  if (needed <= limit) return;
  throw NotEnoughMemory(
      "trees=" + std::to_string(settings.trees) + ", actions=" + std::to_string(settings.actions) +
      ", simulations=" + std::to_string(settings.simulations) + " need " + size_text(needed) +
      ", this process may have " + size_text(limit) + ": ask for fewer trees or simulations");
}

}  // namespace mcts
