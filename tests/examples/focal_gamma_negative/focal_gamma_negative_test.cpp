// Tests of the example of docs/adding_a_kernel.md: focal.h with an exponent of its own for negatives.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "generated/source_dir.h"
#include "kernels/base/files.h"
#include "kernels/detection/losses/focal.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"

namespace diopter {

TEST_CASE("focal: an exponent for negatives") {
  const FocalLoss loss{2, 0.25f, 4};
  for (int i = -80; i <= 80; ++i) {
    const double x = i * 0.25, q = 1 / (1 + std::exp(-x));
    CHECK(loss(x, false).value == Approx(0.75 * std::pow(q, 4) * -std::log(1 - q)).epsilon(1e-6));
    CHECK(loss(x, true).value == FocalLoss{2, 0.25f}(x, true).value);
    const double measured = test::derivative([&](double v) { return loss(v, false).value; }, x, 0.01);
    CHECK(std::fabs(loss(x, false).derivative - measured) < 1e-8);
  }
}

// A change of focal.h that does not reach its copy here would make the page show the past.
TEST_CASE("focal: the example differs from focal.h in the lines of the walkthrough only") {
  const auto lines = [](const std::string& path) {
    std::vector<std::string> result;
    std::istringstream in(read_file(std::string(DIOPTER_SOURCE_DIR "/") + path));
    for (std::string line; std::getline(in, line);) result.push_back(line);
    std::sort(result.begin(), result.end());
    return result;
  };
  const std::vector<std::string> before = lines("kernels/detection/losses/focal.h");
  const std::vector<std::string> after = lines("tests/examples/focal_gamma_negative/focal.h");
  std::vector<std::string> added, removed;
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(), std::back_inserter(added));
  std::set_difference(before.begin(), before.end(), after.begin(), after.end(), std::back_inserter(removed));
  CHECK(removed.size() == 4);  // two lines of the comment, one of the table, exponent()
  CHECK(added.size() == 7);
  const std::string page = read_file(DIOPTER_SOURCE_DIR "/docs/adding_a_kernel.md");
  for (const std::string& line : added) {
    INFO(line);
    CHECK(page.find(line.substr(line.find_first_not_of(' '))) != std::string::npos);
  }
}

}  // namespace diopter
