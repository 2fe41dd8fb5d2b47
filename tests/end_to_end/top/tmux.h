// SPDX-License-Identifier: Apache-2.0
// Tmux: a terminal for a program of the tests, on a tmux server of its own that ends with it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "tests/end_to_end/harness.h"

namespace dwell::testing {

class Tmux {
 public:
  // Runs a shell command in a terminal of this size.
  Tmux(const std::string& command, std::size_t columns, std::size_t rows);
  Tmux(const Tmux&) = delete;
  ~Tmux();

  void keys(const std::string& keys);  // as tmux send-keys takes them: "q", "Down", "Enter"
  void type(const std::string& text);
  void resize(std::size_t columns, std::size_t rows);
  std::string screen() const;  // what can be read on it
  // Until it shows this.
  bool shows(const std::string& text, std::chrono::seconds at_most = std::chrono::seconds(60)) const;
  bool shows_no(const std::string& text, std::chrono::seconds at_most = std::chrono::seconds(60)) const;
  pid_t shell() const;  // that runs the command
  void end();           // the terminal goes away

 private:
  std::string tmux(const std::vector<std::string>& arguments) const;
  TemporaryFolder folder_;
};

// A child of this process that runs the program; 0: there is none.
pid_t child_of(pid_t parent, const std::string& name);

}  // namespace dwell::testing
