// Event files of TensorBoard, read back. For tests that are built with protobuf only.
#pragma once

#include <event.pb.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/base/files.h"
#include "tests/support/catch.h"

namespace diopter::test {

/// CRC-32C bit by bit, and masked as in TensorFlow's record files.
inline std::uint32_t masked_checksum(const std::string& bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const char c : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      const bool carry = (crc ^ static_cast<unsigned char>(c) >> bit) & 1;
      crc = crc >> 1 ^ (carry ? 0x82f63b78 : 0);
    }
  }
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xa282ead8;
}

template <class T>
T number_at(const std::string& bytes, std::size_t at) {
  T value;
  REQUIRE(at + sizeof value <= bytes.size());
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

/// The events of a file; requires that its records are whole and their checksums right.
inline std::vector<tensorboard::Event> events_of(const std::string& file) {
  const std::string bytes = read_file(file);
  std::vector<tensorboard::Event> events;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto length = number_at<std::uint64_t>(bytes, at);
    REQUIRE(number_at<std::uint32_t>(bytes, at + 8) == masked_checksum(bytes.substr(at, 8)));
    const std::string message = bytes.substr(at + 12, length);
    REQUIRE(number_at<std::uint32_t>(bytes, at + 12 + length) == masked_checksum(message));
    REQUIRE(events.emplace_back().ParseFromString(message));
    at += 16 + length;
  }
  return events;
}

}  // namespace diopter::test
