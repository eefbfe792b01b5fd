#include "retinanet/report/run_report.h"
#include "retinanet/config/config_text.h"

#include <cstdio>
#include <filesystem>

#include "retinanet/training/evaluation_file.h"
#include "retinanet/training/metrics_file.h"
#include "retinanet/training/provenance.h"
#include "retinanet/training/run_folder.h"
#include "retinanet/training/trainer.h"
#include "tests/retinanet/support.h"
#include "tests/support/xml.h"

using namespace diopter;
using test::contains;
using test::error_of;
using test::read_bytes;
using test::tiny_config;
using test::xml_error;

namespace fs = std::filesystem;

namespace {

std::string percent_of(double share) {
  char text[16];
  std::snprintf(text, sizeof text, "%.1f", 100 * share);
  return text;
}

std::string tile(const std::string& value, const std::string& name) {
  return "<b>" + value + "</b><span>" + name + "</span>";
}

/// The report of the folder, which must be well-formed.
std::string checked_report(const std::string& folder) {
  const std::string report = run_report(folder);
  CHECK(xml_error(report) == "");
  return report;
}

/// A run folder written by hand.
struct HandMade {
  test::TemporaryFolder folder;
  std::string run = folder / "run";

  HandMade() {
    folder.write("run/config.toml", format_config(tiny_config()));
    StepReport step;
    for (step.iteration = 5; step.iteration <= 10; step.iteration += 5) {
      step.classification_loss = 1.25;
      step.box_loss = 0.5;
      step.lr = 0.03125;
      step.gradient_norm = 2;
      step.seconds = 61.0 * static_cast<double>(step.iteration) / 5;
      append_step(run, step);
    }
  }
};

}  // namespace

TEST_CASE("the report of a run has the numbers of its files") {
  test::ShapesOnDisk shapes;
  const std::string nasty = "a<b> & \"c\" 'd'";
  shapes.train.categories[0].name = shapes.validation.categories[0].name = nasty;
  shapes.validation.images[0].name = "<p>\xFF.png";
  const std::string folder = shapes.folder / "run";
  const Config config = tiny_config({"train.evaluate_every=10"});
  const Trainer::Result result = Trainer(config, shapes.train, shapes.validation, folder).run({});
  append_start(folder, {"2026-01-02 03:04 UTC",
                        "/some where",
                        "diopter train --set 'a=<b>'",
                        {{"processor", "P & Q"}},
                        {{"diopter", "0.0"}},
                        {{"training", "11 pictures"}}});
  const std::string report = checked_report(folder);

  REQUIRE(result.evaluated);
  CHECK(contains(report, "Finished after 20 iterations."));
  CHECK(contains(report, tile(percent_of(result.metrics.stats.ap), "AP")));
  CHECK(contains(report, tile(percent_of(result.metrics.stats.ap50), "AP50")));
  CHECK(contains(report, "of the weights after iteration 20."));
  for (const char* part :
       {"AP on the validation set", "Classification loss", "Box loss", "Learning rate", "Gradient norm",
        "negatives&#39; loss", "Precision over recall: mean over the classes", "Precision over recall: square",
        "P &amp; Q", "11 pictures", "cd &#39;/some where&#39;", "diopter train --set &#39;a=&lt;b&gt;&#39;",
        "iterations = 20", "Started 2026-01-02", "Worst errors", "Objects that no detection of their class matches"}) {
    INFO(part);
    CHECK(contains(report, part));
  }
  CHECK(contains(report, "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;"));
  CHECK(contains(report, "<figcaption>&lt;p&gt;\xEF\xBF\xBD</figcaption>"));
  CHECK_FALSE(contains(report, "a<b>"));
  for (const CategoryMetrics& c : result.metrics.per_category) {
    INFO(c.name);
    CHECK(contains(report, "<td>" + std::to_string(c.objects) + "</td><td>" + percent_of(c.stats.ap) + "</td><td>" +
                               percent_of(c.stats.ap50) + "</td>"));
  }
  CHECK(contains(report, "medium, up to 96²</th><td>0</td><td>–</td><td>–</td>"));  // pictures of 32 pixels

  const std::string jpeg = read_bytes((*fs::directory_iterator(folder + "/pictures")).path());
  CHECK(contains(report, "src=\"data:image/jpeg;base64,/9j/"));
  CHECK(report.size() > jpeg.size());

  write_run_report(folder);
  CHECK(read_bytes(folder + "/report.html") == report);
}

TEST_CASE("an evaluation is kept with its curves") {
  const test::ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run";
  const Trainer::Result result = Trainer(tiny_config(), shapes.train, shapes.validation, folder).run({});
  const auto kept = read_evaluation(folder);
  REQUIRE(kept);
  CHECK(kept->iteration == 20);
  CHECK(kept->stats == result.metrics.stats);
  REQUIRE(kept->categories.size() == 3);
  double ap = 0, objects = 0;
  for (const auto& c : kept->categories) {
    CHECK(c.objects > 0);
    objects += static_cast<double>(c.objects);
    double area = 0;  // AP is the mean of the precisions
    for (const double precision : c.curves.range) area += precision / kRecalls;
    CHECK(area == Approx(c.stats.ap).margin(1e-4));
  }
  for (const double precision : kept->mean.range) ap += precision / kRecalls;
  CHECK(ap == Approx(result.metrics.stats.ap).margin(1e-4));
  CHECK(objects == static_cast<double>(kept->objects[kAll]));
  test::write_bytes(evaluation_file(folder), "{}");
  CHECK(error_of([&] { run_report(folder); }) == evaluation_file(folder) + ": is no evaluation of a run");
}

