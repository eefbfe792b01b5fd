// docs/focal_loss_study: what the pages state is what was measured.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "generated/source_dir.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter::test;

namespace {

const std::string kStudy = DIOPTER_SOURCE_DIR "/docs/focal_loss_study";
const std::vector<std::string> kPages{kStudy + ".md", kStudy + "/first_studies.md"};

std::vector<std::string> lines_of(const std::string& file) {
  std::istringstream text(read_bytes(file));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

/// Of a line of a CSV file whose quoted fields have no quotes.
std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields{""};
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

/// Names of the files of results, "table1b" and "table1b.runs".
std::set<std::string> results() {
  std::set<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(kStudy + "/results")) names.insert(file.path().stem());
  return names;
}

/// Every mean with its deviation, and every interval, as the pages write them.
std::set<std::string> measured() {
  std::set<std::string> all;
  for (const std::string& name : results()) {
    if (name.ends_with(".runs")) continue;
    const std::vector<std::string> lines = lines_of(kStudy + "/results/" + name + ".csv"),
                                   columns = fields_of(lines[0]);
    for (std::size_t i = 1; i < lines.size(); ++i) {
      const std::vector<std::string> fields = fields_of(lines[i]);
      const auto add = [&](const char* pattern, const std::string& first, const std::string& second) {
        double values[2];
        for (const auto& [value, column] : {std::pair{&values[0], first}, std::pair{&values[1], second}}) {
          const std::string& field =
              fields[static_cast<std::size_t>(std::ranges::find(columns, column) - columns.begin())];
          if (field.empty()) return;  // the baseline has no difference
          *value = std::stod(field);
        }
        char text[64];
        std::snprintf(text, sizeof text, pattern, values[0], values[1]);
        all.insert(text);
      };
      add("%.1f ± %.1f", "AP", "AP_sd");
      add("%.1f to %.1f", "AP_low", "AP_high");
      add("%+.1f to %+.1f", "difference_low", "difference_high");
    }
  }
  return all;
}

}  // namespace

TEST_CASE("study: every mean and interval in its tables is in the results") {
  const std::set<std::string> all = measured();
  const std::regex figure(R"(\d+\.\d ± \d+\.\d|[-+]?\d+\.\d to [-+]?\d+\.\d)");
  int figures = 0;
  for (const std::string& page : kPages) {
    for (const std::string& line : lines_of(page)) {
      if (!line.starts_with("|")) continue;
      for (std::sregex_iterator it(line.begin(), line.end(), figure), end; it != end; ++it, ++figures) {
        INFO(line);
        CHECK(all.contains(it->str()));
      }
    }
  }
  CHECK(figures > 300);
}

TEST_CASE("study: the number of runs is that of the results") {
  std::size_t runs = 0;
  for (const std::string& name : results()) {
    if (name.ends_with(".runs")) runs += lines_of(kStudy + "/results/" + name + ".csv").size() - 1;
  }
  std::string text = std::to_string(runs);
  text.insert(text.size() - 3, ",");
  CHECK(read_bytes(kPages[0]).find(text + " runs from 2026-11-28 on") != std::string::npos);
  CHECK(read_bytes(DIOPTER_SOURCE_DIR "/README.md").find("in " + text + " runs") != std::string::npos);
}

TEST_CASE("study: a protocol has results and a place on the pages, or is said not to have run") {
  const std::set<std::string> names = results();
  const std::string page = read_bytes(kPages[0]), first = read_bytes(kPages[1]);
  const std::size_t begin = page.find("## Written, and not run yet");
  const std::string waiting = begin == std::string::npos ? "" : page.substr(begin, page.find("\n## ", begin) - begin);
  std::size_t protocols = 0;
  for (const auto& file : std::filesystem::directory_iterator(kStudy)) {
    if (file.path().extension() != ".toml") continue;
    ++protocols;
    const std::string name = file.path().stem(), link = "](focal_loss_study/" + name + ".toml)";
    INFO(name);
    CHECK((page.find(link) != std::string::npos || first.find("](" + name + ".toml)") != std::string::npos));
    const bool waits = waiting.find(link) != std::string::npos;
    CHECK(names.contains(name) != waits);
    CHECK(names.contains(name + ".runs") != waits);
  }
  CHECK(protocols > 25);
}
