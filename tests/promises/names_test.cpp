// Names of classes, pictures and tensors that would do something where they are shown: on a terminal, in a web page, in
// a table, in JSON, as the name of a file.
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/base/csv_text.h"
#include "kernels/base/json.h"
#include "kernels/base/utf8.h"
#include "tests/tools/program.h"

using namespace diopter::test;
using diopter::parse_json;
using nlohmann::json;

namespace {

namespace fs = std::filesystem;

const std::string kName =
    "\x1b]0;owned\a\r\n<script>alert(1)</script>,\"\xC2\x9b"
    "31m";

/// Requires that text has nothing that a terminal obeys but ends of lines.
void require_plain(const std::string& text) {
  INFO(text);
  for (const char c : text) REQUIRE(((c >= 0x20 && c != 0x7F) || c == '\n' || static_cast<unsigned char>(c) >= 0x80));
  REQUIRE_FALSE(contains(text, "\xC2\x9b"));
  REQUIRE(diopter::is_utf8(text));
}

void require_plain(const Outcome& outcome, int exit_code = 0) {
  INFO("stdout: " << outcome.out << "\nstderr: " << outcome.err);
  REQUIRE(outcome.exit_code == exit_code);
  require_plain(outcome.out);
  require_plain(outcome.err);
}

/// Small pictures whose classes and files have such names; one has as long a name as file systems allow.
struct HostileSet {
  TemporaryFolder folder;
  std::string pictures = folder / "shapes/images", run = folder / "run";

  HostileSet() {
    REQUIRE(run_diopter("shapes --out '" + (folder / "shapes") + "' --size 32 --train 4 --val 3").exit_code == 0);
    rename("instances_train.json", {"\x1b[2J\n.png", kTraining});
    rename("instances_val.json", {"\x1b[31m<img src=x onerror=alert(1)>\r\n.png", std::string(250, 'x') + ".png"});
  }

  void rename(const std::string& file, const std::vector<std::string>& names) const {
    json truth = parse_json(read_bytes(annotations(file)));
    truth["categories"][0]["name"] = kName;
    for (std::size_t i = 0; i < names.size(); ++i) {
      json& name = truth["images"][i]["file_name"];
      fs::rename(pictures + "/" + name.get<std::string>(), pictures + "/" + names[i]);
      name = names[i];
    }
    write_bytes(annotations(file), diopter::json_text(truth));
  }

  std::string annotations(const std::string& file) const { return folder / ("shapes/" + file); }

  Outcome train() const {
    return run_diopter("train --train-annotations '" + annotations("instances_train.json") + "' --val-annotations '" +
                       annotations("instances_val.json") + "' --train-images '" + pictures + "' --val-images '" +
                       pictures + "' --out '" + run +
                       "' --set train.iterations=2 --set train.batch_size=2 --set input.max_size=32 "
                       "--set train.workers=0 --set train.log_every=1");
  }

  static constexpr const char* kTraining = "\x1b]0;\a.png";
};

}  // namespace

TEST_CASE("names that a terminal or a browser would obey are shown, and end no run") {
  const HostileSet set;
  fs::resize_file(set.pictures + "/" + HostileSet::kTraining, 20);  // to be skipped, with a warning
  const Outcome training = set.train();
  require_plain(training);
  CHECK(contains(training.err, "?]0;?.png"));
  const std::string html = read_bytes(set.run + "/report.html");
  CHECK_FALSE(contains(html, "<script>alert"));
  CHECK_FALSE(contains(html, "<img src=x"));
  CHECK_FALSE(contains(html, "\x1b"));
  CHECK(contains(html, "&lt;script&gt;alert(1)"));
  CHECK(contains(diopter::json_text(parse_json(read_bytes(set.run + "/evaluation.json"))), "<script>"));
  require_plain(read_bytes(set.run + "/metrics.csv"));
  CHECK(std::distance(fs::directory_iterator(set.run + "/pictures"), fs::directory_iterator()) == 3);

  const std::string truth = "--annotations '" + set.annotations("instances_val.json") + "' --images '" + set.pictures;
  const Outcome evaluation = run_diopter("evaluate " + truth + "' --errors --checkpoint '" + set.run +
                                         "/checkpoints/last.safetensors' --json '" + (set.folder / "e.json") + "'");
  require_plain(evaluation);
  CHECK(contains(evaluation.out,
                 "?]0;owned??"
                 "?<script>alert(1)</script>,\"?31m"));
  CHECK(contains(diopter::json_text(parse_json(read_bytes(set.folder / "e.json"))), "<script>"));

  const Outcome doctor =
      run_diopter("doctor " + truth + "' --set input.max_size=32 --json '" + (set.folder / "d.json") + "'");
  require_plain(doctor);
  CHECK(contains(doctor.out, "?]0;owned"));
  parse_json(read_bytes(set.folder / "d.json"));

  fs::remove(set.pictures + "/" + "\x1b[31m<img src=x onerror=alert(1)>\r\n.png");
  const Outcome missing =
      run_diopter("evaluate " + truth + "' --checkpoint '" + set.run + "/checkpoints/last.safetensors'");
  require_plain(missing, 2);
  CHECK(std::count(missing.err.begin(), missing.err.end(), '\n') == 1);
  require_plain(run_diopter("doctor " + truth + "' --set input.max_size=32"));
}

TEST_CASE("pictures whose names are not UTF-8 are detected in, and their names are valid JSON") {
  const HostileSet set;
  REQUIRE(set.train().exit_code == 0);
  const std::string photos = set.folder / "photos", json_file = set.folder / "d.json";
  fs::create_directory(photos);
  for (const char* name : {"b\xe4r.png", "\xff\n.png", "\x1b[2J.png"}) {
    fs::copy_file(set.pictures + "/" + std::string(250, 'x') + ".png", photos + "/" + name);
  }
  const Outcome outcome = run_diopter("detect --checkpoint '" + set.run + "/checkpoints/last.safetensors' '" + photos +
                                      "' --out '" + (set.folder / "drawn") + "' --json '" + json_file + "' --dump '" +
                                      (set.folder / "dump.safetensors") + "'");
  require_plain(outcome);
  CHECK(parse_json(read_bytes(json_file)).is_array());
  CHECK(diopter::is_utf8(read_bytes(json_file)));
  CHECK(fs::exists(set.folder / "drawn/b\xe4r.jpg"));
  // The name of a class that checkpoints cannot hold is refused before anything is done.
  set.folder.write("c.csv", "a.png,1,1,5,5,b\xe4r\n");
  require_refused(run_diopter("doctor --annotations '" + (set.folder / "c.csv") + "'"), "not UTF-8");
}

TEST_CASE("names of tensors are shown") {
  const TemporaryFolder folder;
  const std::string header = R"({"\u001b[2J\u0007":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  const std::string file = folder.write("t.safetensors", bytes + header + std::string(4, '\0'));
  const Outcome outcome = run_diopter("convert '" + file + "' '" + (folder / "out.safetensors") + "'");
  require_plain(outcome, 2);
  // What is asked for may have such characters, too.
  require_plain(run_diopter("'\x1b[2J'"), 2);
  require_plain(run_diopter("evaluate '--\x1b[2J\xe4'"), 2);
}
