// Each check flavour of the host executor finds exactly the planted bugs that it must, and nothing in right kernels.
#include <sys/wait.h>

#include <cstdio>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace diopter::test {

namespace {

/// Outcome of a program, one letter for each order in which threads run: forward, reverse, shuffled, and forward with
/// lazy streams.
///   -  nothing is noticed and the result is right        W  the result is wrong: a test of the numbers finds it
///   E  the executor reports it                            X  a CUDA call fails, as on a GPU: an exception
///   A  AddressSanitizer, U  UndefinedBehaviorSanitizer    R  ThreadSanitizer: a race
///   C  a segmentation fault
struct Expectation {
  const char* program;
  const char *fast, *clang, *gcc, *tsan;  // optimised; ASan and UBSan of clang, of GCC; ThreadSanitizer
  const char* ptx;                        // nvcc's PTX, optimised
};

const std::vector<Expectation> kExpectations = {
    // Barriers and shared memory.
    {"missing_barrier", "WWWW", "WWWW", "WWWW", "RRRR", "WWWW"},
    {"missing_barrier_neighbour", "-WW-", "-WW-", "-WW-", "RRRR", "-WW-"},
    {"missing_second_barrier", "WWWW", "WWWW", "WWWW", "RRRR", "WWWW"},
    {"missing_syncwarp", "----", "----", "----", "RRRR", "----"},
    {"divergent_barrier", "EEEE", "EEEE", "EEEE", "EEEE", "EEEE"},
    {"barriers_on_two_lines", "EEEE", "EEEE", "EEEE", "EEEE", "EEEE"},
    {"barriers_in_unequal_loops", "EEEE", "EEEE", "EEEE", "EEEE", "EEEE"},
    {"return_before_barrier", "EEEE", "EEEE", "EEEE", "EEEE", "EEEE"},
    {"uninitialised_shared", "----", "WWWW", "----", "WWWW", "WWWW"},
    {"shared_counter", "----", "----", "----", "RRRR", "----"},
    {"shared_counter_of_1024", "----", "----", "----", "RRRR", "----"},
    {"past_shared", "----", "AAAA", "AAAA", "----", "EEEE"},
    {"past_shared_of_template", "----", "AAAA", "----", "----", "EEEE"},
    {"past_dynamic_shared", "----", "AAAA", "AAAA", "----", "EEEE"},
    // Warps.
    {"shuffle_in_a_branch", "EEEE", "EEEE", "EEEE", "EEEE", "EEEE"},
    {"shuffle_from_absent_lane", "EEEE", "EEEE", "EEEE", "EEEE", "EEEE"},
    {"not_in_own_mask", "EEEE", "EEEE", "EEEE", "EEEE", "EEEE"},
    {"masks_differ", "E-EE", "E-EE", "E-EE", "E-EE", "E-EE"},  // in reverse the upper lanes are done and gone before
    // Global memory.
    {"write_past_end", "----", "AAAA", "AAAA", "----", "EEEE"},
    {"read_past_end", "----", "AAAA", "AAAA", "----", "EEEE"},
    {"uninitialised_global", "WWWW", "WWWW", "WWWW", "WWWW", "WWWW"},
    {"misaligned_vector", "----", "UUUU", "UUUU", "----", "EEEE"},
    {"misaligned_pack", "EEEE", "EEEE", "EEEE", "EEEE", "EEEE"},
    {"overflowing_index", "----", "UUUU", "UUUU", "----", "----"},
    {"shift_too_far", "----", "UUUU", "UUUU", "----", "----"},
    {"null_pointer", "CCCC", "UUUU", "UAAU", "CCCC", "EEEE"},
    {"deep_stack", "CCCC", "AAAA", "AAAA", "CCCC", "CCCC"},
    // Races in global memory.
    {"race_between_blocks", "----", "----", "----", "RRRR", "----"},
    {"race_in_place", "-WW-", "-WW-", "-WW-", "RRRR", "-WW-"},
    {"race_of_writers", "----", "----", "----", "RRRR", "----"},
    {"atomic_and_plain", "----", "----", "----", "RRRR", "----"},
    {"last_block_without_fence", "----", "----", "----", "RRRR", "----"},
    // Host and device, streams and graphs.
    {"host_reads_device", "----", "AAAA", "AAAA", "RRR-", "----"},
    {"kernel_gets_host_pointer", "EEEE", "EEEE", "EEEE", "EEEE", "EEEE"},
    {"use_after_free", "EEEE", "EEEE", "EEEE", "EEEE", "EEEE"},
    {"freed_on_another_stream", "---W", "---A", "---A", "RRRW", "---E"},
    {"freed_twice", "XXXX", "XXXX", "XXXX", "XXXX", "XXXX"},
    {"missing_stream_wait", "---W", "---W", "---W", "RRRW", "---W"},
    {"staging_overwritten", "---W", "---W", "---W", "RRRW", "---W"},
    {"missing_event", "---W", "---W", "---W", "RRRW", "---W"},
    {"copy_in_wrong_direction", "XXXX", "XXXX", "XXXX", "XXXX", "XXXX"},
    {"copy_past_end", "XXXX", "XXXX", "XXXX", "XXXX", "XXXX"},
    {"block_of_1025", "XXXX", "XXXX", "XXXX", "XXXX", "XXXX"},
    {"too_much_shared", "XXXX", "XXXX", "XXXX", "XXXX", "XXXX"},
    {"too_much_shared_together", "----", "EEEE", "----", "EEEE", "XXXX"},
    {"wait_in_capture", "XXXX", "XXXX", "XXXX", "XXXX", "XXXX"},
    {"unjoined_capture", "XXXX", "XXXX", "XXXX", "XXXX", "XXXX"},
    {"unjoined_fork", "XXXX", "XXXX", "XXXX", "XXXX", "XXXX"},
    // Right programs.
    {"right_tile", "----", "----", "----", "----", "----"},
    {"right_syncwarp", "----", "----", "----", "----", "----"},
    {"right_shared_counter", "----", "----", "----", "----", "----"},
    {"right_returned_lanes", "----", "----", "----", "----", "----"},
    {"right_half_warps", "----", "----", "----", "----", "----"},
    {"right_last_block", "----", "----", "----", "----", "----"},
    {"right_histogram", "----", "----", "----", "----", "----"},
    {"right_sums", "----", "----", "----", "----", "----"},
    {"right_stream_wait", "----", "----", "----", "----", "----"},
    {"right_staging", "----", "----", "----", "----", "----"},
    {"right_event", "----", "----", "----", "----", "----"},
    {"right_host_work", "----", "----", "----", "----", "----"},
    {"right_replay", "----", "----", "----", "----", "----"},
};

const char* expected_in_this_flavour(const Expectation& row) {
  const std::string flavour = DIOPTER_FLAVOUR;
  if (flavour == "asan-clang") return row.clang;
  if (flavour == "asan-gnu") return row.gcc;
  if (flavour == "tsan") return row.tsan;
  return flavour == "ptx" ? row.ptx : row.fast;
}

/// Output and exit status of a shell command.
struct Outcome {
  std::string output;
  int status;
};

Outcome run(const std::string& command) {
  std::FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe);
  Outcome outcome;
  char buffer[4096];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) outcome.output.append(buffer, n);
  outcome.status = pclose(pipe);
  return outcome;
}

