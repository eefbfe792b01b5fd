// diopter figure: files, their shape, and what is refused.
#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "tests/tools/program.h"

using namespace diopter::test;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> lines_of(const std::string& file) {
  std::istringstream in(read_bytes(file));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::int64_t commas(const std::string& line) { return std::count(line.begin(), line.end(), ','); }

/// A gnuplot that draws what it was called with.
std::string fake_gnuplot(const TemporaryFolder& folder) {
  const std::string program = folder.write("bin/gnuplot", "#!/bin/sh\necho drawn by \"$1\" > \"${1%.gp}.svg\"\n");
  fs::permissions(program, fs::perms::owner_all);
  return folder / "bin";
}

Outcome figure_with_path(const std::string& path, const std::string& arguments) {
  return run_shell("PATH='" + path + "' '" DIOPTER_PROGRAM "' figure " + arguments);
}

}  // namespace

TEST_CASE("figure loss writes the paper's curves with scripts and pictures") {
  const TemporaryFolder folder;
  const Outcome outcome = figure_with_path(fake_gnuplot(folder), "loss --out '" + (folder / "a/b") + "'");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(outcome.err.empty());
  for (const std::string name : {"loss_over_p", "loss_over_x", "derivative_over_x"}) {
    CHECK(contains(read_bytes(folder / ("a/b/" + name + ".gp")), "set output '" + name + ".svg'"));
    CHECK(read_bytes(folder / ("a/b/" + name + ".svg")) == "drawn by " + name + ".gp\n");
  }
  const std::vector<std::string> p = lines_of(folder / "a/b/loss_over_p.csv");
  REQUIRE(p.size() == 250);
  CHECK(p[0].starts_with("p_t,\"focal:gamma=0,alpha=1\",\"focal:gamma=0.5,alpha=1\","));
  CHECK(p[125].starts_with("0.5,0.693147180559945"));
  for (std::size_t i = 1; i < p.size(); ++i) CHECK(commas(p[i]) == 5);
  const std::vector<std::string> x = lines_of(folder / "a/b/loss_over_x.csv");
  REQUIRE(x.size() == 242);
  CHECK(x[0] ==
        "x_t,ce,\"focal:gamma=2,alpha=1\",\"focal_star:gamma=2,beta=1,alpha=1\",\"focal_star:gamma=4,beta=0,alpha=1\"");
}

TEST_CASE("figure loss draws the losses that it is given") {
  const TemporaryFolder folder;
  const Outcome outcome =
      figure_with_path(fake_gnuplot(folder),
                       "loss --loss hinge --loss balanced_ce:alpha=0.75 --negatives --out '" + (folder / "out") + "'");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  const std::vector<std::string> lines = lines_of(folder / "out/loss_over_x.csv");
  CHECK(lines[0] == "x_t,hinge:margin=0.5,balanced_ce:alpha=0.75");
  CHECK(lines[121].starts_with("0,0,0.17328679513998"));  // x = 0: margin - 1/2, (1 - 0.75) log 2
}

TEST_CASE("figures are written without gnuplot, too") {
  const TemporaryFolder folder;
  const Outcome outcome =
      figure_with_path("/nowhere", "fl-star --gammas 1 2 --betas 0 --out '" + (folder / "out") + "'");
  REQUIRE(outcome.exit_code == 0);
  CHECK(contains(outcome.err, "SVG left out, gnuplot is not installed"));
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  CHECK(lines_of(folder / "out/fl_star.csv")[0] ==
        "x_t,\"focal_star:gamma=1,beta=0,alpha=1\",\"focal_star:gamma=2,beta=0,alpha=1\"");
  CHECK_FALSE(fs::exists(folder / "out/fl_star.svg"));
}

TEST_CASE("a gnuplot that fails leaves numbers and script") {
  const TemporaryFolder folder;
  fs::permissions(folder.write("bin/gnuplot", "#!/bin/sh\nexit 1\n"), fs::perms::owner_all);
  const Outcome outcome = figure_with_path(folder / "bin", "fl-star --out '" + (folder / "out") + "'");
  REQUIRE(outcome.exit_code == 0);
  CHECK(contains(outcome.err, "fl_star.svg left out, gnuplot failed"));
  CHECK(fs::exists(folder / "out/fl_star.gp"));
}

