// Signals as requests: a run finishes its step and saves, or only saves.
#pragma once

#include <csignal>
#include <iterator>

namespace diopter {

/// Exit code: an interrupted run is no failure, but a script must be able to tell it from a finished one.
constexpr int kInterrupted = 130;

/// While one lives, the first SIGINT (Ctrl-C), SIGTERM (of a batch system) or SIGHUP (a closed terminal) only sets a
/// flag and says so on stderr; the next of these signals acts as usual and ends the program at once. SIGHUP stays
/// ignored where it is (nohup). SIGUSR1, with which batch systems warn, asks for a checkpoint. A reader of stdout or
/// stderr that has gone (SIGPIPE) ends nothing. At most one lives at a time. Library code polls it through functions:
/// `[] { return Interrupt::requested(); }`.
class Interrupt {
 public:
  Interrupt();
  /// Restores what the signals did before.
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// Whether a signal to stop has come since the object was made.
  static bool requested();
  /// Whether a signal to save has come since the last call.
  static bool save_requested();

 private:
  static constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGPIPE};

  struct sigaction before_[std::size(kSignals)];
};

/// For the start of a program: a closed stdin, stdout or stderr becomes /dev/null, so that no other file gets its
/// number and is written to by mistake; a file beyond a limit of its size is an error (not SIGXFSZ), and a batch
/// system's warning ends nothing (SIGUSR1).
void prepare_process();

/// Throws Error "standard output: cannot write: reason" where what was printed could not be written.
void check_standard_output();

}  // namespace diopter
