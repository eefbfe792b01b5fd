// tools/setup.sh with stand-ins for the system's package programs, what CMake finds of GPUs, the syntax of all scripts.
#include <filesystem>
#include <string>

#include "generated/source_dir.h"
#include "kernels/base/text.h"
#include "tests/tools/program.h"

using diopter::formatted;
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
    for (const std::string program : {"env", "grep", "ln", "mkdir", "rm", "sed", "touch"}) {
      fs::create_symlink("/usr/bin/" + program, folder_ / program);
    }
    add_python("0");
  }

  /// Called as python3 -m pip ..., -m zipfile -e FILE FOLDER, -m venv FOLDER, and with -c, which then ends with
  /// `status`.
  void add_python(const std::string& status) {
    add("python3", "[ \"$1\" != -c ] || exit " + status +
                       "; echo \"python3 $*\"; [ \"$3\" != download ] || touch \"$DIOPTER_CUDA_WHEELS/a.whl\"\n"
                       "[ \"$2\" != venv ] || { mkdir -p \"$3/bin\" && ln -s \"$0\" \"$3/bin/python\"; }");
  }

  /// nvcc of a version of the toolkit, and whether nvidia-smi shows a GPU.
  void add_toolkit(const std::string& version) {
    add("nvcc", "echo 'Cuda compilation tools, release " + version + "'");
  }
  void add_gpu() { add("nvidia-smi", "echo 'GPU 0: NVIDIA H200 (UUID: GPU-1)'"); }

  void add(const std::string& name, const std::string& script) {
    write_bytes(folder_ / name, "#!/bin/sh\n" + script + "\n");
    fs::permissions(folder_ / name, fs::perms::owner_all);
  }

  void add_wheel_file(const std::string& name) { folder_.write("wheels/" + name, ""); }

  Outcome setup(const std::string& installed, const std::string& arguments = "") const {
    return run_shell("INSTALLED='" + installed + "' CUDA_HOME=/none DIOPTER_CUDA_WHEELS='" + (folder_ / "wheels") +
                     "' DIOPTER_PYTHON_ENVIRONMENT='" + (folder_ / "environment") + "' PATH='" + (folder_ / "") +
                     "' /bin/bash '" DIOPTER_SOURCE_DIR "/tools/setup.sh' " + arguments);
  }

 private:
  TemporaryFolder folder_;
};

const std::string kAll =
    "g++ cmake ninja-build libopenblas-dev libtbb-dev libstb-dev libjpeg62-turbo-dev libpng-dev libtiff-dev "
    "libwebp-dev nlohmann-json3-dev libpugixml-dev libtomlplusplus-dev libcli11-dev libboost-dev libzip-dev "
    "libexpat1-dev libonnx-dev libprotobuf-dev protobuf-compiler catch2"
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

TEST_CASE("setup --dev makes an environment for the Python package, once, and goes on where pip fails") {
  FakeSystem system("0");
  const std::string dev = kAll + " clang clang-format clang-tidy ccache gnuplot-nox";
  const Outcome first = system.setup(dev, "--dev");
  INFO(first.out << first.err);
  REQUIRE(first.exit_code == 0);
  REQUIRE(contains(first.out, "/environment\npython3 -m pip install -q nanobind>=2.4 numpy "));
  REQUIRE_FALSE(contains(first.out, "apt-get"));
  const Outcome second = system.setup(dev, "--dev");
  REQUIRE(second.exit_code == 0);
  REQUIRE_FALSE(contains(second.out, "python3"));
  REQUIRE_FALSE(contains(system.setup(kAll).out, "python3"));

  FakeSystem bare("0");  // Debian's python3 without what is in packages of their own
  bare.add_python("1");
  REQUIRE(contains(bare.setup(dev, "--dev").out, "--no-install-recommends python3-venv python3-dev\n"));
  FakeSystem offline("0");
  offline.add("python3", "[ \"$2\" != venv ]");
  const Outcome failing = offline.setup(dev, "--dev");
  REQUIRE(failing.exit_code == 0);
  REQUIRE(contains(failing.err, "the Python package will not be built"));
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

TEST_CASE("setup --cuda fetches the wheels that fit the toolkit, once") {
  if (run_shell("ls /usr/include/cudnn.h /usr/include/*/cudnn.h /usr/lib*/libnvrtc.so* /usr/lib*/*/libnvrtc.so*").out !=
      "") {
    skip("this system has cuDNN or NVRTC from its own packages");
    return;
  }
  FakeSystem system("0");
  system.add_toolkit("13.0, V13.0.88");
  const Outcome outcome = system.setup(kAll, "--cuda");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, " nvidia-cudnn-cu13=="));
  REQUIRE(contains(outcome.out, " nvidia-cuda-nvrtc=="));
  REQUIRE(contains(outcome.out, " nvidia-cudnn-frontend=="));
  system.add_toolkit("12.8, V12.8.93");
  REQUIRE(contains(system.setup(kAll, "--cuda").out, " nvidia-cudnn-cu12=="));
  system.add_wheel_file("nvidia/cudnn/include/cudnn.h");
  REQUIRE_FALSE(contains(system.setup(kAll, "--cuda").out, "nvidia-cudnn-cu12"));
}

TEST_CASE("setup --cuda says what it cannot do") {
  FakeSystem system("0");
  const Outcome none = system.setup(kAll, "--cuda");
  REQUIRE(none.exit_code == 1);
  REQUIRE(contains(none.err, "--cuda needs nvcc"));
  system.add_toolkit("11.8, V11.8.89");
  const Outcome old = system.setup(kAll, "--cuda");
  REQUIRE(old.exit_code == 1);
  REQUIRE(contains(old.err, "12 and 13"));
  REQUIRE(system.setup(kAll, "--cudda").exit_code == 2);
}

