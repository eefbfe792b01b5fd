#include "retinanet/onnx/detection_nodes.h"

#include <numeric>

#include "kernels/detection/box.h"
#include "retinanet/network/detect.h"

namespace diopter::onnx_export {

namespace {

using Ints = std::vector<std::int64_t>;

constexpr float kNone = -1;  // score of a place without a candidate; real ones are 0 or more

Attribute axis(std::int64_t a) { return {"axis", a}; }

/// The last axis in two halves, as a box's corners.
std::vector<Name> halves(Graph& graph, const Name& x) {
  return graph.add_outputs("Split", 2, {x, graph.integers({2, 2})}, {axis(-1)});
}

/// Rows of x [N, places, 4] that index [N, k] names.
Name rows_of(Graph& graph, const Name& x, const Name& index) {
  const Name at = graph.add("Unsqueeze", {index, graph.integers({2})});
  return graph.add("GatherND", {x, at}, {{"batch_dims", std::int64_t{1}}});
}

/// Values of x [N, places] that index [N, k] names.
Name values_of(Graph& graph, const Name& x, const Name& index) {
  return graph.add("GatherElements", {x, index}, {axis(1)});
}

/// The k largest of x [N, places], at most all: values and indices, equal ones by their index.
std::vector<Name> best_of(Graph& graph, const Name& x, std::int64_t k) {
  const Name places = graph.add("Shape", {x}, {{"start", std::int64_t{1}}});
  return graph.add_outputs("TopK", 2, {x, graph.add("Min", {places, graph.integers({k})})}, {axis(1)});
}

/// [N, values * ..., h, w] as [N, anchors or anchors * classes ...]: `shape` behind N.
Name pixels_first(Graph& graph, const Name& x, Ints shape) {
  const Name moved = graph.add("Transpose", {graph.from_activations(x)}, {{"perm", Ints{0, 2, 3, 1}}});
  shape.insert(shape.begin(), 0);
  return graph.add("Reshape", {moved, graph.integers(shape)});
}

/// The best candidates of a batch: [N, k] logits and labels, [N, k, 4] deltas and anchors.
struct CandidateNodes {
  Name logits, labels, deltas, anchors;
};

/// Corners of the cells at `positions` [N, k], pixel * cells + cell (AnchorGrid::box). `map`: an output of the level.
Name anchor_boxes(Graph& graph, const Name& positions, const Name& map, const Name& padded, const AnchorGrid& grid,
                  int level, AnchorStride stride) {
  const Name cells = graph.integer(grid.cells);
  const Name pixel = graph.add("Div", {positions, cells}), cell = graph.add("Mod", {positions, cells});
  // Along an axis of the picture (0: y), by the pixels of the level's row or column.
  const auto shift = [&](const Name& at, std::int64_t from, const Name& size, float fixed) {
    const Name distance =
        stride == AnchorStride::fixed
            ? graph.real(fixed)
            : graph.cast(graph.add("Div", {graph.add("Gather", {padded, graph.integer(from)}), size}), Element::f32);
    const Name centre = graph.add("Add", {graph.cast(at, Element::f32), graph.real(grid.offset)});
    return graph.add("Unsqueeze", {graph.add("Mul", {centre, distance}), graph.integers({2})});
  };
  const Name shape = graph.add("Shape", {map});
  const Name h = graph.add("Gather", {shape, graph.integer(2)}), w = graph.add("Gather", {shape, graph.integer(3)});
  const AnchorLevel& at = grid.level[level];
  const Name x = shift(graph.add("Mod", {pixel, w}), 1, w, at.stride_x);
  const Name y = shift(graph.add("Div", {pixel, w}), 0, h, at.stride_y);
  std::vector<float> corners;
  for (int i = 0; i < grid.cells; ++i) {
    const Box& box = at.cell[i];
    corners.insert(corners.end(), {box.x1, box.y1, box.x2, box.y2});
  }
  const Name around = graph.add("Gather", {graph.reals({grid.cells, 4}, corners), cell});
  return graph.add("Add", {around, graph.add("Concat", {x, y, x, y}, {axis(2)})});
}

CandidateNodes candidates_of(Graph& graph, const HeadNodes& heads, const Name& padded, const Config& config,
                             const AnchorGrid& grid, int classes) {
  std::vector<Name> logits, labels, deltas, anchors;
  for (std::size_t l = 0; l < heads.logits.size(); ++l) {
    const std::vector<Name> best = best_of(graph, pixels_first(graph, heads.logits[l], {-1}), config.detect.top_k);
    const Name anchor = graph.add("Div", {best[1], graph.integer(classes)});
    logits.push_back(best[0]);
    labels.push_back(graph.add("Mod", {best[1], graph.integer(classes)}));
    deltas.push_back(rows_of(graph, pixels_first(graph, heads.deltas[l], {-1, 4}), anchor));
    anchors.push_back(
        anchor_boxes(graph, anchor, heads.logits[l], padded, grid, static_cast<int>(l), config.anchors.stride));
  }
  const auto joined = [&](const std::vector<Name>& levels) { return graph.add("Concat", levels, {axis(1)}); };
  return {joined(logits), joined(labels), joined(deltas), joined(anchors)};
}

/// decode_box of kernels/detection/box.h.
Name decoded(Graph& graph, const Name& anchors, const Name& deltas) {
  const Name half = graph.real(0.5f);
  const std::vector<Name> corner = halves(graph, anchors), delta = halves(graph, deltas);
  const Name size = graph.add("Sub", {corner[1], corner[0]});
  const Name middle = graph.add("Add", {corner[0], graph.add("Mul", {size, half})});
  const Name centre = graph.add("Add", {graph.add("Mul", {delta[0], size}), middle});
  const Name log_scale = graph.add("Min", {delta[1], graph.real(static_cast<float>(kMaxLogScale))});
  const Name arm = graph.add("Mul", {graph.add("Mul", {graph.add("Exp", {log_scale}), size}), half});
  return graph.add("Concat", {graph.add("Sub", {centre, arm}), graph.add("Add", {centre, arm})}, {axis(2)});
}

/// Width and height [N, 2] as [N, 1, 4]: for both corners.
Name of_corners(Graph& graph, const Name& sizes) {
  return graph.add("Unsqueeze", {graph.add("Concat", {sizes, sizes}, {axis(1)}), graph.integers({1})});
}

Name clipped(Graph& graph, const Name& boxes, const Name& sizes) {
  return graph.add("Min", {graph.add("Max", {boxes, graph.real(0)}), of_corners(graph, sizes)});
}

/// Scores [N, places] of the boxes that NMS keeps, kNone for all others.
Name survivors(Graph& graph, const Name& boxes, const Name& scores, const Name& labels, const Config::Detect& rule,
               int classes) {
  Name by_class = graph.add("Unsqueeze", {scores, graph.integers({1})});  // [N, 1, places]
  if (rule.class_aware) {
    Ints all(static_cast<std::size_t>(classes));
    std::iota(all.begin(), all.end(), 0);
    const Name each = graph.add("Reshape", {graph.integers(all), graph.integers({1, -1, 1})});
    const Name of_class = graph.add("Equal", {graph.add("Unsqueeze", {labels, graph.integers({1})}), each});
    by_class = graph.add("Where", {of_class, by_class, graph.real(kNone)});
  }
  const Name kept = graph.add("NonMaxSuppression",
                              {boxes, by_class, graph.integers({rule.max_detections}),
                               graph.reals({1}, {static_cast<float>(rule.nms_iou)}), graph.reals({1}, {kNone / 2})});
  const Name places = graph.add("Gather", {kept, graph.integers({0, 2})}, {axis(1)});  // picture, place
  const Name none = graph.add("Expand", {graph.real(kNone), graph.add("Shape", {scores})});
  return graph.add("ScatterND", {none, places, graph.add("GatherND", {scores, places})});
}

/// Detections of a batch, best first: [N, k, 4], [N, k], [N, k]; kNone is the score of those that there are not.
struct DetectionNodes {
  Name boxes, scores, labels;

