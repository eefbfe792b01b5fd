// A study folder: its protocol, its data, its runs and their results.
//   protocol.toml      as it was given
//   data/              the three splits, see study_data.h
//   runs/NAME/         a run folder each (trainer.h), with log.txt and result.json
//   results.csv        a line per run
//   origin.json        how it was started, on what machine (retinanet/training/provenance.h)
//   attempts/          run folders without a result yet, where several workers share the study (claims.h)
#pragma once

#include <optional>
#include <string>

#include "kernels/device/memory.h"
#include "retinanet/laboratory/plan.h"
#include "retinanet/training/trainer.h"

namespace diopter {

/// Iterations that the run in a folder has behind it, by its metrics.csv; 0 when it has not begun.
std::int64_t iterations_done(const std::string& run_folder);

class Study {
 public:
  /// Makes the data and then protocol.toml: a folder that has one is a complete study. Throws Error as parse_protocol
  /// and write_study_data do. `file` names the protocol in messages; `warnings` of the readers are added.
  static Study create(const std::string& folder, const std::string& text, const std::string& file,
                      std::vector<std::string>& warnings, void (*progress)(int done, int total));

  /// Opens a folder that holds one.
  static Study open(const std::string& folder);
  static bool exists(const std::string& folder);

  const std::string& folder() const { return folder_; }
  const Protocol& protocol() const { return protocol_; }
  const std::string& hash() const { return hash_; }
  /// protocol.toml, as it was given.
  const std::string& protocol_text() const { return text_; }
  std::string run_folder(const std::string& name) const { return folder_ + "/runs/" + name; }

  /// The result of a run that has ended, or of all that have. Throws Error for a result that another protocol made.
  std::optional<RunResult> result(const std::string& name) const { return result_in(run_folder(name)); }
  RunResults results() const;
  /// The result that a run has left in a folder, if it has.
  std::optional<RunResult> result_in(const std::string& folder) const;

  /// Writes results.csv: a line for each run that has ended.
  void write_results(const RunResults& results) const;

  /// Trains in a run folder, or goes on from its last checkpoint, evaluates the last weights and writes the result.
  /// Nothing when it was stopped before the end. A loss that is not finite is a result; other Errors are thrown.
  std::optional<RunResult> run(const PlannedRun& run, const std::string& folder, Device device,
                               const TrainerCallbacks& callbacks) const;

 private:
  Study(std::string folder, const std::string& text, const std::string& file);

  std::string folder_, text_;
  Protocol protocol_;
  std::string hash_;
};

}  // namespace diopter
