#include "data/readers/csv.h"

#include <ctime>

#include "data/pictures/image.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

std::string csv_error(const std::string& text, const std::vector<std::string>& categories = {}) {
  const TemporaryFolder folder;
  const std::string file = folder.write("boxes.csv", text);
  const std::string error = error_of([&] { read_csv(file, {.categories = categories}); });
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
  const Dataset dataset = read_csv(file, {});
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

  CHECK(read_csv(file, {.images = "/pictures"}).images[0].file == "/pictures/b.jpg");
}

TEST_CASE("given classes decide the numbers of CSV classes") {
  const TemporaryFolder folder;
  const std::string file = folder.write("boxes.csv", "a.jpg,1,2,3,4,cat\n");
  const Dataset dataset = read_csv(file, {.categories = {"dog", "cat"}});
  REQUIRE(dataset.categories.size() == 2);
  CHECK(dataset.images[0].annotations[0].category == 1);
}

TEST_CASE("bad CSV files are errors with file and line") {
  const std::string good = "a.jpg,1,2,3,4,cat\n";
  CHECK(csv_error("a.jpg\n") ==
        "boxes.csv: line 1: 1 column and no header: without one the columns are path,x1,y1,x2,y2,class");
  CHECK(contains(csv_error("a.jpg,1,2,3,4,cat,0.5\n"), "boxes.csv: line 1: 7 columns and no header"));
  CHECK(csv_error("a.jpg,1,2,3,4,\n") == "boxes.csv: line 1: the class has no name");
  CHECK(csv_error(",1,2,3,4,cat\n") == "boxes.csv: line 1: the path is empty");
  CHECK(csv_error("\"a.jpg,1,2,3,4,cat\n") == "boxes.csv: line 1: a quote is not closed");
  CHECK(csv_error(good, {"dog"}) == "boxes.csv: line 1: class 'cat' is not one of 'dog'");
  CHECK(csv_error("") == "boxes.csv: no pictures are listed");
  CHECK(csv_error("path,x1,y1,x2,y2,class\n") == "boxes.csv: no pictures are listed");

  const TemporaryFolder folder;
  CHECK(error_of([&] { read_csv(folder.path("none.csv"), {}); }) == folder.path("none.csv") + ": no such file");
  CHECK(error_of([&] { read_csv(folder.path(), {}); }) == folder.path() + ": is a folder, not a file");
}

TEST_CASE("rows of a CSV file that cannot be used are left out and counted, or refused by a strict reader") {
  const TemporaryFolder folder;
  const std::pair<const char*, const char*> cases[] = {
      {"a.jpg,1,2,3,4", "no_label"},           {"a.jpg,1,nan,3,4,cat", "not_finite"},
      {"a.jpg,1,2,inf,4,cat", "not_finite"},   {"a.jpg,1,2,3,4x,cat", "not_finite"},
      {"a.jpg,1,2,,4,cat", "not_finite"},      {"path,x1,y1,x2,y2,class", "not_finite"},
      {"path,1,y1,x2,y2,class", "not_finite"},  // one number is no header
      {"a.jpg,3,2,3,4,cat", "empty_box"},      {"a.jpg,1,5,3,4,cat", "empty_box"}};
  for (const auto& [row, kind] : cases) {
    INFO(row);
    const std::string file = folder.write("boxes.csv", std::string("a.jpg,1,2,3,4,cat\n") + row + "\n");
    const Dataset dataset = read_csv(file, {});
    CHECK(dataset.images[0].annotations.size() == 1);
    REQUIRE(dataset.findings.size() == 1);
    CHECK(dataset.findings[0].kind == kind);
    CHECK(dataset.findings[0].dropped);
    CHECK(contains(dataset.warnings.at(0), "line 2"));
    CHECK(contains(error_of([&] { read_csv(file, {.strict = true}); }), file + ": line 2"));
  }
}

