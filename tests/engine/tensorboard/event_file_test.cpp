#include "engine/tensorboard/event_file.h"

#include "tests/support/catch.h"
#include "tests/support/events.h"
#include "tests/support/files.h"

using namespace diopter;
using diopter::tensorboard::Event;
using test::events_of;
using test::TemporaryFolder;

TEST_CASE("event file: the checksum of the standard's test vectors") {
  REQUIRE(crc32c("") == 0);
  REQUIRE(crc32c("123456789") == 0xe3069283);
  REQUIRE(crc32c(std::string(32, '\0')) == 0x8a9136aa);  // RFC 3720, appendix B.4
}

TEST_CASE("event file: numbers, pictures and curves are read back, in records with their checksums") {
  const TemporaryFolder folder;
  EventFile file(folder / "events");
  file.restart(7);
  file.number("loss", 8, 0.25);
  file.picture("validation/a.png", 9, "bytes", 4, 3);
  file.curve("precision_recall/all", 10, {{3, 1, 0}, {1, 0, 0}, {1, 3, 4}});

  const std::vector<Event> events = events_of(file.file());
  REQUIRE(events.size() == 5);
  REQUIRE(events[0].file_version() == "brain.Event:2");
  REQUIRE(events[0].wall_time() > 1.7e9);
  REQUIRE(events[1].session_log().status() == diopter::tensorboard::SessionLog::START);
  REQUIRE(events[1].step() == 7);
  REQUIRE(events[2].step() == 8);
  REQUIRE(events[2].summary().value(0).tag() == "loss");
  REQUIRE(events[2].summary().value(0).simple_value() == 0.25f);
  const auto& picture = events[3].summary().value(0);
  REQUIRE(picture.tag() == "validation/a.png");
  REQUIRE(picture.image().width() == 4);
  REQUIRE(picture.image().height() == 3);
  REQUIRE(picture.image().colorspace() == 3);
  REQUIRE(picture.image().encoded_image_string() == "bytes");
  const auto& curve = events[4].summary().value(0);
  REQUIRE(curve.metadata().plugin_data().plugin_name() == "pr_curves");
  diopter::tensorboard::PrCurvePluginData plugin;
  REQUIRE(plugin.ParseFromString(curve.metadata().plugin_data().content()));
  REQUIRE(plugin.num_thresholds() == 3);
  REQUIRE(curve.tensor().tensor_shape().dim(0).size() == 6);
  REQUIRE(curve.tensor().tensor_shape().dim(1).size() == 3);
  const auto& values = curve.tensor().float_val();
  REQUIRE(std::vector<float>(values.begin(), values.end()) == std::vector<float>{3, 1, 0,            // true positives
                                                                                 1, 0, 0,            // false positives
                                                                                 0, 0, 0,            // true negatives
                                                                                 1, 3, 4,            // false negatives
                                                                                 0.75f, 1, 1,        // precision
                                                                                 0.75f, 0.25f, 0});  // recall
}

TEST_CASE("event file: a place that cannot be written is named") {
  const TemporaryFolder folder;
  REQUIRE_THROWS_WITH(EventFile(folder / "no/events"), Catch::Contains("no/events: cannot be made"));
}
