#include "kernels/host_executor/ptx/translator/translation.h"

#include "tests/support/catch.h"

namespace diopter::test {

TEST_CASE("ptx: a kernel becomes a function whose lines are those of the .cu file") {
  const ptx::Module module = ptx::parse(R"(
.entry add_one(.param .u64 add_one_param_0)
.maxntid 64, 1, 1
{
.reg .b64 %rd<2>;
.reg .f32 %f<2>;
.shared .align 4 .b8 tile[256];
.loc	1 10 0
ld.param.u64 %rd1, [add_one_param_0];
.loc	1 11 3
ld.global.f32 %f1, [%rd1];
add.f32 %f1, %f1, 0f3F800000;
.loc	1 12 3
$L__BB0_1:
st.global.f32 [%rd1], %f1;
ret;
}
.file	1 "/src/a.cu"
)",
                                        "/src");
  CHECK(ptx::translate(module) == R"(// Made by ptx_to_cpp.
#include "kernels/host_executor/ptx/runtime/instructions.h"

namespace diopter::host_executor::ptx {
namespace {

// add_one
constexpr SharedVariable shared0[] = {{1024, 256, 4}, {3072, 0, 16}};
void kernel0(const Arguments& arguments) {
  f32 _f0{}, _f1{};
  u64 _rd0{}, _rd1{};
  Memory memory(shared0, arguments);
#line 10 "/src/a.cu"
  { auto* const at = memory.param(u64(u64(memory.parameters() + 0)), 8); _rd1 = loaded<u64>(at + 0); }
#line 11 "/src/a.cu"
  { auto* const at = memory.global(u64(_rd1), 4); _f1 = loaded<f32>(at + 0); } _f1 = _f1 + as<f32>(u32(0x3F800000));
#line 12 "/src/a.cu"
  _L__BB0_1:; { auto* const at = memory.global(u64(_rd1), 4); store<f32>(at + 0, _f1); } return;
}

[[maybe_unused]] const bool added = [] {
  add_kernel({"add_one", "/src/a.cu", 10, kernel0, {{8, 8}, }, shared0, 64});
  return true;
}();

}  // namespace
}  // namespace diopter::host_executor::ptx
)");
}

}  // namespace diopter::test
