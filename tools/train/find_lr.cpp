#include "tools/train/find_lr.h"

#include <cstdio>
#include <filesystem>

#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "retinanet/report/chart.h"
#include "retinanet/training/lr_range.h"
#include "tools/command/progress.h"

namespace diopter {

namespace {

std::string picture_of(const LrRange& range) {
  Series series{"loss", {}};
  for (const LrPoint& point : range.points) series.points.push_back({point.lr, point.smoothed});
  return svg_file(
      {.title = "Loss of a training step, smoothed", .x_label = "learning rate", .series = {series}, .log_x = true});
}

}  // namespace

void write_lr_range(const Config& config, const Dataset& training, const std::string& folder, Device device) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  DIOPTER_CHECK(!error, folder, ": cannot be made: ", error.message());
  Progress progress("find-lr", kLrSteps, "images", config.train.batch_size * config.train.accumulate);
  const LrRange range = find_lr(config, training, device, [&](std::int64_t done) { progress.update(done); });
  DIOPTER_CHECK(!range.points.empty(), "the loss is not finite even at a learning rate of ", kLeastLr,
                ": diopter doctor looks at the data and the settings");
  const std::string table = folder + "/lr_range.csv", picture = folder + "/lr_range.svg";
  write_file_atomically(table, lr_range_csv(range));
  write_file_atomically(picture, picture_of(range));
  if (range.diverged) progress.print(formatted("the loss diverges at a learning rate of %.2g", range.points.back().lr));
  std::printf("proposal: --lr %.2g (the preset and settings have %.2g); %s and %s have the curve\n", range.proposal,
              config.train.lr, printable(table).c_str(), printable(picture).c_str());
}

}  // namespace diopter
