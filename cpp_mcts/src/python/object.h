// The search as a Python object: checks its arrays and releases the GIL; no search logic.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "kinds.h"
#include "nodes.h"
#include "python/arrays.h"
#include "python/settings.h"
#include "search_base.h"
#include "types.h"

namespace mcts {

// One Python object; refuses a second call while one is running in another thread.
class Search {
 public:
  explicit Search(const Settings& s) : search_(make(s)) {}

  void reset(py::handle logits, py::handle value, py::handle legal, py::handle seeds,
             std::optional<std::int64_t> simulations) {
    const Turn turn(*this);
    const Settings& s = search_->settings();
    const std::int64_t trees = rows_of("logits", logits, {s.trees, s.actions});
    require_count("logits: number of rows", trees, s.trees);
    const std::int64_t n = simulations.value_or(s.simulations);
    require_count("simulations", n, s.simulations);
    const ResetRows rows{static_cast<std::int32_t>(trees),
                         static_cast<std::int32_t>(n),
                         input<float>("logits", logits, {trees, s.actions}),
                         input<float>("value", value, {trees}),
                         input<std::uint8_t>("legal", legal, {trees, s.actions}),
                         input<std::uint64_t>("seeds", seeds, {trees})};
    const Released released(trees * s.actions);
    search_->reset(rows);
  }

  std::int32_t select(py::handle tree, py::handle slot, py::handle action) {
    const Turn turn(*this);
    search_->require_select();
    const LeafRows rows = leaf_rows(tree, slot, action);
    const Released released(numbers());
    return search_->select(rows);
  }

  void expand(py::handle reward, py::handle discount, py::handle logits, py::handle value) {
    const Turn turn(*this);
    search_->require_expand();
    const ExpandRows rows = expand_rows(reward, discount, logits, value);
    const Released released(numbers());
    search_->expand(rows);
  }

  std::int32_t advance(py::handle reward, py::handle discount, py::handle logits, py::handle value,
                       py::handle tree, py::handle slot, py::handle action) {
    const Turn turn(*this);
    search_->require_advance();
    const ExpandRows answers = expand_rows(reward, discount, logits, value);
    const LeafRows leaves = leaf_rows(tree, slot, action);
    const Released released(numbers());
    return search_->advance(answers, leaves);
  }

  void result(py::handle visits, py::handle policy, py::handle q, py::handle value, py::handle action) {
    const Turn turn(*this);
    search_->require_result();
    const py::ssize_t b = search_->active_trees();
    const py::ssize_t a = search_->settings().actions;
    const ResultRows rows{output<std::int32_t>("visits", visits, {b, a}),
                          output<float>("policy", policy, {b, a}), output<float>("q", q, {b, a}),
                          output<float>("value", value, {b}), output<std::int32_t>("action", action, {b})};
    const Released released(numbers());
    search_->result(rows);
  }

  py::array_t<Action> principal_variation(std::int64_t tree, std::int64_t max_length) {
    const Turn turn(*this);
    require_tree(tree);
    require_count("max_length", max_length, 1 << 30);
    const std::vector<Action> actions =
        search_->principal_variation(static_cast<std::int32_t>(tree), static_cast<std::int32_t>(max_length));
    return py::array_t<Action>(static_cast<py::ssize_t>(actions.size()), actions.data());
  }

  // Columns of the nodes of one tree, in the order of creation.
  py::dict nodes(std::int64_t tree) {
    const Turn turn(*this);
    require_tree(tree);
    const std::vector<SeenNode> seen = search_->nodes(static_cast<std::int32_t>(tree));
    py::dict columns;
    columns["parent"] = column(seen, &SeenNode::parent);
    columns["action"] = column(seen, &SeenNode::action);
    columns["visits"] = column(seen, &SeenNode::visits);
    columns["prior"] = column(seen, &SeenNode::prior);
    columns["reward"] = column(seen, &SeenNode::reward);
    columns["discount"] = column(seen, &SeenNode::discount);
    columns["raw_value"] = column(seen, &SeenNode::raw_value);
    columns["value"] = column(seen, &SeenNode::value);
    columns["q"] = column(seen, &SeenNode::q);
    return columns;
  }

  const SearchBase& base() const { return *search_; }

  // Reads state that changes with every call; refused while another thread's call is running.
  template <class T>
  T now(T (SearchBase::*read)() const) {
    const Turn turn(*this);
    return (*search_.*read)();
  }

 private:
  // Held for the length of a call.
  class Turn {
   public:
    explicit Turn(Search& search) : busy_(search.busy_) {
      if (busy_.test_and_set(std::memory_order_acquire)) {
        throw std::runtime_error("this Search is in use by another thread: give each thread its own");
      }
    }
    ~Turn() { busy_.clear(std::memory_order_release); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    std::atomic_flag& busy_;
  };

  // Releases the GIL, unless the call is so small that releasing it would take longer than the call.
  class Released {
   public:
    explicit Released(std::int64_t numbers) {
      if (numbers > kFew) gil_.emplace();
    }

   private:
    static constexpr std::int64_t kFew = 64;
    std::optional<py::gil_scoped_release> gil_;
  };

  // A searched tree.
  void require_tree(std::int64_t tree) const {
    search_->require_result();
    if (tree < 0 || tree >= search_->active_trees()) {
      throw py::index_error("tree: expected 0 to " + std::to_string(search_->active_trees() - 1) + ", got " +
                            std::to_string(tree));
    }
  }

  template <class T>
  static py::array_t<T> column(const std::vector<SeenNode>& seen, T SeenNode::* field) {
    py::array_t<T> numbers(static_cast<py::ssize_t>(seen.size()));
    T* const to = numbers.mutable_data();
    for (std::size_t i = 0; i < seen.size(); ++i) to[i] = seen[i].*field;
    return numbers;
  }

  LeafRows leaf_rows(py::handle tree, py::handle slot, py::handle action) const {
    const py::ssize_t b = search_->active_trees();
    return {output<std::int32_t>("tree", tree, {b}), output<std::int32_t>("slot", slot, {b}),
            output<std::int32_t>("action", action, {b})};
  }

  ExpandRows expand_rows(py::handle reward, py::handle discount, py::handle logits, py::handle value) const {
    const py::ssize_t m = search_->leaves();
    return {input<float>("reward", reward, {m}), input<float>("discount", discount, {m}),
            input<float>("logits", logits, {m, search_->settings().actions}),
            input<float>("value", value, {m})};
  }

  // The size of a call: actions of all trees.
  std::int64_t numbers() const { return search_->active_trees() * search_->settings().actions; }

  std::unique_ptr<SearchBase> search_;
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
};

}  // namespace mcts
