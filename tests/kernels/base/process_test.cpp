#include "kernels/base/process.h"

#include <sys/resource.h>

#include <vector>

#include "tests/support/catch.h"

TEST_CASE("process: the peak of resident memory grows with what is touched, and stays") {
  const double before = diopter::peak_resident_mib();
  {
    const std::vector<char> touched(std::size_t{64} << 20, 1);
    const volatile std::size_t place = 1 << 20;  // unknown to the compiler, which might do without the array
    CHECK(touched[place] == 1);
    CHECK(diopter::peak_resident_mib() >= 64);
  }
  CHECK(diopter::peak_resident_mib() >= before);
}

TEST_CASE("process: memory that is left, and what limits it") {
  const diopter::AvailableMemory before = diopter::available_memory();
  CHECK(before.bytes > 0);
  CHECK(diopter::peak_resident_mib() > 1);
  if (diopter::test::kSanitized) return;  // it takes terabytes of addresses
  rlimit usual{};
  REQUIRE(getrlimit(RLIMIT_AS, &usual) == 0);
  const rlimit limit{rlim_t{1} << 30, usual.rlim_max};
  REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
  const diopter::AvailableMemory limited = diopter::available_memory();
  REQUIRE(setrlimit(RLIMIT_AS, &usual) == 0);
  CHECK(limited.limit == "ulimit -v");
  CHECK(limited.bytes < std::int64_t{1} << 30);  // less what is in use
}
