// Progress of long work on stderr: a bar that redraws itself on a terminal, a plain line now and then elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "kernels/base/text.h"

namespace diopter {

/// Contents of a progress line.
struct ProgressState {
  std::string task;  // "train"
  std::int64_t done = 0, total = 0;
  std::string text;       // "loss 0.513 (cls .31 box .20)"; may be empty
  std::string unit;       // "images"; empty: no speed is shown
  double per_second = 0;  // units a second
  double seconds_left = 0;
};

/// "train  420/1500 [=====>    ] loss 0.513 (cls .31 box .20)  132 images/s  0:48 left", at most `width` characters
/// wide; width 0 is the plain line without bar.
std::string progress_line(const ProgressState& state, int width);

class Progress {
 public:
  /// `total` steps, of which `first` were done before (a resumed run); `unit` names what is counted for the speed,
  /// `units_per_step` of them a step.
  Progress(std::string task, std::int64_t total, std::string unit = "", int units_per_step = 1, std::int64_t first = 0);
  /// Ends the line of an unfinished bar, so that what is printed next starts on a line of its own.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Says that `done` steps are finished. Cheap: prints ten times a second at most, every ten seconds without a
  /// terminal, and always when done == total.
  void update(std::int64_t done, const std::string& text = "");

  /// Prints a line of its own (a warning), as `printable` makes it, without disturbing the bar.
  void print(const std::string& line);

 private:
  using Clock = std::chrono::steady_clock;

  ProgressState state_;
  int units_per_step_;
  std::int64_t first_;
  bool terminal_;
  bool bar_shown_ = false;
  Clock::time_point start_ = Clock::now(), printed_ = start_;
};

}  // namespace diopter
