// Refuses a Search whose __init__ never ran or failed, for which pybind11 would hand out uninitialised
// memory.
#pragma once

#include <pybind11/pybind11.h>

#include "python/object.h"

namespace pybind11::detail {

template <>
struct type_caster<mcts::Search> : type_caster_base<mcts::Search> {
  bool load(handle object, bool convert) {
    if (PyObject_TypeCheck(object.ptr(), typeinfo->type) && !is_made(object)) {
      throw type_error("this Search was never made: call Search(trees, actions, simulations, **settings)");
    }
    return type_caster_base<mcts::Search>::load(object, convert);
  }

 private:
  bool is_made(handle object) const {
    auto* const found = reinterpret_cast<instance*>(object.ptr());
    return found->get_value_and_holder(typeinfo).holder_constructed();
  }
};

}  // namespace pybind11::detail
