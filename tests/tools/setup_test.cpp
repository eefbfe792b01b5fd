// tools/setup.sh with stand-ins for the system's package programs, and the syntax of all scripts.
#include <filesystem>
#include <string>

#include "generated/source_dir.h"
#include "tests/tools/program.h"

using namespace diopter::test;
namespace fs = std::filesystem;

namespace {

/// A PATH with nothing in it but what a test puts there.
class FakeSystem {
 public:
  explicit FakeSystem(const std::string& user_id) {
    add("dpkg-query",  // called as dpkg-query -W -f FORMAT PACKAGE
        "for package in $INSTALLED; do [ \"$4\" = \"$package\" ] && echo installed && exit 0; done; exit 1");
    add("apt-get", "echo \"apt-get $*\"");
    add("id", "echo " + user_id);
    fs::create_symlink("/usr/bin/env", folder_ / "env");
  }

  void add(const std::string& name, const std::string& script) {
    write_bytes(folder_ / name, "#!/bin/sh\n" + script + "\n");
    fs::permissions(folder_ / name, fs::perms::owner_all);
  }

  Outcome setup(const std::string& installed, const std::string& arguments = "") const {
    return run_shell("INSTALLED='" + installed + "' PATH='" + (folder_ / "") +
                     "' /bin/bash '" DIOPTER_SOURCE_DIR "/tools/setup.sh' " + arguments);
  }

 private:
  TemporaryFolder folder_;
};

const std::string kAll =
    "g++ cmake ninja-build libopenblas-dev libtbb-dev libstb-dev nlohmann-json3-dev libpugixml-dev "
    "libtomlplusplus-dev libcli11-dev libboost-dev libzip-dev libexpat1-dev catch2"
#ifdef __x86_64__
    " libdnnl-dev"
#endif
    ;

}  // namespace

TEST_CASE("setup does nothing when everything is installed") {
  const Outcome outcome = FakeSystem("0").setup(kAll);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE_FALSE(contains(outcome.out, "apt-get"));
}

TEST_CASE("setup installs exactly what is missing") {
  const std::size_t last = kAll.rfind(' ');
  const std::string all_but_two = kAll.substr(4, last - 4);  // without g++ and the last one
  const Outcome outcome = FakeSystem("0").setup(all_but_two);
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "apt-get -q update\n"));
  REQUIRE(contains(outcome.out, "apt-get -q install -y --no-install-recommends g++" + kAll.substr(last) + "\n"));
}

TEST_CASE("setup --dev adds clang with its tools, ccache and gnuplot") {
  const Outcome outcome = FakeSystem("0").setup(kAll, "--dev");
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "--no-install-recommends clang clang-format clang-tidy ccache gnuplot-nox\n"));
}

TEST_CASE("setup goes through sudo when it is not root") {
  FakeSystem system("1000");
  system.add("sudo", "echo \"sudo $*\"");
  const Outcome outcome = system.setup("");
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out,
                   "sudo env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends " + kAll));
}

TEST_CASE("setup prints the command when it may not install") {
  const Outcome outcome = FakeSystem("1000").setup("");
  REQUIRE(outcome.exit_code == 1);
  REQUIRE(contains(outcome.err, "apt-get update && apt-get install -y --no-install-recommends " + kAll));
}

TEST_CASE("the scripts are well-formed and executable") {
  for (const std::string script : {"tools/setup.sh", "tools/test.sh", "tools/demo.sh", "tools/gpu_check.sh",
                                   "tools/format.sh", "tools/tidy.sh", "tools/edit_times.sh", ".ci/run"}) {
    const std::string file = DIOPTER_SOURCE_DIR "/" + script;
    INFO(file);
    REQUIRE(run_shell("bash -n '" + file + "'").exit_code == 0);
    REQUIRE((fs::status(file).permissions() & fs::perms::owner_exec) != fs::perms::none);
  }
}

TEST_CASE(".ci/run and the scripts of the checks refuse what they do not know") {
  const Outcome stage = run_shell("'" DIOPTER_SOURCE_DIR "/.ci/run' no-such-stage");
  REQUIRE(stage.exit_code == 2);
  REQUIRE(contains(stage.err, "no stage 'no-such-stage'"));
  REQUIRE(run_shell("'" DIOPTER_SOURCE_DIR "/tools/format.sh' --chek").exit_code == 2);
  REQUIRE(run_shell("'" DIOPTER_SOURCE_DIR "/tools/tidy.sh'").exit_code == 2);
}
