#include "tools/kernels/plan_tables.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <utility>

#include "kernels/base/csv_text.h"
#include "kernels/base/json.h"

namespace diopter {

namespace {

using cuda::Conv2dPass;
using cuda::Conv2dProblem;

const char* pass_name(Conv2dPass pass) {
  switch (pass) {
    case Conv2dPass::forward: return "forward";
    case Conv2dPass::data: return "data";
    case Conv2dPass::weight: return "weight";
  }
  return "";
}

std::string type_name(const Conv2dProblem& p) {
  return std::string(p.is_bf16 ? "bf16" : "float") + (p.float_result ? " to float" : "");
}

/// "bias relu"; "-" where there is none.
std::string epilogue_name(const Conv2dProblem& p) {
  std::string text;
  for (const auto& [has, name] : {std::pair{p.residual, "residual"}, {p.bias, "bias"}, {p.relu, "relu"}}) {
    if (has) text += (text.empty() ? "" : " ") + std::string(name);
  }
  return text.empty() ? "-" : text;
}

const char* kind_name(PlanRow::Kind kind) {
  switch (kind) {
    case PlanRow::Kind::precompiled: return "precompiled";
    case PlanRow::Kind::product: return "cuBLASLt";
    case PlanRow::Kind::compiled_at_run_time: return "compiled at run time";
    case PlanRow::Kind::none: return "none";
  }
  return "";
}

/// The columns of csv and json.
nlohmann::ordered_json columns(const PlanRow& row) {
  const Conv2dProblem& p = row.problem;
  return {{"gpu", row.gpu},
          {"pass", pass_name(p.pass)},
          {"type", type_name(p)},
          {"images", p.in.n},
          {"height", p.in.h},
          {"width", p.in.w},
          {"in", p.in_channels},
          {"out", p.out_channels},
          {"kernel", p.kernel},
          {"stride", p.stride},
          {"padding", p.padding},
          {"epilogue", epilogue_name(p)},
          {"kind", kind_name(row.kind)},
          {"route", row.route},
          {"engine", row.engine},
          {"notes", row.notes},
          {"workspace", row.workspace},
          {"reason", row.reason}};
}

/// Rows of one kind of problem and route.
struct Group {
  int rows = 0;
  std::map<std::string, int> engines;
  std::int64_t most_workspace = 0;
};

}  // namespace

std::string plan_summary(const std::vector<PlanRow>& rows) {
  std::map<std::array<std::string, 4>, Group> groups;
  std::map<PlanRow::Kind, int> kinds;
  for (const PlanRow& row : rows) {
    const Conv2dProblem& p = row.problem;
    const std::string window = std::to_string(p.kernel) + "x" + std::to_string(p.kernel) +
                               (p.stride > 1 ? " / " + std::to_string(p.stride) : "");
    std::string route = row.route;
    if (row.kind == PlanRow::Kind::compiled_at_run_time) route += ", compiled at run time";
    if (row.kind == PlanRow::Kind::none) route = "none: " + row.reason;
    Group& group = groups[{std::string(pass_name(p.pass)) + ' ' + type_name(p), window, epilogue_name(p), route}];
    ++group.rows;
    if (!row.engine.empty()) ++group.engines[row.engine];
    group.most_workspace = std::max(group.most_workspace, row.workspace);
    ++kinds[row.kind];
  }
  char line[500];
  std::snprintf(line, sizeof line, "%-22s %-7s %-18s %8s  %-28s %11s  %s\n", "pass", "window", "epilogue", "problems",
                "engines: problems", "MiB at most", "route");
  std::string text = line;
  for (const auto& [key, group] : groups) {
    std::string engines;
    for (const auto& [engine, count] : group.engines) engines += engine + ":" + std::to_string(count) + " ";
    std::snprintf(line, sizeof line, "%-22s %-7s %-18s %8d  %-28s %11.1f  %s\n", key[0].c_str(), key[1].c_str(),
                  key[2].c_str(), group.rows, engines.c_str(), static_cast<double>(group.most_workspace) / (1 << 20),
                  key[3].c_str());
    text += line;
  }
  text += std::to_string(rows.size()) + " problems";
  for (const auto& [kind, count] : kinds) text += ", " + std::to_string(count) + " " + kind_name(kind);
  return text + "\n";
}

std::string plan_csv(const std::vector<PlanRow>& rows) {
  CsvText csv;
  const nlohmann::ordered_json names = columns(PlanRow{});
  for (const auto& column : names.items()) csv << column.key();
  csv.end_line();
  for (const PlanRow& row : rows) {
    for (const auto& value : columns(row)) {
      if (value.is_string()) {
        csv << value.get<std::string>();
      } else {
        csv << value.get<std::int64_t>();
      }
    }
    csv.end_line();
  }
  return csv.text();
}

std::string plan_json(const std::vector<PlanRow>& rows) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const PlanRow& row : rows) all.push_back(columns(row));
  return json_text(all, 1) + "\n";
}

}  // namespace diopter
