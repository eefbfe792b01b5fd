// Files that TensorBoard shows: numbers, pictures and precision-recall curves over the steps of a run.
//
// An event is a protobuf message (event.proto) in a record of TensorFlow's record files:
//   length u64 | checksum of the length u32 | message | checksum of the message u32,  little-endian
//   checksum = rotate_right(c, 15) + 0xa282ead8,  c: CRC-32C (Castagnoli)
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace diopter {

/// Whether this build can write event files; it needs protobuf.
bool writes_event_files();

/// Counts of detections that are taken from a score on, for n thresholds evenly from 0 to 1: [n] each.
struct PrCurve {
  std::vector<std::int64_t> true_positives, false_positives, false_negatives;
};

/// CRC-32C of bytes.
std::uint32_t crc32c(std::string_view bytes);

/// One event file. Events are written at once, so that they can be watched. Each throws Error "FILE: reason" when it
/// cannot be written.
class EventFile {
 public:
  /// Makes the folder (not those above it) and a new file in it, events.out.tfevents.SECONDS.PROCESS. Throws Error also
  /// in a build without protobuf.
  explicit EventFile(const std::string& folder);

  const std::string& file() const { return file_; }

  /// The run goes on: events of this step and later ones, in earlier files of the folder, do not count any more.
  void restart(std::int64_t step);
  void number(const std::string& tag, std::int64_t step, double value);
  /// `file`: the bytes of a PNG or JPEG file of so many pixels, RGB.
  void picture(const std::string& tag, std::int64_t step, const std::string& file, int width, int height);
  /// Precision is 1 and recall 0 where nothing is taken. True negatives, which detection does not have, are 0.
  void curve(const std::string& tag, std::int64_t step, const PrCurve& curve);

 private:
  void append(const std::string& message);

  std::string file_;
  std::ofstream out_;
};

}  // namespace diopter
