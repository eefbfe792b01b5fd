// Command lines: a program, its subcommands, their options, and what is called when they are given. A thin layer over
// CLI11, whose header alone costs 12 s of compilation: options.cpp is the only file that includes it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace diopter {

/// One option, as Command adds it: the calls below say more about it and can be chained.
class Option {
 public:
  explicit Option(CLI::Option& option) : option_(&option) {}

  /// Without it the command line is refused.
  Option& required();
  /// What stands for the value in the help, "FILE"; by default the type of the variable.
  Option& type(const std::string& name);

  /// Refuses other values, limits included; the help shows the limits behind the type.
  Option& range(int least, int greatest);
  Option& range(double least, double greatest);
  Option& positive();
  Option& not_negative();

  /// Of a repeated option: one value each time it is given, so that positional arguments may follow.
  Option& one_each();

  /// The help does not repeat the default value, or the limits: the description says them, or they need no words.
  Option& default_in_words();
  Option& limits_in_words();

 private:
  CLI::Option* option_;
};

/// A command and its options. Each option writes to a variable that must live until Program::run returns; what is in it
/// before is the default and shown in the help. A name that does not begin with dashes makes a positional argument.
/// A copy stands for the same command.
class Command {
 public:
  explicit Command(CLI::App& app) : app_(&app) {}

  /// A subcommand whose help closes with an example; `example` is what follows `diopter `.
  Command subcommand(const std::string& name, const std::string& description, const std::string& example);
  /// One of the subcommands must be given.
  void require_subcommand();

  Option text(const std::string& name, std::string& value, const std::string& description);
  /// One of `choices`; the help shows them behind the type.
  Option choice(const std::string& name, std::string& value, const std::vector<std::string>& choices,
                const std::string& description);
  Option number(const std::string& name, int& value, const std::string& description);
  Option number(const std::string& name, std::int64_t& value, const std::string& description);
  Option number(const std::string& name, std::uint64_t& value, const std::string& description);
  Option number(const std::string& name, float& value, const std::string& description);
  Option number(const std::string& name, double& value, const std::string& description);
  /// Calls `use` with the number, where one is given.
  Option number(const std::string& name, const std::function<void(int)>& use, const std::string& description);

  /// Two numbers: --name 3 7.
  Option pair(const std::string& name, std::pair<int, int>& values, const std::string& description);
  Option pair(const std::string& name, std::pair<float, float>& values, const std::string& description);
  /// Any number of values in a row: --name a b c.
  Option list(const std::string& name, std::vector<std::string>& values, const std::string& description);
  Option list(const std::string& name, std::vector<float>& values, const std::string& description);
  /// May be given again and again: --name a --name b. Values that follow one belong to it, too.
  Option repeated(const std::string& name, std::vector<std::string>& values, const std::string& description);

  void flag(const std::string& name, bool& value, const std::string& description);
  /// Calls `use` where the flag is given.
  void flag(const std::string& name, const std::function<void()>& use, const std::string& description);

  /// Whether the command line that is being run has this option.
  bool given(const std::string& name) const;

  /// What the command does, called once its options have their values. `act` returns the exit code, or nothing for 0.
  template <class Act>
  void action(Act act) {
    if constexpr (std::is_void_v<std::invoke_result_t<Act&>>) {
      set_action([act = std::move(act)]() mutable { return act(), 0; });
    } else {
      set_action(std::move(act));
    }
  }

 private:
  void set_action(std::function<int()> act);

  CLI::App* app_;
};

/// The program: owns all commands.
class Program {
 public:
  /// `version` is what --version prints; `footer` closes the help.
  Program(const std::string& name, const std::string& description, const std::string& version,
          const std::string& footer);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// The command that all others are subcommands of.
  Command command();

  /// Reads the command line and does what it asks for; returns the exit code. Throws Error, one line with a hint, when
  /// it cannot be understood, and whatever the command's action throws.
  int run(int argc, char** argv);

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace diopter