/// The letter of the table above.
char letter(const Outcome& outcome) {
  const auto says = [&](const char* text) { return outcome.output.find(text) != std::string::npos; };
  if (says("AddressSanitizer")) return 'A';
  if (says("runtime error:")) return 'U';
  if (says("ThreadSanitizer: data race")) return 'R';
  if (says("ThreadSanitizer: SEGV") || says("ThreadSanitizer: stack-overflow")) return 'C';
  if (says("host executor:")) return 'E';
  // The shell reports a signal as 128 + its number, where it did not replace itself by the program.
  if (WIFSIGNALED(outcome.status) || WEXITSTATUS(outcome.status) > 128) return 'C';
  switch (WEXITSTATUS(outcome.status)) {
    case 0: return '-';
    case 2: return 'W';
    case 3: return 'X';
    default: return '?';
  }
}

Outcome run_program(const std::string& environment, const std::string& program) {
  return run("env ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=exitcode=66:atexit_sleep_ms=0 " + environment +
             " " DIOPTER_PLANTED_BUGS " " + program);
}

/// Runs all programs and compares with one column of the table.
void compare_all(const std::string& environment, int column) {
  for (const Expectation& row : kExpectations) {
    const Outcome outcome = run_program(environment, row.program);
    INFO(row.program << " with " << environment << ", flavour " << DIOPTER_FLAVOUR << ":\n" << outcome.output);
    CHECK(letter(outcome) == expected_in_this_flavour(row)[column]);
  }
}

}  // namespace

