#include "retinanet/doctor/size_choices.h"

#include <algorithm>

#include "tests/retinanet/annotated.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"

using namespace diopter;
using test::configured;

namespace {

/// Pictures of 1,000 x 1,000 pixels with an object of `side` pixels each, at the preset small: scaled to 160 pixels.
Dataset large_pictures(double side) {
  Dataset dataset;
  dataset.categories = {{1, "a"}, {2, "b"}};
  for (int i = 0; i < 3; ++i) {
    ImageRecord& record = dataset.images.emplace_back();
    record.id = i + 1;
    record.width = record.height = 1000;
    record.annotations.push_back({i + 1, i % 2, {300, 200, side, side}, side * side});
  }
  return dataset;
}

const SizeChoice* find(const std::vector<SizeChoice>& choices, const std::string& setting) {
  for (const SizeChoice& choice : choices) {
    if (std::count(choice.settings.begin(), choice.settings.end(), setting)) return &choice;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("size choices: what inputs and tiles show, and cost") {
  const std::vector<SizeChoice> choices = size_choices(configured("small", {}), large_pictures(50));
  REQUIRE(choices.size() > 4);
  CHECK(choices[0].settings.empty());
  CHECK(choices[0].object == Approx(50 * 0.16));
  CHECK(choices[0].pixels == 160 * 160);
  const SizeChoice* larger = find(choices, "input.max_size=480");
  REQUIRE(larger);
  CHECK(larger->object == Approx(24));
  CHECK(larger->pixels == 480 * 480);
  const SizeChoice* tiles = find(choices, "input.tile=320");
  REQUIRE(tiles);
  CHECK(tiles->object == Approx(50));
  CHECK(tiles->pixels == 16 * 320 * 320);  // 1000 = 320 + 3 steps of at most 256
  CHECK(find(choices, "input.tile=640"));
  CHECK_FALSE(find(choices, "input.tile=1280"));  // larger than the pictures
  CHECK_FALSE(find(choices, "input.enlarge=true"));
  for (std::size_t i = 2; i < choices.size(); ++i) CHECK(choices[i - 1].pixels <= choices[i].pixels);
}

TEST_CASE("size choices: the cheapest that shows enough, and no worse fit of the anchors") {
  std::vector<SizeChoice> choices = {
      {{}, 5, 0.5, 1}, {{"a"}, 11.9, 1, 2}, {{"b"}, 15, 0.4, 3}, {{"c"}, 12, 0.5, 4}, {{"d"}, 30, 1, 5}};
  REQUIRE(sufficient_choice(choices));
  CHECK(sufficient_choice(choices)->settings[0] == "c");
  choices.erase(choices.begin() + 1, choices.begin() + 3);  // now it is the first after the one of now
  CHECK(sufficient_choice(choices)->settings[0] == "c");
  choices = {{{}, 5, 0.5, 1}, {{"a"}, 11.9, 1, 2}, {{"b"}, 15, 0.4, 3}};
  CHECK(sufficient_choice(choices) == nullptr);
  CHECK(sufficient_choice({}) == nullptr);
}

TEST_CASE("size choices: small pictures, and a configuration with tiles, leave none") {
  Dataset small = large_pictures(50);
  for (ImageRecord& record : small.images) record.width = record.height = 160;
  CHECK(size_choices(configured("small", {}), small).size() == 1);
  CHECK(size_choices(configured("small", {"input.tile=320", "input.max_size=320"}), large_pictures(50)).size() == 1);
}
