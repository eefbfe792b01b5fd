#include "retinanet/config/loss_text.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "kernels/base/did_you_mean.h"
#include "kernels/base/text.h"
#include "retinanet/config/config_error.h"
#include "retinanet/config/range.h"

namespace diopter {

namespace {

[[noreturn]] void reject(const std::string& where, const std::string& message) {
  throw ConfigError(kLossKey, where, message);
}

float parse_parameter(const std::string& text, const std::string& where, const std::string& name) {
  float value = 0;
  const char* end = text.data() + text.size();
  const std::from_chars_result read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end || !std::isfinite(value)) reject(where, name + " must be a number");
  return value;
}

/// "gamma=1"
void set_parameter(AnyLoss& loss, const std::string& assignment, const std::string& where) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) reject(where, "'" + assignment + "' is not parameter=value");
  const std::string name = assignment.substr(0, equals);
  std::vector<std::string> known;
  bool found = false;
  for_each_parameter(loss, [&](const auto& p, float& value) {
    known.push_back(p.name);
    if (name != p.name) return;
    value = parse_parameter(assignment.substr(equals + 1), where, name);
    found = true;
  });
  if (!found) reject(where, "unknown parameter " + name + " of " + loss_name(loss) + hint_with_list(name, known));
}

}  // namespace

std::vector<std::string> loss_names() {
  std::vector<std::string> names;
  for (const LossEntry* entry : loss_entries()) names.emplace_back(entry->name);
  return names;
}

AnyLoss parse_loss(const std::string& text, const std::string& where) {
  const std::size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const LossEntry* entry = find_loss(name);
  if (!entry) reject(where, "unknown loss " + name + hint_with_list(name, loss_names()));
  AnyLoss loss(*entry);
  for (std::size_t begin = colon; begin != std::string::npos;) {
    const std::size_t end = text.find(',', ++begin);
    set_parameter(loss, text.substr(begin, end - begin), where);
    begin = end;
  }
  check_loss(loss, where);
  return loss;
}

std::string format_loss(const AnyLoss& loss) {
  std::string text = loss_name(loss);
  char separator = ':';
  for_each_parameter(loss, [&](const auto& p, float value) {
    text += separator + std::string(p.name) + "=" + shortest(value);
    separator = ',';
  });
  return text;
}

void check_loss(const AnyLoss& loss, const std::string& where) {
  for_each_parameter(loss, [&](const auto& p, float value) {
    const Range range = range_of(p);
    if (!range.has(widened(value))) reject(where, p.name + (" " + range.rule(widened(value))));
  });
}

std::string describe_losses() {
  std::string text;
  char line[256];
  for (const AnyLoss& loss : all_losses()) {
    std::snprintf(line, sizeof line, "  %-12s %s\n", loss_name(loss), loss_source(loss));
    text += line;
    for_each_parameter(loss, [&](const auto& p, float value) {
      std::snprintf(line, sizeof line, "    %-10s %-5s %s (%s)\n", p.name, shortest(value).c_str(), p.meaning,
                    range_of(p).text().c_str());
      text += line;
    });
  }
  return text;
}

}  // namespace diopter