TEST_CASE("the report of a run says which settings changed on the way") {
  const HandMade made;
  CHECK_FALSE(contains(checked_report(made.run), "From iteration"));
  test::write_bytes(made.run + "/config.toml",
                    "# From iteration 5 on: train.lr = 0.3 (0.1 before)\n" + format_config(tiny_config()));
  CHECK(contains(checked_report(made.run), "<p>From iteration 5 on: train.lr = 0.3 (0.1 before)</p>"));
}

TEST_CASE("the report of a run that diverged says so") {
  const test::ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run";
  const Config wild = tiny_config({"train.lr=1e30", "train.clip_norm=0", "train.log_every=1"});
  const std::string message = error_of([&] { Trainer(wild, shapes.train, {}, folder).run({}); });
  REQUIRE(contains(message, "is not finite at iteration "));
  const auto outcome = read_outcome(folder);
  REQUIRE(outcome);
  CHECK(outcome->state == "diverged");
  CHECK(outcome->message == message);
  const std::string report = checked_report(folder);
  CHECK(
      contains(report, "class=\"state bad\">Diverged at iteration " + std::to_string(outcome->iteration) + " of 20: "));
  CHECK(contains(report, "the loss is not finite"));

  // What it left is gone when the folder is used anew.
  const Trainer again(tiny_config(), shapes.train, {}, folder);
  CHECK_FALSE(read_outcome(folder));
}

TEST_CASE("the report of a run without validation set, stopped or still running") {
  const test::ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run";
  Trainer(tiny_config({"train.stop_at=5"}), shapes.train, {}, folder).run({});
  const std::string report = checked_report(folder);
  CHECK(contains(report, "Stopped at iteration 5 of 20"));
  CHECK(contains(report, "There is no evaluation"));
  CHECK(contains(report, "Classification loss"));
  for (const char* absent : {"AP50", "Precision over recall", "Sizes", "Detections", "<img"}) {
    INFO(absent);
    CHECK_FALSE(contains(report, absent));
  }
  CHECK(contains(report, "it has no <code>origin.json</code>"));

  const auto resumed = Trainer::resume(folder, {}, shapes.train, {});
  CHECK(contains(checked_report(folder), "No end is recorded, at iteration 5 of 20"));
  resumed->run({});
  CHECK(contains(checked_report(folder), "Finished after 20 iterations."));
}

TEST_CASE("charts and tiles of a run show metrics.csv") {
  const HandMade made;
  const std::string report = checked_report(made.run);
  CHECK(contains(report, "<title>classification loss: 1.25 at 5</title>"));
  CHECK(contains(report, "<title>box loss: 0.5 at 10</title>"));
  CHECK(contains(report, "<title>learning rate: 0.03125 at 10</title>"));
  CHECK(contains(report, tile("1.75", "last loss")));
  CHECK(contains(report, tile("2:02", "time")));
  fs::remove(made.run + "/metrics.csv");
  CHECK(contains(checked_report(made.run), "No step is recorded"));
}

TEST_CASE("AP has a linear axis, however little a run begins with") {
  const HandMade made;
  CocoMetrics metrics;
  for (const auto& [iteration, ap] : {std::pair{5, 0.00005}, std::pair{10, 0.5}}) {
    metrics.stats.ap = metrics.stats.ap50 = metrics.stats.ap75 = ap;
    append_evaluation(made.run, iteration, metrics);
  }
  const std::string report = checked_report(made.run);
  CHECK(contains(report, "<title>AP50: 0.005 at 5</title>"));
  const std::size_t chart = report.find("AP on the validation set");
  const std::string ap = report.substr(chart, report.find("Classification loss", chart) - chart);
  CHECK(contains(ap, ">20<"));
  CHECK_FALSE(contains(ap, ">0.01<"));  // a tick of a logarithmic axis
}

TEST_CASE("a metrics.csv that cannot be used is named with its line") {
  const HandMade made;
  const std::string file = made.run + "/metrics.csv", whole = read_bytes(file);
  const auto message_of = [&](const std::string& text) {
    test::write_bytes(file, text);
    return error_of([&] { write_run_report(made.run); });
  };
  CHECK(message_of(whole.substr(0, whole.size() - 9)) == "");  // the run goes on, or was killed
  CHECK(contains(read_bytes(made.run + "/report.html"), "<title>box loss: 0.5 at 5</title>"));
  fs::remove(made.run + "/report.html");
  CHECK(contains(message_of(whole + "15,1\n"), file + ":4: 2 fields instead of "));
  CHECK(contains(message_of(whole.substr(0, whole.rfind("1.25")) + "x" + whole.substr(whole.rfind("1.25") + 1)),
                 file + ":3: 'x.25' in the column classification_loss is no number"));
  CHECK(message_of("a,b\n1,2\n") == file + ":1: is no metrics.csv of diopter train");
  CHECK_FALSE(fs::exists(made.run + "/report.html"));

  test::write_bytes(made.run + "/outcome.json", "finished");
  CHECK(message_of(whole) == made.run + "/outcome.json: does not say how a run ended");
  test::write_bytes(made.run + "/config.toml", "[model]\nwidth = \n");
  CHECK(contains(message_of(whole), made.run + "/config.toml"));
  CHECK_FALSE(is_run_folder(made.folder.path()));
}

TEST_CASE("the time of a resumed run counts both parts") {
  TrainingClock clock;
  for (const double seconds : {1.0, 2.5, 0.5, 1.0}) clock.add(seconds);
  CHECK(clock.total() == 3.5);
}
