#include "retinanet/laboratory/claims.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <sstream>

#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "retinanet/weights/checkpoint_files.h"

namespace diopter {

namespace {

namespace fs = std::filesystem;

constexpr const char* kReleased = "released\n";

std::string attempts_folder(const Study& study) { return study.folder() + "/attempts"; }
std::string attempt_folder(const Study& study, const std::string& run, int attempt) {
  return attempts_folder(study) + "/" + run + "." + std::to_string(attempt);
}
std::string claim_file(const std::string& folder) { return folder + "/claim"; }

/// Reading opens the file, which makes a client of NFS ask the server. "" where there is none (yet).
std::string read_claim(const std::string& folder) {
  try {
    return read_file(claim_file(folder));
  } catch (const Error&) {
    return "";
  }
}

/// In place, so that no other file is ever in the way; who reads half of it only sees that it has changed.
bool overwrite_claim(const std::string& folder, const std::string& text, int flags) {
  const int file = open(claim_file(folder).c_str(), O_WRONLY | O_CLOEXEC | flags, 0666);
  if (file < 0) return false;
  const bool written = write(file, text.data(), text.size()) == std::ssize(text);
  return close(file) == 0 && written;
}

std::string host_name() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "unknown";
}

/// Copies an attempt's files while its worker, if it lives after all, goes on with them. The checkpoint is read first,
/// since the other files have lines for all that it covers, and gets its name last: an attempt that has one is whole.
void copy_attempt(const std::string& from, const std::string& to) {
  const std::string checkpoint = last_checkpoint(to), unfinished = checkpoint + ".copy";
  fs::create_directories(fs::path(checkpoint).parent_path());
  fs::copy_file(last_checkpoint(from), unfinished);
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename();
    if (entry.is_regular_file() && entry.path() != claim_file(from) && !is_temporary_file(name)) {
      fs::copy_file(entry.path(), to + "/" + name);
    }
  }
  fs::rename(unfinished, checkpoint);
}

bool rename_folder(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::rename(from, to, error);
  const bool in_the_way = error == std::errc::directory_not_empty || error == std::errc::file_exists;
  DIOPTER_CHECK(!error || in_the_way || !fs::exists(from), from, ": cannot be renamed: ", error.message());
  return !error;
}

void remove_folder(const std::string& folder) {
  std::error_code another_still_writes;
  fs::remove_all(folder, another_still_writes);
}

int latest_attempt_of(const Study& study, const std::string& run) {
  int attempt = 0;
  while (fs::exists(attempt_folder(study, run, attempt + 1))) ++attempt;
  return attempt;
}

/// The last attempt that has a checkpoint, or 0.
int latest_with_checkpoint(const Study& study, const std::string& run) {
  int attempt = latest_attempt_of(study, run);
  while (attempt > 0 && !fs::exists(last_checkpoint(attempt_folder(study, run, attempt)))) --attempt;
  return attempt;
}

/// The last attempt that has a result, or 0.
int latest_with_result(const Study& study, const std::string& run) {
  int attempt = latest_attempt_of(study, run);
  while (attempt > 0 && !study.result_in(attempt_folder(study, run, attempt))) --attempt;
  return attempt;
}

}  // namespace

RunClaims::RunClaims(const Study& study, double lease_seconds) : study_(study), lease_seconds_(lease_seconds) {}

bool RunClaims::published(const std::string& run) const { return fs::exists(study_.run_folder(run)); }

std::string RunClaims::folder(const std::string& run, int attempt) const {
  return attempt_folder(study_, run, attempt);
}

int RunClaims::latest_attempt(const std::string& run) const { return latest_attempt_of(study_, run); }

std::string RunClaims::claim_text() const {
  return formatted("%s %d %g %012lld\n", host_name().c_str(), getpid(), lease_seconds_, static_cast<long long>(beat_));
}

bool RunClaims::abandoned(const std::string& run, int attempt) {
  const auto now = std::chrono::steady_clock::now();
  const std::string text = read_claim(folder(run, attempt));
  if (text.starts_with(kReleased)) return true;
  const auto [found, fresh] = seen_.try_emplace(run, Seen{attempt, text, now});
  Seen& seen = found->second;
  if (fresh || seen.attempt != attempt || seen.text != text) {
    seen = {attempt, text, now};
    return false;
  }
  std::istringstream words(text);
  std::string host, process;
  double lease = lease_seconds_;
  words >> host >> process >> lease;
  return now - seen.since > std::chrono::duration<double>(words ? lease : lease_seconds_);
}

