// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/ui/run_tool.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>

#include "userspace/base/files.h"

namespace dwell {

ScratchFolder::ScratchFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "dwell-test-XXXXXX").string();
  if (mkdtemp(pattern.data())) path_ = pattern;
  EXPECT_FALSE(path_.empty());
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

std::string ScratchFolder::write(const std::string& name, std::string_view content) const {
  std::string path = path_ + "/" + name;
  Result<void> written = write_file_atomically(path, content);
  EXPECT_TRUE(written);
  return path;
}

bool is_installed(const std::string& program) {
  return run_tool("command -v " + program + " >/dev/null 2>&1").exit_code == 0;
}

ToolOutput run_tool(const std::string& shell_command) {
  ToolOutput output;
  std::FILE* pipe = popen(shell_command.c_str(), "r");
  if (!pipe) return output;
  char buffer[4096];
  for (std::size_t size; (size = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
    output.text.append(buffer, size);
  int status = pclose(pipe);
  output.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return output;
}

}  // namespace dwell
