#include "data/readers/csv.h"

#include <ctime>

#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

std::string error_with(const std::string& text, const std::vector<std::string>& categories = {}) {
  const TemporaryFolder folder;
  const std::string file = folder.write("boxes.csv", text);
  const std::string error = error_of([&] { read_csv(file, "", categories); });
  return contains(error, file) ? error.substr(folder.path("").size() + 1) : error;
}

}  // namespace

TEST_CASE("a CSV file is read") {
  const TemporaryFolder folder;
  const std::string file = folder.write("boxes.csv",
                                        "\xEF\xBB\xBFpath,x1,y1,x2,y2,class\r\n"
                                        "b.jpg,10,20.5,30,40,dog\r\n"
                                        "empty.jpg,,,,,\r\n"
                                        "\r\n"
                                        "/abs/a.jpg, 0 ,0,1,1,\"cat, \"\"big\"\"\"\r\n"
                                        "b.jpg,-1,0,5,5,ant");
  const Dataset dataset = read_csv(file, "");
  REQUIRE(dataset.categories.size() == 3);
  CHECK(dataset.categories[0].name == "ant");
  CHECK(dataset.categories[0].id == 1);
  CHECK(dataset.categories[1].name == "cat, \"big\"");
  CHECK(dataset.categories[2].name == "dog");
  REQUIRE(dataset.images.size() == 3);
  CHECK(dataset.images[0].name == "b.jpg");
  CHECK(dataset.images[0].file == folder.path("b.jpg"));
  REQUIRE(dataset.images[0].annotations.size() == 2);
  CHECK(dataset.images[0].annotations[0].category == 2);
  CHECK(dataset.images[0].annotations[0].rect.box() == Box{10, 20.5f, 30, 40});
  CHECK(dataset.images[0].annotations[0].area == 390);
  CHECK(dataset.images[0].annotations[1].category == 0);
  CHECK(dataset.images[0].annotations[1].rect.box() == Box{-1, 0, 5, 5});
  CHECK(dataset.images[1].name == "empty.jpg");
  CHECK(dataset.images[1].annotations.empty());
  CHECK(dataset.images[2].id == 3);
  CHECK(dataset.images[2].file == "/abs/a.jpg");

  CHECK(read_csv(file, "/pictures").images[0].file == "/pictures/b.jpg");
}

TEST_CASE("given classes decide the numbers of CSV classes") {
  const TemporaryFolder folder;
  const std::string file = folder.write("boxes.csv", "a.jpg,1,2,3,4,cat\n");
  const Dataset dataset = read_csv(file, "", {"dog", "cat"});
  REQUIRE(dataset.categories.size() == 2);
  CHECK(dataset.images[0].annotations[0].category == 1);
}

TEST_CASE("bad CSV files are errors with file and line") {
  const std::string good = "a.jpg,1,2,3,4,cat\n";
  CHECK(error_with(good + "a.jpg,1,2,3,4\n") ==
        "boxes.csv: line 2: 5 columns instead of the six of path,x1,y1,x2,y2,class");
  CHECK(contains(error_with("a.jpg\n"), "boxes.csv: line 1: 1 column instead"));
  CHECK(contains(error_with(good + "a.jpg,1,2,3,4,cat,0.5\n"), "boxes.csv: line 2: 7 columns"));
  CHECK(error_with(good + "a.jpg,1,nan,3,4,cat\n") == "boxes.csv: line 2: y1 is 'nan', not a finite number");
  CHECK(error_with("a.jpg,1,2,inf,4,cat\n") == "boxes.csv: line 1: x2 is 'inf', not a finite number");
  CHECK(error_with("a.jpg,1,2,3,4x,cat\n") == "boxes.csv: line 1: y2 is '4x', not a finite number");
  CHECK(error_with("a.jpg,1,2,,4,cat\n") == "boxes.csv: line 1: x2 is '', not a finite number");
  CHECK(error_with(good + "path,x1,y1,x2,y2,class\n") == "boxes.csv: line 2: x1 is 'x1', not a finite number");
  for (const char* header : {"path,1,y1,x2,y2,class\n", "path,x1,y1,x2,2,class\n"}) {  // one number is no header
    CHECK(contains(error_with(header + good), "boxes.csv: line 1: "));
  }
  CHECK(error_with("a.jpg,3,2,3,4,cat\n") == "boxes.csv: line 1: x2 is not larger than x1");
  CHECK(error_with("a.jpg,1,5,3,4,cat\n") == "boxes.csv: line 1: y2 is not larger than y1");
  CHECK(error_with("a.jpg,1,2,3,4,\n") == "boxes.csv: line 1: the class has no name");
  CHECK(error_with(",1,2,3,4,cat\n") == "boxes.csv: line 1: the path is empty");
  CHECK(error_with("\"a.jpg,1,2,3,4,cat\n") == "boxes.csv: line 1: a quote is not closed");
  CHECK(error_with(good, {"dog"}) == "boxes.csv: line 1: class 'cat' is not one of 'dog'");
  CHECK(error_with("") == "boxes.csv: no pictures are listed");
  CHECK(error_with("path,x1,y1,x2,y2,class\n") == "boxes.csv: no pictures are listed");

  const TemporaryFolder folder;
  CHECK(error_of([&] { read_csv(folder.path("none.csv"), ""); }) == folder.path("none.csv") + ": no such file");
  CHECK(error_of([&] { read_csv(folder.path(), ""); }) == folder.path() + ": is a folder, not a file");
}

TEST_CASE("the trees' CSV file is read") {
  const std::string data = test_data_folder();
  if (data.empty()) return skip("DIOPTER_TEST_DATA is not set");
  const std::string folder = data + "/datasets/deepforest_trees/";
  const Dataset dataset = read_csv(folder + "annotations_original/OSBS_029.csv", folder + "images");
  REQUIRE(dataset.images.size() == 1);
  CHECK(dataset.images[0].annotations.size() == 61);
  CHECK(dataset.images[0].annotations[0].rect.box() == Box{203, 67, 227, 90});
}

TEST_CASE("CSV: a class a line takes time in proportion to the lines") {
  const TemporaryFolder folder;
  constexpr int kLines = 100000;
  std::string text;
  for (int i = 0; i < kLines; ++i) text += "a.jpg,0,0,9,9,class " + std::to_string(i) + "\n";
  const std::string file = folder.write("a.csv", text);
  const std::clock_t begin = std::clock();
  CHECK(read_csv(file, "").categories.size() == kLines);
  CHECK(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC < 10);
}

TEST_CASE("class names that are not UTF-8 are refused where they stand") {
  const auto error = [](const std::string& name) { return error_with("a.jpg,1,2,3,4," + name + "\n"); };
  CHECK(error("K\xC3\xA4"
              "fer") == "");
  CHECK(error("\xE7\x94\xB2\xE8\x99\xAB \xF0\x9F\x90\x9E") == "");
  const std::string refused = "boxes.csv: line 1: the name of the class is not UTF-8 text; save the file as UTF-8";
  CHECK(error("K\xE4"
              "fer") == refused);       // Latin-1
  CHECK(error("abc\xC3") == refused);   // cut off
  CHECK(error("\xC0\xAF") == refused);  // longer than need be
  CHECK(error("\xE0\x80\xAF") == refused);
  CHECK(error("\xED\xA0\x80") == refused);      // a surrogate
  CHECK(error("\xF5\x80\x80\x80") == refused);  // beyond Unicode
  CHECK(error("\xF0\x9F\x90x") == refused);
}
