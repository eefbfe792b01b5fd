// Limits on what a file may hold and may ask for, all in one table, which docs/formats.md prints. A file that exceeds
// one is refused with an Error that says which, before the memory or the time is spent.
#pragma once

#include <cstdint>
#include <string>

namespace diopter {

struct Limit {
  const char* file;  // the kind of file
  const char* of;    // what is limited
  std::int64_t value;
};

namespace limits {

inline constexpr Limit kPictureBytes{"picture", "bytes of a file that is decoded at once", std::int64_t{1} << 30};
inline constexpr Limit kPictureSide{"picture", "pixels of a side", std::int64_t{1} << 20};
inline constexpr Limit kPicturePixels{"picture", "pixels", std::int64_t{512} << 20};
inline constexpr Limit kInputPixels{"picture", "pixels at the network's input", std::int64_t{64} << 20};
inline constexpr Limit kJpegScanPixels{"JPEG", "pixels times scans", std::int64_t{1} << 30};
inline constexpr Limit kJpegScanPixelsOfByte{"JPEG", "pixels times scans, more for each byte of the file", 256};
inline constexpr Limit kGifPixelsOfByte{"GIF", "pixels for each byte of the file", 4096};  // LZW reaches 2,730
inline constexpr Limit kJsonDepth{"JSON", "values inside each other", 64};
inline constexpr Limit kTomlDepth{"TOML", "values inside each other", 16};
inline constexpr Limit kTomlKeyParts{"TOML", "parts of a dotted key", 16};
inline constexpr Limit kProtocolList{"protocol", "learning rates, seeds or contestants", 200};
inline constexpr Limit kProtocolConfigurations{"protocol", "configurations of all contestants", 2000};
inline constexpr Limit kYoloClass{"YOLO", "number of a class", 9999};
inline constexpr Limit kSafetensorsHeader{"safetensors", "bytes of the header", std::int64_t{256} << 20};
inline constexpr Limit kPickleValues{"pickle", "values, references and marks", std::int64_t{1} << 20};
inline constexpr Limit kPickleKey{"pickle", "bytes of the key of a storage", 255};

inline constexpr const Limit* kAll[] = {
    &kPictureBytes,    &kPictureSide,       &kPicturePixels, &kInputPixels,  &kJpegScanPixels, &kJpegScanPixelsOfByte,
    &kGifPixelsOfByte, &kJsonDepth,         &kTomlDepth,     &kTomlKeyParts, &kProtocolList,   &kProtocolConfigurations,
    &kYoloClass,       &kSafetensorsHeader, &kPickleValues,  &kPickleKey,
};

/// Memory that reading a file of so many bytes may take: 64 n + 256 MiB.
inline constexpr std::int64_t kMemoryFactor = 64, kMemoryConstant = std::int64_t{256} << 20;
constexpr std::int64_t memory(std::int64_t file_bytes) { return kMemoryFactor * file_bytes + kMemoryConstant; }

}  // namespace limits

/// Throws Error "PLACE: WHAT: NUMBER, at most LIMIT" when there are more than the limit allows.
void check_limit(const Limit& limit, std::int64_t number, const std::string& place);

}  // namespace diopter
