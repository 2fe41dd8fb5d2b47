// SPDX-License-Identifier: Apache-2.0
#include "userspace/commands/arguments.h"

#include <fmt/core.h>

#include "ui/escape.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

const CLI::App& chosen(const CLI::App& app) {
  std::vector<CLI::App*> commands = const_cast<CLI::App&>(app).get_subcommands();
  return commands.empty() ? app : *commands[0];
}

std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& words) {
  std::string nearest = nearest_of(word, words);
  return nearest.empty() ? "" : "did you mean " + nearest + "? ";
}

// Of arguments that no option and no place takes.
std::string unexpected(const CLI::App& app, const std::string& argument) {
  const CLI::App& command = chosen(app);
  std::string name = &command == &app ? "dwell" : "dwell " + command.get_name();
  if (argument.starts_with("-")) {
    std::string option = argument.substr(0, argument.find('='));
    return fmt::format("dwell: '{}' has no option {}\nhint: {}{} --help lists them\n", name, printable(option),
                       did_you_mean(option, options_of(command)), name);
  }
  if (&command == &app)
    return fmt::format("dwell: there is no command '{}'\nhint: {}dwell --help lists them\n", printable(argument),
                       did_you_mean(argument, commands_of(app)));
  return fmt::format("dwell: '{}' doesn't take another argument: '{}'\nhint: {} --help\n", name, printable(argument), name);
}

}  // namespace

Arguments split_arguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (arguments.has_command)
      arguments.command.push_back(std::move(argument));
    else if (argument == "--")
      arguments.has_command = true;
    else
      arguments.options.push_back(std::move(argument));
  }
  return arguments;
}

std::string usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = chosen(app);
  std::vector<std::string> left = app.remaining(true);
  bool extra = dynamic_cast<const CLI::ExtrasError*>(&error) || &command == &app;
  if (extra && !left.empty()) return unexpected(app, left[0]);
  std::string name = &command == &app ? "dwell" : "dwell " + command.get_name();
  return fmt::format("dwell: {}\nhint: {} --help\n", printable(error.what()), name);
}

}  // namespace dwell
