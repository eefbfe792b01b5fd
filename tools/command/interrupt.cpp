#include "tools/command/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace diopter {

namespace {

std::atomic<bool> interrupt_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

void request(int) {
  const int saved_errno = errno;
  interrupt_requested = true;
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  constexpr char kMessage[] = "\ndiopter: finishing this step (Ctrl-C again ends at once)\n";
  // Nothing can be done about a message that cannot be written.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
  errno = saved_errno;
}

}  // namespace

Interrupt::Interrupt() {
  interrupt_requested = false;
  struct sigaction action {};
  action.sa_handler = request;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &before_int_);
  sigaction(SIGTERM, &action, &before_term_);
}

Interrupt::~Interrupt() {
  sigaction(SIGINT, &before_int_, nullptr);
  sigaction(SIGTERM, &before_term_, nullptr);
}

bool Interrupt::requested() { return interrupt_requested; }

}  // namespace diopter
