// SPDX-License-Identifier: Apache-2.0
// Where a command's result goes.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "userspace/base/result.h"
#include "userspace/base/text_sink.h"

namespace dwell {

// To a file, replaced at once or not at all, and said so; to standard output (on a terminal: the pager) if
// `path` is "" or "-".
Result<void> write_output(const std::string& path, std::string_view content);
// The same of what `produce` gives piece by piece.
Result<void> write_output(const std::string& path, const std::function<void(const TextSink&)>& produce);

// "dwell: attach ...\nhint: ...\n". What failed may be a file that the target has named.
std::string error_text(const Error& error);

// On standard error, when the command has ended and the pager is gone.
void say_at_end(const std::string& text);
void say_what_is_left();

// To a descriptor: what is said beside a command's own result.
Result<void> write_summary(int fd, std::string_view content);

// How a command that only writes ended.
inline Result<Exit> printed(const Result<void>& written) {
  if (written) return Exit::kOk;
  return written.error();
}

// Says on standard error that a file was replaced, if one stood there when it was made and tell() is called.
class ReplacedFile {
 public:
  explicit ReplacedFile(const std::string& path);  // "" and "-": no file
  void tell() const;

 private:
  std::string path_;
  bool stood_there_;
};

}  // namespace dwell