  /// Those that `shown` [N, k] lets through, without gaps.
  DetectionNodes where(Graph& graph, const Name& shown, std::int64_t most) const {
    const std::vector<Name> left = best_of(graph, graph.add("Where", {shown, scores, graph.real(kNone)}), most);
    return {rows_of(graph, boxes, left[1]), left[0], values_of(graph, labels, left[1])};
  }
};

}  // namespace

void add_raw_outputs(Graph& graph, const HeadNodes& heads, int classes) {
  const auto add = [&](const Name& name, const std::vector<Name>& levels, std::int64_t values) {
    std::vector<Name> rows;
    for (const Name& level : levels) rows.push_back(pixels_first(graph, level, {-1, values}));
    graph.output(name, graph.add("Concat", rows, {axis(1)}), Element::f32, {"batch", "anchors", values});
  };
  add("logits", heads.logits, classes);
  add("deltas", heads.deltas, 4);
}

void add_detections(Graph& graph, const HeadNodes& heads, const InputNodes& input, const Config& config,
                    const AnchorGrid& cells, int classes, const std::vector<float>& thresholds) {
  const Config::Detect& rule = config.detect;
  const Name originals = add_sizes(graph, "original_sizes");
  const CandidateNodes found = candidates_of(graph, heads, input.padded, config, cells, classes);
  Name boxes = decoded(graph, found.anchors, found.deltas);
  if (rule.clip_before_nms) boxes = clipped(graph, boxes, input.sizes);
  const Name enough = graph.add("Greater", {found.logits, graph.real(logit_of(rule.score_threshold))});
  const Name scores = graph.add("Where", {enough, graph.add("Sigmoid", {found.logits}), graph.real(kNone)});
  const std::vector<Name> best =
      best_of(graph, survivors(graph, boxes, scores, found.labels, rule, classes), rule.max_detections);

  const Name scale = graph.add("Div", {originals, input.sizes});
  DetectionNodes left{graph.add("Mul", {rows_of(graph, boxes, best[1]), of_corners(graph, scale)}), best[0],
                      values_of(graph, found.labels, best[1])};
  if (!rule.clip_before_nms) {  // empty boxes are left out where NMS saw unclipped ones
    left.boxes = clipped(graph, left.boxes, originals);
    const std::vector<Name> corner = halves(graph, left.boxes);
    const std::vector<Name> positive = graph.add_outputs(
        "Split", 2, {graph.add("Greater", {corner[1], corner[0]}), graph.integers({1, 1})}, {axis(2)});
    const Name both = graph.add("Squeeze", {graph.add("And", positive), graph.integers({2})});
    left = left.where(graph, both, rule.max_detections);
  }
  if (!thresholds.empty()) {
    const Name least = graph.add("Gather", {graph.reals({classes}, thresholds), left.labels});
    left = left.where(graph, graph.add("GreaterOrEqual", {left.scores, least}), rule.max_detections);
  }

  const Name real = graph.add("Greater", {left.scores, graph.real(kNone / 2)});
  const auto output = [&](const Name& name, const Name& from, Element type, const Dimensions& more) {
    Dimensions all{"batch", "detections"};
    all.insert(all.end(), more.begin(), more.end());
    graph.output(name, from, type, all);
  };
  output("boxes", graph.add("Where", {graph.add("Unsqueeze", {real, graph.integers({2})}), left.boxes, graph.real(0)}),
         Element::f32, {std::int64_t{4}});
  output("scores", graph.add("Where", {real, left.scores, graph.real(0)}), Element::f32, {});
  output("labels", graph.add("Where", {real, left.labels, graph.integer(-1)}), Element::i64, {});
  graph.output(
      "counts",
      graph.add("ReduceSum", {graph.cast(real, Element::i64), graph.integers({1})}, {{"keepdims", std::int64_t{0}}}),
      Element::i64, {"batch"});
}

}  // namespace diopter::onnx_export
