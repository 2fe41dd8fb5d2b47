// SPDX-License-Identifier: Apache-2.0
#include "tests/containers/placed.h"

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace dwell::testing {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

bool is_place(pid_t pid) {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/exe", ignored) == DWELL_PLACE;
}

Words joined(Words first, const Words& then) {
  first.insert(first.end(), then.begin(), then.end());
  return first;
}

}  // namespace

Words placed(const Words& options, const Words& command) {
  return joined(joined(joined({DWELL_PLACE}, options), {"--"}), command);
}

Placed::Placed(const Words& options, const Words& command) : program_(placed(options, command)) {
  EXPECT_TRUE(program_.wait_for_output("ready")) << program_.describe() << program_.errors();
  chain_.push_back(program_.pid());
  while (is_place(chain_.back())) {
    std::string one = std::to_string(chain_.back());
    pid_t child = std::atoi(text_of("/proc/" + one + "/task/" + one + "/children").c_str());
    if (child <= 0) break;
    chain_.push_back(child);
  }
}

pid_t Placed::pid_at(int levels) const {
  std::string status = text_of("/proc/" + std::to_string(pid()) + "/status");
  std::istringstream ids(status.substr(status.find("\nNSpid:") + 7));
  pid_t id = 0;
  for (int level = 0; levels < 0 || level <= levels; ++level) {
    std::string line;
    if (ids.peek() == '\n' || !(ids >> id)) break;
  }
  return id;
}

Words Viewer::command(const Words& dwell_arguments) const {
  Words dwell = joined({dwell_binary()}, dwell_arguments);
  if (!beside && place.empty()) return dwell;
  Words options = beside ? Words{"join=" + std::to_string(beside)} : Words{};
  return placed(joined(options, place), dwell);
}

RecordingFrom::RecordingFrom(const Viewer& viewer, const Words& arguments)
    : program_(viewer.command(joined({"record", "--exact", "-o", file()}, arguments))) {}

nlohmann::json RecordingFrom::stop() {
  program_.signal(SIGINT);
  EXPECT_EQ(program_.wait(), 0) << program_.errors();
  nlohmann::json all = report(file());
  expect_nothing_lost(all);
  return all;
}

}  // namespace dwell::testing
