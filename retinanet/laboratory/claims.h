// Claims of workers that make the runs of one study together: which of them makes which run, and whose result counts.
//   attempts/RUN.N/        the run folder of attempt N at a run, from 1 on; runs/RUN once it has a result
//   attempts/RUN.N/claim   who makes it: "HOST PROCESS LEASE BEAT"
// It needs of the file system only that mkdir and the renaming of a folder are atomic, as they are on NFS, and no clock
// that machines share.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "retinanet/laboratory/study.h"

namespace diopter {

/// One worker's view of the claims. A run goes through these steps, whoever stalls, dies or comes back in between:
/// - It is taken by making the folder of its next attempt: of several workers one succeeds.
/// - It is held while its worker rewrites the claim. A claim that has not changed for the seconds of its lease, by the
///   clock of the worker that looks, is abandoned: the run may be taken by the next attempt, which has a folder of its
///   own and begins with a copy of the files, so that a worker that was only slow can disturb nothing.
/// - It is published by renaming the folder of an attempt with a result to runs/RUN. The first attempt that does it is
///   the run; renaming onto it fails, and what other attempts have made is thrown away.
class RunClaims {
 public:
  /// An attempt that this worker holds.
  struct Claim {
    std::string run, folder;
    int attempt;
    std::string taken_from;  // host and process of a worker that did not renew its claim; mostly ""
  };

  /// `lease_seconds`: how long this worker may give no sign of life before others take over what it holds.
  RunClaims(const Study& study, double lease_seconds);

  /// Takes a run that nobody holds and that has no result. Of an abandoned attempt that has a result but died before it
  /// was published, the result is published instead. Throws Error where the study's folder cannot be written.
  std::optional<Claim> take(const std::string& run);

  /// Whether another worker holds the run, as far as this one has seen. To be asked repeatedly: it watches for changes.
  bool held(const std::string& run);

  /// The sign of life, due several times in a lease. False where the run is no longer this worker's to make.
  bool renew(const Claim& claim);

  /// Gives an attempt up that has no result: others need not wait.
  void release(const Claim& claim);

  /// Makes the attempt, which has a result, the run. False where another attempt has been faster.
  bool publish(const Claim& claim);

 private:
  struct Seen {
    int attempt;
    std::string text;
    std::chrono::steady_clock::time_point since;
  };

  bool published(const std::string& run) const;
  std::string folder(const std::string& run, int attempt) const;
  int latest_attempt(const std::string& run) const;
  bool abandoned(const std::string& run, int attempt);
  std::string claim_text() const;

  const Study& study_;
  double lease_seconds_;
  std::int64_t beat_ = 0;
  std::map<std::string, Seen> seen_;
};

/// Before workers share a study: runs that a process alone has begun become attempts that anyone may take. No process
/// that works alone may be at it.
void share_unfinished_runs(const Study& study);

/// The contrary, for a process that goes on alone: attempts become run folders again. No worker may be at it.
void take_attempts_back(const Study& study);

/// Of a study all of whose runs have results: what is left of attempts that were late.
void discard_attempts(const Study& study);

}  // namespace diopter
