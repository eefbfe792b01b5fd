#include "kernels/host_executor/ptx/translator/module.h"

#include "kernels/base/check.h"
#include "tests/support/catch.h"

namespace diopter::test {

namespace {

constexpr const char* kModule = R"(
.version 9.0
.target sm_90
.address_size 64

// a comment; with a semicolon
.extern .shared .align 16 .b8 bytes[];
.shared .align 8 .b8 of_all[24];

.visible .entry first(
.param .u64 first_param_0,
.param .align 8 .b8 first_param_1[20]
)
.maxntid 16, 8, 1
{
.reg .pred %p<2>;
.reg .f32 %f<3>, %x;
.shared .align 4 .u32 flag;
.loc	1 17 0
ld.global.v2.f32 {%f0, %f1}, [%rd1+-8];
.loc	2 54 3, function_name $L__info_string0, inlined_at 1 18 5
@!%p1 bra $L__BB0_2;
.loc	3 9 1, function_name $L__info_string1, inlined_at 2 54 3
{ cvt.rn.bf16.f32 %rs1, %f1;}
$L__BB0_2:
.loc	1 0 3
mov.u32 %r1, of_all;
ret;
}
.entry second()
{
ret;
}
.file	1 "/src/build/../a.cu"
.file	2 "/src/b.cuh"
.file	3 "/cuda/include/c.hpp"
.section	.debug_str
{
$L__info_string0:
.b8 95,0
}
)";

std::string error_of(const std::string& text) {
  try {
    ptx::parse(text, "/src");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("ptx: a module is taken apart") {
  const ptx::Module module = ptx::parse(kModule, "/src");
  CHECK(module.files.at(1) == "/src/a.cu");
  CHECK(module.dynamic_shared == "bytes");
  REQUIRE(module.kernels.size() == 2);
  const ptx::Kernel& kernel = module.kernels[0];
  CHECK(kernel.name == "first");
  CHECK(kernel.most_threads == 128);
  CHECK(kernel.place.line == 17);
  REQUIRE(kernel.parameters.size() == 2);
  CHECK(kernel.parameters[0].bytes == 8);
  CHECK(kernel.parameters[1].name == "first_param_1");
  CHECK(kernel.parameters[1].bytes == 20);
  CHECK(kernel.parameters[1].alignment == 8);
  CHECK(kernel.registers ==
        std::map<std::string, std::string>{
            {"%p0", "pred"}, {"%p1", "pred"}, {"%f0", "f32"}, {"%f1", "f32"}, {"%f2", "f32"}, {"%x", "f32"}});
  REQUIRE(kernel.shared.size() == 2);  // the module's own, because the kernel names it
  CHECK(kernel.shared[0].name == "flag");
  CHECK(kernel.shared[0].bytes == 4);
  CHECK(kernel.shared[1].name == "of_all");
  CHECK(module.kernels[1].shared.empty());
}

TEST_CASE("ptx: instructions with guards, labels and operands") {
  const ptx::Kernel kernel = ptx::parse(kModule, "/src").kernels[0];
  REQUIRE(kernel.code.size() == 6);
  CHECK(kernel.code[0].opcode == "ld.global.v2.f32");
  CHECK(kernel.code[0].operands == std::vector<std::string>{"{%f0, %f1}", "[%rd1+-8]"});
  CHECK(kernel.code[1].guard == "!%p1");
  CHECK(kernel.code[1].operands == std::vector<std::string>{"$L__BB0_2"});
  CHECK(kernel.code[2].opcode == "cvt.rn.bf16.f32");
  CHECK(kernel.code[3].label == "$L__BB0_2");
  CHECK(kernel.code[5].opcode == "ret");
}

TEST_CASE("ptx: code of the toolkit belongs to the line that calls it") {
  const ptx::Kernel kernel = ptx::parse(kModule, "/src").kernels[0];
  const auto place = [&](std::size_t i) { return std::pair(kernel.code[i].place.file, kernel.code[i].place.line); };
  CHECK(place(0) == std::pair(1, 17));
  CHECK(place(1) == std::pair(2, 54));  // the project's own inline function
  CHECK(place(2) == std::pair(2, 54));  // c.hpp, called from there
  CHECK(place(4) == std::pair(2, 54));  // line 0 is no line
}

TEST_CASE("ptx: what is not known is named") {
  CHECK(error_of(".global .align 4 .b8 table[24];").find("'.global' is not known") != std::string::npos);
  CHECK(error_of(".func f() { ret; }").find("'.func' is not known") != std::string::npos);
  CHECK(error_of(".entry k()\n.reqnctapercluster 2\n{ ret; }").find("'.reqnctapercluster'") != std::string::npos);
  CHECK(error_of(".entry k() { .branchtargets a, b; }").find("'.branchtargets a, b'") != std::string::npos);
  CHECK(error_of(".entry k() { .local .b8 a[4]; .local .b8 b[4]; }").find("more than one local variable") !=
        std::string::npos);
  CHECK(error_of(".entry k() { ret").find("no ';'") != std::string::npos);
}

TEST_CASE("ptx: the text in an object file") {
  const std::string object = std::string("ELF\0\n.version 9.0\n.target sm_90\n\0rest", 37);
  CHECK(ptx::ptx_of_object(object) == "\n.version 9.0\n.target sm_90\n");
  CHECK_THROWS_WITH(ptx::ptx_of_object("ELF"), "no PTX: compile with --no-compress for a virtual architecture");
  CHECK_THROWS_WITH(ptx::ptx_of_object(object + object), "PTX twice: compile for one virtual architecture");
}

}  // namespace diopter::test