bool RunClaims::held(const std::string& run) {
  const int latest = latest_attempt(run);
  return latest > 0 && !abandoned(run, latest);
}

std::optional<RunClaims::Claim> RunClaims::take(const std::string& run) {
  if (published(run)) return {};
  const int latest = latest_attempt(run);
  std::string taken_from;
  if (latest > 0) {
    if (!abandoned(run, latest)) return {};
    if (const int finished = latest_with_result(study_, run); finished > 0) {
      publish({run, folder(run, finished), finished, ""});
      return {};
    }
    std::istringstream words(read_claim(folder(run, latest)));
    std::string host, process;
    if (words >> host >> process) taken_from = host + " (process " + process + ")";
  }
  const Claim claim{run, folder(run, latest + 1), latest + 1, taken_from};
  fs::create_directories(attempts_folder(study_));
  if (mkdir(claim.folder.c_str(), 0777) != 0) {
    // Another worker has taken it, or ended the study.
    DIOPTER_CHECK(errno == EEXIST || errno == ENOENT, claim.folder, ": cannot be made: ", std::strerror(errno));
    return {};
  }
  try {
    DIOPTER_CHECK(overwrite_claim(claim.folder, claim_text(), O_CREAT), claim.folder,
                  "/claim: cannot write: ", std::strerror(errno));
    const int source = latest_with_checkpoint(study_, run);
    if (source > 0) copy_attempt(folder(run, source), claim.folder);
  } catch (const std::exception&) {
    if (!published(run)) throw;
  }
  // Whoever published it has removed its attempts: their numbers are free again, and a copy may lack files.
  if (published(run)) {
    remove_folder(claim.folder);
    return {};
  }
  return claim;
}

bool RunClaims::renew(const Claim& claim) {
  if (published(claim.run) || fs::exists(folder(claim.run, claim.attempt + 1))) return false;
  ++beat_;
  return overwrite_claim(claim.folder, claim_text(), 0) || fs::exists(claim.folder);
}

void RunClaims::release(const Claim& claim) {
  if (published(claim.run)) {
    remove_folder(claim.folder);
  } else {
    overwrite_claim(claim.folder, kReleased, O_TRUNC);
  }
}

bool RunClaims::publish(const Claim& claim) {
  const int latest = latest_attempt(claim.run);
  fs::create_directories(study_.folder() + "/runs");
  const bool first = rename_folder(claim.folder, study_.run_folder(claim.run));
  for (int attempt = 1; attempt <= latest; ++attempt) remove_folder(folder(claim.run, attempt));
  return first;
}

void discard_attempts(const Study& study) { remove_folder(attempts_folder(study)); }

void share_unfinished_runs(const Study& study) {
  std::error_code none;
  std::vector<std::string> unfinished;
  for (const auto& entry : fs::directory_iterator(study.folder() + "/runs", none)) {
    const std::string run = entry.path().filename();
    if (!study.result(run)) unfinished.push_back(run);
  }
  for (const std::string& run : unfinished) {
    fs::create_directories(attempts_folder(study));
    const std::string folder = attempt_folder(study, run, latest_attempt_of(study, run) + 1);
    rename_folder(study.run_folder(run), folder);
    overwrite_claim(folder, kReleased, O_CREAT | O_TRUNC);
  }
}

void take_attempts_back(const Study& study) {
  std::error_code none;
  std::set<std::string> runs;
  for (const auto& entry : fs::directory_iterator(attempts_folder(study), none)) {
    runs.insert(entry.path().stem());  // without the attempt's number
  }
  for (const std::string& run : runs) {
    const int finished = latest_with_result(study, run);
    const int chosen = finished > 0 ? finished : latest_with_checkpoint(study, run);
    if (chosen == 0 || fs::exists(study.run_folder(run))) continue;
    fs::create_directories(study.folder() + "/runs");
    rename_folder(attempt_folder(study, run, chosen), study.run_folder(run));
  }
  discard_attempts(study);
}

}  // namespace diopter
