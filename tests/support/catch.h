// Catch2, whichever version is installed (2.13 in Debian 12, 3 elsewhere).
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

#include <cstdlib>
#include <iostream>
#include <string>

namespace diopter::test {

/// Whether the AddressSanitizer slows this build down and takes terabytes of addresses: whole networks of ResNet-50's
/// size and processes with limits are left out then.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
inline constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
inline constexpr bool kSanitized = false;
#endif

/// Marks a test as skipped: ctest shows it so because of the printed word. Return from the test afterwards.
inline void skip(const std::string& reason) { std::cout << "SKIPPED: " << reason << std::endl; }

/// Folder with data sets and evaluation cases (environment variable DIOPTER_TEST_DATA), or "" when unset.
inline std::string test_data_folder() {
  const char* folder = std::getenv("DIOPTER_TEST_DATA");
  return folder ? folder : "";
}

}  // namespace diopter::test
