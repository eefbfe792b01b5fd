// tools/kernels/registers.py on what ptxas prints, through a program that stands for nvcc.
#include <filesystem>
#include <string>

#include "generated/source_dir.h"
#include "tests/tools/program.h"

using namespace diopter::test;

namespace {

/// Two instantiations of one kernel; DIOPTER_TEST_SPILL is what the second one spills.
constexpr const char* kCompiler = R"(#!/bin/sh
cat >&2 <<END
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_ZN7diopter4cuda10sum_kernelIfEEvPKT_' for 'sm_90'
ptxas info    : Function properties for _ZN7diopter4cuda10sum_kernelIfEEvPKT_
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 64 bytes smem
ptxas info    : Compiling entry function '_ZN7diopter4cuda10sum_kernelIdEEvPKT_' for 'sm_90'
ptxas info    : Function properties for _ZN7diopter4cuda10sum_kernelIdEEvPKT_
    8 bytes stack frame, $DIOPTER_TEST_SPILL bytes spill stores, 0 bytes spill loads
ptxas info    : Used 72 registers
END
)";

struct Tree {
  TemporaryFolder folder;
  Tree() {
    folder.write("kernels/nn/reduce.cu", "");
    folder.write("kernels/nn/conv2d_host.cu", "");  // not for a GPU
    folder.write("build/release/generated/loss_list.h", "");
    std::filesystem::permissions(folder.write("nvcc", kCompiler), std::filesystem::perms::owner_all);
  }
  Outcome registers(const std::string& arguments, int spill = 0) const {
    return run_shell("DIOPTER_TEST_SPILL=" + std::to_string(spill) + " PATH='" + folder.path() +
                     "':\"$PATH\" python3 '" DIOPTER_SOURCE_DIR "/tools/kernels/registers.py' --source '" +
                     folder.path() + "' " + arguments);
  }
};

TEST_CASE("registers.py: a row per kernel, threads as registers allow") {
  if (run_shell("python3 --version && c++filt --version").exit_code != 0) return skip("python3 or c++filt is missing");
  const Tree tree;
  const Outcome table = tree.registers("--arch sm_90");
  INFO(table.err);
  CHECK(table.exit_code == 0);
  // 65536 registers: 51 warps of 40, 48 in whole blocks of 8; 28 of 72, 24 in whole blocks.
  CHECK(contains(table.out, "| reduce: `sum_kernel` | 2 | 0 - 64 | 40 - 72, 768 - 1536 |"));
}

TEST_CASE("registers.py: beside what was written down, and spills and unknown architectures are errors") {
  if (run_shell("python3 --version && c++filt --version").exit_code != 0) return skip("python3 or c++filt is missing");
  const Tree tree;
  const std::string file = tree.folder.path() + "/before.json";
  CHECK(tree.registers("--arch sm_90 --json " + file).exit_code == 0);
  const Outcome compared = tree.registers("--arch sm_90 --before " + file);
  CHECK(contains(compared.out,
                 "| reduce: `sum_kernel` | 2 | 40 - 72 | 40 - 72 | 768 - 1536 | 768 - 1536 | 0 - 64 | 0 - 64 |"));
  const Outcome spilled = tree.registers("--arch sm_90", 16);
  CHECK(spilled.exit_code == 1);
  CHECK(contains(spilled.err, "kernels/nn/reduce.cu: _ZN7diopter4cuda10sum_kernelIdEEvPKT_ spills 16 bytes on sm_90"));
  const Outcome unknown = tree.registers("--arch sm_42");
  CHECK(unknown.exit_code == 2);
  CHECK(contains(unknown.err, "--arch takes sm_80"));
}

}  // namespace
