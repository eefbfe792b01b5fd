#include "retinanet/training/run_folder.h"

#include <filesystem>

#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "retinanet/training/evaluation_file.h"
#include "retinanet/training/metrics_file.h"
#include "retinanet/training/provenance.h"

namespace diopter {

namespace {

std::string outcome_file(const std::string& folder) { return folder + "/outcome.json"; }

}  // namespace

std::string config_file(const std::string& folder) { return folder + "/config.toml"; }
std::string pictures_folder(const std::string& folder) { return folder + "/pictures"; }

std::unique_ptr<FolderLock> lock_run_folder(const std::string& folder) {
  auto lock = std::make_unique<FolderLock>(folder, ".lock");
  remove_temporary_files(folder);
  return lock;
}

std::unique_ptr<FolderLock> create_run_folder(const std::string& folder) {
  const auto create = [](const std::string& part) {
    std::error_code error;
    std::filesystem::create_directories(part, error);
    DIOPTER_CHECK(!error, part, ": cannot be made: ", error.message());
  };
  create(folder);
  auto lock = lock_run_folder(folder);
  DIOPTER_CHECK(!file_exists(last_checkpoint(folder)), folder,
                ": holds a run already; go on with --resume or choose another folder");
  create(folder + "/checkpoints");
  create(pictures_folder(folder));
  for (const std::string& file :
       {metrics_file(folder), outcome_file(folder), evaluation_file(folder), origin_file(folder)}) {
    std::error_code none;
    std::filesystem::remove(file, none);
  }
  return lock;
}

void rewind_run_folder(const std::string& folder, std::int64_t iteration, bool evaluated_again) {
  rewind_metrics(folder, iteration, evaluated_again);
  std::error_code ignored;
  std::filesystem::remove(outcome_file(folder), ignored);
}

std::string where_the_last_checkpoint_is(const std::string& folder) {
  return file_exists(last_checkpoint(folder)) ? "the last good checkpoint is " + last_checkpoint(folder)
                                              : "no checkpoint had been saved yet";
}

void write_outcome(const std::string& folder, const RunOutcome& outcome) {
  const nlohmann::ordered_json json{
      {"state", outcome.state}, {"iteration", outcome.iteration}, {"message", outcome.message}};
  write_file_atomically(outcome_file(folder), json_text(json, 1) + "\n");
}

std::optional<RunOutcome> read_outcome(const std::string& folder) {
  const std::string file = outcome_file(folder);
  if (!file_exists(file)) return {};
  try {
    const auto json = parse_json(read_file(file));
    return RunOutcome{json.at("state"), json.at("iteration"), json.at("message")};
  } catch (const nlohmann::json::exception&) {
    fail(file, ": does not say how a run ended");
  }
}

}  // namespace diopter
