#include "retinanet/training/batch_queue.h"

#include "retinanet/network/input.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"

using namespace diopter;

TEST_CASE("batch queue: the loader's batches in order, on the device, whether fetched ahead or not") {
  const test::ShapesOnDisk shapes;
  const Config config = test::tiny_config({"train.workers=0"});
  for (Device device : test::devices()) {
    INFO(test::device_name(device));
    Loader expected_loader(shapes.train, loader_options(config));
    Loader loader(shapes.train, loader_options(config, device));  // for a GPU pictures are bytes
    BatchQueue queue(loader, device);
    std::vector<DeviceBatch> batches;  // all alive: none may take another's memory
    std::vector<Batch> expected;
    for (int i = 0; i < 6; ++i) {
      expected.push_back(expected_loader.next());
      batches.push_back(queue.next());
      for (int times = i % 3; times > 0; --times) queue.prefetch();  // a second time changes nothing
    }
    for (std::size_t i = 0; i < batches.size(); ++i) {
      const Batch& batch = expected[i];
      const DeviceBatch& actual = batches[i];
      CHECK(actual.host.names == batch.names);
      CHECK(actual.images.shape() == Shape{batch.images, batch.height, batch.width, 3});
      CHECK((actual.images.value().to_vector<float>() == batch.pixels));
      CHECK(actual.truth.boxes.to_vector<float>() == batch.boxes);
      CHECK(actual.truth.labels.to_vector<std::int32_t>() == batch.labels);
      CHECK(actual.truth.offsets.to_vector<std::int32_t>() == batch.offsets);
    }
  }
}
