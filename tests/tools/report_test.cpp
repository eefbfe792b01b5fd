// report.html as diopter train, compare and report write it.
#include <filesystem>
#include <string>

#include "tests/support/protocols.h"
#include "tests/support/xml.h"
#include "tests/tools/program.h"

using namespace diopter::test;

namespace fs = std::filesystem;

namespace {

struct ReportedTraining {
  TemporaryFolder folder;
  std::string run = folder / "my <run>";

  ReportedTraining() {
    REQUIRE(run_diopter("shapes --train 4 --val 2 --size 32 --out " + (folder / "shapes")).exit_code == 0);
  }
  Outcome train(const std::string& more) const {
    const std::string set = folder / "shapes/instances_", pictures = folder / "shapes/images";
    return run_diopter("train --device cpu --train-annotations " + set + "train.json --train-images " + pictures +
                       " --val-annotations " + set + "val.json --val-images " + pictures + " --out '" + run +
                       "' --set model.width=4 --set model.groups=4 --set model.fpn_channels=8 --set train.iterations=4"
                       " --set train.batch_size=2 --set train.log_every=1 " +
                       more);
  }
  std::string report() const { return read_bytes(run + "/report.html"); }
};

}  // namespace

TEST_CASE("train writes a report that says how to repeat the run, and report makes the same one") {
  const ReportedTraining training;
  const Outcome stopped = training.train("--set train.stop_at=2");
  INFO(stopped.err);
  REQUIRE(stopped.exit_code == 0);
  REQUIRE(contains(stopped.out, "/report.html\n"));
  REQUIRE(contains(training.report(), "Stopped at iteration 2 of 4"));
  REQUIRE(training.train("--resume").exit_code == 0);

  const std::string report = training.report();
  REQUIRE(xml_error(report) == "");
  REQUIRE(contains(report, "<h1>Training run: my &lt;run&gt;</h1>"));
  REQUIRE(contains(report, "Finished after 4 iterations."));
  REQUIRE(contains(report, "--out &#39;" + training.folder.path() + "/my &lt;run&gt;&#39; --set"));
  REQUIRE(contains(report, "--set train.stop_at=2</pre>"));
  REQUIRE(contains(report, "--resume</pre>"));
  REQUIRE(contains(report, "4 pictures, "));
  for (const char* fact : {"processor", "memory", "BLAS", "CUDA", "device"}) {
    REQUIRE(contains(report, "<dt>" + std::string(fact) + "</dt>"));
  }
  REQUIRE(contains(report, "data:image/jpeg;base64,"));

  fs::remove(training.run + "/report.html");
  const Outcome again = run_diopter("report '" + training.run + "/'");
  INFO(again.err);
  REQUIRE(again.exit_code == 0);
  REQUIRE(training.report() == report);
}

TEST_CASE("train writes a report of a run that diverged") {
  const ReportedTraining training;
  const Outcome outcome = training.train("--set train.lr=1e30 --set train.clip_norm=0 --set train.warmup_iterations=0");
  REQUIRE(outcome.exit_code == 2);
  REQUIRE(contains(training.report(), "Diverged at iteration 2 of 4"));
  REQUIRE(xml_error(training.report()) == "");
}

TEST_CASE("compare writes a report, and report makes the same one") {
  const TemporaryFolder folder;
  const std::string protocol = folder.write("tiny.toml", tiny_protocol()), out = folder / "study";
  const Outcome outcome = run_diopter("compare '" + protocol + "' --out '" + out + "' --jobs 2");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "report.html"));
  const std::string report = read_bytes(out + "/report.html");
  REQUIRE(xml_error(report) == "");
  REQUIRE(contains(report, "<h1>A tiny study</h1>"));
  REQUIRE(contains(report, "final-wild-seed2"));
  REQUIRE(contains(report, "compare " + protocol + " --out " + out + " --jobs 2</pre>"));
  fs::remove(out + "/report.html");
  REQUIRE(run_diopter("report " + out).exit_code == 0);
  REQUIRE(read_bytes(out + "/report.html") == report);
  // A run of the study has one, too.
  REQUIRE(run_diopter("report " + out + "/runs/final-ce-seed1").exit_code == 0);
  REQUIRE(contains(read_bytes(out + "/runs/final-ce-seed1/report.html"), "Finished after 6 iterations."));
}

TEST_CASE("report refuses what it cannot use in one line and writes nothing") {
  const TemporaryFolder folder;
  require_refused(run_diopter("report"), "folder is required");
  require_refused(run_diopter("report " + folder.path()), folder.path() + ": is no folder of diopter train");
  require_refused(run_diopter("report /nowhere"), "/nowhere: is no folder of diopter train");
  require_refused(run_diopter("report " + folder.write("file", "x")), "file: is no folder of diopter train");
  const ReportedTraining training;
  REQUIRE(training.train("").exit_code == 0);
  fs::remove(training.run + "/report.html");
  const std::string metrics = training.run + "/metrics.csv", text = read_bytes(metrics);
  write_bytes(metrics, text + "5,x\n");
  require_refused(run_diopter("report '" + training.run + "'"), metrics + ":7: 2 fields instead of 29");
  REQUIRE_FALSE(fs::exists(training.run + "/report.html"));
}
