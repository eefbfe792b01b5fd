#include "retinanet/report/sections.h"

#include <filesystem>

#include "kernels/base/text.h"

namespace diopter {

namespace {

Html facts(const Facts& all) {
  std::vector<std::pair<std::string, Html>> entries;
  for (const auto& [name, value] : all) entries.emplace_back(name, text(value));
  return definitions(entries);
}

bool same_place(const Start& a, const Start& b) { return a.machine == b.machine && a.versions == b.versions; }

}  // namespace

Html tiles(const std::vector<Tile>& all) {
  Html html;
  for (const Tile& tile : all) {
    Html inside = element("b", {}, tile.value);
    inside += element("span", {}, tile.name);
    html += element("div", {{"class", "tile"}}, inside);
  }
  return element("div", {{"class", "tiles"}}, html);
}

std::string percent(double share) {
  if (share < 0) return "–";
  return formatted("%.1f", 100 * share);
}

Html paragraph(const std::string& text) { return element("p", {}, text_with_code(text)); }
Html remark(const std::string& text) { return element("p", {{"class", "faint"}}, text_with_code(text)); }

Html origin_section(const std::vector<Start>& starts) {
  if (starts.empty()) {
    return section("Repeat it", paragraph("The folder does not say how it was made: it has no `origin.json`."));
  }
  Html repeat, machine;
  for (const Start& start : starts) {
    repeat += remark((&start == &starts.front() ? "Started " : "Resumed ") + start.date + " by");
    repeat += element("pre", {{"class", "command"}}, "cd " + shell_command({start.folder}) + "\n" + start.command);
  }
  for (std::size_t i = starts.size(); i-- > 0;) {  // the last one first: it made the result
    const Start& start = starts[i];
    if (i + 1 < starts.size()) {
      if (same_place(start, starts[i + 1])) continue;
      machine += element("h3", {}, "Until " + starts[i + 1].date);
    }
    Facts all = start.machine;
    all.insert(all.end(), start.versions.begin(), start.versions.end());
    machine += facts(all);
  }
  Html html = section("Repeat it", repeat);
  if (!starts.back().data.empty()) html += section("Data", facts(starts.back().data));
  html += section("Machine and versions", machine);
  return html;
}

std::string folder_name(const std::string& folder) {
  const std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

}  // namespace diopter
