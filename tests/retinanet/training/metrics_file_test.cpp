#include "retinanet/training/metrics_file.h"

#include <limits>

#include "kernels/base/files.h"
#include "tests/support/files.h"

using namespace diopter;
using test::error_of;
using test::TemporaryFolder;

namespace {

// As every version has written it, and columns that came later at its end.
const std::string kHeader =
    "iteration,seconds,lr,loss,classification_loss,box_loss,positives,gradient_norm,images_per_second,peak_memory_mib,"
    "AP,AP50,AP75,APs,APm,APl,AR1,AR10,AR100,ARs,ARm,ARl,"
    "negatives_loss_1,negatives_loss_5,negatives_loss_20,negatives_gradient_1,negatives_gradient_5,"
    "negatives_gradient_20,classification_weight\n";

StepReport step_at(std::int64_t iteration, double seconds) {
  StepReport step;
  step.iteration = iteration;
  step.seconds = seconds;
  step.lr = 0.01;
  step.classification_loss = 0.5;
  step.box_loss = 1.0 / 3;
  step.positives = 1234567;
  step.gradient_norm = 1.5e-7;
  step.images_per_second = 3;
  step.peak_memory_mib = 1234567;
  return step;
}

}  // namespace

TEST_CASE("metrics.csv: its lines are those of every version") {
  const TemporaryFolder folder;
  append_step(folder.path(), step_at(1234567, 12.345678));
  StepReport step = step_at(1234568, 13);
  step.box_loss = std::numeric_limits<double>::quiet_NaN();
  step.hardest_negatives = HardestShares{{0.1, 0.2, 0.3}, {0.4, 0.5, 2.0 / 3}};
  step.classification_weight = 0.25;
  append_step(folder.path(), step);
  CocoMetrics metrics;
  metrics.stats = {.ap = 0.123456789, .ap50 = 1, .ar_large = -1};
  append_evaluation(folder.path(), 1234568, metrics);
  CHECK(read_file(metrics_file(folder.path())) ==
        kHeader +
            "1234567,12.3457,0.01,0.833333,0.5,0.333333,1234567,1.5e-07,3,1.23457e+06,,,,,,,,,,,,,,,,,,,\n"
            "1234568,13,0.01,nan,0.5,nan,1234567,1.5e-07,3,1.23457e+06,,,,,,,,,,,,,0.1,0.2,0.3,0.4,0.5,0.666667,0.25\n"
            "1234568,,,,,,,,,,0.123457,1,0,0,0,0,0,0,0,0,0,-1,,,,,,,\n");
}

TEST_CASE("metrics.csv: columns as numbers") {
  const TemporaryFolder folder;
  CHECK(read_metrics(folder.path()).columns.empty());
  append_step(folder.path(), step_at(5, 2));
  CocoMetrics metrics;
  metrics.stats.ap50 = 0.25;
  append_evaluation(folder.path(), 5, metrics);
  append_step(folder.path(), step_at(10, 3.5));
  append_step(folder.path(), step_at(15, 1));  // resumed
  const RunMetrics read = read_metrics(folder.path());
  CHECK(read.over_iterations("seconds") == Points{{5, 2}, {10, 3.5}, {15, 1}});
  CHECK(read.over_iterations("AP50") == Points{{5, 0.25}});
  CHECK(read.over_iterations("none").empty());
  CHECK(read.last("iteration") == 15);
  CHECK_FALSE(read.last("negatives_loss_1"));
  CHECK(read.clock.total() == 4.5);
}

TEST_CASE("metrics.csv: files with fewer, more or other columns") {
  const TemporaryFolder folder;
  const std::string file = folder.write("metrics.csv", "iteration,loss,later,seconds\n1,0.5,7,2\n2,0.25,8,3\n");
  CHECK(read_metrics(folder.path()).over_iterations("later") == Points{{1, 7}, {2, 8}});

  append_step(folder.path(), step_at(3, 4));
  CHECK(read_file(file).ends_with("2,0.25,8,3\n3,0.833333,,4\n"));

  rewind_metrics(folder.path(), 2, false);
  const RunMetrics read = read_metrics(folder.path());
  CHECK(read.over_iterations("loss") == Points{{1, 0.5}, {2, 0.25}});
  CHECK(read.over_iterations("later") == Points{{1, 7}, {2, 8}});
  for (const std::string& column : metrics_columns()) CHECK(read.columns.count(column) == 1);
  append_step(folder.path(), step_at(3, 4));
  CHECK(read_metrics(folder.path()).over_iterations("lr") == Points{{3, 0.01}});
}

TEST_CASE("metrics.csv: rewinding keeps the lines up to an iteration, byte for byte") {
  const TemporaryFolder folder;
  rewind_metrics(folder.path(), 3, false);  // there is none
  CHECK_FALSE(file_exists(metrics_file(folder.path())));
  for (const int iteration : {5, 10, 15}) append_step(folder.path(), step_at(iteration, iteration));
  const std::string file = metrics_file(folder.path()), whole = read_file(file);
  test::write_bytes(file, whole + "1");  // cut off; the 1 is not iteration 1
  rewind_metrics(folder.path(), 15, false);
  CHECK(read_file(file) == whole);
  rewind_metrics(folder.path(), 10, false);
  CHECK(read_file(file) == whole.substr(0, whole.find("15,15,")));
}

TEST_CASE("metrics.csv: an evaluation that is made again loses its line, and no other") {
  const TemporaryFolder folder;
  for (const int iteration : {5, 10}) {
    append_step(folder.path(), step_at(iteration, iteration));
    append_evaluation(folder.path(), iteration, {});
  }
  const std::string file = metrics_file(folder.path()), whole = read_file(file);
  rewind_metrics(folder.path(), 10, false);
  CHECK(read_file(file) == whole);
  rewind_metrics(folder.path(), 10, true);
  CHECK(read_file(file) == whole.substr(0, whole.find("10,,")));
}

TEST_CASE("metrics.csv: what cannot be read is named with its line") {
  const TemporaryFolder folder;
  const std::string file = metrics_file(folder.path());
  const auto error = [&](const std::string& text) {
    test::write_bytes(file, text);
    return error_of([&] { read_metrics(folder.path()); });
  };
  CHECK(error("iteration,loss\n1,2\n3") == "");  // killed in the middle of the line
  CHECK(read_metrics(folder.path()).last("iteration") == 1);
  CHECK(error("iteration,lo") == "");
  CHECK(read_metrics(folder.path()).columns.empty());
  CHECK(error("a,b\n") == file + ":1: is no metrics.csv of diopter train");
  CHECK(error("iteration,loss\n1,2\n3\n") == file + ":3: 1 fields instead of 2");
  CHECK(error("iteration,loss\n1,x\n") == file + ":2: 'x' in the column loss is no number");
  CHECK(error("iteration,loss\n,1\n") == file + ":2: '' in the column iteration is no number");
  CHECK(error("iteration,loss\n1,\"2\n") == file + ":2: a quote is not closed");
}
