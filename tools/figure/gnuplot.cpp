#include "tools/figure/gnuplot.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "kernels/base/check.h"
#include "kernels/base/files.h"

namespace diopter {

namespace {

enum class Drawn { yes, no_gnuplot, failed };

/// Runs `gnuplot SCRIPT` in the folder; what it says is thrown away.
Drawn run_gnuplot(const std::string& folder, std::string script) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_WRONLY, 0);
  }
  std::string program = "gnuplot";
  char* arguments[] = {program.data(), script.data(), nullptr};
  pid_t child = 0;
  const int error = posix_spawnp(&child, program.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return error == ENOENT ? Drawn::no_gnuplot : Drawn::failed;
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? Drawn::yes : Drawn::failed;
}

std::string whole_script(const Figure& figure) {
  return "# Draws " + figure.name + ".svg: gnuplot " + figure.name + ".gp\n" + "DATA = '" + figure.name +
         ".csv'\n"
         "set datafile separator comma\n"
         "set terminal svg size 720," +
         std::to_string(figure.height) +
         " noenhanced background 'white' font 'sans-serif,13'\n"
         "set output '" +
         figure.name +
         ".svg'\n"
         "set colorsequence podo\n"
         "set key autotitle columnhead\n"  // the first line holds no numbers
         "set grid linecolor 'gray85'\n" +
         figure.script;
}

}  // namespace

std::string plot_columns(std::size_t first, const std::vector<std::string>& titles) {
  std::string command;
  for (std::size_t i = 0; i < titles.size(); ++i) {
    command += (i == 0 ? "plot " : ", \\\n     ") + std::string("DATA using 1:") + std::to_string(first + i) +
               " with lines linewidth 2 title '" + titles[i] + "'";
  }
  return command + '\n';
}

void write_figures(const std::string& folder, const std::vector<Figure>& figures) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  DIOPTER_CHECK(!error, folder, ": cannot be made: ", error.message());
  for (const Figure& figure : figures) {
    write_file_atomically(folder + "/" + figure.name + ".csv", figure.csv);
    write_file_atomically(folder + "/" + figure.name + ".gp", whole_script(figure));
  }
  for (const Figure& figure : figures) {
    const std::string base = folder + "/" + figure.name;
    std::filesystem::remove(base + ".svg", error);  // never a picture of other numbers
    const Drawn drawn = run_gnuplot(folder, figure.name + ".gp");
    if (drawn == Drawn::no_gnuplot) {
      std::fprintf(stderr,
                   "diopter: SVG left out, gnuplot is not installed (Debian package gnuplot-nox); scripts: %s\n",
                   folder.c_str());
      return;
    }
    if (drawn == Drawn::failed) {
      std::filesystem::remove(base + ".svg", error);
      std::fprintf(stderr, "diopter: %s.svg left out, gnuplot failed on %s.gp\n", base.c_str(), base.c_str());
    }
  }
}

}  // namespace diopter
