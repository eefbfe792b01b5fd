#include "kernels/base/process.h"

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
