#include "retinanet/config/presets.h"

#include <algorithm>

#include "generated/source_dir.h"
#include "retinanet/config/keys.h"
#include "retinanet/config/setting.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;

TEST_CASE("presets have every key, and no other") {
  for (const std::string& name : preset_names()) {
    INFO(name);
    std::vector<std::string> in_file, in_table;
    for (const Setting& setting : read_settings(preset_text(name), name)) in_file.push_back(setting.key);
    for (const Key& key : keys_with(preset(name).loss.kind)) in_table.push_back(key.name);
    std::sort(in_file.begin(), in_file.end());
    std::sort(in_table.begin(), in_table.end());
    CHECK(in_file == in_table);
  }
}

TEST_CASE("the comments of presets are the helps of keys: diopter info --preset prints each file anew") {
  for (const std::string& name : preset_names()) {
    INFO(name);
    const std::string file = test::read_bytes(DIOPTER_SOURCE_DIR "/retinanet/config/presets/" + name + ".toml");
    CHECK(file == preset_text(name));
    CHECK(format_preset(name) == file);
    CHECK(file.starts_with("# "));
  }
}
