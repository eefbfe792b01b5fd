// The same bits whatever the number of threads and loader threads and the vectors of the processor.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/json.h"
#include "tests/tools/program.h"

using namespace diopter::test;

namespace {

struct Shapes {
  TemporaryFolder folder;
  std::string annotations = folder / "shapes/instances_train.json", images = folder / "shapes/images";
  int runs = 0;

  Shapes() {
    REQUIRE(run_diopter("shapes --out '" + (folder / "shapes") + "' --size 64 --train 6 --val 1").exit_code == 0);
  }

  /// Trains for three steps; the values of all tensors of the checkpoint, weights and velocities.
  std::string train(const std::string& environment, const std::string& options, std::string* run_folder = nullptr) {
    const std::string run = folder / ("run" + std::to_string(++runs));
    const Outcome outcome =
        run_shell(environment + " '" DIOPTER_PROGRAM "' train --device cpu --train-annotations '" + annotations +
                  "' --train-images '" + images + "' --out '" + run +
                  "' --set train.iterations=3 --set train.batch_size=3 --set train.lr=0.02 --set model.norm=batch "
                  "--set input.max_size=64 --set augment.scale_max=1.3 --set augment.hue=0.1 "
                  "--set detect.score_threshold=0.001 " +
                  options);
    INFO(environment << ' ' << options << '\n' << outcome.err);
    REQUIRE(outcome.exit_code == 0);
    if (run_folder) *run_folder = run;
    const std::string bytes = read_bytes(run + "/checkpoints/last.safetensors");
    std::uint64_t header = 0;  // which has the settings, of which some differ
    for (int i = 7; i >= 0; --i) header = header << 8 | static_cast<unsigned char>(bytes.at(i));
    REQUIRE(bytes.size() > 8 + header + 10000);
    return bytes.substr(8 + header);
  }

  std::string detect(const std::string& environment, const std::string& run, const std::string& options = "") const {
    const std::string json = folder / "d.json";
    const Outcome outcome = run_shell(environment + " '" DIOPTER_PROGRAM "' detect --device cpu --checkpoint '" + run +
                                      "/checkpoints/last.safetensors' '" + images + "' --out '" + (folder / "drawn") +
                                      "' --json '" + json + "' " + options);
    INFO(environment << ' ' << options << '\n' << outcome.err);
    REQUIRE(outcome.exit_code == 0);
    return read_bytes(json);
  }
};

}  // namespace

TEST_CASE("training and detection give the same bits with any vectors, threads and loader threads", "[thorough]") {
  Shapes shapes;
  std::string run;
  const std::string expected = shapes.train("", "--threads 2 --set train.workers=2", &run);
  const std::string detections = shapes.detect("", run);
  CHECK(detections.size() > 1000);
  for (const char* vectors : {"plain", "avx2", "avx512"}) {
    const std::string environment = std::string("DIOPTER_VECTORS=") + vectors;
    const Outcome info = run_shell(environment + " '" DIOPTER_PROGRAM "' info");
    if (info.exit_code != 0) {
      require_refused(info, "not in this processor");
      continue;
    }
    INFO(environment);
    CHECK((shapes.train(environment, "--threads 2 --set train.workers=2") == expected));
    CHECK(shapes.detect(environment, run) == detections);
  }
  for (const char* threads : {"1", "3", "64"}) {
    const std::string option = std::string("--threads ") + threads;
    INFO(option);
    CHECK((shapes.train("", option + " --set train.workers=2") == expected));
  }
  for (const char* workers : {"0", "1", "8"}) {
    INFO(workers << " loader threads");
    CHECK((shapes.train("", std::string("--threads 2 --set train.workers=") + workers) == expected));
  }
  CHECK((shapes.train("", "--threads 2 --seed 1") != expected));  // the comparison can fail
}

// oneDNN and OpenBLAS choose the order of sums by processor: other bits, by rounding.
TEST_CASE("matrix products for another processor change detections by rounding only") {
  Shapes shapes;
  std::string run;
  shapes.train("", "--threads 2", &run);
  const auto scores = [&](const std::string& environment) {
    std::vector<double> all;
    for (const auto& detection : diopter::parse_json(shapes.detect(environment, run))) {
      all.push_back(detection.at("score").get<double>());
    }
    std::sort(all.begin(), all.end());
    return all;
  };
  const std::vector<double> here = scores("");
  const std::vector<double> elsewhere = scores("ONEDNN_MAX_CPU_ISA=SSE41 OPENBLAS_CORETYPE=Nehalem");
  REQUIRE(here.size() > 100);
  REQUIRE(here.size() == elsewhere.size());
  for (std::size_t i = 0; i < here.size(); ++i) REQUIRE(std::abs(here[i] - elsewhere[i]) < 1e-5);
}

TEST_CASE("vectors that do not exist are refused") {
  require_refused(run_shell("DIOPTER_VECTORS=avx1024 '" DIOPTER_PROGRAM "' info"), "DIOPTER_VECTORS is avx1024");
}
