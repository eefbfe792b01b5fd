#include "tools/command/interrupt.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/support/catch.h"

using diopter::Interrupt;

namespace {

/// Runs body() in a process of its own, without its messages; returns how it ended, as waitpid() tells.
template <class Body>
int status_of(Body body) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    close(STDERR_FILENO);
    std::signal(SIGINT, SIG_DFL);  // Catch2 has handlers of its own
    std::signal(SIGTERM, SIG_DFL);
    std::signal(SIGHUP, SIG_DFL);
    body();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

}  // namespace

TEST_CASE("the first signal is a request") {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const int status = status_of([signal] {
      const Interrupt interrupt;
      if (Interrupt::requested()) _exit(1);
      raise(signal);
      _exit(Interrupt::requested() ? 42 : 2);
    });
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) == 42);
  }
}

TEST_CASE("the second signal ends the program, whichever came first") {
  const int status = status_of([] {
    const Interrupt interrupt;
    raise(SIGTERM);
    raise(SIGINT);
  });
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(WTERMSIG(status) == SIGINT);
}

TEST_CASE("a signal to save is heard once, and ends nothing") {
  const int status = status_of([] {
    const Interrupt interrupt;
    if (Interrupt::save_requested()) _exit(1);
    raise(SIGUSR1);
    raise(SIGUSR1);
    if (Interrupt::requested() || !Interrupt::save_requested() || Interrupt::save_requested()) _exit(2);
    raise(SIGPIPE);
    _exit(42);
  });
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 42);
}

TEST_CASE("what nohup has made deaf stays deaf") {
  const int status = status_of([] {
    std::signal(SIGHUP, SIG_IGN);
    const Interrupt interrupt;
    raise(SIGHUP);
    _exit(Interrupt::requested() ? 1 : 42);
  });
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 42);
}

TEST_CASE("signals act as before when nobody waits for them any more") {
  const int status = status_of([] {
    { const Interrupt interrupt; }
    raise(SIGINT);
  });
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(WTERMSIG(status) == SIGINT);
}

TEST_CASE("a new object forgets earlier requests") {
  const int status = status_of([] {
    {
      const Interrupt interrupt;
      raise(SIGINT);
    }
    const Interrupt interrupt;
    _exit(Interrupt::requested() ? 1 : 42);
  });
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 42);
}
