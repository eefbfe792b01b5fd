#include "kernels/host_executor/ptx/translator/instruction.h"

#include "kernels/base/check.h"
#include "tests/support/catch.h"

namespace diopter::test {

namespace {

/// The C++ of one instruction on line 7 of /src/a.cu.
std::string translated(const std::string& instruction) {
  const ptx::Module module = ptx::parse(
      ".extern .shared .align 16 .b8 dynamic[];\n.entry k(.param .u32 first, .param .u64 second)\n{\n"
      ".reg .pred %p<4>; .reg .b16 %rs<4>; .reg .b32 %r<9>; .reg .b64 %rd<9>; .reg .f32 %f<9>; .reg .f64 %fd<9>;\n"
      ".shared .align 4 .b8 tile[400];\n.loc\t1 7 3\n" +
          instruction + "\n}\n.file\t1 \"/src/a.cu\"\n",
      "/src");
  return ptx::statement_of(module, module.kernels[0], module.kernels[0].code[0]);
}

std::string error_of(const std::string& instruction) {
  try {
    return translated(instruction);
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("ptx: instructions as C++") {
  const std::vector<std::pair<const char*, const char*>> rows = {
      {"add.f32 %f1, %f2, 0f3F800000;", "_f1 = _f2 + as<f32>(u32(0x3F800000));"},
      {"add.s32 %r1, %r2, -1;", "_r1 = _r2 + u32(-1);"},
      {"mul.lo.s32 %r1, %r2, %r3;", "_r1 = u64(_r2) * _r3;"},
      {"mul.wide.s32 %rd1, %r2, 4;", "_rd1 = as<u64>(s64(s64(as<s32>(_r2)) * s64(s32(4))));"},
      {"shr.s32 %r1, %r2, 31;", "_r1 = as<u32>(s32(shifted_right(as<s32>(_r2), u32(31))));"},
      {"add.ftz.f32 %f1, %f2, %f3;", "_f1 = flushed(flushed(_f2) + flushed(_f3));"},
      {"fma.rm.f32 %f1, %f2, %f3, %f4;",
       "_f1 = rounded(FE_DOWNWARD, [](f32 v0, f32 v1, f32 v2) -> f32 { return std::fma(v0, v1, v2); }, _f2, _f3, "
       "_f4);"},
      {"ex2.approx.ftz.f32 %f1, %f2;", "_f1 = flushed(approximate_exp2(flushed(_f2)));"},
      {"selp.b32 %r1, %r2, 5, %p1;", "_r1 = as<u32>(b32(_p1 ? as<b32>(_r2) : b32(5)));"},
      {"not.pred %p1, %p2;", "_p1 = !_p2;"},
      {"setp.ltu.f32 %p1, %f1, %f2;", "{ const pred yes = !(_f1 >= _f2); _p1 = yes; }"},
      {"setp.ne.and.f32 %p1|%p2, %f1, %f2, !%p3;",
       "{ const pred yes = _f1 < _f2 || _f1 > _f2; const pred c = !_p3; _p1 = yes & c; _p2 = !yes & c; }"},
      {"setp.lt.u32 %p1, %r1, 7;", "{ const pred yes = _r1 < u32(7); _p1 = yes; }"},
      {"setp.lt.s32 %p1, %r1, 7;", "{ const pred yes = as<s32>(_r1) < s32(7); _p1 = yes; }"},
      {"cvt.s64.s32 %rd1, %r1;", "_rd1 = as<u64>(s64(s64(as<s32>(_r1))));"},
      {"cvt.rzi.s32.f32 %r1, %f1;", "_r1 = as<u32>(s32(to_integer<s32>(std::trunc(_f1))));"},
      {"cvt.rn.bf16.f32 %rs1, %f1;", "_rs1 = nearest_bf16(_f1);"},
      {"cvt.rz.bf16x2.f32 %r1, %f1, %f2;", "_r1 = u32(truncated_bf16(_f1)) << 16 | truncated_bf16(_f2);"},
      {"mov.u32 %r1, %tid.x;", "_r1 = u32(threadIdx.x);"},
      {"mov.b64 {%r1, %r2}, %fd1;", "{ const u64 all = as<u64>(_fd1); _r1 = u32(all >> 0); _r2 = u32(all >> 32); }"},
      {"mov.b64 %rd1, {%r1, %r2};", "_rd1 = u64(_r1) << 0 | u64(_r2) << 32;"},
      {"mov.u32 %r1, tile;", "_r1 = u32(1024);"},
      {"mov.u32 %r1, dynamic;", "_r1 = u32(3072);"},
      {"ld.param.u64 %rd1, [second];",
       "{ auto* const at = memory.param(u64(u64(memory.parameters() + 8)), 8); _rd1 = loaded<u64>(at + 0); }"},
      {"ld.global.nc.u8 %rs1, [%rd1+4];",
       "{ auto* const at = memory.global(u64(_rd1 + 4), 1); _rs1 = as<u16>(u8(loaded<u8>(at + 0))); }"},
      {"st.shared.v2.f32 [%r1], {%f1, %f2};",
       "{ auto* const at = memory.shared(u64(_r1), 8); store<f32>(at + 0, _f1); store<f32>(at + 4, _f2); }"},
      {"atom.global.add.u32 %r1, [%rd1], 1;",
       "_r1 = atomicAdd(reinterpret_cast<unsigned*>(memory.global(u64(_rd1), 4)), u32(1));"},
      {"red.shared.max.s32 [%r1], %r2;",
       "atomicMax(reinterpret_cast<int*>(memory.shared(u64(_r1), 4)), as<s32>(_r2));"},
      {"@!%p1 bra.uni $L__BB0_3;", "if (!_p1) { goto _L__BB0_3; }"},
      {"bar.sync 0;", "block_barrier(BarrierKind::plain);"},
      {"bar.red.popc.u32 %r1, 0, %p1;", "_r1 = block_barrier(BarrierKind::count, _p1);"},
      {"bar.warp.sync -1;", "warp_barrier(u32(-1));"},
      {"vote.sync.all.pred %p1, !%p2, %r1;", "_p1 = ballot(_r1, !(!_p2)) == 0;"},
      {"redux.sync.min.s32 %r1, %r2, %r3;", "_r1 = warp_collective(WarpOperation::signed_minimum, _r2, _r3);"},
      {"shfl.sync.bfly.b32 %r1|%p1, %r2, 1, 31, -1;",
       "{ const Shuffled shuffled = warp_shuffle(WarpOperation::shuffle_xor, _r2, u32(1), u32(31), u32(-1)); "
       "_r1 = shuffled.value; _p1 = shuffled.in_range; }"},
  };
  for (const auto& [instruction, expected] : rows) {
    INFO(instruction);
    CHECK(translated(instruction) == expected);
  }
}

TEST_CASE("ptx: an instruction that is not known is an error that names it and its line") {
  CHECK(error_of("tex.2d.v4.f32.f32 {%f1, %f2, %f3, %f4}, [%rd1, {%f5, %f6}];") ==
        "/src/a.cu:7: PTX 'tex.2d.v4.f32.f32 {%f1, %f2, %f3, %f4}, [%rd1, {%f5, %f6}]' is not known");
  for (const char* instruction : {"add.cc.s32 %r1, %r2, %r3;",
                                  "add.s32 %r1, %r2;",
                                  "add.f32 %f1, %f2, 1;",
                                  "mul.s32 %r1, %r2, %r3;",
                                  "min.NaN.f32 %f1, %f2, %f3;",
                                  "rcp.approx.f64 %fd1, %fd2;",
                                  "ld.acquire.gpu.u32 %r1, [%rd1];",
                                  "ld.global.v2.f32 %f1, [%rd1];",
                                  "ld.const.u32 %r1, [%rd1];",
                                  "st.async.u32 [%rd1], %r1;",
                                  "atom.acquire.gpu.add.u32 %r1, [%rd1], 1;",
                                  "atom.global.add.noftz.bf16 %rs1, [%rd1], %rs2;",
                                  "cvt.f32.f64 %f1, %fd1;",
                                  "cvt.rz.f32.f64 %f1, %fd1;",
                                  "cvt.f32.s32 %f1, %r1;",
                                  "cvt.s32.f32 %r1, %f1;",
                                  "cvt.rn.relu.bf16.f32 %rs1, %f1;",
                                  "setp.foo.s32 %p1, %r1, %r2;",
                                  "setp.equ.s32 %p1, %r1, %r2;",
                                  "mov.u32 %r1, %clock;",
                                  "mov.u32 %r1, %laneid.x;",
                                  "mov.u32 %r1, unheard_of;",
                                  "bar.sync 1;",
                                  "bar.sync 0, 64;",
                                  "bar.arrive 0, 64;",
                                  "shfl.bfly.b32 %r1, %r2, 1, 31;",
                                  "vote.sync.uni.pred %p1, %p2, %r1;",
                                  "match.all.sync.b32 %r1, %r2, -1;",
                                  "redux.sync.mul.s32 %r1, %r2, %r3;",
                                  "call.uni f, (%r1);",
                                  "brx.idx %r1, table;",
                                  "cvta.const.u64 %rd1, %rd2;",
                                  "bra.foo $L;"}) {
    INFO(instruction);
    const std::string error = error_of(instruction);
    CHECK(error.starts_with("/src/a.cu:7: PTX '"));
    CHECK(error.ends_with("' is not known"));
  }
}

}  // namespace diopter::test
