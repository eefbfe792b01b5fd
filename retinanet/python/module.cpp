// diopter._kernels: the C interface for Python. Outputs are arguments; the package's Python makes them. Streams of
// arrays on a GPU are those of the library that the arrays belong to, or `stream`, an address.
#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <string>
#include <vector>

#include "kernels/detection/loss_functions.h"
#include "kernels/detection/pairs/elementwise_loss.h"
#include "retinanet/python/arrays.h"
#include "retinanet/python/host_calls.h"

namespace diopter::python {

namespace {

using nb::handle;

void* stream_of(std::uintptr_t given, const Array& array) {
  return given ? reinterpret_cast<void*>(given) : array.stream();
}

void elementwise_loss(const char* loss, handle inputs, handle targets, float scale, handle losses, handle sum,
                      handle gradient, std::uintptr_t stream) {
  Array x("inputs", inputs), t("targets", targets), l("losses", losses, true), s("sum", sum, true);
  Array dx("gradient", gradient, true);
  const auto *flat_x = x.flat(), *flat_t = t.flat(&x), *flat_l = l.flat(&x), *flat_s = s.flat(), *flat_dx = dx.flat(&x);
  void* queue = stream_of(stream, x);
  call([&] { return diopter_elementwise_loss(loss, flat_x, flat_t, scale, flat_l, flat_s, flat_dx, queue); });
}

/// A loss that diopter.losses.compile has compiled: parameters, and the function that it exports.
struct CompiledLoss {
  std::vector<float> parameters;
  void (*elements)(const float* parameters, const float* x, const float* targets, int n, cpu::LossBlock& block);
};

void compiled_loss(std::uintptr_t elements, const std::vector<float>& parameters, bool soft, handle inputs,
                   handle targets, float scale, handle losses, handle sum, handle gradient, std::uintptr_t) {
  const CompiledLoss compiled{parameters, reinterpret_cast<decltype(CompiledLoss::elements)>(elements)};
  Array x("inputs", inputs), t("targets", targets), l("losses", losses, true), s("sum", sum, true);
  Array dx("gradient", gradient, true);
  for (const Array* array : {&x, &t, &l, &s, &dx}) array->require_float_of_host(array == &x || array == &t);
  const auto *flat_x = x.flat(), *flat_t = t.flat(&x), *flat_l = l.flat(&x), *flat_s = s.flat(), *flat_dx = dx.flat(&x);
  const auto data = [](const diopter_tensor* array) {
    return array ? reinterpret_cast<float*>(static_cast<char*>(array->data) + array->byte_offset) : nullptr;
  };
  cpu::LossFunctions functions;
  functions.loss = std::shared_ptr<const void>(&compiled, [](const void*) {});
  functions.elements_of = [](const void* loss, const float* logits, const float* of_each, int n,
                             cpu::LossBlock& block) {
    const auto& of = *static_cast<const CompiledLoss*>(loss);
    of.elements(of.parameters.data(), logits, of_each, n, block);
  };
  const ElementwiseLossArgs<float> args{.n = flat_x->shape[0],
                                        .logits = data(flat_x),
                                        .targets = data(flat_t),
                                        .scale = scale,
                                        .losses = data(flat_l),
                                        .sum = data(flat_s),
                                        .gradient = data(flat_dx)};
  try {
    const nb::gil_scoped_release others;
    cpu::elementwise_loss(args, functions, soft);
  } catch (const Error& error) {
    throw nb::value_error(error.what());
  }
}

/// For types with DLPack's exchange in C.
nb::object empty(handle like, const std::vector<std::int64_t>& shape, const char* type) {
  return Array("like", like).empty(shape, type, nb::none());
}

void box_pair_loss(const char* loss, float epsilon, handle boxes1, handle boxes2, handle losses, handle gradient,
                   std::uintptr_t stream) {
  const Array a("boxes1", boxes1), b("boxes2", boxes2), l("losses", losses, true), da("gradient", gradient, true);
  void* queue = stream_of(stream, a);
  call([&] { return diopter_box_pair_loss(loss, epsilon, a.get(), b.get(), l.get(), da.get(), queue); });
}

void box_iou(handle boxes1, handle boxes2, handle ious, std::uintptr_t stream) {
  const Array a("boxes1", boxes1), b("boxes2", boxes2), out("ious", ious, true);
  void* queue = stream_of(stream, a);
  call([&] { return diopter_box_iou(a.get(), b.get(), out.get(), queue); });
}

void batched_nms(handle boxes, handle scores, handle labels, float iou_threshold, handle keep, handle kept,
                 std::uintptr_t stream) {
  const Array b("boxes", boxes), s("scores", scores), l("labels", labels), k("keep", keep, true), n("kept", kept, true);
  void* queue = stream_of(stream, b);
  call([&] { return diopter_batched_nms(b.get(), s.get(), l.get(), nullptr, iou_threshold, k.get(), n.get(), queue); });
}

void top_k(handle values, float min_value, handle indices, handle top, handle counts, std::uintptr_t stream) {
  const Array v("values", values), i("indices", indices, true), t("top", top, true), c("counts", counts, true);
  void* queue = stream_of(stream, v);
  call([&] { return diopter_top_k(v.get(), min_value, i.get(), t.get(), c.get(), queue); });
}

void classification_loss(const char* loss, handle logits, handle labels, handle qualities, handle scale, handle losses,
                         handle gradient, std::uintptr_t stream) {
  const Array x("logits", logits), y("labels", labels), q("qualities", qualities), f("scale", scale);
  const Array l("losses", losses, true), dx("gradient", gradient, true);
  void* queue = stream_of(stream, x);
  call([&] { return diopter_classification_loss(loss, x.get(), y.get(), q.get(), f.get(), l.get(), dx.get(), queue); });
}

/// The anchors of an image: the arrays that diopter_anchor_grid points to.
class Grid {
 public:
  Grid(const std::vector<std::array<std::int32_t, 2>>& sizes, const std::vector<std::array<float, 2>>& strides,
       const std::vector<std::vector<std::array<float, 4>>>& boxes, float offset) {
    const std::size_t levels = sizes.size(), cells = boxes.empty() ? 0 : boxes[0].size();
    if (strides.size() != levels || boxes.size() != levels) {
      throw nb::value_error("sizes, strides, boxes: must have as many levels as each other");
    }
    for (std::size_t l = 0; l < levels; ++l) {
      if (boxes[l].size() != cells) throw nb::value_error("boxes: must have as many boxes for each level");
      sizes_.insert(sizes_.end(), sizes[l].begin(), sizes[l].end());
      strides_.insert(strides_.end(), strides[l].begin(), strides[l].end());
      for (const std::array<float, 4>& box : boxes[l]) boxes_.insert(boxes_.end(), box.begin(), box.end());
    }
    grid_ = {sizeof grid_,
             static_cast<std::int32_t>(levels),
             static_cast<std::int32_t>(cells),
             offset,
             sizes_.data(),
             strides_.data(),
             boxes_.data()};
  }
  Grid(const Grid&) = delete;

