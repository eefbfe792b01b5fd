// tools/kernels/sass_path.py on machine code as cuobjdump prints it.
#include <string>

#include "generated/source_dir.h"
#include "tests/tools/program.h"

using namespace diopter::test;

namespace {

/// Reads a label per turn of the loop at 0x20, then stores one way or the other, or not at all.
constexpr const char* kKernel = R"(
	code for sm_90
		Function : _Z11some_kernelPi
	.headerflags	@"EF_CUDA_SM90"
        /*0000*/                   LDC R1, c[0x0][0x28] ;                  /* 0x00000a00ff017b82 */
                                                                           /* 0x000fe20000000800 */
        /*0010*/               @P3 EXIT ;                                  /* 0x000000000000794d */
        /*0020*/                   LDG.E R4, desc[UR4][R2.64] ;            /* 0x0000000402047981 */
        /*0030*/              @!P0 BRA 0x20 ;                              /* 0xfffffffc00f88947 */
        /*0040*/                   BRA.U UP1, 0x90 ;                       /* 0x0000000000101947 */
        /*0050*/                   FADD R4, R4, R4 ;                       /* 0x0000000404047221 */
        /*0060*/                   FADD R4, R4, R4 ;                       /* 0x0000000404047221 */
        /*0070*/                   STG.E.128 desc[UR4][R2.64], R4 ;        /* 0x0000000402007986 */
        /*0080*/                   EXIT ;                                  /* 0x000000000000794d */
        /*0090*/                   STG.E desc[UR4][R2.64], R4 ;            /* 0x0000000402007986 */
        /*00a0*/                   EXIT ;                                  /* 0x000000000000794d */
        /*00b0*/                   BRA 0xb0;                               /* 0xfffffffc00fc7947 */
		Function : _Z5otherv
        /*0000*/                   EXIT ;                                  /* 0x000000000000794d */
        /*0010*/                   BRA 0x10;                               /* 0xfffffffc00fc7947 */
)";

Outcome sass_path(const std::string& arguments) {
  const TemporaryFolder folder;
  const std::string sass = folder.write("kernel.sass", kKernel);
  return run_shell("python3 '" DIOPTER_SOURCE_DIR "/tools/kernels/sass_path.py' " + arguments + " <'" + sass + "'");
}

TEST_CASE("sass_path.py: the shortest way that executes what is asked for") {
  if (run_shell("python3 --version").exit_code != 0) return skip("python3 is not installed");
  const auto count = [](const std::string& arguments) {
    const Outcome outcome = sass_path(arguments + " some_kernel");
    INFO(arguments << ": " << outcome.err);
    REQUIRE(outcome.exit_code == 0);
    return outcome.out.substr(0, outcome.out.find('\t'));
  };
  CHECK(count("") == "2.00");                                  // leaves at once
  CHECK(count("--through STG=1") == "7.00");                   // the store of one
  CHECK(count("--through STG.E.128=1") == "9.00");             // the other store
  CHECK(count("--through STG=1 --through LDG=3") == "11.00");  // two more turns
  CHECK(count("--through STG.E.128=1 --per 4") == "2.25");
  CHECK(count("--through STG=2") == "no such way");
}

TEST_CASE("sass_path.py: opcodes, and what it cannot do") {
  if (run_shell("python3 --version").exit_code != 0) return skip("python3 is not installed");
  const Outcome opcodes = sass_path("some_kernel --through STG.E.128=1 --per 2 --opcodes");
  CHECK(contains(opcodes.out, "FADD 1.00"));
  CHECK(contains(opcodes.out, "STG 0.50"));
  CHECK_FALSE(contains(opcodes.out, "other"));
  const Outcome unknown = sass_path("third");
  CHECK(unknown.exit_code == 2);
  CHECK(contains(unknown.err, "no kernel's name has 'third' in it: 2 kernels on the standard input"));
  CHECK(contains(sass_path("other --through STG").err, "--through takes OPCODE=N"));
}

}  // namespace