TEST_CASE("setup --cuda-if-gpu fetches nothing unless there are a GPU and nvcc") {
  FakeSystem system("0");
  REQUIRE_FALSE(contains(system.setup(kAll, "--cuda-if-gpu").out, "python3"));
  system.add_toolkit("13.0, V13.0.88");
  REQUIRE_FALSE(contains(system.setup(kAll, "--cuda-if-gpu").out, "python3"));
  system.add("nvidia-smi", "echo 'No devices found'; exit 6");
  const Outcome failing = system.setup(kAll, "--cuda-if-gpu");
  REQUIRE(failing.exit_code == 0);
  REQUIRE_FALSE(contains(failing.out, "python3"));
  system.add_gpu();
  REQUIRE(contains(system.setup(kAll, "--cuda-if-gpu").out, "nvidia-cudnn-cu13"));
}

TEST_CASE("CMake finds GPUs and their architectures through nvidia-smi, or says why not") {
  const TemporaryFolder folder;
  folder.write("test.cmake", "include(" DIOPTER_SOURCE_DIR
                             "/cmake/Gpu.cmake)\nfind_gpu(problem architectures)\n"
                             "message(\"[${problem}] [${architectures}]\")\n");
  const auto find = [&] {
    return run_shell("PATH='" + (folder / "bin") + ":'\"$PATH\" cmake -P '" + (folder / "test.cmake") + "'").err;
  };
  const auto add_nvidia_smi = [&](const std::string& script) {
    fs::permissions(folder.write("bin/nvidia-smi", "#!/bin/sh\n" + script + "\n"), fs::perms::owner_all);
  };
  if (run_shell("command -v nvidia-smi").exit_code != 0) {
    REQUIRE(find() == "[no GPU: nvidia-smi is not found] []\n");
  }
  add_nvidia_smi("printf '9.0\\n9.0\\n12.0\\n'");
  REQUIRE(find() == "[] [90-real;120-real]\n");
  add_nvidia_smi("echo 'NVIDIA-SMI has failed.'; echo 'Second line.'; exit 9");
  REQUIRE(find() == "[no GPU: nvidia-smi answers \"NVIDIA-SMI has failed.\"] []\n");
  add_nvidia_smi("echo 'No devices were found'");
  REQUIRE(find() == "[no GPU: nvidia-smi answers \"No devices were found\"] []\n");
}

TEST_CASE("the scripts are well-formed and executable") {
  for (const std::string script :
       {"tools/setup.sh", "tools/test.sh", "tools/demo.sh", "tools/gpu_check.sh", "tools/gpu_check/pack.sh",
        "tools/gpu_check/run.sh", "tools/gpu_check/stages.sh", "tests/tools/clean_system.sh", "tools/format.sh",
        "tools/tidy.sh", "tools/bench/edit_times.sh", "tests/scale/scale.sh", ".ci/run"}) {
    const std::string file = DIOPTER_SOURCE_DIR "/" + script;
    INFO(file);
    REQUIRE(run_shell("bash -n '" + file + "'").exit_code == 0);
    REQUIRE((fs::status(file).permissions() & fs::perms::owner_exec) != fs::perms::none);
  }
}

TEST_CASE("includes.py names a file that compiles only behind another") {
  if (run_shell("python3 --version && clang++ --version").exit_code != 0) return skip("no python3, clang++");
  const TemporaryFolder folder;
  folder.write("whole.cpp", "#include <string>\nstd::string a;\n");
  folder.write("part.cpp", "std::string b;\n");
  std::string entries;
  for (const char* name : {"whole", "part"}) {
    entries += (entries.empty() ? "" : ",") +
               formatted(R"({"directory": "%s", "file": "%s.cpp", )", folder.path().c_str(), name) +
               formatted(R"("command": "ccache /usr/bin/c++ -O2 -std=c++20 -o %s.o -c %s.cpp"})", name, name);
  }
  folder.write("compile_commands.json", "[" + entries + "]");
  const std::string command =
      "python3 -B '" DIOPTER_SOURCE_DIR "/tests/structure/includes.py' --build '" + folder.path() + "' ";
  const Outcome both = run_shell(command + "'" + folder.path() + "'");
  INFO(both.out << both.err);
  CHECK(both.exit_code == 1);
  CHECK(contains(both.out, "part.cpp:1:"));
  CHECK(contains(both.out, "\n2 files, 1 of them do not compile by themselves\n"));
  CHECK(run_shell(command + "'" + (folder / "whole.cpp") + "'").out ==
        "1 files, 0 of them do not compile by themselves\n");
  CHECK(run_shell(command + "'" + (folder / "none.cpp") + "'").exit_code == 2);
}

TEST_CASE(".ci/run and the scripts of the checks refuse what they do not know") {
  const Outcome stage = run_shell("'" DIOPTER_SOURCE_DIR "/.ci/run' no-such-stage");
  REQUIRE(stage.exit_code == 2);
  REQUIRE(contains(stage.err, "no stage 'no-such-stage'"));
  REQUIRE(run_shell("'" DIOPTER_SOURCE_DIR "/tools/format.sh' --chek").exit_code == 2);
  REQUIRE(run_shell("'" DIOPTER_SOURCE_DIR "/tools/tidy.sh'").exit_code == 2);
}
