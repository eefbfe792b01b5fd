#include "retinanet/network/detect.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "engine/profile/profile.h"
#include "kernels/toolkit/dispatch.h"
#include "retinanet/detection/candidates.h"
#include "retinanet/network/found_in_views.h"
#include "retinanet/network/input.h"

namespace diopter {

namespace {

// Of the input, for the network on a CPU: more pictures at once take no less time each there, only more memory.
constexpr std::int64_t kPixelsAtOnce = 1 << 19;

constexpr const char* kNotFinite = "the network gives values that are not finite: its weights are damaged or too large";

/// From the resized picture to the original one; clipped to it, empty boxes are left out where NMS saw unclipped ones.
bool to_original(Box& box, const float* size, const float* original, bool clip) {
  const float rx = original[0] / size[0], ry = original[1] / size[1];
  box = {box.x1 * rx, box.y1 * ry, box.x2 * rx, box.y2 * ry};
  if (!clip) return true;
  box = {std::clamp(box.x1, 0.0f, original[0]), std::clamp(box.y1, 0.0f, original[1]),
         std::clamp(box.x2, 0.0f, original[0]), std::clamp(box.y2, 0.0f, original[1])};
  return box.x2 > box.x1 && box.y2 > box.y1;
}

/// Post-processing: queues what writes the survivors of NMS to `kept`. sizes [images, 2]: of the pictures, in the
/// input.
void find_kept(const RetinaNet& model, const RetinaNet::Output& output, const Tensor& sizes, const Tensor& kept) {
  const ProfiledScope phase("post-processing");
  const Config::Detect& rule = model.config().detect;
  gather_kept(find_candidates({.min_value = logit_of(rule.score_threshold),
                               .top_k = rule.top_k,
                               .sigmoid = true,
                               .nms_iou = static_cast<float>(rule.nms_iou),
                               .class_aware = rule.class_aware,
                               .max_kept = rule.max_detections},
                              output.grid, model.classes(), output.logits, output.deltas,
                              rule.clip_before_nms ? sizes : Tensor()),
              kept);
}

/// Throws Error for logits that are not finite, which no threshold lets through: nothing would be found, without a
/// word. Looked at are those of the coarsest level, which see the most of a picture and are few.
void check_finite(const Pyramid& logits) {
  const std::vector<float> values = logits.level(logits.levels.count - 1).cast(DType::f32).to_vector<float>();
  DIOPTER_CHECK(std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }), kNotFinite);
}

/// The kept boxes [images, max_detections] in the original pictures: those of the batch from `first` on.
std::vector<std::vector<DetectedBox>> in_originals(const Config::Detect& rule, const KeptBox* kept, const Batch& batch,
                                                   int first, int images) {
  std::vector<std::vector<DetectedBox>> result(static_cast<std::size_t>(images));
  for (int n = 0; n < images; ++n, kept += rule.max_detections) {
    const float *size = &batch.sizes[2 * (first + n)], *original = &batch.original_sizes[2 * (first + n)];
    for (int i = 0; i < rule.max_detections && kept[i].label >= 0; ++i) {
      Box box = kept[i].box;
      DIOPTER_CHECK(std::isfinite(box.x1) && std::isfinite(box.y1) && std::isfinite(box.x2) && std::isfinite(box.y2),
                    kNotFinite);
      if (to_original(box, size, original, !rule.clip_before_nms)) {
        result[n].push_back({box, kept[i].label, kept[i].score});
      }
    }
  }
  return result;
}

}  // namespace

float logit_of(double p) { return p > 0 ? static_cast<float>(std::log(p / (1 - p))) : -INFINITY; }

Detector::Detector(const RetinaNet& model) : model_(model), staging_(model.device()) {}

std::vector<std::vector<DetectedBox>> Detector::operator()(const Batch& batch) {
  if (model_.device() == Device::cuda) return on_gpu(batch);
  const Tensor input = input_of(batch).value();
  const std::int64_t pixels = std::int64_t{batch.height} * batch.width;
  const int at_once = static_cast<int>(std::max<std::int64_t>(1, kPixelsAtOnce / pixels));
  std::vector<std::vector<DetectedBox>> found;
  for (int first = 0; first < batch.images; first += at_once) {
    const Variable part(input.slice(first, std::min(first + at_once, batch.images)));
    const RetinaNet::Output output = model_(part);
    check_finite(output.logits);
    for (auto& of_image : detections_of(model_, output, batch, first)) found.push_back(std::move(of_image));
  }
  return found;
}

std::vector<std::vector<DetectedBox>> Detector::on_gpu(const Batch& batch) {
  const Config::Detect& rule = model_.config().detect;
  const Shape shape{batch.images, batch.height, batch.width, 3};
  Recorded fresh;
  Recorded* at = rule.cuda_graph ? sizes_.find(shape) : nullptr;
  if (!at) at = &fresh;
  if (!at->images.defined()) {
    at->images = Tensor::empty(shape, DType::f32, Device::cuda);
    at->sizes = Tensor::empty({batch.images, 2}, DType::f32, Device::cuda);
    at->kept = room_for_kept(batch.images, rule.max_detections, Device::cuda);
    if (at != &fresh) record(*at);
  }
  const StagedPictures pictures(batch, at->images);
  std::vector<StagedArray> arrays = pictures.arrays();
  arrays.push_back({batch.sizes.data(), at->sizes});
  staging_.upload(arrays);
  pictures.finish();
  at->work ? at->work() : queue(*at);

  const ProfiledScope phase("read detections");
  if (!found_ || found_->bytes() < at->kept.bytes()) {
    found_ = DIOPTER_DISPATCH(Device::cuda, make_pinned_buffer, at->kept.bytes());
  }
  found_->download(at->kept.raw(), at->kept.bytes());
  return in_originals(rule, static_cast<const KeptBox*>(found_->data()), batch, 0, batch.images);
}

