// A study of seconds, as text of a protocol.
#pragma once

#include <string>

namespace diopter::test {

/// Where a test wants something else, it replaces a part.
inline std::string replaced(std::string text, const std::string& part, const std::string& by) {
  return text.replace(text.find(part), part.size(), by);  // throws when the part is not there
}

/// Two losses of two configurations each, and a contestant that diverges; lines matter to tests of messages.
inline std::string tiny_protocol() {
  return R"(title = "A tiny study"
baseline = "ce"

[data.shapes]
train = 12
tune = 4
test = 6
size = 32
object_size = [0.3, 0.6]
seed = 5

[training]
preset = "small"
iterations = 6
settings = ["model.width=4", "model.groups=4", "model.fpn_channels=8", "model.head_depth=1", "train.batch_size=2",
            "train.warmup_iterations=0", "train.workers=1", "train.save_every=2", "train.log_every=1"]

[tuning]
learning_rates = [0.02, 0.1]
seeds = [101]

[final]
seeds = [1, 2]

[[contestant]]
name = "ce"
settings = ["loss.kind=ce"]

[[contestant]]
name = "focal"
settings = ["loss.gamma=2"]

[[contestant]]
name = "wild"
settings = ["train.clip_norm=0"]
learning_rates = [1e30, 1e31]
)";
}

}  // namespace diopter::test
