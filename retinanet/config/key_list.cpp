#include "retinanet/config/key_list.h"

#include <vector>

#include "kernels/base/text.h"
#include "retinanet/config/keys.h"
#include "retinanet/config/presets.h"

namespace diopter {

namespace {

constexpr const char* kIntroduction = R"(# Settings

Every key of a configuration: what `--set KEY=VALUE`, a file for `--config` and the settings of a protocol change.
`diopter info --keys` prints this page, `diopter info --preset NAME` a preset with all its values.

"Without it" is what a checkpoint or a run folder means that lacks the key because it is from before the key existed:
whatever keys are added, it stays readable ([weights](weights.md#checkpoints)). A file for `--config` overrides a preset;
what it does not have stays as in the preset. `loss.kind` brings the parameters of the loss as keys beside it
(`loss.gamma`); `diopter info` lists all losses with theirs, which have their defaults where a file lacks them.
)";

/// A line of a Markdown table.
std::string row(const std::vector<std::string>& cells) { return "| " + join(cells, " | ") + " |\n"; }

std::string code(const std::string& text) { return "`" + text + "`"; }

}  // namespace

std::string describe_keys() {
  const Config small = preset("small"), before = config_before_all_keys();
  std::string text = kIntroduction, section;
  for (const Key& key : keys_with(before.loss.kind)) {
    if (key.section() != section) {
      section = key.section();
      text += "\n## " + section + "\n\n| Key | Values | Preset small | Without it | Meaning |\n|---|---|---|---|---|\n";
    }
    if (key.of_loss) continue;
    text += row({code(key.name), key.values(), code(toml_text(key.get(small))), code(toml_text(key.before)), key.help});
  }
  return text;
}

}  // namespace diopter
