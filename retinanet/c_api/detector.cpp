// Trained detectors of the C interface.
#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/device.h"
#include "retinanet/c_api/arrays.h"
#include "retinanet/c_api/call.h"
#include "retinanet/network/detect.h"
#include "retinanet/weights/weights.h"

namespace diopter::c_api {

namespace {

/// An open detector.
struct OpenDetector {
  explicit OpenDetector(LoadedModel loaded_model) : loaded(std::move(loaded_model)), detector(*loaded.model) {}

  const LoadedModel loaded;
  std::mutex mutex;  // of the detector
  Detector detector;
};

/// The open detectors by number. A call keeps the one it uses, so that another thread may close it meanwhile.
class OpenDetectors {
 public:
  diopter_detector add(std::shared_ptr<OpenDetector> detector) {
    const std::lock_guard lock(mutex_);
    open_.emplace(++last_, std::move(detector));
    return last_;
  }
  std::shared_ptr<OpenDetector> find(diopter_detector number) {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(number);
    require(found != open_.end(), "detector: ", number, " is ",
            number > 0 && number <= last_ ? "closed" : "none that diopter_detector_open has given");
    return found->second;
  }
  void remove(diopter_detector number) {
    const std::shared_ptr<OpenDetector> last_use = find(number);  // ends outside of the lock
    const std::lock_guard lock(mutex_);
    open_.erase(number);
  }

 private:
  std::mutex mutex_;
  diopter_detector last_ = 0;
  std::map<diopter_detector, std::shared_ptr<OpenDetector>> open_;
};

/// Never destroyed: other threads may still detect when the process ends.
OpenDetectors& detectors() {
  static auto* const all = new OpenDetectors;
  return *all;
}

void open(const char* checkpoint, const char* device, diopter_detector* detector) {
  require(checkpoint, "checkpoint: is null, must be the name of a checkpoint or run folder");
  require(device, "device: is null, must be \"cpu\", \"cuda\" or \"auto\"");
  require(detector, "detector: is null, must be where the detector's number goes");
  *detector = 0;
  *detector = detectors().add(std::make_shared<OpenDetector>(load_model(checkpoint, device_from_name(device))));
}

void describe(diopter_detector number, diopter_detector_info* info) {
  const std::shared_ptr<OpenDetector> detector = detectors().find(number);
  require(info, "info: is null, must be a diopter_detector_info");
  check_struct_size("info", info->struct_size, sizeof *info, sizeof *info);
  info->classes = static_cast<std::int32_t>(detector->loaded.classes.size());
  info->max_detections = detector->loaded.model->config().detect.max_detections;
}

void class_name(diopter_detector number, std::int32_t label, char* name, std::size_t size) {
  const std::shared_ptr<OpenDetector> detector = detectors().find(number);
  const std::vector<std::string>& classes = detector->loaded.classes;
  require(label >= 0 && label < std::ssize(classes), "label: is ", label, ", must be from 0 to ", classes.size() - 1);
  require(name, "name: is null, must be room for the name");
  const std::string& text = classes[static_cast<std::size_t>(label)];
  require(text.size() < size, "size: is ", size, ", must be at least ", text.size() + 1);
  std::memcpy(name, text.c_str(), text.size() + 1);
}

Image image_of(const diopter_tensor* picture) {
  Arrays arrays = Arrays::of_host();
  const auto* pixels = arrays.get<std::uint8_t>("picture", picture, {kAny, kAny, 3});
  require(picture->shape[0] > 0 && picture->shape[1] > 0, "picture: is ", picture->shape[0], " pixels high and ",
          picture->shape[1], " wide, must have at least one");
  Image image;
  image.height = as_int(picture->shape[0], "rows");
  image.width = as_int(picture->shape[1], "columns");
  image.rgb.assign(pixels, pixels + element_count(*picture));
  return image;
}

void detect(diopter_detector number, const diopter_tensor* picture, const diopter_tensor* boxes,
            const diopter_tensor* scores, const diopter_tensor* labels, std::int32_t* found) {
  const std::shared_ptr<OpenDetector> detector = detectors().find(number);
  const Image image = image_of(picture);
  Arrays arrays = Arrays::of_host();
  float* corners = arrays.get<float>("boxes", boxes, {kAny, 4});
  const std::int64_t room = boxes->shape[0];
  float* score = arrays.get<float>("scores", scores, {room});
  auto* label = arrays.get<std::int32_t>("labels", labels, {room});
  require(found, "found: is null, must be where the number of objects goes");

  const std::lock_guard lock(detector->mutex);
  const std::vector<DetectedBox> all = detect_in(detector->detector, image);
  *found = as_int(std::ssize(all), "objects");
  for (std::int64_t i = 0; i < std::min(room, std::ssize(all)); ++i) {
    const DetectedBox& object = all[static_cast<std::size_t>(i)];
    set_box(corners, i, object.box);
    score[i] = object.score;
    label[i] = object.label;
  }
}

}  // namespace

}  // namespace diopter::c_api

using diopter::c_api::guarded;

int diopter_detector_open(const char* checkpoint, const char* device, diopter_detector* detector) {
  return guarded(__func__, [&] { diopter::c_api::open(checkpoint, device, detector); });
}

int diopter_detector_describe(diopter_detector detector, diopter_detector_info* info) {
  return guarded(__func__, [&] { diopter::c_api::describe(detector, info); });
}

int diopter_detector_class_name(diopter_detector detector, int32_t label, char* name, size_t size) {
  return guarded(__func__, [&] { diopter::c_api::class_name(detector, label, name, size); });
}

int diopter_detector_detect(diopter_detector detector, const diopter_tensor* picture, const diopter_tensor* boxes,
                            const diopter_tensor* scores, const diopter_tensor* labels, int32_t* found) {
  return guarded(__func__, [&] { diopter::c_api::detect(detector, picture, boxes, scores, labels, found); });
}

int diopter_detector_close(diopter_detector detector) {
  return guarded(__func__, [&] { diopter::c_api::detectors().remove(detector); });
}