  std::int64_t size() const {
    std::int64_t anchors = 0;
    for (std::size_t i = 0; i < sizes_.size(); i += 2) anchors += std::int64_t{sizes_[i]} * sizes_[i + 1] * grid_.cells;
    return anchors;
  }
  void anchors(handle boxes, std::uintptr_t stream) const {
    const Array out("boxes", boxes, true);
    void* queue = stream_of(stream, out);
    call([&] { return diopter_anchors(&grid_, out.get(), queue); });
  }
  void match(handle boxes, handle box_labels, handle offsets, handle labels, handle matches, handle positives,
             float foreground_iou, float background_iou, bool low_quality, float ignore_overlap,
             std::uintptr_t stream) const {
    const Array b("boxes", boxes), c("box_labels", box_labels), o("offsets", offsets), l("labels", labels, true);
    const Array m("matches", matches, true), p("positives", positives, true);
    const diopter_match_rule rule{sizeof rule, foreground_iou, background_iou, low_quality, ignore_overlap};
    void* queue = stream_of(stream, b);
    call([&] {
      return diopter_match_anchors(&grid_, &rule, b.get(), c.get(), o.get(), l.get(), m.get(), p.get(), queue);
    });
  }

  nb::object match_of_host(const nb::list& boxes, const nb::list& labels, float foreground_iou, float background_iou,
                           bool low_quality, float ignore_overlap, handle make) const {
    const diopter_match_rule rule{sizeof rule, foreground_iou, background_iou, low_quality, ignore_overlap};
    return python::match_of_host(grid_, size(), rule, boxes, labels, make);
  }

 private:
  std::vector<std::int32_t> sizes_;
  std::vector<float> strides_, boxes_;
  diopter_anchor_grid grid_{};
};

void coco_metrics(handle image_ids, handle category_ids, handle boxes, handle areas, handle crowds, handle images,
                  handle found_image_ids, handle found_category_ids, handle found_boxes, handle scores,
                  handle numbers) {
  const Array i("image_ids", image_ids), c("category_ids", category_ids), b("boxes", boxes), a("areas", areas);
  const Array crowd("crowds", crowds), all("images", images), fi("found_image_ids", found_image_ids);
  const Array fc("found_category_ids", found_category_ids), fb("found_boxes", found_boxes), s("scores", scores);
  const Array out("numbers", numbers, true);
  call([&] {
    return diopter_coco_metrics(i.get(), c.get(), b.get(), a.get(), crowd.get(), all.get(), fi.get(), fc.get(),
                                fb.get(), s.get(), out.get());
  });
}

/// An open detector; closed when Python forgets it.
class OpenDetector {
 public:
  OpenDetector(const std::string& checkpoint, const std::string& device) {
    call([&] { return diopter_detector_open(checkpoint.c_str(), device.c_str(), &number_); });
    info_.struct_size = sizeof info_;
    check(diopter_detector_describe(number_, &info_));
  }
  OpenDetector(const OpenDetector&) = delete;
  ~OpenDetector() {
    if (number_) diopter_detector_close(number_);
  }

