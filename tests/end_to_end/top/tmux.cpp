// SPDX-License-Identifier: Apache-2.0
#include "tests/end_to_end/top/tmux.h"

#include <fstream>

namespace dwell::testing {

Tmux::Tmux(const std::string& command, std::size_t columns, std::size_t rows) {
  tmux({"new-session", "-d", "-x", std::to_string(columns), "-y", std::to_string(rows), command});
}

Tmux::~Tmux() { end(); }

void Tmux::end() { tmux({"kill-server"}); }

std::string Tmux::tmux(const std::vector<std::string>& arguments) const {
  std::vector<std::string> command = {"env", "-u", "TMUX", "LANG=C.UTF-8", "tmux", "-S", folder_.file("socket"), "-f", "/dev/null"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run(command).output;
}

void Tmux::keys(const std::string& keys) { tmux({"send-keys", keys}); }
void Tmux::type(const std::string& text) { tmux({"send-keys", "-l", text}); }
void Tmux::resize(std::size_t columns, std::size_t rows) { tmux({"resize-window", "-x", std::to_string(columns), "-y", std::to_string(rows)}); }
std::string Tmux::screen() const { return tmux({"capture-pane", "-p"}); }

bool Tmux::shows(const std::string& text, std::chrono::seconds at_most) const {
  return eventually([&] { return screen().find(text) != std::string::npos; }, at_most);
}
bool Tmux::shows_no(const std::string& text, std::chrono::seconds at_most) const {
  return eventually([&] { return screen().find(text) == std::string::npos; }, at_most);
}

pid_t Tmux::shell() const { return static_cast<pid_t>(std::atoi(tmux({"display-message", "-p", "#{pane_pid}"}).c_str())); }

pid_t child_of(pid_t parent, const std::string& name) {
  std::string task = "/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children";
  std::ifstream children(task);
  for (pid_t pid; children >> pid;) {
    std::string comm;
    std::ifstream("/proc/" + std::to_string(pid) + "/comm") >> comm;
    if (comm == name) return pid;
  }
  return 0;
}

}  // namespace dwell::testing
