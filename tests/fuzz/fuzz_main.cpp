// One target as a program of libFuzzer: DIOPTER_FUZZ_TARGETS gives the list that it is in, DIOPTER_FUZZ_NAME its name.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const diopter::fuzz::Target& target = []() -> const diopter::fuzz::Target& {
    for (const auto& t : diopter::fuzz::DIOPTER_FUZZ_TARGETS()) {
      if (std::strcmp(t.name, DIOPTER_FUZZ_NAME) == 0) return t;
    }
    std::abort();
  }();
  run_within_limits(target, {reinterpret_cast<const char*>(data), size});
  return 0;
}