  std::vector<std::string> classes() const {
    std::vector<std::string> names;
    std::string name(kLongestName, '\0');
    for (std::int32_t label = 0; label < info_.classes; ++label) {
      check(diopter_detector_class_name(number_, label, name.data(), name.size()));
      names.emplace_back(name.c_str());
    }
    return names;
  }
  int max_detections() const { return info_.max_detections; }
  int detect(handle picture, handle boxes, handle scores, handle labels) const {
    const Array p("picture", picture), b("boxes", boxes, true), s("scores", scores, true), l("labels", labels, true);
    std::int32_t found = 0;
    call([&] { return diopter_detector_detect(number_, p.get(), b.get(), s.get(), l.get(), &found); });
    return found;
  }
  void close() {
    check(diopter_detector_close(number_));
    number_ = 0;
  }

 private:
  static constexpr std::size_t kLongestName = 4096;
  diopter_detector number_ = 0;
  diopter_detector_info info_{};
};

}  // namespace

}  // namespace diopter::python

NB_MODULE(_kernels, module) {
  namespace nb = nanobind;
  using namespace diopter::python;
  const auto array = [](const char* name) { return nb::arg(name).none(); };  // the C interface says that it is null
  const auto optional = [](const char* name) { return nb::arg(name).none() = nb::none(); };
  const auto stream = nb::arg("stream") = 0;
  module.attr("__version__") = diopter_version();
  module.def("elementwise_loss", &elementwise_loss, nb::arg("loss"), array("inputs"), array("targets"),
             nb::arg("scale"), optional("losses"), optional("sum"), optional("gradient"), stream);
  module.def("compiled_loss", &compiled_loss, nb::arg("elements"), nb::arg("parameters"), nb::arg("soft"),
             array("inputs"), array("targets"), nb::arg("scale"), optional("losses"), optional("sum"),
             optional("gradient"), stream);
  module.def("classification_loss", &classification_loss, nb::arg("loss"), array("logits"), array("labels"),
             optional("qualities"), optional("scale"), array("losses"), optional("gradient"), stream);
  module.def("box_pair_loss", &box_pair_loss, nb::arg("loss"), nb::arg("epsilon"), array("boxes1"), array("boxes2"),
             array("losses"), optional("gradient"), stream);
  module.def("box_iou", &box_iou, array("boxes1"), array("boxes2"), array("ious"), stream);
  module.def("batched_nms", &batched_nms, array("boxes"), array("scores"), optional("labels"), nb::arg("iou_threshold"),
             array("keep"), array("kept"), stream);
  module.def("empty", &empty, nb::arg("like"), nb::arg("shape"), nb::arg("type"));
  module.def("nms_of_host", &nms_of_host, array("boxes"), array("scores"), array("idxs"), nb::arg("iou_threshold"),
             nb::arg("make"));
  module.def("box_pair_loss_of_host", &box_pair_loss_of_host, nb::arg("loss"), nb::arg("epsilon"), array("boxes1"),
             array("boxes2"), nb::arg("scale").none(), nb::arg("of_first"), nb::arg("of_second"), nb::arg("make"));
  module.def("top_k", &top_k, array("values"), nb::arg("min_value"), array("indices"), array("top"), array("counts"),
             stream);
  module.def("coco_metrics", &coco_metrics, array("image_ids"), array("category_ids"), array("boxes"),
             optional("areas"), optional("crowds"), optional("images"), array("found_image_ids"),
             array("found_category_ids"), array("found_boxes"), array("scores"), array("numbers"));
  nb::class_<Grid>(module, "Grid")
      .def(nb::init<const std::vector<std::array<std::int32_t, 2>>&, const std::vector<std::array<float, 2>>&,
                    const std::vector<std::vector<std::array<float, 4>>>&, float>(),
           nb::arg("sizes"), nb::arg("strides"), nb::arg("boxes"), nb::arg("offset"))
      .def("__len__", &Grid::size)
      .def("anchors", &Grid::anchors, array("boxes"), stream)
      .def("match", &Grid::match, array("boxes"), array("box_labels"), array("offsets"), array("labels"),
           array("matches"), array("positives"), nb::arg("foreground_iou"), nb::arg("background_iou"),
           nb::arg("low_quality"), nb::arg("ignore_overlap"), stream)
      .def("match_of_host", &Grid::match_of_host, nb::arg("boxes"), nb::arg("labels"), nb::arg("foreground_iou"),
           nb::arg("background_iou"), nb::arg("low_quality"), nb::arg("ignore_overlap"), nb::arg("make"));
  nb::class_<OpenDetector>(module, "OpenDetector")
      .def(nb::init<const std::string&, const std::string&>(), nb::arg("checkpoint"), nb::arg("device"))
      .def_prop_ro("classes", &OpenDetector::classes)
      .def_prop_ro("max_detections", &OpenDetector::max_detections)
      .def("detect", &OpenDetector::detect, array("picture"), array("boxes"), array("scores"), array("labels"))
      .def("close", &OpenDetector::close);
}
