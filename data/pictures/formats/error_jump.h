// Errors of C libraries that want a function which never returns: a jump back, and there an exception.
#pragma once

#include <csetjmp>
#include <cstdio>
#include <string>

#include "kernels/base/check.h"

namespace diopter {

class ErrorJump {
 public:
  /// Leaves the library's frames for the innermost `run`, which throws Error with this reason.
  [[noreturn]] void jump(const char* reason) {
    std::snprintf(reason_, sizeof reason_, "%s", reason);
    std::longjmp(back_, 1);
  }

  /// Calls step(). The frames between here and the library are left without their destructors: they may hold nothing
  /// that needs one.
  template <class Step>
  void run(const Step& step) {
    if (!returns(step)) throw Error(reason_);
  }

 private:
  template <class Step>
  [[gnu::noinline]] bool returns(const Step& step) {
    if (setjmp(back_) != 0) return false;
    step();
    return true;
  }

  std::jmp_buf back_;
  char reason_[256] = "";
};

}  // namespace diopter
