#include "data/readers/reading.h"

#include <algorithm>

#include "kernels/base/check.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

constexpr std::size_t kPlaces = 3;  // of each kind

}  // namespace

void ReadLog::add(const Oddity& kind, const std::string& place) {
  const std::string source = source_.empty() ? "" : source_ + ": ";
  DIOPTER_CHECK(!strict_ || !kind.dropped, source, place, ": ", kind.text);
  auto found = std::find_if(findings_.begin(), findings_.end(), [&](const Finding& f) { return f.kind == kind.key; });
  if (found == findings_.end()) found = findings_.insert(findings_.end(), {kind.key, kind.text, kind.dropped, 0, {}});
  ++found->count;
  if (found->places.size() < kPlaces) found->places.push_back(place);
}

void ReadLog::report(Dataset& dataset) const {
  for (const Finding& finding : findings_) {
    std::string line = (source_.empty() ? "" : source_ + ": ") + finding.text + ": " + std::to_string(finding.count) +
                       (finding.dropped ? " left out" : "");
    line += (finding.count > 1 ? " (first: " : " (") + join(finding.places) + ")";
    dataset.warnings.push_back(line);
    dataset.findings.push_back(finding);
    dataset.findings.back().line = std::move(line);
  }
}

}  // namespace diopter
