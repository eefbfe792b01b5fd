// Settings: configurations and protocols as TOML, the metadata of a checkpoint.
#include <cstdio>
#include <cstdlib>

#include "retinanet/config/config_text.h"
#include "retinanet/config/configure.h"
#include "retinanet/laboratory/protocol.h"
#include "retinanet/weights/run_state.h"
#include "tests/fuzz/target.h"

namespace diopter::fuzz {
namespace {

/// What a configuration is written as must read back as the same one.
void config(std::string_view input) {
  const Config config = parse_config(std::string(input), "input.toml");
  check_config(config);
  const std::string text = format_config(config, Comments::no);
  if (format_config(parse_config(text, "written.toml"), Comments::no) == text) return;
  std::fprintf(stderr, "reads back as another configuration:\n%s", text.c_str());
  std::abort();
}

void protocol(std::string_view input) { parse_protocol(std::string(input), "input.toml"); }

/// The values of a checkpoint's metadata in this order, between zero bytes.
void run_state(std::string_view input) {
  constexpr const char* kKeys[] = {"format",    "config",     "classes", "category_ids",
                                   "iteration", "normaliser", "best_ap", "average_updates"};
  const auto parts = split(input, std::size(kKeys));
  Checkpoint checkpoint{"input.safetensors", {}, {}};
  for (std::size_t i = 0; i < parts.size(); ++i) checkpoint.metadata[kKeys[i]] = parts[i];
  parse_run_state(checkpoint);
}

constexpr Target kConfigurations[] = {{"config", config}, {"protocol", protocol}, {"run_state", run_state}};

}  // namespace

std::span<const Target> configuration_targets() { return kConfigurations; }

}  // namespace diopter::fuzz
