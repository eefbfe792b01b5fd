#include "retinanet/weights/run_state.h"

#include <nlohmann/json.hpp>

namespace diopter {

RunState parse_run_state(const Checkpoint& checkpoint) {
  const auto text = [&](const char* key) {
    const auto found = checkpoint.metadata.find(key);
    DIOPTER_CHECK(found != checkpoint.metadata.end(), checkpoint.file, ": not a checkpoint of diopter train (no ", key,
                  " in its metadata)");
    return found->second;
  };
  RunState state;
  state.config = parse_config(text("config"), checkpoint.file);
  try {
    state.classes = nlohmann::json::parse(text("classes")).get<std::vector<std::string>>();
    state.category_ids = nlohmann::json::parse(text("category_ids")).get<std::vector<std::int64_t>>();
    state.iteration = std::stoll(text("iteration"));
    state.normaliser = std::stod(text("normaliser"));
    state.best_ap = std::stod(text("best_ap"));
    state.average_updates = std::stoll(text("average_updates"));
  } catch (const nlohmann::json::exception&) {
    fail(checkpoint.file, ": its metadata holds no lists of classes");
  } catch (const std::logic_error&) {
    fail(checkpoint.file, ": its metadata holds something that is not a number");
  }
  DIOPTER_CHECK(state.classes.size() == state.category_ids.size(), checkpoint.file, ": its metadata names ",
                state.classes.size(), " classes and ", state.category_ids.size(), " category ids");
  return state;
}

void put_run_state(Checkpoint& checkpoint, const RunState& state) {
  const auto number = [](double value) { return nlohmann::json(value).dump(); };
  checkpoint.metadata = {{"format", "diopter 1"},
                         {"config", format_config(state.config)},
                         {"classes", nlohmann::json(state.classes).dump()},
                         {"category_ids", nlohmann::json(state.category_ids).dump()},
                         {"iteration", std::to_string(state.iteration)},
                         {"normaliser", number(state.normaliser)},
                         {"best_ap", number(state.best_ap)},
                         {"average_updates", std::to_string(state.average_updates)}};
}

}  // namespace diopter
