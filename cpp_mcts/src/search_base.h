// The base class of all searches: checks the order of calls and refuses bad numbers.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "nodes.h"
#include "types.h"

namespace mcts {

// Which call may come next.
enum class Phase { kReset, kSelect, kExpand };

// Network outputs that no search can use.
class BadNumbers : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

// The first refused row, found by any thread, and the reason.
class Refusal {
 public:
  enum Why : int { kLogits, kValue, kReward, kDiscount, kPossible, kLarge, kLegal };

  void note(int row, Why why) {
    const std::int64_t mine = static_cast<std::int64_t>(row) * 8 + why;
    std::int64_t first = first_.load(std::memory_order_relaxed);
    while (mine < first && !first_.compare_exchange_weak(first, mine, std::memory_order_relaxed)) {
    }
  }

  // A row excludes an action, so it may exclude all of them, which is checked after the loop.
  void suspect() { suspected_.store(true, std::memory_order_relaxed); }
  bool suspected() const { return suspected_.load(std::memory_order_relaxed); }

  bool any() const { return first_.load(std::memory_order_relaxed) != kNoRow; }

  // Throws std::invalid_argument for an error of the caller, BadNumbers for one of the network.
  [[noreturn]] void raise() const {
    static constexpr const char* kText[] = {
        "logits: expected finite numbers, got nan or infinity",
        "value: expected finite numbers, got nan or infinity",
        "reward: expected finite numbers, got nan or infinity",
        "discount: expected numbers in [-1, 1], got another",
        "logits: expected at least one possible action, got none",
        "value, q: expected results that a float32 can hold, got larger ones",
        "legal: expected at least one legal action, got none"};
    const std::int64_t first = first_.load(std::memory_order_relaxed);
    const std::string text = std::string(kText[first % 8]) + " in row " + std::to_string(first / 8) +
                             ": the search is void, call reset";
    if (first % 8 == kLegal) throw std::invalid_argument(text);
    throw BadNumbers(text);
  }

 private:
  static constexpr std::int64_t kNoRow = std::numeric_limits<std::int64_t>::max();
  std::atomic<std::int64_t> first_{kNoRow};
  std::atomic<bool> suspected_{false};
};

// The interface of any search for the bindings. One virtual call per batch; the order of calls is checked
// here.
//
// A call out of order throws and changes nothing. A refused row voids the search, in any call: no tree is
// active, no leaf is pending, and only a reset may follow.
class SearchBase {
 public:
  explicit SearchBase(const Settings& settings) : settings_(settings) {}
  virtual ~SearchBase() = default;
  SearchBase(const SearchBase&) = delete;
  SearchBase& operator=(const SearchBase&) = delete;

  const Settings& settings() const { return settings_; }
  std::int32_t active_trees() const { return active_; }
  std::int32_t simulations() const { return simulations_; }
  std::int32_t simulations_done() const { return done_; }
  std::int32_t leaves() const { return leaves_; }
  virtual std::size_t bytes() const = 0;
  virtual std::int64_t edges_visited() const = 0;

  void reset(const ResetRows& rows) {
    end_search();  // remains the state if a row is refused
    Refusal refusal;
    reset_trees(rows, refusal);
    require_none(refusal);
    active_ = rows.trees;
    simulations_ = rows.simulations;
    phase_ = Phase::kSelect;
  }

  std::int32_t select(const LeafRows& rows) {
    require_select();
    return selected(select_leaves(rows));
  }

  void expand(const ExpandRows& rows) {
    require_expand();
    Refusal refusal;
    expand_leaves(rows, refusal);
    require_none(refusal);
    ++done_;
    leaves_ = 0;
    phase_ = Phase::kSelect;
  }

  // expand, then select.
  std::int32_t advance(const ExpandRows& answers, const LeafRows& rows) {
    require_advance();
    Refusal refusal;
    const std::int32_t leaves = advance_leaves(answers, rows, refusal);
    require_none(refusal);
    ++done_;
    phase_ = Phase::kSelect;
    return selected(leaves);
  }

  void result(const ResultRows& rows) {
    require_result();
    Refusal refusal;
    read_result(rows, refusal);
    require_none(refusal);
  }

  std::vector<Action> principal_variation(std::int32_t tree, std::int32_t max_length) {
    require_result();
    return read_variation(tree, max_length);
  }

  std::vector<SeenNode> nodes(std::int32_t tree) {
    require_result();
    return read_nodes(tree);
  }

  void require_select() const {
    require_reset("select");
    if (phase_ == Phase::kExpand) {
      throw std::runtime_error("select: " + std::to_string(leaves_) +
                               " leaves wait for the network: call expand");
    }
    if (done_ >= simulations_) {
      throw std::runtime_error("select: all " + std::to_string(simulations_) +
                               " simulations are done: call result, or reset for a new search");
    }
  }

  void require_expand() const { require_leaves("expand"); }

  void require_advance() const {
    require_leaves("advance");
    if (done_ + 1 >= simulations_) {
      throw std::runtime_error("advance: simulation " + std::to_string(simulations_) +
                               " is the last one: call expand, then result");
    }
  }

  void require_result() const {
    require_reset("result");
    if (phase_ == Phase::kExpand)
      throw std::runtime_error("result: leaves wait for the network: call expand");
    if (done_ == 0) throw std::runtime_error("result: no simulation is done: call select");
  }

 protected:
  virtual void reset_trees(const ResetRows& rows, Refusal& refusal) = 0;
  virtual std::int32_t select_leaves(const LeafRows& rows) = 0;
  virtual void expand_leaves(const ExpandRows& rows, Refusal& refusal) = 0;
  virtual std::int32_t advance_leaves(const ExpandRows& answers, const LeafRows& rows, Refusal& refusal) = 0;
  virtual void read_result(const ResultRows& rows, Refusal& refusal) = 0;
  virtual std::vector<Action> read_variation(std::int32_t tree, std::int32_t max_length) = 0;
  virtual std::vector<SeenNode> read_nodes(std::int32_t tree) = 0;

  const Settings settings_;

 private:
  void end_search() {
    phase_ = Phase::kReset;
    active_ = leaves_ = done_ = 0;
  }

  void require_none(const Refusal& refusal) {
    if (!refusal.any()) return;
    end_search();
    refusal.raise();
  }

  void require_reset(const char* call) const {
    if (phase_ == Phase::kReset)
      throw std::runtime_error(std::string(call) + ": no search is running: call reset");
  }

  void require_leaves(const char* call) const {
    require_reset(call);
    if (phase_ != Phase::kExpand)
      throw std::runtime_error(std::string(call) + ": no leaf waits for the network: call select");
  }

  // Without a leaf the simulation is done.
  std::int32_t selected(std::int32_t leaves) {
    leaves_ = leaves;
    if (leaves == 0) {
      ++done_;
    } else {
      phase_ = Phase::kExpand;
    }
    return leaves;
  }

  Phase phase_ = Phase::kReset;
  std::int32_t active_ = 0;       // B of the last reset
  std::int32_t simulations_ = 0;  // S of the last reset
  std::int32_t done_ = 0;
  std::int32_t leaves_ = 0;  // M of the last select, until they are expanded
};

}  // namespace mcts