void Detector::record(Recorded& recorded) {
  recorded.work = DIOPTER_DISPATCH(Device::cuda, capture_graph, [this, &recorded] { queue(recorded); });
  ++recorded_;
}

void Detector::queue(const Recorded& at) const { find_kept(model_, model_(Variable(at.images)), at.sizes, at.kept); }

std::vector<FoundInPicture> PictureAssembly::add(const std::vector<PictureView>& views,
                                                 std::vector<std::vector<DetectedBox>> found) {
  std::vector<FoundInPicture> finished;
  for (std::size_t n = 0; n < found.size(); ++n) {
    const PictureView& view = views[n];
    if (view.picture != picture_) views_.clear();
    picture_ = view.picture;
    const float x = static_cast<float>(view.window.x), y = static_cast<float>(view.window.y);
    for (DetectedBox& d : found[n]) d.box = {d.box.x1 + x, d.box.y1 + y, d.box.x2 + x, d.box.y2 + y};
    views_.push_back({view.window, std::move(found[n])});
    if (!view.last) continue;
    finished.push_back({picture_, merge_views(views_, static_cast<float>(rule_.nms_iou), rule_.class_aware)});
    views_.clear();
  }
  return finished;
}

std::vector<DetectedBox> detect_in(Detector& detector, const Image& picture) {
  const RetinaNet& model = detector.model();
  LoaderOptions options = loader_options(model.config(), model.device());
  options.batch_size = model.config().detect.batch_size;
  PictureAssembly assembly(model.config().detect);
  std::vector<DetectedBox> found;
  for_each_batch(picture, options, [&](const Batch& batch) {
    for (FoundInPicture& whole : assembly.add(batch.views, detector(batch))) found = std::move(whole.boxes);
  });
  return found;
}

std::vector<std::vector<DetectedBox>> detect(const RetinaNet& model, const Batch& batch) {
  return Detector(model)(batch);
}

std::vector<std::vector<DetectedBox>> detections_of(const RetinaNet& model, const RetinaNet::Output& output,
                                                    const Batch& batch, int first) {
  const Config::Detect& rule = model.config().detect;
  const int images = output.logits.levels.level[0].n;
  const float* first_size = &batch.sizes[2 * first];
  const Tensor sizes =
      Tensor::from({images, 2}, std::vector<float>(first_size, first_size + 2 * images), model.device());
  const Tensor kept = room_for_kept(images, rule.max_detections, model.device());
  find_kept(model, output, sizes, kept);
  const std::vector<std::uint8_t> bytes = kept.to_vector<std::uint8_t>();
  std::vector<KeptBox> boxes(bytes.size() / sizeof(KeptBox));
  std::memcpy(boxes.data(), bytes.data(), bytes.size());
  return in_originals(rule, boxes.data(), batch, first, images);
}

std::vector<Detection> detect_all(const RetinaNet& model, const Dataset& dataset,
                                  const std::vector<std::int64_t>& category_ids,
                                  const std::function<void(std::int64_t, std::int64_t)>& progress,
                                  std::vector<UnreadablePicture>* skipped, Communicator& ranks) {
  LoaderOptions options = loader_options(model.config(), model.device());
  options.batch_size = model.config().detect.batch_size;
  options.skip_undecodable = skipped != nullptr;
  options.shards = {ranks.ranks(), ranks.rank(), ranks.ranks()};
  EvaluationLoader loader(dataset, options);
  std::vector<Detection> detections;
  const std::int64_t total = std::ssize(dataset.images);
  std::int64_t done = 0;
  const auto next = [&](Batch& batch) {
    const ProfiledScope phase("load");
    return loader.next(batch);
  };
  Detector detector(model);
  PictureAssembly assembly(model.config().detect);
  const bool tiled = options.tiles.size > 0;
  Batch batch;
  for (std::int64_t first = 0; first < loader.batches(); first += ranks.ranks()) {
    FoundInViews mine;
    if (next(batch) && batch.images > 0) mine = {batch.views, detector(batch)};
    for (FoundInViews& of_rank : gather_found(ranks, std::move(mine))) {
      for (const FoundInPicture& found : assembly.add(of_rank.views, std::move(of_rank.found))) {
        for (const DetectedBox& d : found.boxes) {
          const double x = d.box.x1, y = d.box.y1, width = double{d.box.x2} - x, height = double{d.box.y2} - y;
          detections.push_back(
              {dataset.images[found.picture].id, category_ids[d.label], {x, y, width, height}, d.score});
        }
        if (tiled) done = static_cast<std::int64_t>(found.picture) + 1;
      }
    }
    if (!tiled) done = std::min(done + options.batch_size * ranks.ranks(), total);
    if (progress) progress(done, total);
  }
  if (!skipped) return detections;
  *skipped = gather_skipped(ranks, loader.take_skipped());
  // One process may have skipped a picture for its damage of which another has seen the last view.
  std::erase_if(detections, [&](const Detection& d) {
    return std::any_of(skipped->begin(), skipped->end(),
                       [&](const UnreadablePicture& s) { return dataset.images[s.image].id == d.image_id; });
  });
  DIOPTER_CHECK(skipped->empty() || skipped->size() < dataset.images.size(), "none of the ", skipped->size(),
                " pictures can be decoded; the first: ", skipped->front().reason);
  return detections;
}

}  // namespace diopter
