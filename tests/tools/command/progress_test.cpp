#include "tools/command/progress.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "tests/tools/program.h"

using namespace diopter;

namespace {

const ProgressState kState{.task = "train",
                           .done = 420,
                           .total = 1500,
                           .text = "loss 0.513 (cls .31 box .20)",
                           .unit = "images",
                           .per_second = 132.4,
                           .seconds_left = 48.2};

/// Skips where there are no terminals to be had, as in a chroot without /dev/pts.
bool has_terminals() {
  const int master = posix_openpt(O_RDWR | O_NOCTTY);
  const bool usable = master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0;
  if (master >= 0) close(master);
  if (!usable) test::skip("this system has no pseudo-terminals");
  return usable;
}

/// Runs body() in a process whose terminal is `columns` wide; returns what it printed.
template <class Body>
std::string printed_on_terminal(unsigned short columns, Body body) {
  const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  REQUIRE(child >= 0);
  if (child == 0) {
    body();
    _exit(0);
  }
  std::string text;
  char buffer[1024];
  for (ssize_t n; (n = read(terminal, buffer, sizeof buffer)) > 0;) text.append(buffer, n);
  close(terminal);
  waitpid(child, nullptr, 0);
  return text;
}

}  // namespace

TEST_CASE("a progress line fits its width") {
  REQUIRE(progress_line(kState, 100) ==
          "train  420/1500 [======>                 ] loss 0.513 (cls .31 box .20)  132 images/s  0:48 left");
  REQUIRE(progress_line(kState, 90).size() == 90);
  REQUIRE(progress_line(kState, 40) == "train  420/1500 loss 0.513 (cls .31 box ");
  REQUIRE(progress_line(kState, 0) == "train  420/1500 loss 0.513 (cls .31 box .20)  132 images/s  0:48 left");
  ProgressState finished = kState;
  finished.done = 1500;
  REQUIRE(progress_line(finished, 0) == "train 1500/1500 loss 0.513 (cls .31 box .20)  132 images/s");
}

TEST_CASE("durations") {
  REQUIRE(format_duration(0) == "0:00");
  REQUIRE(format_duration(47.6) == "0:48");
  REQUIRE(format_duration(725) == "12:05");
  REQUIRE(format_duration(3723) == "1:02:03");
  REQUIRE(format_duration(-1) == "0:00");
}

TEST_CASE("on a terminal the bar redraws its line and ends it") {
  if (!has_terminals()) return;
  const std::string text = printed_on_terminal(60, [] {
    Progress progress("work", 3);
    usleep(110'000);
    progress.update(1, "first");
    progress.print("a warning");
    progress.update(3, "last");
  });
  INFO(text);
  REQUIRE(test::contains(text, "\r\x1b[Kwork 1/3 [========>               ] first  0:00 left"));
  REQUIRE(test::contains(text, "\r\x1b[Ka warning\r\nwork 1/3 ["));
  REQUIRE(test::contains(text, "\r\x1b[Kwork 3/3 [========================] last\r\n"));
}

TEST_CASE("a bar that is left unfinished ends its line") {
  if (!has_terminals()) return;
  const std::string text = printed_on_terminal(60, [] {
    Progress progress("work", 3);
    usleep(110'000);
    progress.update(2);
  });
  INFO(text);
  REQUIRE(text.ends_with(" left\r\n"));
}
