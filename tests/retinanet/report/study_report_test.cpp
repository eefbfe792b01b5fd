#include "retinanet/report/study_report.h"

#include "kernels/base/json.h"
#include "retinanet/laboratory/comparison.h"
#include "retinanet/laboratory/comparison_tables.h"
#include "retinanet/report/html.h"
#include "retinanet/training/metrics_file.h"
#include "retinanet/training/provenance.h"
#include "retinanet/training/run_folder.h"
#include "tests/support/files.h"
#include "tests/support/protocols.h"
#include "tests/support/xml.h"

using namespace diopter;
using test::contains;
using test::error_of;
using test::replaced;
using test::xml_error;

namespace {

/// A study whose results are made up: the contestants' final AP are 30, 40 and 0, which diverged; seed 2 adds one.
struct MadeUp {
  test::TemporaryFolder folder;
  Study study;

  MadeUp()
      : study([&] {
          std::vector<std::string> ignored;
          const std::string text = replaced(test::tiny_protocol(), "\"A tiny study\"", "'A <tiny> & \"small\" study'");
          return Study::create(folder / "study", text, "p.toml", ignored, nullptr);
        }()) {
    make_runs();  // tuning
    make_runs();  // final
  }

  void make_runs() const {
    for (const PlannedRun& run : ready_runs(study.protocol(), study.results())) {
      const bool diverged = run.contestant == 2;
      const double ap = diverged ? 0
                        : run.phase == Phase::tuning
                            ? (run.configuration == 0 ? 0.00005 : 0.15)
                            : 0.3 + 0.1 * run.contestant + 0.01 * static_cast<double>(run.seed - 1);
      const nlohmann::json json{{"protocol", study.hash()},
                                {"run", run.name},
                                {"diverged", diverged},
                                {"iteration", 6},
                                {"stats", std::vector<double>(12, ap)},
                                {"seconds", 3}};
      folder.write("study/runs/" + run.name + "/result.json", json_text(json));
      StepReport step;
      step.iteration = 3;
      step.classification_loss = static_cast<double>(run.seed);
      step.box_loss = 0.5;
      if (run.contestant != 1) append_step(study.run_folder(run.name), step);
    }
  }
};

}  // namespace

TEST_CASE("the report of a study shows its table, charts, tuning and runs") {
  const MadeUp made;
  const std::string report = study_report(made.study);
  CHECK(xml_error(report) == "");
  CHECK(contains(report, "<h1>A &lt;tiny&gt; &amp; &quot;small&quot; study</h1>"));
  CHECK(contains(report, "<code>" + made.study.hash() + "</code>"));

  const Protocol& protocol = made.study.protocol();
  const RunResults results = made.study.results();
  const std::vector<Score> scores = compare(protocol, results);
  for (const TextTable& table :
       {score_table(protocol, scores), tuning_table(protocol, results, scores), run_table(protocol, results)}) {
    for (const std::vector<std::string>& row : table.rows) {
      for (const std::string& cell : row) {
        INFO(cell);
        CHECK(contains(report, ">" + text_with_code(cell).markup + "</t"));
      }
    }
  }
  for (const Score& score : scores) CHECK(contains(report, text(verdict(protocol, score)).markup));
  for (const std::string& caveat : caveats(protocol, scores)) CHECK(contains(report, text(caveat).markup));

  CHECK(contains(report, "<title>ce: 30.5</title>"));
  CHECK(contains(report, "<title>focal: 40.5</title>"));
  CHECK(contains(report, "<title>seed 2: 41</title>"));
  CHECK(contains(report, "<title>focal: 10</title>"));             // the difference
  CHECK(contains(report, "<title>focal: 15 at 0.1</title>"));      // tuning
  CHECK_FALSE(contains(report, ">0.01<"));                         // a tick of a logarithmic axis of AP
  CHECK(contains(report, "<title>ce: 1.5 at 3</title>"));          // mean loss of seeds 1 and 2
  CHECK_FALSE(contains(report, "<title>wild: 1.5 at 3</title>"));  // diverged
  CHECK(contains(report, "[[contestant]]"));
  CHECK(contains(report, "it has no <code>origin.json</code>"));

  append_start(made.study.folder(), {"today", "/", "diopter compare p.toml", {{"cores", "2"}}, {{"diopter", "1"}}, {}});
  write_study_report(made.study);
  const std::string written = test::read_bytes(made.study.folder() + "/report.html");
  CHECK(written == study_report(made.study));
  CHECK(contains(written, "cd /\ndiopter compare p.toml</pre>"));
}

TEST_CASE("there is no report of a part of a study") {
  const MadeUp made;
  std::filesystem::remove(made.study.run_folder("final-ce-seed2") + "/result.json");
  CHECK(error_of([&] { write_study_report(made.study); }) ==
        made.study.folder() + ": 11 of 12 runs made; a report needs all (diopter compare --resume)");
  CHECK_FALSE(std::filesystem::exists(made.study.folder() + "/report.html"));
}

TEST_CASE("a study's report names the file that cannot be used") {
  const MadeUp made;
  made.folder.write("study/runs/final-ce-seed1/metrics.csv", "iteration,loss\n1\n");
  CHECK(error_of([&] { study_report(made.study); }) ==
        made.study.run_folder("final-ce-seed1") + "/metrics.csv:2: 1 fields instead of 2");
}
