// Refuses a Search whose __init__ never ran, or failed. pybind11 would hand out memory for it that no
// constructor has seen.
#pragma once

#include <pybind11/pybind11.h>

#include <typeinfo>

#include "python/object.h"

namespace mcts {

inline bool is_made(pybind11::handle object) {
  namespace detail = pybind11::detail;
  auto* const instance = reinterpret_cast<detail::instance*>(object.ptr());
  const auto* const type = detail::get_type_info(typeid(Search));
  return instance->get_value_and_holder(type).holder_constructed();
}

}  // namespace mcts

namespace pybind11::detail {

template <>
struct type_caster<mcts::Search> : type_caster_base<mcts::Search> {
  bool load(handle object, bool convert) {
    if (isinstance<mcts::Search>(object) && !mcts::is_made(object)) {
      throw type_error("this Search was never made: call Search(trees, actions, simulations, algorithm=...)");
    }
    return type_caster_base<mcts::Search>::load(object, convert);
  }
};

}  // namespace pybind11::detail
