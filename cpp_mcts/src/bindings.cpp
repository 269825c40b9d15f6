// The Python face of the search: checks dtypes and shapes, releases the GIL, knows no formula.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <atomic>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "roots/gumbel.h"
#include "roots/puct.h"
#include "roots/schedule.h"
#include "search.h"
#include "types.h"

namespace py = pybind11;

namespace mcts {
namespace {

using Shape = std::initializer_list<py::ssize_t>;

template <class Range>
std::string text(const Range& shape) {
  std::string out = "(";
  for (const py::ssize_t n : shape) out += std::to_string(n) + (shape.size() == 1 ? "," : ", ");
  if (shape.size() > 1) out.resize(out.size() - 2);
  return out + ")";
}

template <class T>
const char* dtype_name();
template <>
const char* dtype_name<float>() {
  return "float32";
}
template <>
const char* dtype_name<std::int32_t>() {
  return "int32";
}
template <>
const char* dtype_name<std::uint64_t>() {
  return "uint64";
}
template <>
const char* dtype_name<std::uint8_t>() {
  return "bool or uint8";
}

// The fields of an array, or a null pointer if the object is none.
const py::detail::PyArray_Proxy* fields_of(py::handle object) {
  return py::isinstance<py::array>(object) ? py::detail::array_proxy(object.ptr()) : nullptr;
}

// Almost every array of a dtype has NumPy's one description of it; another one has to be compared with it.
template <class T>
bool is_described_by(py::handle object, const py::detail::PyArray_Proxy& array) {
  static const PyObject* const usual = py::dtype::of<T>().release().ptr();
  return array.descr == usual || py::isinstance<py::array_t<T, 0>>(object);
}

template <class T>
bool has_dtype(py::handle object, const py::detail::PyArray_Proxy& array) {
  if (is_described_by<T>(object, array)) return true;
  if constexpr (std::is_same_v<T, std::uint8_t>) return is_described_by<bool>(object, array);
  return false;
}

// What is wrong with an array that was refused.
[[noreturn]] void refuse_array(const char* name, const char* dtype, bool right_dtype, py::handle object,
                               const Shape& shape) {
  const std::string wanted =
      std::string(name) + ": wanted a C-contiguous " + dtype + " array of shape " + text(shape) + ", got ";
  if (!py::isinstance<py::array>(object)) {
    throw py::type_error(wanted + static_cast<std::string>(py::str(py::type::of(object))));
  }
  const py::array array = py::reinterpret_borrow<py::array>(object);
  const std::vector<py::ssize_t> got(array.shape(), array.shape() + array.ndim());
  const std::string found = static_cast<std::string>(py::str(array.dtype())) + " " + text(got);
  if (!right_dtype) throw py::type_error(wanted + found);
  if (!std::equal(shape.begin(), shape.end(), got.begin(), got.end())) throw py::value_error(wanted + found);
  if (!(array.flags() & py::array::c_style)) {
    throw py::value_error(wanted + "a strided one: use numpy.ascontiguousarray");
  }
  throw py::value_error(wanted + "one that is read-only or not aligned");
}

// The data of an array that is exactly as wanted; nothing is converted or copied.
template <class T>
T* data_of(const char* name, py::handle object, const Shape& shape, int flags) {
  const py::detail::PyArray_Proxy* const array = fields_of(object);
  const bool right_dtype = array != nullptr && has_dtype<T>(object, *array);
  if (right_dtype && (array->flags & flags) == flags &&
      std::equal(shape.begin(), shape.end(), array->dimensions, array->dimensions + array->nd)) {
    return reinterpret_cast<T*>(array->data);
  }
  refuse_array(name, dtype_name<T>(), right_dtype, object, shape);
}

constexpr int kReadable =
    py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_ | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
constexpr int kWritable = kReadable | py::detail::npy_api::NPY_ARRAY_WRITEABLE_;

template <class T>
const T* input(const char* name, py::handle object, const Shape& shape) {
  return data_of<T>(name, object, shape, kReadable);
}
template <class T>
T* output(const char* name, py::handle object, const Shape& shape) {
  return data_of<T>(name, object, shape, kWritable);
}

// The number of rows that the first argument of a reset has; the second dimension is checked later.
std::int64_t rows_of(const char* name, py::handle object, const Shape& shape) {
  const py::detail::PyArray_Proxy* const array = fields_of(object);
  if (array == nullptr || !has_dtype<float>(object, *array)) {
    refuse_array(name, dtype_name<float>(), false, object, shape);
  }
  return array->nd > 0 ? array->dimensions[0] : 0;
}

void require(bool right, const std::string& name, const std::string& wanted, double got) {
  if (right) return;
  throw py::value_error(name + ": wanted " + wanted + ", got " +
                        static_cast<std::string>(py::str(py::float_(got))));
}

void require_count(const char* name, std::int64_t got, std::int64_t most) {
  if (got >= 1 && got <= most) return;
  throw py::value_error(std::string(name) + ": wanted a whole number from 1 to " + std::to_string(most) +
                        ", got " + std::to_string(got));
}

template <class T>
T choice(const char* name, const std::string& got, const std::vector<std::pair<const char*, T>>& choices) {
  std::string names;
  for (const auto& [known, value] : choices) {
    if (got == known) return value;
    names += (names.empty() ? "" : ", ") + std::string(known);
  }
  throw py::value_error(std::string(name) + ": wanted one of " + names + ", got '" + got + "'");
}

constexpr double kLargestWeight = 1e6;

void check(const Settings& s) {
  require_count("trees", s.trees, 1 << 24);
  require_count("actions", s.actions, 1 << 20);
  require_count("simulations", s.simulations, 1 << 24);
  require_count("max_considered", s.max_considered, 1 << 20);
  require_count("threads", s.threads, 1024);
  const auto finite = [](double x) { return x - x == 0.0; };
  require(finite(s.low), "low", "a finite number", s.low);
  require(finite(s.high) && s.high > s.low, "high", "a finite number above low", s.high);
  require(finite(s.epsilon) && s.epsilon > 0.0, "epsilon", "a number above 0", s.epsilon);
  // Larger weights would overflow where scores are computed.
  const auto weight = [](const char* name, double x) {
    require(x >= 0.0 && x <= kLargestWeight, name, "a number from 0 to 1e6", x);
  };
  weight("c_init", s.c_init);
  require(finite(s.c_base) && s.c_base > 0.0, "c_base", "a number above 0", s.c_base);
  require(finite(s.dirichlet_alpha) && s.dirichlet_alpha > 0.0, "dirichlet_alpha", "a number above 0",
          s.dirichlet_alpha);
  require(s.dirichlet_fraction >= 0.0 && s.dirichlet_fraction <= 1.0, "dirichlet_fraction",
          "a number in [0, 1]", s.dirichlet_fraction);
  weight("c_visit", s.c_visit);
  weight("c_scale", s.c_scale);
  weight("gumbel_scale", s.gumbel_scale);
}

// The search with the root and the scale of the settings, as a type.
template <class T>
struct Kind {
  using Search = T;
};

template <template <class> class Root, class F>
auto with_scale(const Settings& s, const F& f) {
  switch (s.scale) {
    case ScaleKind::kFixed:
      return f(Kind<BatchSearch<Root<FixedScale>, FixedScale>>{});
    case ScaleKind::kMinMax:
      return f(Kind<BatchSearch<Root<MinMaxScale>, MinMaxScale>>{});
    case ScaleKind::kSiblings:
      break;
  }
  return f(Kind<BatchSearch<Root<SiblingsScale>, SiblingsScale>>{});
}

template <class F>
auto with_kind(const Settings& s, const F& f) {
  return s.algorithm == Algorithm::kGumbel ? with_scale<GumbelRoot>(s, f) : with_scale<PuctRoot>(s, f);
}

std::unique_ptr<SearchBase> make(const Settings& s) {
  return with_kind(s, [&s](auto kind) -> std::unique_ptr<SearchBase> {
    return std::make_unique<typename decltype(kind)::Search>(s);
  });
}

std::uint64_t bytes_of(const Settings& s) {
  return with_kind(s, [&s](auto kind) { return decltype(kind)::Search::bytes(s); });
}

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
    search_->require_result();
    if (tree < 0 || tree >= search_->active_trees()) {
      throw py::index_error("tree: wanted 0 to " + std::to_string(search_->active_trees() - 1) + ", got " +
                            std::to_string(tree));
    }
    require_count("max_length", max_length, 1 << 30);
    const std::vector<Action> actions =
        search_->principal_variation(static_cast<std::int32_t>(tree), static_cast<std::int32_t>(max_length));
    return py::array_t<Action>(static_cast<py::ssize_t>(actions.size()), actions.data());
  }

