#include "data/readers/same_pictures.h"

#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

Dataset of(const TemporaryFolder& folder, const std::vector<std::string>& files) {
  Dataset dataset;
  for (const std::string& file : files) {
    ImageRecord image;
    image.id = static_cast<std::int64_t>(dataset.images.size()) + 1;
    image.file = folder.path(file);
    image.name = file;
    dataset.images.push_back(image);
  }
  return dataset;
}

}  // namespace

TEST_CASE("a validation set of the training pictures is refused, some of them are a warning") {
  const TemporaryFolder folder;
  folder.write("a.png", "first");
  folder.write("b.png", "other");
  folder.write("copies/c.png", "first");
  folder.write("copies/b.png", "other");
  folder.write("d.png", "fresh");
  folder.write("empty1.png", "");
  folder.write("empty2.png", "");
  const Dataset training = of(folder, {"a.png", "b.png"});
  CHECK(contains(error_of([&] {
                   check_validation_set(training, of(folder, {"copies/../a.png", "b.png"}));
                 }),
                 "the validation set has the pictures of the training set"));
  CHECK(contains(error_of([&] {
                   check_validation_set(training, of(folder, {"copies/c.png", "b.png"}));
                 }),
                 "validation"));
  // Copies of all pictures with other labels are another set, if an odd one; the same files are not.
  Dataset relabelled = of(folder, {"copies/c.png", "copies/b.png"});
  relabelled.images[0].annotations.push_back({.id = 1, .category = 0, .rect = {1, 1, 4, 4}, .area = 16});
  CHECK(contains(check_validation_set(training, relabelled), "2 of the 2 validation pictures are training pictures"));
  Dataset same_files = of(folder, {"b.png", "a.png"});
  same_files.images[0].annotations = relabelled.images[0].annotations;
  CHECK(contains(error_of([&] { check_validation_set(training, same_files); }), "the validation set has the pictures"));
  CHECK(check_validation_set(training, of(folder, {"copies/c.png", "d.png"})) ==
        "1 of the 2 validation pictures are training pictures, too: 'copies/c.png'");
  CHECK(check_validation_set(training, of(folder, {"d.png", "missing.png"})).empty());
  CHECK(check_validation_set(of(folder, {"empty1.png"}), of(folder, {"empty2.png"})).empty());
}

TEST_CASE("a training set needs an object that can be learned") {
  Dataset dataset;
  dataset.images.resize(1);
  const auto error = [&] { return error_of([&] { check_training_set("set.json", dataset); }); };
  CHECK(error() == "set.json: there is no object to learn from");
  Annotation crowd{};
  crowd.rect = {0, 0, 5, 5};
  crowd.crowd = true;
  Annotation flat{};
  flat.rect = {0, 0, 5, 0};
  dataset.images[0].annotations = {crowd, flat};
  CHECK(error() == "set.json: there is no object to learn from");
  crowd.crowd = false;
  dataset.images[0].annotations.push_back(crowd);
  CHECK(error().empty());
}
