#include "retinanet/network/input.h"
#include "retinanet/config/presets.h"

#include "retinanet/network/detect.h"
#include "tests/retinanet/annotated.h"
#include "tests/support/catch.h"

using namespace diopter;
using namespace diopter::test;

TEST_CASE("sizes and boxes at the input are those of the loader") {
  for (const std::string name : {"small", "torchvision", "detectron2"}) {
    INFO(name);
    const Config config = preset(name);
    const LoaderOptions options = loader_options(config);
    Image image{230, 170, {}};
    image.rgb.resize(std::size_t{3} * image.width * image.height);
    ImageRecord record = annotated("a", image.width, image.height, random_rects(40, 230, 170, 0.2f, 60, 0.7f, 1));
    record.annotations[0].rect = {-20, 150, 60, 60};  // across the border
    record.annotations[1].rect = {240, 10, 20, 20};   // outside
    record.annotations[2].rect = {30, 30, 0, 10};
    record.annotations[3].crowd = true;
    record.annotations[4].difficult = true;
    record.annotations[5].rect = {50, -5, 20, 5.5};  // half a pixel of it is inside
    record.annotations[6].rect = {-5, 50, 5.5, 20};

    const Sample sample = prepare(image, record, options.resize, options.normalisation);
    const Batch batch = collate({sample}, options.divisor);
    const InputSize size = input_size(config, image.width, image.height);
    REQUIRE(size.width == sample.width);
    REQUIRE(size.height == sample.height);
    REQUIRE(size.padded_width == batch.width);
    REQUIRE(size.padded_height == batch.height);
    const std::vector<TargetBox> targets = input_targets(record, size);
    REQUIRE(targets.size() == sample.targets.size());
    for (std::size_t i = 0; i < targets.size(); ++i) {
      INFO(i);
      REQUIRE(targets[i].box == sample.targets[i].box);
      REQUIRE(targets[i].label == sample.targets[i].label);
    }
  }
}
