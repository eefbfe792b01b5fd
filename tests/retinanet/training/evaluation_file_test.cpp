#include "retinanet/training/evaluation_file.h"

#include "kernels/base/files.h"
#include "tests/support/files.h"

using namespace diopter;
using test::TemporaryFolder;

namespace {

std::string curves_json() {
  std::string zeros = "[0";
  for (int i = 1; i < kRecalls; ++i) zeros += ",0";
  zeros += "]";
  return "{\"0.50\":" + zeros + ",\"0.75\":" + zeros + ",\"0.50:0.95\":" + zeros + "}";
}

}  // namespace

TEST_CASE("evaluation.json: every number comes back") {
  const TemporaryFolder folder;
  RunEvaluation written;
  written.iteration = 7;
  written.objects = {6, 3, 2, 1};
  written.pictures = 5;
  written.unreadable = 2;
  CocoNumbers different;
  double value = 0;
  for (const CocoNumber& column : kCocoNumbers) {
    written.stats.*column.value = value += 0.0625;
    different.*column.value = -value;
  }
  written.categories.push_back({"cat", 3, different, {}});
  written.categories[0].curves.at75[50] = 0.5;
  written.categories[0].best = OperatingPoint{0.1, 0.2, 0.3, 0.4};
  written.best = OperatingPoint{0.5, 0.6, 0.7, 0.8};
  written.confusion = {"3", "5", 57, 139};
  written.errors = {{"false_01.jpg", "a.png", "cat", 0.75}, {"missed_01.jpg", "b.png", "dog", 0}};
  write_evaluation(folder.path(), written);
  const RunEvaluation read = read_evaluation(folder.path()).value();
  CHECK(read.iteration == 7);
  CHECK(read.objects == written.objects);
  CHECK(read.pictures == 5);
  CHECK(read.unreadable == 2);
  CHECK(read.stats == written.stats);
  REQUIRE(read.categories.size() == 1);
  for (const OperatingNumber& number : kOperatingNumbers) {
    CHECK(read.best.value().*number.value == written.best.value().*number.value);
    CHECK(read.categories[0].best.value().*number.value == written.categories[0].best.value().*number.value);
  }
  CHECK(read.confusion == written.confusion);
  CHECK(read.errors == written.errors);
  CHECK(describe(read.confusion.value()) == "3 and 5 are taken for each other in 41 % of cases (57 of 139 objects)");
  CHECK(read.categories[0].stats == different);
  CHECK(read.categories[0].curves.at75 == written.categories[0].curves.at75);
}

TEST_CASE("evaluation.json: of 0.1, whose classes have fewer numbers") {
  const TemporaryFolder folder;
  folder.write(
      "evaluation.json",
      "{\"iteration\":20,\"stats\":[1,2,3,4,5,6,7,8,9,10,11,12],\"objects\":[4,3,2,1],\"precision\":" + curves_json() +
          ",\"categories\":[{\"name\":\"cat\",\"objects\":4,\"AP\":0.5,\"AP50\":0.75,\"AP75\":0.25,"
          "\"APs\":0.1,\"APm\":0.2,\"APl\":0.3,\"AR100\":0.6,\"precision\":" +
          curves_json() + "}]}\n");
  const RunEvaluation read = read_evaluation(folder.path()).value();
  CHECK(list_of(read.stats) == std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  CHECK(read.pictures == 0);
  CHECK(read.unreadable == 0);
  CHECK_FALSE(read.best);
  CHECK_FALSE(read.confusion);
  REQUIRE(read.categories.size() == 1);
  CHECK(list_of(read.categories[0].stats) ==
        std::vector<double>{0.5, 0.75, 0.25, 0.1, 0.2, 0.3, -1, -1, 0.6, -1, -1, -1});
}