TEST_CASE("planted bugs: threads in forward order") { compare_all("DIOPTER_EXECUTOR_ORDER=forward", 0); }
TEST_CASE("planted bugs: threads in reverse order") { compare_all("DIOPTER_EXECUTOR_ORDER=reverse", 1); }
TEST_CASE("planted bugs: threads in shuffled order") { compare_all("DIOPTER_EXECUTOR_ORDER=shuffle", 2); }
TEST_CASE("planted bugs: lazy streams") { compare_all("DIOPTER_EXECUTOR_LAZY=1", 3); }

TEST_CASE("planted bugs: the table has them all") {
  std::string listed;
  for (const Expectation& row : kExpectations) listed += std::string(row.program) + "\n";
  const Outcome outcome = run(DIOPTER_PLANTED_BUGS);
  std::size_t count = 0;
  for (std::size_t begin = 0, end; (end = outcome.output.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string program = outcome.output.substr(begin, end - begin);
    INFO(program);
    CHECK(listed.find(program + "\n") != std::string::npos);
    ++count;
  }
  CHECK(count == kExpectations.size());
}

// .ci/run therefore runs the kernels under clang's only.
TEST_CASE("planted bugs: what GCC's sanitizers find, clang's find, too") {
  const auto found_by_a_sanitizer = [](char outcome) { return outcome == 'A' || outcome == 'U'; };
  for (const Expectation& row : kExpectations) {
    INFO(row.program);
    for (int order = 0; order < 4; ++order) {
      if (found_by_a_sanitizer(row.gcc[order])) CHECK(found_by_a_sanitizer(row.clang[order]));
    }
  }
}

TEST_CASE("planted bugs: memory full of zeros would hide a read of nothing") {
  CHECK(letter(run_program("DIOPTER_EXECUTOR_FILL=0", "uninitialised_global")) != 'W');
  CHECK(letter(run_program("DIOPTER_EXECUTOR_FILL=0xff", "uninitialised_global")) == 'W');
}

TEST_CASE("planted bugs: reports name the launch, the block, the thread and both lines") {
  const std::string report = run_program("DIOPTER_EXECUTOR_ORDER=forward", "barriers_on_two_lines").output;
  CHECK(report.find("host executor: kernel ") != std::string::npos);
  CHECK(report.find("block (0,0,0): divergent barrier: thread (0,0,0) waits at ") != std::string::npos);
  CHECK(report.find("but thread (32,0,0) arrives at another, at ") != std::string::npos);
  const std::size_t first = report.find("planted_bugs.cu:"), second = report.find("planted_bugs.cu:", first + 1);
  REQUIRE(second != std::string::npos);
  CHECK(report.find("planted_bugs.cu:", second + 1) != std::string::npos);
}

TEST_CASE("planted bugs: a capture with a fork that was not joined is refused by its name") {
  for (const char* program : {"unjoined_capture", "unjoined_fork"}) {
    const Outcome outcome = run_program("DIOPTER_EXECUTOR_ORDER=forward", program);
    INFO(outcome.output);
    CHECK(outcome.output.find("cudaErrorStreamCaptureUnjoined") != std::string::npos);
  }
}

TEST_CASE("host executor: a setting that means nothing is refused") {
  for (const char* setting :
       {"DIOPTER_EXECUTOR_ORDER=sideways", "DIOPTER_EXECUTOR_SEED=x", "DIOPTER_EXECUTOR_FILL=nan",
        "DIOPTER_EXECUTOR_LAZY=maybe", "DIOPTER_EXECUTOR_APPROX=3", "DIOPTER_EXECUTOR_APPROX=-"}) {
    const Outcome outcome = run_program(setting, "right_tile");
    INFO(outcome.output);
    CHECK(WEXITSTATUS(outcome.status) == 2);
    CHECK(outcome.output.find("host executor: DIOPTER_EXECUTOR_") == 0);
  }
}

}  // namespace diopter::test
