// Ctrl-C as a request: the run finishes its step and saves. A second one ends the program at once.
#pragma once

#include <csignal>

namespace diopter {

/// Exit code: an interrupted run is no failure, but a script must be able to tell it from a finished one.
constexpr int kInterrupted = 130;

/// While one lives, the first SIGINT or SIGTERM only sets a flag and says so on stderr; the next signal acts as usual.
/// At most one lives at a time. Library code polls it through a function: `[] { return Interrupt::requested(); }`.
class Interrupt {
 public:
  Interrupt();
  /// Restores what the signals did before.
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// Whether a signal has come since the object was made.
  static bool requested();

 private:
  struct sigaction before_int_ {
  }, before_term_{};
};

}  // namespace diopter
