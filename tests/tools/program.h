// Runs the program, or a script, as a user would.
#pragma once

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/files.h"

namespace diopter::test {

struct Outcome {
  int exit_code;  // -1 when a signal ended it
  std::string out, err;
};

/// Runs a shell command; its stdout and stderr are files, not terminals.
inline Outcome run_shell(const std::string& command) {
  const TemporaryFolder folder;
  const std::string err = folder / "err";
  FILE* pipe = popen(("( " + command + " ) 2>'" + err + "'").c_str(), "r");
  REQUIRE(pipe != nullptr);
  Outcome outcome;
  char buffer[4096];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) outcome.out.append(buffer, n);
  const int status = pclose(pipe);
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  outcome.err = read_bytes(err);
  return outcome;
}

/// Runs `diopter ARGUMENTS`.
inline Outcome run_diopter(const std::string& arguments) { return run_shell("'" DIOPTER_PROGRAM "' " + arguments); }

/// Requires what every refused request has: one line on stderr that names the culprit, nothing on stdout, exit code 2.
inline void require_refused(const Outcome& outcome, const std::string& culprit) {
  INFO("stdout: " << outcome.out << "\nstderr: " << outcome.err);
  REQUIRE(outcome.exit_code == 2);
  REQUIRE(outcome.out.empty());
  REQUIRE(outcome.err.starts_with("diopter: "));
  REQUIRE(outcome.err.find('\n') == outcome.err.size() - 1);
  REQUIRE(contains(outcome.err, culprit));
}

}  // namespace diopter::test
