#include "kernels/host_executor/ptx/translator/names.h"

#include "tests/support/catch.h"

namespace diopter::test {

TEST_CASE("ptx: names of C++") {
  CHECK(ptx::cpp_name("%rd12") == "_rd12");
  CHECK(ptx::cpp_name("$L__BB0_2") == "_L__BB0_2");
  CHECK(ptx::register_type("s32") == "u32");
  CHECK(ptx::register_type("b64") == "u64");
  CHECK(ptx::register_type("f64") == "f64");
  CHECK(ptx::register_type("pred") == "pred");
}

TEST_CASE("ptx: shared variables lie apart") {
  ptx::Kernel kernel;
  for (const std::size_t bytes : {4u, 1024u, 5000u}) kernel.shared.push_back({"", bytes, 4});
  const std::vector<std::size_t> addresses = ptx::shared_addresses(kernel);
  REQUIRE(addresses.size() == 4);
  CHECK(addresses[0] >= 1024);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(addresses[i + 1] >= addresses[i] + kernel.shared[i].bytes + 1024);
    CHECK(addresses[i + 1] % 1024 == 0);
  }
}

}  // namespace diopter::test
