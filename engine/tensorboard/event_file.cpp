#include "engine/tensorboard/event_file.h"

#include <event.pb.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "kernels/base/check.h"

namespace diopter {

namespace {

using namespace tensorboard;

constexpr std::array<std::uint32_t, 256> crc_table() {
  constexpr std::uint32_t kCastagnoli = 0x82f63b78;  // bits reversed
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? kCastagnoli : 0);
    table[i] = crc;
  }
  return table;
}

template <class T>
std::string bytes_of(T value) {
  static_assert(std::endian::native == std::endian::little);
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

std::string checksum(std::string_view bytes) { return bytes_of(std::rotr(crc32c(bytes), 15) + 0xa282ead8u); }

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Event event_at(std::int64_t step) {
  Event event;
  event.set_wall_time(seconds_since_1970());
  event.set_step(step);
  return event;
}

/// Rows of TensorBoard's tensor: the three counts with true negatives among them, precision, recall.
void add_rows(const PrCurve& c, Tensor& tensor) {
  const auto add = [&](const auto& value) {
    for (std::size_t i = 0; i < c.true_positives.size(); ++i) tensor.add_float_val(static_cast<float>(value(i)));
  };
  const auto share = [](std::int64_t part, std::int64_t other, double of_nothing) {
    return part + other > 0 ? static_cast<double>(part) / static_cast<double>(part + other) : of_nothing;
  };
  add([&](std::size_t i) { return c.true_positives[i]; });
  add([&](std::size_t i) { return c.false_positives[i]; });
  add([](std::size_t) { return 0; });
  add([&](std::size_t i) { return c.false_negatives[i]; });
  add([&](std::size_t i) { return share(c.true_positives[i], c.false_positives[i], 1); });
  add([&](std::size_t i) { return share(c.true_positives[i], c.false_negatives[i], 0); });
}

}  // namespace

bool writes_event_files() { return true; }

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr std::array<std::uint32_t, 256> kTable = crc_table();
  std::uint32_t crc = ~0u;
  for (const char c : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}

EventFile::EventFile(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directory(folder, error);
  DIOPTER_CHECK(!error, folder, ": cannot be made: ", error.message());
  Event version = event_at(0);
  version.set_file_version("brain.Event:2");
  file_ = folder + "/events.out.tfevents." + std::to_string(static_cast<std::int64_t>(version.wall_time())) + "." +
          std::to_string(getpid());
  out_.open(file_, std::ios::binary | std::ios::app);
  append(version.SerializeAsString());
}

void EventFile::restart(std::int64_t step) {
  Event event = event_at(step);
  event.mutable_session_log()->set_status(SessionLog::START);
  append(event.SerializeAsString());
}

void EventFile::number(const std::string& tag, std::int64_t step, double value) {
  Event event = event_at(step);
  Summary::Value& number = *event.mutable_summary()->add_value();
  number.set_tag(tag);
  number.set_simple_value(static_cast<float>(value));
  append(event.SerializeAsString());
}

void EventFile::picture(const std::string& tag, std::int64_t step, const std::string& file, int width, int height) {
  Event event = event_at(step);
  Summary::Value& picture = *event.mutable_summary()->add_value();
  picture.set_tag(tag);
  Summary::Image& image = *picture.mutable_image();
  image.set_width(width);
  image.set_height(height);
  image.set_colorspace(3);
  image.set_encoded_image_string(file);
  append(event.SerializeAsString());
}

void EventFile::curve(const std::string& tag, std::int64_t step, const PrCurve& curve) {
  constexpr int kRows = 6;
  PrCurvePluginData plugin;
  plugin.set_num_thresholds(static_cast<std::uint32_t>(curve.true_positives.size()));
  Event event = event_at(step);
  Summary::Value& value = *event.mutable_summary()->add_value();
  value.set_tag(tag);
  SummaryMetadata::PluginData& data = *value.mutable_metadata()->mutable_plugin_data();
  data.set_plugin_name("pr_curves");
  data.set_content(plugin.SerializeAsString());
  Tensor& tensor = *value.mutable_tensor();
  tensor.set_dtype(Tensor::FLOAT);
  tensor.mutable_tensor_shape()->add_dim()->set_size(kRows);
  tensor.mutable_tensor_shape()->add_dim()->set_size(plugin.num_thresholds());
  add_rows(curve, tensor);
  append(event.SerializeAsString());
}

void EventFile::append(const std::string& message) {
  const std::string length = bytes_of(std::uint64_t{message.size()});
  out_ << length << checksum(length) << message << checksum(message);
  out_.flush();
  DIOPTER_CHECK(out_, file_, ": cannot be written: ", std::strerror(errno));
}

}  // namespace diopter
