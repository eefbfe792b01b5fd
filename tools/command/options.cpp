#include "tools/command/options.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <sstream>

#include "kernels/base/check.h"
#include "kernels/base/did_you_mean.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

template <class T>
CLI::Option& add_pair(CLI::App& app, const std::string& name, std::pair<T, T>& values, const std::string& description) {
  std::ostringstream now;
  now << values.first << ' ' << values.second;
  return *app.add_option(name, values, description)->default_str(now.str());
}

/// CLI11's own check shows the greatest double as the limit.
CLI::Validator check_sign(bool zero_allowed) {
  const auto check = [zero_allowed](const std::string& text) {
    double value = 0;
    if (CLI::detail::lexical_cast(text, value) && (value > 0 || (zero_allowed && value == 0))) return std::string();
    return "Value " + text + " is not a number " + (zero_allowed ? "of at least 0" : "above 0");
  };
  return {check, zero_allowed ? "NONNEGATIVE" : "POSITIVE"};
}

std::vector<std::string> names_of(const std::vector<const CLI::App*>& commands) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands) names.push_back(command->get_name());
  return names;
}

/// CLI11 would take a mistyped command for a surplus argument.
void check_command_name(const CLI::App& app, int argc, char** argv) {
  const std::vector<std::string> names = names_of(app.get_subcommands({}));
  const std::string help = " (see " + app.get_name() + " --help)";

  DIOPTER_CHECK(argc > 1, "no command given, it is one of ", join(names), help);
  const std::string typed = argv[1];
  if (typed.starts_with("-") || std::find(names.begin(), names.end(), typed) != names.end()) return;
  fail("unknown command '", typed, "'", hint_with_list(typed, names), help);
}

/// CLI11's complaint about the command line, in one line and with a hint.
std::string one_line(const CLI::App& app, const CLI::ParseError& error) {
  std::string line = error.what();
  while (!line.empty() && line.back() == '\n') line.pop_back();
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::string command = app.get_name();
  for (const CLI::App* subcommand : app.get_subcommands()) command += " " + subcommand->get_name();
  return line + " (see " + command + " --help)";
}

}  // namespace

Option& Option::required() {
  option_->required();
  return *this;
}

Option& Option::one_each() {
  option_->allow_extra_args(false);
  return *this;
}

Option& Option::type(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Option& Option::range(int least, int greatest) {
  option_->check(CLI::Range(least, greatest));
  return *this;
}

Option& Option::range(double least, double greatest) {
  option_->check(CLI::Range(least, greatest));
  return *this;
}

Option& Option::positive() {
  option_->check(check_sign(false));
  return *this;
}

Option& Option::not_negative() {
  option_->check(check_sign(true));
  return *this;
}

Option& Option::default_in_words() {
  option_->default_str("");
  return *this;
}

Option& Option::limits_in_words() {
  option_->get_validator()->description("");
  return *this;
}

Command Command::subcommand(const std::string& name, const std::string& description, const std::string& example) {
  CLI::App& command = *app_->add_subcommand(name, description);
  command.option_defaults()->always_capture_default();
  command.footer("Example:\n  diopter " + example);
  return Command(command);
}

void Command::require_subcommand() { app_->require_subcommand(1); }

Option Command::text(const std::string& name, std::string& value, const std::string& description) {
  return Option(*app_->add_option(name, value, description));
}

Option Command::choice(const std::string& name, std::string& value, const std::vector<std::string>& choices,
                       const std::string& description) {
  return Option(*app_->add_option(name, value, description)->check(CLI::IsMember(choices)));
}

Option Command::number(const std::string& name, int& value, const std::string& description) {
  return Option(*app_->add_option(name, value, description));
}

Option Command::number(const std::string& name, std::int64_t& value, const std::string& description) {
  return Option(*app_->add_option(name, value, description));
}

Option Command::number(const std::string& name, std::uint64_t& value, const std::string& description) {
  return Option(*app_->add_option(name, value, description));
}

Option Command::number(const std::string& name, float& value, const std::string& description) {
  return Option(*app_->add_option(name, value, description));
}

Option Command::number(const std::string& name, double& value, const std::string& description) {
  return Option(*app_->add_option(name, value, description));
}

Option Command::number(const std::string& name, const std::function<void(int)>& use, const std::string& description) {
  return Option(*app_->add_option_function<int>(name, use, description));
}

Option Command::pair(const std::string& name, std::pair<int, int>& values, const std::string& description) {
  return Option(add_pair(*app_, name, values, description));
}

Option Command::pair(const std::string& name, std::pair<float, float>& values, const std::string& description) {
  return Option(add_pair(*app_, name, values, description));
}

Option Command::list(const std::string& name, std::vector<std::string>& values, const std::string& description) {
  return Option(*app_->add_option(name, values, description));
}

Option Command::list(const std::string& name, std::vector<float>& values, const std::string& description) {
  return Option(*app_->add_option(name, values, description));
}

Option Command::repeated(const std::string& name, std::vector<std::string>& values, const std::string& description) {
  CLI::Option& option = *app_->add_option(name, values, description);
  option.expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->default_str("");
  return Option(option);
}

void Command::flag(const std::string& name, bool& value, const std::string& description) {
  app_->add_flag(name, value, description);
}

void Command::flag(const std::string& name, const std::function<void()>& use, const std::string& description) {
  app_->add_flag_callback(name, use, description);
}

bool Command::given(const std::string& name) const { return app_->count(name) > 0; }

void Command::set_action(std::function<int()> act) {
  app_->callback([act = std::move(act)] {
    const int code = act();
    if (code != 0) throw CLI::RuntimeError(code);
  });
}

Program::Program(const std::string& name, const std::string& description, const std::string& version,
                 const std::string& footer)
    : app_(std::make_unique<CLI::App>(description, name)) {
  app_->set_version_flag("--version", version);
  app_->get_formatter()->column_width(36);
  app_->footer(footer);
  app_->require_subcommand(1);
}

Program::~Program() = default;

Command Program::command() { return Command(*app_); }

int Program::run(int argc, char** argv) {
  check_command_name(*app_, argc, argv);
  try {
    app_->parse(argc, argv);
    return 0;
  } catch (const CLI::Success& help_or_version) {
    return app_->exit(help_or_version);
  } catch (const CLI::RuntimeError& ended) {  // a command has said what it had to say
    return ended.get_exit_code();
  } catch (const CLI::ParseError& error) {
    throw Error(one_line(*app_, error));
  }
}

}  // namespace diopter
