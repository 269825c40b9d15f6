// NumPy arrays as plain pointers: arrays that aren't exactly as expected are refused, never converted or
// copied.
#pragma once

#include <pybind11/numpy.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <vector>

namespace mcts {

namespace py = pybind11;

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
inline const char* dtype_name<float>() {
  return "float32";
}
template <>
inline const char* dtype_name<std::int32_t>() {
  return "int32";
}
template <>
inline const char* dtype_name<std::uint64_t>() {
  return "uint64";
}
template <>
inline const char* dtype_name<std::uint8_t>() {
  return "bool or uint8";
}

// The fields of an array, or a null pointer if the object isn't one.
inline const py::detail::PyArray_Proxy* fields_of(py::handle object) {
  return py::isinstance<py::array>(object) ? py::detail::array_proxy(object.ptr()) : nullptr;
}

// Almost every array of a dtype shares NumPy's singleton description; any other must be compared with it.
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
[[noreturn]] inline void refuse_array(const char* name, const char* dtype, bool right_dtype,
                                      py::handle object, const Shape& shape) {
  const std::string expected =
      std::string(name) + ": expected a C-contiguous " + dtype + " array of shape " + text(shape) + ", got ";
  if (!py::isinstance<py::array>(object)) {
    throw py::type_error(expected + static_cast<std::string>(py::str(py::type::of(object))));
  }
  const py::array array = py::reinterpret_borrow<py::array>(object);
  const std::vector<py::ssize_t> got(array.shape(), array.shape() + array.ndim());
  const std::string found = static_cast<std::string>(py::str(array.dtype())) + " " + text(got);
  if (!right_dtype) throw py::type_error(expected + found);
  if (!std::equal(shape.begin(), shape.end(), got.begin(), got.end()))
    throw py::value_error(expected + found);
  if (!(array.flags() & py::array::c_style)) {
    throw py::value_error(expected + "a strided one: use numpy.ascontiguousarray");
  }
  throw py::value_error(expected + "one that is read-only or not aligned");
}

// The data of an array that must be exactly as expected; nothing is converted or copied.
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
inline std::int64_t rows_of(const char* name, py::handle object, const Shape& shape) {
  const py::detail::PyArray_Proxy* const array = fields_of(object);
  if (array == nullptr || !has_dtype<float>(object, *array)) {
    refuse_array(name, dtype_name<float>(), false, object, shape);
  }
  return array->nd > 0 ? array->dimensions[0] : 0;
}

}  // namespace mcts
