#include "tools/command/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace diopter {

namespace {

constexpr const char* kClearLine = "\r\x1b[K";

int terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string bar(std::int64_t done, std::int64_t total, int cells) {
  const int filled = total > 0 ? static_cast<int>(done * cells / total) : cells;
  std::string line(cells, ' ');
  std::fill_n(line.begin(), filled, '=');
  if (filled < cells) line[filled] = '>';
  return "[" + line + "]";
}

std::string format_speed(double per_second) {
  char text[32];
  std::snprintf(text, sizeof text, per_second < 10 ? "%.1f" : "%.0f", per_second);
  return text;
}

}  // namespace

std::string progress_line(const ProgressState& state, int width) {
  const std::string total = std::to_string(state.total);
  std::string done = std::to_string(state.done);
  done.insert(0, total.size() - std::min(total.size(), done.size()), ' ');
  const std::string head = state.task + " " + done + "/" + total;

  std::string tail = state.text.empty() ? "" : " " + state.text;
  if (!state.unit.empty()) tail += "  " + format_speed(state.per_second) + " " + state.unit + "/s";
  if (state.done < state.total) tail += "  " + format_duration(state.seconds_left) + " left";
  if (width == 0) return head + tail;

  const int room = width - static_cast<int>(head.size() + tail.size()) - 3;  // a space and the brackets
  const std::string middle = room >= 4 ? " " + bar(state.done, state.total, std::min(room, 24)) : "";
  return (head + middle + tail).substr(0, width);
}

Progress::Progress(std::string task, std::int64_t total, std::string unit, int units_per_step, std::int64_t first)
    : units_per_step_(units_per_step), first_(first), terminal_(isatty(STDERR_FILENO)) {
  state_.task = std::move(task);
  state_.total = total;
  state_.unit = std::move(unit);
}

Progress::~Progress() {
  if (bar_shown_) std::fputc('\n', stderr);
}

void Progress::update(std::int64_t done, const std::string& text) {
  const Clock::time_point now = Clock::now();
  const bool finished = done == state_.total;
  if (!finished && now - printed_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(10))) return;
  printed_ = now;

  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double steps_per_second = static_cast<double>(done - first_) / std::max(seconds, 1e-9);
  state_.done = done;
  state_.text = text;
  state_.per_second = steps_per_second * units_per_step_;
  state_.seconds_left = steps_per_second > 0 ? static_cast<double>(state_.total - done) / steps_per_second : 0;

  if (terminal_) {
    std::fprintf(stderr, "%s%s", kClearLine, progress_line(state_, terminal_width() - 1).c_str());
    if (finished) std::fputc('\n', stderr);
    bar_shown_ = !finished;
  } else {
    std::fprintf(stderr, "%s\n", progress_line(state_, 0).c_str());
  }
}

void Progress::print(const std::string& line) {
  std::fprintf(stderr, "%s%s\n", bar_shown_ ? kClearLine : "", printable(line).c_str());
  if (bar_shown_) std::fputs(progress_line(state_, terminal_width() - 1).c_str(), stderr);
}

}  // namespace diopter