  const SearchBase& base() const { return *search_; }

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

  // The GIL, unless a call is about so little that handing it over would take longer than the call.
  class Released {
   public:
    explicit Released(std::int64_t numbers) {
      if (numbers > kFew) gil_.emplace();
    }

   private:
    static constexpr std::int64_t kFew = 64;
    std::optional<py::gil_scoped_release> gil_;
  };

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

  // How much a call is about: actions of all trees.
  std::int64_t numbers() const { return search_->active_trees() * search_->settings().actions; }

  std::unique_ptr<SearchBase> search_;
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
};

Settings settings_of(std::int64_t trees, std::int64_t actions, std::int64_t simulations,
                     const std::string& algorithm, const std::string& scale, double low, double high,
                     bool mirror, double epsilon, double c_init, double c_base, const std::string& unvisited,
                     double dirichlet_alpha, double dirichlet_fraction, double c_visit, double c_scale,
                     std::int64_t max_considered, double gumbel_scale, std::int64_t threads) {
  const Settings settings{
      .trees = trees,
      .actions = actions,
      .simulations = simulations,
      .algorithm = choice<Algorithm>("algorithm", algorithm,
                                     {{"gumbel", Algorithm::kGumbel}, {"puct", Algorithm::kPuct}}),
      .scale = choice<ScaleKind>(
          "scale", scale,
          {{"fixed", ScaleKind::kFixed}, {"minmax", ScaleKind::kMinMax}, {"siblings", ScaleKind::kSiblings}}),
      .low = low,
      .high = high,
      .mirror = mirror,
      .epsilon = epsilon,
      .c_init = c_init,
      .c_base = c_base,
      .unvisited = choice<Unvisited>(
          "unvisited", unvisited,
          {{"worst", Unvisited::kWorst}, {"parent", Unvisited::kParent}, {"siblings", Unvisited::kSiblings}}),
      .dirichlet_alpha = dirichlet_alpha,
      .dirichlet_fraction = dirichlet_fraction,
      .c_visit = c_visit,
      .c_scale = c_scale,
      .max_considered = max_considered,
      .gumbel_scale = gumbel_scale,
      .threads = threads,
  };
  check(settings);
  return settings;
}

