// The command as a whole: help, errors, info.
#include <string>

#include "tests/tools/program.h"

using namespace diopter::test;

TEST_CASE("help is there for the command and every subcommand, with an example") {
  const Outcome help = run_diopter("--help");
  REQUIRE(help.exit_code == 0);
  REQUIRE(help.err.empty());
  for (const std::string command : {"shapes", "doctor", "kernels", "evaluate", "info"}) {
    REQUIRE(contains(help.out, "\n  " + command + " "));
    const Outcome outcome = run_diopter(command + " --help");
    REQUIRE(outcome.exit_code == 0);
    REQUIRE(contains(outcome.out, "Example:\n  diopter " + command));
  }
}

TEST_CASE("help shows types, limits and defaults, unless the description does") {
  const auto require_line = [](const std::string& command, const std::string& line) {
    const Outcome help = run_diopter(command + " --help");
    INFO(help.out);
    REQUIRE(contains(help.out, "\n  " + line));
  };
  require_line("shapes", "--out DIR REQUIRED                Folder");
  require_line("shapes", "--train INT=1000                  Number");
  require_line("shapes", "--seed UINT=0                     Another");
  require_line("shapes", "--objects MIN MAX=1 2             Least");
  require_line("bench step", "--size N:INT in [16 - 8192]=256   Width");
  require_line("compare", "--jobs N                          Runs");
  require_line("evaluate", "--metric NAME:{coco,voc,voc07}=coco\n");
  require_line("evaluate", "--score FLOAT=0.5                 With --csv");
  require_line("detect", "--set KEY=VALUE                   Overrides");
  require_line("detect", "--precision NAME                  float, or bf16");
  require_line("detect", "--profile N:POSITIVE              Measure");
}

TEST_CASE("requests that cannot be understood are refused in one line") {
  require_refused(run_diopter(""), "diopter --help");
  require_refused(run_diopter("evalute"), "unknown command 'evalute'; the nearest is evaluate (there are ");
  require_refused(run_diopter("xyzxyz"), "there are shapes, doctor, ");
  require_refused(run_diopter("--unknown"), "diopter --help");
  require_refused(run_diopter("shapes"), "--out");
  require_refused(run_diopter("shapes --out x --sise 64"), "--sise");
  require_refused(run_diopter("shapes --out x --size many"), "diopter shapes --help");
  require_refused(run_diopter("info extra"), "extra");
}

TEST_CASE("info shows build, processor, libraries, driver and GPU, one line each") {
  const Outcome info = run_diopter("info");
  REQUIRE(info.exit_code == 0);
  REQUIRE(info.err.empty());
  for (const std::string key : {"diopter ", "build ", "compiled for ", "vectors ", "processor ", "BLAS ", "threads ",
                                "CUDA ", "CUDA side ", "cuDNN ", "NCCL ", "driver ", "GPU "}) {
    INFO(key << "in\n" << info.out);
    REQUIRE(contains("\n" + info.out, "\n" + key));
  }
  const auto nccl = [](const std::string& named) {
    return run_shell("DIOPTER_NCCL='" + named + "' '" DIOPTER_PROGRAM "' info | sed -n 's/^NCCL *//p'").out;
  };
  CHECK(nccl("off") == "off (DIOPTER_NCCL)\n");
  CHECK(nccl("/none.so") == "no /none.so\n");
  CHECK(nccl("libm.so.6") == "libm.so.6 is too old: it has no ncclSend\n");
  REQUIRE(run_diopter("--version").out == info.out.substr(0, 7) + info.out.substr(12, info.out.find('\n') - 11));
}