TEST_CASE("the scripts are good gnuplot") {
  if (run_shell("gnuplot --version").exit_code != 0) return skip("gnuplot is not installed");
  const TemporaryFolder folder;
  for (const std::string name : {"loss", "fl-star"}) {
    const Outcome outcome = run_diopter("figure " + name + " --out '" + (folder / "out") + "'");
    REQUIRE(outcome.exit_code == 0);
    REQUIRE(outcome.err.empty());
  }
  for (const std::string name : {"loss_over_p", "loss_over_x", "derivative_over_x", "fl_star"}) {
    const std::string svg = read_bytes(folder / ("out/" + name + ".svg"));
    CHECK(contains(svg, "</svg>"));
    CHECK(contains(svg, name == "fl_star" ? "beta = -1" : "gamma=2,alpha=1"));
  }
}

TEST_CASE("figure loss-cdf shares out the loss of a checkpoint") {
  const TemporaryFolder folder;
  const std::string shapes = folder / "shapes", val = shapes + "/instances_val.json' --images '" + shapes + "/images' ";
  REQUIRE(run_diopter("shapes --out '" + shapes + "' --train 4 --val 3 --size 32").exit_code == 0);
  const Outcome training =
      run_diopter("train --train-annotations '" + shapes + "/instances_train.json' --train-images '" + shapes +
                  "/images' --out '" + (folder / "run") +
                  "' --set model.width=4 --set model.groups=4 --set model.fpn_channels=8 --set train.iterations=2");
  INFO(training.err);
  REQUIRE(training.exit_code == 0);
  const std::string checkpoint = "--checkpoint '" + (folder / "run/checkpoints/last.safetensors") + "' ";
  const std::string out = "--out '" + (folder / "out") + "' ";

  const Outcome outcome = figure_with_path(fake_gnuplot(folder), "loss-cdf " + checkpoint + "--annotations '" + val +
                                                                     out + "--loss ce --loss focal:gamma=2,alpha=-1");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  CHECK(fs::exists(folder / "out/loss_cdf.svg"));
  const std::vector<std::string> cdf = lines_of(folder / "out/loss_cdf.csv");
  REQUIRE(cdf.size() == 1011);
  CHECK(cdf[0] ==
        "fraction,positives ce,\"positives focal:gamma=2,alpha=-1\",negatives ce,\"negatives focal:gamma=2,alpha=-1\"");
  CHECK(cdf[1] == "0,0,0,0,0");
  CHECK(cdf.back() == "1,1,1,1,1");
  const std::vector<std::string> shares = lines_of(folder / "out/loss_shares.csv");
  REQUIRE(shares.size() == 5);
  CHECK(shares[0].starts_with("examples,loss,count,total_loss,loss_hardest_1,"));
  CHECK(shares[3].starts_with("negatives,ce,"));

  require_refused(run_diopter("figure loss-cdf " + checkpoint + "--annotations '" + val + out + "--loss ohem"),
                  "--loss ohem: trains on selected anchors");
  require_refused(run_diopter("figure loss-cdf --checkpoint missing --annotations '" + val + out), "missing");
}

TEST_CASE("figure refuses what cannot be drawn") {
  const TemporaryFolder folder;
  const std::string out = " --out '" + (folder / "out") + "'";
  require_refused(run_diopter("figure"), "A subcommand is required");
  require_refused(run_diopter("figure loss"), "--out is required");
  require_refused(run_diopter("figure loss --loss focall" + out),
                  "--loss focall: unknown loss focall; the nearest is focal");
  require_refused(run_diopter("figure loss --negatives" + out), "--negatives needs --loss");
  require_refused(run_diopter("figure fl-star --gammas 0" + out), "gamma must lie between 0.1 and 10");
  require_refused(run_diopter("figure loss --out /dev/null/figures"), "/dev/null/figures");
  CHECK_FALSE(fs::exists(folder / "out"));
}