// The same arguments for both.
template <class... Arguments>
auto made_from(Settings (*settings)(Arguments...)) {
  return [settings](Arguments... arguments) { return std::make_unique<Search>(settings(arguments...)); };
}
template <class... Arguments>
auto measured_from(Settings (*settings)(Arguments...)) {
  return [settings](Arguments... arguments) { return bytes_of(settings(arguments...)); };
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
  using py::arg;
  m.doc() = "Batched MuZero tree search.";
  m.def("considered_visits", &mcts::considered_visits, arg("considered"), arg("simulations"),
        "Sequential halving: the visits that an action must have to be tried by each simulation, i32[S].");
  const auto with_settings = [](const auto& define) {
    define(arg("trees"), arg("actions"), arg("simulations"), py::kw_only(), arg("algorithm"),
           arg("scale") = "fixed", arg("low") = -1.0, arg("high") = 1.0, arg("mirror") = true,
           arg("epsilon") = 1e-8, arg("c_init") = 1.25, arg("c_base") = 19652.0, arg("unvisited") = "worst",
           arg("dirichlet_alpha") = 0.3, arg("dirichlet_fraction") = 0.0, arg("c_visit") = 50.0,
           arg("c_scale") = 1.0, arg("max_considered") = 16, arg("gumbel_scale") = 1.0, arg("threads") = 1);
  };
  with_settings([&m](const auto&... settings) {
    m.def("memory_needed", mcts::measured_from(&mcts::settings_of), settings...,
          "Bytes that a Search with these arguments reserves, without making it.");
  });
  py::class_<Search> search(
      m, "Search", "A batch of tree searches in lockstep: reset, select, advance x (S - 1), expand, result.");
  with_settings([&search](const auto&... settings) {
    search.def(py::init(mcts::made_from(&mcts::settings_of)), settings...);
  });
  search
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
      .def_property_readonly("trees", [](const Search& s) { return s.base().settings().trees; })
      .def_property_readonly("actions", [](const Search& s) { return s.base().settings().actions; })
      .def_property_readonly("capacity", [](const Search& s) { return s.base().settings().simulations; })
      .def_property_readonly("active_trees", [](const Search& s) { return s.base().active_trees(); })
      .def_property_readonly("simulations", [](const Search& s) { return s.base().simulations(); })
      .def_property_readonly("simulations_done", [](const Search& s) { return s.base().simulations_done(); })
      .def_property_readonly("leaves", [](const Search& s) { return s.base().leaves(); })
      .def_property_readonly("edges_visited", [](const Search& s) { return s.base().edges_visited(); })
      .def_property_readonly("memory_bytes", [](const Search& s) { return s.base().bytes(); })
      .def("__reduce__", [](const Search&) -> py::object {
        throw py::type_error("a Search can't be copied or pickled: make a new one with the same arguments");
      });
}
