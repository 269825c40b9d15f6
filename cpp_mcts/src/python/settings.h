// Parses the settings of a search from Python arguments: each must be given, and is read by its row of the
// table.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include "setting_table.h"
#include "types.h"

namespace mcts {

namespace py = pybind11;

// ---- refusals: NAME: expected X, got Y ----

// Its Python repr, shortened if long; its type if that fails, as for an int of too many digits.
inline std::string shown(py::handle value) {
  try {
    return static_cast<std::string>(py::str("{!a:.60}").format(value));
  } catch (const py::error_already_set&) {
    return static_cast<std::string>(py::str(py::type::of(value)));
  }
}
inline std::string shown(double x) { return shown(py::float_(x)); }
inline std::string shown(std::int64_t n) { return std::to_string(n); }

template <class T>
std::string expected(const Range<T>& row) {
  const char* const kind = std::is_floating_point_v<T> ? "a number from " : "a whole number from ";
  return kind + shown(row.lowest) + " to " + shown(row.highest);
}
inline std::string expected(const Flag&) { return "True or False"; }
template <class T, std::size_t n>
std::string expected(const Choice<T, n>& row) {
  std::string text;
  for (const auto& option : row.options) text += (text.empty() ? "one of " : ", ") + std::string(option.name);
  return text;
}

// Error is a py::value_error for a value outside the row's bounds, a py::type_error for one of another type.
template <class Error, class Row>
[[noreturn]] void refuse(const Row& row, const std::string& got) {
  throw Error(std::string(row.name) + ": expected " + expected(row) + ", got " + got);
}

template <class T>
T inside(const Range<T>& row, T got) {
  if (got >= row.lowest && got <= row.highest) return got;
  refuse<py::value_error>(row, shown(got));  // NaN ends here as well
}

inline void require_count(const char* name, std::int64_t got, std::int64_t most) {
  inside(Range<std::int64_t>{name, nullptr, 1, most}, got);
}

// ---- one value, by its row ----

template <class T>
T read(const Range<T>& row, py::handle given) {
  const bool flag = PyBool_Check(given.ptr()), whole = PyIndex_Check(given.ptr());
  py::detail::make_caster<T> number;
  if (!flag && (whole || std::is_floating_point_v<T>) && number.load(given, true)) {
    return inside(row, py::detail::cast_op<T>(number));
  }
  if (!flag && py::isinstance<py::int_>(given)) refuse<py::value_error>(row, "an int beyond 64 bits");
  refuse<py::type_error>(row, shown(given));
}

inline bool read(const Flag& row, py::handle given) {
  py::detail::make_caster<bool> flag;
  if (!flag.load(given, false)) refuse<py::type_error>(row, shown(given));
  return py::detail::cast_op<bool>(flag);
}

template <class T, std::size_t n>
T read(const Choice<T, n>& row, py::handle given) {
  if (!py::isinstance<py::str>(given)) refuse<py::type_error>(row, shown(given));
  for (const auto& option : row.options) {
    if (given.equal(py::str(option.name))) return option.value;
  }
  refuse<py::value_error>(row, shown(given));
}

// ---- all of them ----

inline py::list setting_names() {
  py::list names;
  for_each_setting([&names](const auto& row) { names.append(row.name); });
  return names;
}

inline void refuse_unknown(const py::kwargs& given) {
  const py::list names = setting_names();
  for (const auto& [name, value] : given) {
    if (names.contains(name)) continue;
    const py::list near = py::module_::import("difflib").attr("get_close_matches")(name, names, 1);
    throw py::type_error("settings: expected only " +
                         static_cast<std::string>(py::str(", ").attr("join")(names).cast<py::str>()) +
                         ", got " + shown(name) +
                         (near.empty() ? "" : "; nearest: " + near[0].cast<std::string>()));
  }
}

inline void require_span(double low, double high) {
  const double least = least_span(low, high);
  if (high - low >= least) return;
  throw py::value_error("high: expected at least " + shown(least) + " above low, got low " + shown(low) +
                        " and high " + shown(high));
}

inline Settings settings_of(py::handle trees, py::handle actions, py::handle simulations,
                            const py::kwargs& given) {
  refuse_unknown(given);
  Settings settings{};
  const py::handle sizes[] = {trees, actions, simulations};
  for (std::size_t i = 0; i < std::size(kSizes); ++i) settings.*kSizes[i].setting = read(kSizes[i], sizes[i]);
  for_each_setting([&](const auto& row) {
    if (!given.contains(row.name)) refuse<py::type_error>(row, "nothing: every setting must be given");
    settings.*row.setting = read(row, given[row.name]);
  });
  require_span(settings.low, settings.high);
  return settings;
}

// ---- the table, for Python ----

template <class T>
void add_limits(py::dict& table, const Range<T>& row) {
  table[row.name] = py::make_tuple(row.lowest, row.highest);
}
void add_limits(py::dict&, const auto&) {}  // no number

// {name: (lowest, highest)}, with integer bounds for integers.
inline py::dict limits() {
  py::dict table;
  for (const auto& row : kSizes) add_limits(table, row);
  for_each_setting([&table](const auto& row) { add_limits(table, row); });
  return table;
}

template <class T>
void add_choices(py::dict&, const Range<T>&) {}
inline void add_choices(py::dict& table, const Flag& row) { table[row.name] = py::make_tuple(false, true); }
template <class T, std::size_t n>
void add_choices(py::dict& table, const Choice<T, n>& row) {
  py::list names;
  for (const auto& option : row.options) names.append(option.name);
  table[row.name] = py::tuple(names);
}

// {name: all values} of the settings that aren't numbers.
inline py::dict choices() {
  py::dict table;
  for_each_setting([&table](const auto& row) { add_choices(table, row); });
  return table;
}

}  // namespace mcts
