// --device, where it cannot be had: one line each.
#include <string>

#include "tests/support/catch.h"
#include "tests/tools/program.h"

using namespace diopter::test;

namespace {

const std::string kBuild = DIOPTER_CUDA_KIND;  // on, host or off
const std::string kBench = "kernels bench sgd --quick --device ";

Outcome with_fault(const std::string& fault, const std::string& device) {
  return run_shell("DIOPTER_EXECUTOR_FAULT=" + fault + " '" DIOPTER_PROGRAM "' " + kBench + device);
}

}  // namespace

TEST_CASE("a build without CUDA, or an unknown device, says so") {
  require_refused(run_diopter(kBench + "gpu"), "--device gpu: must be cpu, cuda or auto");
  if (kBuild == "off") require_refused(run_diopter(kBench + "cuda"), "this build has no CUDA");
  REQUIRE(run_diopter(kBench + "auto").exit_code == 0);
}

TEST_CASE("a machine without driver or GPU, or another GPU than the build's, says so") {
  if (kBuild != "host") {
    skip("only the host executor can play such a machine");
    return;
  }
  require_refused(with_fault("no_driver", "cuda"), "no NVIDIA driver is installed");
  require_refused(with_fault("old_driver", "cuda"),
                  "the NVIDIA driver is too old: it supports CUDA 12.2, this build needs");
  require_refused(with_fault("no_device", "cuda"), "there is no CUDA device");
  require_refused(with_fault("no_memory_pools", "cuda"), "the CUDA device has no memory pools");
  require_refused(with_fault("no_kernel_image", "cuda"), "this build has no code for host executor");
  REQUIRE(with_fault("no_driver", "auto").exit_code == 0);
  const Outcome nonsense = with_fault("fire", "cuda");
  REQUIRE(nonsense.exit_code == 2);
  REQUIRE(contains(nonsense.err, "DIOPTER_EXECUTOR_FAULT is 'fire'"));
}
