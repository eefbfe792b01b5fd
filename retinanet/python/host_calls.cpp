#include "retinanet/python/host_calls.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "retinanet/c_api/arrays.h"
#include "retinanet/c_api/call.h"
#include "retinanet/python/arrays.h"

namespace diopter::python {

namespace {

using c_api::Arrays;
using c_api::kAny;
using c_api::kElementType;

/// Calls f; that an argument cannot be meant becomes Python's ValueError.
template <class F>
auto checked(const F& f) {
  try {
    return f();
  } catch (const c_api::BadArgument& error) {
    throw nb::value_error(error.what());
  }
}

/// Adds n integers to `all`. Throws BadArgument for numbers that int32 does not have.
template <class T>
void append(const char* name, const void* data, std::int64_t n, std::vector<std::int32_t>& all) {
  const T* values = static_cast<const T*>(data);
  for (std::int64_t i = 0; i < n; ++i) {
    c_api::require(std::in_range<std::int32_t>(values[i]), name, ": has numbers that are none of int32, such as ",
                   values[i]);
    all.push_back(static_cast<std::int32_t>(values[i]));
  }
}

/// The same of an array [n] of the host. Throws BadArgument for another.
void append_integers(const char* name, const Array& array, std::int64_t n, std::vector<std::int32_t>& all) {
  const void* data = Arrays::of_host().get(name, array.get(),
                                           {{0, 64, "int64"},
                                            {0, 32, "int32"},
                                            {0, 16, "int16"},
                                            {0, 8, "int8"},
                                            {1, 64, "uint64"},
                                            {1, 32, "uint32"},
                                            {1, 16, "uint16"},
                                            {1, 8, "uint8"}},
                                           {n});
  const bool with_sign = array.get()->type_code == 0;
  switch (array.get()->type_bits) {
    case 8: return with_sign ? append<std::int8_t>(name, data, n, all) : append<std::uint8_t>(name, data, n, all);
    case 16: return with_sign ? append<std::int16_t>(name, data, n, all) : append<std::uint16_t>(name, data, n, all);
    case 32: return with_sign ? append<std::int32_t>(name, data, n, all) : append<std::uint32_t>(name, data, n, all);
    default: return with_sign ? append<std::int64_t>(name, data, n, all) : append<std::uint64_t>(name, data, n, all);
  }
}

/// A row-major array of the host, for the C interface.
template <class T, int dimensions>
diopter_tensor tensor_of(const T* data, const std::int64_t (&shape)[dimensions]) {
  constexpr c_api::ElementType type = kElementType<T>;
  return {const_cast<T*>(data), 1, 0, dimensions, type.code, type.bits, 1, shape, nullptr, 0};
}

}  // namespace

nb::object nms_of_host(nb::handle boxes, nb::handle scores, nb::handle idxs, float iou_threshold, nb::handle make) {
  const Array b("boxes", boxes), s("scores", scores), classes("idxs", idxs);
  if (b && !b.on_host()) return nb::none();
  std::vector<std::int32_t> labels, keep;
  std::int32_t kept = 0;
  checked([&] {
    Arrays arrays = Arrays::of_host();
    const float* corners = arrays.get<float>("boxes", b.get(), {kAny, 4});
    const std::int64_t n = b.get()->shape[0];
    const float* values = arrays.get<float>("scores", s.get(), {n});
    if (classes) append_integers("idxs", classes, n, labels);
    keep.resize(static_cast<std::size_t>(n));
    const std::int64_t four[] = {1, n, 4}, row[] = {1, n}, one[] = {1};
    const diopter_tensor all = tensor_of(corners, four), row_of_scores = tensor_of(values, row);
    const diopter_tensor row_of_labels = tensor_of(labels.data(), row), indices = tensor_of(keep.data(), row);
    const diopter_tensor count = tensor_of(&kept, one);
    call([&] {
      return diopter_batched_nms(&all, &row_of_scores, classes ? &row_of_labels : nullptr, nullptr, iou_threshold,
                                 &indices, &count, nullptr);
    });
  });
  nb::object result = b.empty({kept}, "int64", make);
  const Array written("result", result, true);
  std::copy_n(keep.begin(), kept, static_cast<std::int64_t*>(written.get()->data));
  return result;
}

nb::object match_of_host(const diopter_anchor_grid& grid, std::int64_t anchors, const diopter_match_rule& rule,
                         const nb::list& boxes, const nb::list& labels, nb::handle make) {
  const auto images = static_cast<std::int64_t>(boxes.size());
  const Array first_image("boxes[0]", boxes[0]);
  if (first_image && !first_image.on_host()) return nb::none();
  std::optional<Array> further;
  std::vector<float> corners;
  std::vector<std::int32_t> classes, offsets{0};
  for (std::size_t image = 0; image < boxes.size(); ++image) {
    const std::string place = "[" + std::to_string(image) + "]", box_name = "boxes" + place, name = "labels" + place;
    const Array& b = image == 0 ? first_image : further.emplace(box_name.c_str(), boxes[image]);
    const Array l(name.c_str(), labels[image]);
    checked([&] {
      const float* of_image = Arrays::of_host().get<float>(box_name.c_str(), b.get(), {kAny, 4});
      const std::int64_t n = b.get()->shape[0];
      corners.insert(corners.end(), of_image, of_image + 4 * n);
      append_integers(name.c_str(), l, n, classes);
      offsets.push_back(c_api::as_int(static_cast<std::int64_t>(classes.size()), "boxes"));
    });
  }
  const nb::object found = first_image.empty({images, anchors}, "int32", make);
  const nb::object matches = first_image.empty({images, anchors}, "int32", make);
  const nb::object positives = first_image.empty({images}, "int32", make);
  const Array f("labels", found, true), m("matches", matches, true), p("positives", positives, true);
  const std::int64_t four[] = {offsets.back(), 4}, row[] = {offsets.back()}, ends[] = {images + 1};
  const diopter_tensor all = tensor_of(corners.data(), four), of_boxes = tensor_of(classes.data(), row);
  const diopter_tensor first = tensor_of(offsets.data(), ends);
  call(
      [&] { return diopter_match_anchors(&grid, &rule, &all, &of_boxes, &first, f.get(), m.get(), p.get(), nullptr); });
  return nb::make_tuple(found, matches, positives);
}

nb::object box_pair_loss_of_host(const char* loss, float epsilon, nb::handle boxes1, nb::handle boxes2,
                                 std::optional<float> scale, bool of_first, bool of_second, nb::handle make) {
  const Array first("boxes1", boxes1), second("boxes2", boxes2);
  if (first && !first.on_host()) return nb::none();
  const std::int64_t n = first && first.get()->ndim > 0 ? first.get()->shape[0] : 0, row[] = {n};
  nb::object result = scale ? first.empty({}, "float32", make) : first.empty({n}, "float32", make);
  const nb::object gradient1 = of_first ? first.empty({n, 4}, "float32", make) : nb::none();
  const nb::object gradient2 = of_second ? first.empty({n, 4}, "float32", make) : nb::none();
  const Array written("result", result, true), g1("gradient", gradient1, true), g2("gradient", gradient2, true);
  std::vector<float> of_each(scale ? static_cast<std::size_t>(n) : 0);
  const diopter_tensor to_sum = tensor_of(of_each.data(), row), *losses = scale ? &to_sum : written.get();
  call([&] {
    const int status = diopter_box_pair_loss(loss, epsilon, first.get(), second.get(), losses, g1.get(), nullptr);
    if (status != DIOPTER_OK || !of_second) return status;
    // The losses are the same for boxes that are exchanged.
    return diopter_box_pair_loss(loss, epsilon, second.get(), first.get(), losses, g2.get(), nullptr);
  });
  if (scale) {
    double sum = 0;
    for (const float l : of_each) sum += double{l};
    *static_cast<float*>(written.get()->data) = static_cast<float>(double{*scale} * sum);
  }
  return nb::make_tuple(result, gradient1, gradient2);
}

}  // namespace diopter::python
