#include "retinanet/config/config_text.h"

#include <algorithm>

#include "kernels/base/check.h"
#include "kernels/base/text.h"
#include "retinanet/config/keys.h"

namespace diopter {

namespace {

/// "none, group: norms of the heads"
std::string comment_of(const Key& key) { return (key.choices.empty() ? "" : join(key.choices) + ": ") + key.help; }

std::string format_keys(const Config& config, const std::vector<Key>& keys, Comments comments) {
  constexpr std::size_t kColumn = 28;  // of comments
  std::string text, section;
  for (const Key& key : keys) {
    if (key.section() != section) {
      section = key.section();
      text += (text.empty() ? "[" : "\n[") + section + "]\n";
    }
    const std::string line = key.name.substr(section.size() + 1) + " = " + toml_text(key.get(config));
    text += (comments == Comments::yes ? padded(line, kColumn) + " # " + comment_of(key) : line) + "\n";
  }
  return text;
}

}  // namespace

std::string format_config(const Config& config, Comments comments) {
  return format_keys(config, keys_with(config.loss.kind), comments);
}

std::string hashed_text(const Config& config, std::vector<Key> keys) {
  std::erase_if(keys, [&](const Key& key) { return key.later && toml_text(key.get(config)) == toml_text(key.before); });
  return format_keys(config, keys, Comments::no);
}

std::vector<std::string> differences(const Config& a, const Config& b, const std::vector<std::string>& names) {
  const std::vector<Key>& keys = keys_with(a.loss.kind);
  std::vector<std::string> found;
  for (const std::string& name : names) {
    const auto key = std::find_if(keys.begin(), keys.end(), [&](const Key& k) { return k.name == name; });
    DIOPTER_CHECK(key != keys.end(), "no key ", name, " to compare");
    const std::string of_a = toml_text(key->get(a)), of_b = toml_text(key->get(b));
    if (of_a != of_b) found.push_back(name + " is " + of_a + ", not " + of_b);
  }
  return found;
}

}  // namespace diopter
