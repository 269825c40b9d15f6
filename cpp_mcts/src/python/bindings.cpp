// The Python module `_core`: bindings of the search.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>

#include "memory_limit.h"
#include "python/made.h"
#include "python/object.h"
#include "python/settings.h"
#include "roots/schedule.h"

namespace py = pybind11;

namespace mcts {
namespace {

std::unique_ptr<Search> made(py::object trees, py::object actions, py::object simulations,
                             const py::kwargs& settings) {
  return std::make_unique<Search>(settings_of(trees, actions, simulations, settings));
}

std::uint64_t memory_needed(py::object trees, py::object actions, py::object simulations,
                            const py::kwargs& settings) {
  return bytes_of(settings_of(trees, actions, simulations, settings));
}

py::array_t<std::int32_t> considered_visits(std::int64_t considered, std::int64_t simulations) {
  require_count("considered", considered, 1 << 20);
  require_count("simulations", simulations, 1 << 24);
  py::array_t<std::int32_t> visits(simulations);
  fill_schedule(static_cast<int>(considered), static_cast<int>(simulations), visits.mutable_data());
  return visits;
}

}  // namespace
}  // namespace mcts

PYBIND11_MODULE(_core, m) {
  using mcts::Search;
  using mcts::SearchBase;
  using py::arg;
  m.doc() = "Batched MuZero tree search.";
  m.def("considered_visits", &mcts::considered_visits, arg("considered"), arg("simulations"),
        "Sequential halving: the visits that an action must have to be tried by each simulation, i32[S].");
  m.def("limits", &mcts::limits, "Lowest and highest value of every setting that is a number.");
  m.def("choices", &mcts::choices, "All values of every setting that is no number.");
  m.def("memory_limit", &mcts::memory_limit, arg("system") = "",
        "Bytes of the machine, or of a control group that allows fewer");
  m.def("least_span", &mcts::least_span, arg("low"), arg("high"),
        "The least high - low that a search takes.");
  // Derived from ValueError, so that catching ValueError catches both.
  py::register_exception<mcts::BadNumbers>(m, "BadNumbers", PyExc_ValueError);
  m.def("memory_needed", &mcts::memory_needed, arg("trees"), arg("actions"), arg("simulations"),
        "Bytes that a Search with these arguments reserves, without making it.");
  py::class_<Search>(
      m, "Search", "A batch of tree searches in lockstep: reset, select, advance x (S - 1), expand, result.")
      .def(py::init(&mcts::made), arg("trees"), arg("actions"), arg("simulations"))
      .def("reset", &Search::reset, arg("logits"), arg("value"), arg("legal"), arg("seeds"),
           arg("simulations") = py::none(), "Starts a search of B trees from the roots' network outputs.")
      .def("select", &Search::select, arg("tree"), arg("slot"), arg("action"),
           "Writes the M leaves that need the network and returns M.")
      .def("expand", &Search::expand, arg("reward"), arg("discount"), arg("logits"), arg("value"),
           "Takes the network's answers, rows in the order of the last select.")
      .def("advance", &Search::advance, arg("reward"), arg("discount"), arg("logits"), arg("value"),
           arg("tree"), arg("slot"), arg("action"), "expand, then select, in one call.")
      .def("result", &Search::result, arg("visits"), arg("policy"), arg("q"), arg("value"), arg("action"),
           "Writes the outcome of the search.")
      .def("principal_variation", &Search::principal_variation, arg("tree"), arg("max_length") = 16,
           "The chosen action, then the most visited ones.")
      .def("nodes", &Search::nodes, arg("tree"), "The nodes of one tree, in the order of creation.")
      .def_property_readonly("trees", [](const Search& s) { return s.base().settings().trees; })
      .def_property_readonly("actions", [](const Search& s) { return s.base().settings().actions; })
      .def_property_readonly("capacity", [](const Search& s) { return s.base().settings().simulations; })
      .def_property_readonly("active_trees", [](Search& s) { return s.now(&SearchBase::active_trees); })
      .def_property_readonly("simulations", [](Search& s) { return s.now(&SearchBase::simulations); })
      .def_property_readonly("simulations_done",
                             [](Search& s) { return s.now(&SearchBase::simulations_done); })
      .def_property_readonly("leaves", [](Search& s) { return s.now(&SearchBase::leaves); })
      .def_property_readonly("edges_visited", [](Search& s) { return s.now(&SearchBase::edges_visited); })
      .def_property_readonly("memory_bytes", [](const Search& s) { return s.base().bytes(); })
      .def("__reduce__", [](const Search&) -> py::object {
        throw py::type_error("a Search can't be copied or pickled: make a new one with the same arguments");
      });
}
