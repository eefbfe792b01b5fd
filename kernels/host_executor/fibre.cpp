#include "kernels/host_executor/fibre.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

#include "kernels/host_executor/race_detector.h"

namespace {

// The callee-saved registers are pushed on the stack that is left and popped from the one that is entered; everything
// else the compiler saves around the call.
#if defined(__x86_64__)
asm(R"(
  .text
  .p2align 4
  .type diopter_switch_stack, @function
diopter_switch_stack:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
  .size diopter_switch_stack, . - diopter_switch_stack
)");
// What lies on a stack that is left: the entry is the return address. One more word above it, because a function starts
// with the stack pointer 8 below a multiple of 16.
constexpr int kFrameWords = 8, kEntryWord = 6;
#elif defined(__aarch64__)
asm(R"(
  .text
  .p2align 4
  .type diopter_switch_stack, %function
diopter_switch_stack:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
  .size diopter_switch_stack, . - diopter_switch_stack
)");
constexpr int kFrameWords = 20, kEntryWord = 11;  // the entry is the link register
#else
#error "the host executor switches stacks on x86-64 and aarch64 only"
#endif

extern "C" void diopter_switch_stack(void** save, void* load) asm("diopter_switch_stack");

constexpr std::size_t kStackBytes = 256 << 10, kGuardBytes = 64 << 10;

}  // namespace

namespace diopter::host_executor {

Fibre* make_fibre(void (*entry)()) {
  // The guard below the stack turns an overflow into a segmentation fault.
  void* memory = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, kGuardBytes, PROT_NONE) != 0) {
    std::perror("host executor: no memory for another stack");
    std::abort();
  }
  auto* fibre = new Fibre;
  fibre->stack = {.lowest = static_cast<char*>(memory) + kGuardBytes, .bytes = kStackBytes};
  void** frame = reinterpret_cast<void**>(static_cast<char*>(memory) + kGuardBytes + kStackBytes) - kFrameWords;
  frame[kEntryWord] = reinterpret_cast<void*>(entry);
  fibre->stack_pointer = frame;
  race_detector::stack_is_reused(fibre->stack.lowest, kStackBytes);
  return fibre;
}

void destroy_fibre(Fibre* fibre) {
  munmap(static_cast<char*>(const_cast<void*>(fibre->stack.lowest)) - kGuardBytes, kGuardBytes + kStackBytes);
  delete fibre;
}

void switch_fibre(Fibre& from, Fibre& to) {
  address_sanitizer::leave(from.stack, to.stack);
  diopter_switch_stack(&from.stack_pointer, to.stack_pointer);
  address_sanitizer::entered(from.stack);
}

void fibre_entered(Fibre& fibre) { address_sanitizer::entered(fibre.stack); }

}  // namespace diopter::host_executor
