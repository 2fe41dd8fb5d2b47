// SPDX-License-Identifier: Apache-2.0
// Runs an installed program on a file made by a test, and keeps what it printed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dwell {

// A new folder under the temporary folder, removed with all it holds.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::string write(const std::string& name, std::string_view content) const;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

bool is_installed(const std::string& program);

struct ToolOutput {
  int exit_code = -1;
  std::string text;  // standard output, with standard error unless left out
};
ToolOutput run_tool(const std::string& shell_command);

}  // namespace dwell
