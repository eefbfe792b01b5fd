#include "tools/compare/child_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "kernels/base/check.h"

namespace diopter {

ChildProcess::ChildProcess(const std::vector<std::string>& arguments, const std::string& log_file) {
  std::vector<char*> argv;
  std::string name = "diopter";
  argv.push_back(name.data());
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int log = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  DIOPTER_CHECK(log >= 0, log_file, ": cannot write: ", std::strerror(errno));
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t parent = getpid();

  pid_ = fork();
  if (pid_ == 0) {  // from here on only what is safe after a fork with threads
    setpgid(0, 0);
    std::signal(SIGUSR1, SIG_IGN);  // until it can save
    std::signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);  // it has ended before we could ask to be told
    dup2(nothing, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execv("/proc/self/exe", argv.data());
    _exit(127);
  }
  const int error = errno;
  close(log);
  close(nothing);
  DIOPTER_CHECK(pid_ > 0, "cannot start a process: ", std::strerror(error));
}

bool ChildProcess::running() {
  int status = 0;
  if (pid_ > 0 && waitpid(pid_, &status, WNOHANG) == pid_) {
    pid_ = -1;
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return pid_ > 0;
}

void ChildProcess::request_stop() const {
  if (pid_ > 0) kill(pid_, SIGTERM);
}

void ChildProcess::request_save() const {
  if (pid_ > 0) kill(pid_, SIGUSR1);
}

}  // namespace diopter
