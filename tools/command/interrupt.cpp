#include "tools/command/interrupt.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "kernels/base/check.h"

namespace diopter {

namespace {

std::atomic<bool> stop_wanted{false}, save_wanted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

template <std::size_t N>
void say(const char (&message)[N]) {
  // Nothing can be done about a message that cannot be written.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, message, N - 1);
}

void request_stop(int) {
  const int saved_errno = errno;
  stop_wanted = true;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_DFL);
  say("\ndiopter: finishing this step (Ctrl-C again ends at once)\n");
  errno = saved_errno;
}

/// Lets this thread, to which the kernel gives the process's signals, handle them on a stack of their own: matrix
/// products of oneDNN have their stack pointer in memory of the heap for a while, where a handler's frame, of ten
/// kilobytes with AVX-512 and AMX, would overwrite what lies below.
void use_stack_for_signals() {
  static std::array<char, std::size_t{1} << 16> memory;
  stack_t stack{};
  stack.ss_sp = memory.data();
  stack.ss_size = memory.size();
  sigaltstack(&stack, nullptr);
}

void request_save(int) {
  const int saved_errno = errno;
  save_wanted = true;
  say("\ndiopter: saving after this step\n");
  errno = saved_errno;
}

}  // namespace

Interrupt::Interrupt() {
  stop_wanted = save_wanted = false;
  use_stack_for_signals();
  for (std::size_t i = 0; i < std::size(kSignals); ++i) {
    const int signal = kSignals[i];
    sigaction(signal, nullptr, &before_[i]);
    if (signal == SIGHUP && before_[i].sa_handler == SIG_IGN) continue;
    struct sigaction action {};
    action.sa_handler = signal == SIGPIPE ? SIG_IGN : signal == SIGUSR1 ? request_save : request_stop;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, nullptr);
  }
}

Interrupt::~Interrupt() {
  for (std::size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &before_[i], nullptr);
}

bool Interrupt::requested() { return stop_wanted; }
bool Interrupt::save_requested() { return save_wanted.exchange(false); }

void prepare_process() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest free number is this one: those below are open by now.
    if (fcntl(stream, F_GETFD) == -1) [[maybe_unused]]
      const int opened = open("/dev/null", O_RDWR);
  }
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGUSR1, SIG_IGN);
}

void check_standard_output() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  fail("standard output: cannot write: ", errno != 0 ? std::strerror(errno) : "an earlier part of it was lost");
}

}  // namespace diopter
