#include "kernels/base/philox.h"

#include <vector>

#include "tests/support/catch.h"

namespace diopter {
namespace {

std::vector<std::uint32_t> words(const PhiloxBlock& block) { return {block.word, block.word + 4}; }

// kat_vectors of Random123 (Salmon et al.): counter words 0..3 and key words 0..1, lowest first.
TEST_CASE("philox: the published known answers") {
  CHECK(words(philox4x32(0, 0, 0)) == std::vector<std::uint32_t>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  const std::uint64_t ones = ~std::uint64_t{0};
  CHECK(words(philox4x32(ones, ones, ones)) ==
        std::vector<std::uint32_t>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(words(philox4x32(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88)) ==
        std::vector<std::uint32_t>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("philox: a stream is the sequence of its blocks") {
  Philox random(42, 7);
  for (std::uint64_t block = 0; block < 3; ++block) {
    for (std::uint32_t word : words(philox4x32(42, 7, block))) CHECK(random.next() == word);
  }
}

TEST_CASE("philox: streams and seeds differ, equal ones agree") {
  CHECK(Philox(1, 2).next() == Philox(1, 2).next());
  CHECK(Philox(1, 2).next() != Philox(2, 1).next());
  CHECK(Philox(1, 2).next() != Philox(1, 3).next());
}

TEST_CASE("philox: moments and ranges of the distributions") {
  Philox random(3, 0);
  const int n = 100000;
  double sum = 0, square = 0, normal_sum = 0, normal_square = 0;
  int counts[7] = {};
  bool inside = true;
  for (int i = 0; i < n; ++i) {
    const double u = random.uniform(), g = random.normal();
    inside = inside && u >= 0 && u < 1;
    sum += u, square += u * u, normal_sum += g, normal_square += g * g;
    ++counts[random.below(7)];
  }
  CHECK(inside);
  CHECK(sum / n == Approx(0.5).margin(0.005));
  CHECK(square / n == Approx(1 / 3.0).margin(0.005));
  CHECK(normal_sum / n == Approx(0).margin(0.015));
  CHECK(normal_square / n == Approx(1).margin(0.02));
  for (int count : counts) CHECK(count == Approx(n / 7.0).epsilon(0.03));
  CHECK(random.below(1) == 0);
  const float scaled = random.uniform(-3.0f, -2.0f);
  CHECK((scaled >= -3.0f && scaled < -2.0f));
}

}  // namespace
}  // namespace diopter
