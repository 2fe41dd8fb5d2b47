// SPDX-License-Identifier: Apache-2.0
#include "userspace/commands/output.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>

#include "ui/escape.h"
#include "userspace/base/output_file.h"
#include "userspace/commands/pager.h"

namespace dwell {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;

Result<void> write_to(int fd, std::string_view content) {
  return fd == STDOUT_FILENO ? Pager::write(content) : write_all(fd, content, "standard error");
}

std::string to_say;

}  // namespace

std::string error_text(const Error& error) {
  std::string text = fmt::format("dwell: {}\n", printable(error.what));
  return error.hint.empty() ? text : text + fmt::format("hint: {}\n", printable(error.hint));
}

void say_at_end(const std::string& text) { to_say += text; }
void say_what_is_left() {
  (void)write_to(STDERR_FILENO, to_say);
  to_say.clear();
}

Result<void> write_summary(int fd, std::string_view content) { return write_to(fd, content); }

Result<void> write_output(const std::string& path, const std::function<void(const TextSink&)>& produce) {
  std::optional<OutputFile> file;
  ReplacedFile replaced(path);
  if (!path.empty() && path != "-") {
    Result<OutputFile> opened = OutputFile::replace(path, 0644);
    if (!opened) return opened.error();
    file = std::move(*opened);
    file->give_to_caller();
  }
  auto write = [&](std::string_view part) { return file ? file->write(part) : write_to(STDOUT_FILENO, part); };
  std::string buffer;
  Result<void> written;
  produce([&](std::string_view part) {
    if (!written) return;
    buffer += part;
    if (buffer.size() < kPiece) return;
    written = write(buffer);
    buffer.clear();
  });
  if (written) written = write(buffer);
  if (written && file) written = file->commit();
  if (written) replaced.tell();
  return written;
}

ReplacedFile::ReplacedFile(const std::string& path) : path_(path) {
  struct stat there {};
  stood_there_ = !path.empty() && path != "-" && ::lstat(path.c_str(), &there) == 0;
}

void ReplacedFile::tell() const {
  if (stood_there_) say_at_end(fmt::format("{}: replaced\n", printable(path_)));
}

Result<void> write_output(const std::string& path, std::string_view content) {
  return write_output(path, [&](const TextSink& sink) { sink(content); });
}

}  // namespace dwell