TEST_CASE("columns of a CSV file are found by the names in its header") {
  const TemporaryFolder folder;
  const auto box_of = [&](const std::string& text) {
    const Dataset dataset = read_csv(folder.write("boxes.csv", text), {});
    REQUIRE(dataset.images.size() == 1);
    CHECK(dataset.images[0].name == "a.jpg");
    CHECK(dataset.categories.at(0).name == "cat");
    return dataset.images[0].annotations.at(0).rect.box();
  };
  const Box expected{12, 10, 40, 30};
  CHECK(box_of("filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,64,48,cat,12,10,40,30\n") == expected);
  CHECK(box_of("image_path,xmin,xmax,ymin,ymax,label\na.jpg,12,40,10,30,cat\n") == expected);
  CHECK(box_of("filename,x,y,width,height,class\na.jpg,12,10,28,20,cat\n") == expected);
  CHECK(box_of("\"image\",\"xmin\",\"ymin\",\"xmax\",\"ymax\",\"label\"\n\"a.jpg\",12,10,40,30,\"cat\"\n") == expected);
  CHECK(box_of("score;CLASS NAME;X_Max;Y_Max;X_Min;Y_Min;File\n0.9;cat;40;30;12;10;a.jpg\n") == expected);
  CHECK(box_of("a.jpg;12;10;40;30;cat\n") == expected);
  CHECK(box_of("a.jpg\t12\t10\t40\t30\tcat\n") == expected);
  CHECK(box_of("image_path,xmin,ymin,xmax,ymax,label,geometry\na.jpg,12,10,40,30,cat,\"POLYGON ((40 12, 1 1))\"\n") ==
        expected);
  const Dataset sized =
      read_csv(folder.write("boxes.csv",
                            "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,64,48,cat,1,1,2,2\n"
                            "a.jpg,64,48,cat,64,1,70,2\n"),
               {});
  CHECK(sized.images[0].width == 64);
  CHECK(sized.images[0].height == 48);
  CHECK(sized.findings.at(0).kind == "outside");
  CHECK(contains(csv_error("filename,xmin,ymin,xmax,label\na.jpg,1,2,3,cat\n"),
                 "line 1: no column of this header is the lower edge; it may be called ymax, y2, bottom, ybr"));
}

TEST_CASE("Open Images: shares of the picture, groups are crowds, names without an extension") {
  const TemporaryFolder folder;
  write_image(folder.path("a.png"), {64, 64, std::vector<std::uint8_t>(3 * 64 * 64)});
  const Dataset dataset = read_csv(
      folder.write("boxes.csv",
                   "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf\n"
                   "a,xclick,/m/01yrx,1,0.1875,0.625,0.15625,0.46875,0,0,0\na,xclick,/m/01yrx,1,0,0.5,0,0.5,0,0,1\n"),
      {});
  REQUIRE(dataset.images.at(0).annotations.size() == 2);
  CHECK(dataset.images[0].file == folder.path("a.png"));
  CHECK(dataset.images[0].annotations[0].rect.box() == Box{12, 10, 40, 30});
  CHECK_FALSE(dataset.images[0].annotations[0].crowd);
  CHECK(dataset.images[0].annotations[1].crowd);
}

TEST_CASE("CSV rows without a box or with four zeros are negatives and give no class") {
  const TemporaryFolder folder;
  const Dataset dataset = read_csv(
      folder.write("boxes.csv",
                   "image_path,xmin,ymin,xmax,ymax,label\na.jpg,1,2,3,4,Tree\nb.jpg,0,0,0,0,House\nc.jpg,,,,,\n"),
      {});
  CHECK(dataset.images.size() == 3);
  CHECK(dataset.categories.size() == 1);
  CHECK(dataset.findings.empty());
}

TEST_CASE("the trees' CSV file is read") {
  const std::string data = test_data_folder();
  if (data.empty()) return skip("DIOPTER_TEST_DATA is not set");
  const std::string folder = data + "/datasets/deepforest_trees/";
  const Dataset dataset = read_csv(folder + "annotations_original/OSBS_029.csv", {.images = folder + "images"});
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
  CHECK(read_csv(file, {}).categories.size() == kLines);
  CHECK(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC < 10);
}

TEST_CASE("class names that are not UTF-8 are refused where they stand") {
  const auto error = [](const std::string& name) { return csv_error("a.jpg,1,2,3,4," + name + "\n"); };
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
