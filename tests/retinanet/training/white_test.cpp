// Training on pictures of more than 8 bits.
#include <algorithm>

#include "data/pictures/image.h"
#include "retinanet/training/run_folder.h"
#include "retinanet/training/trainer.h"
#include "retinanet/weights/weights.h"
#include "tests/data/pictures/formats/make_png.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;

TEST_CASE("input.white = auto becomes what the training pictures say, in the checkpoint as well") {
  const test::TemporaryFolder folder;
  test::ShapesOnDisk shapes;
  for (ImageRecord& record : shapes.train.images) {
    const Image image = read_image(record.file);
    std::string rows;
    for (int y = 0; y < image.height; ++y) {
      rows += '\0';
      for (int x = 0; x < image.width; ++x) rows += test::big_endian(image.pixel(x, y)[0] * 16u, 2);
    }
    record.file = folder.write(record.name, test::make_png({static_cast<std::uint32_t>(image.width),
                                                            static_cast<std::uint32_t>(image.height),
                                                            16,
                                                            0,
                                                            false,
                                                            rows,
                                                            {}}));
  }
  Config config = test::tiny_config();
  config.train.iterations = 1;
  config.input.white = kAutoWhite;
  std::vector<std::string> messages;
  TrainerCallbacks callbacks;
  callbacks.message = [&](const std::string& message) { messages.push_back(message); };
  Trainer(config, shapes.train, shapes.validation, folder.path("run")).run(callbacks);
  CHECK(std::count(messages.begin(), messages.end(),
                   "input.white = auto: 4095, by the greatest samples of the training pictures") == 1);
  CHECK(test::contains(test::read_bytes(config_file(folder.path("run"))), "white = 4095\n"));
  CHECK(load_model(last_checkpoint(folder.path("run"))).model->config().input.white == 4095);

  // The same command with --resume changes nothing.
  std::size_t changes = 1;
  Trainer::resume(folder.path("run"), {{"input.white", "auto"}}, shapes.train, shapes.validation, Device::cpu,
                  [&](const Trainer::Resumption& resumption) {
                    changes = resumption.changes.size();
                    CHECK(resumption.config.input.white == 4095);
                  });
  CHECK(changes == 0);
}
