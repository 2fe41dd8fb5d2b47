// SPDX-License-Identifier: Apache-2.0
#include "userspace/commands/output.h"

#include <unistd.h>

#include <cerrno>

#include "userspace/base/files.h"

namespace dwell {

Result<void> write_output(const std::string& path, std::string_view content) {
  if (!path.empty() && path != "-") return write_file_atomically(path, content);
  while (!content.empty()) {
    ssize_t n = ::write(STDOUT_FILENO, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EPIPE) return {};  // whoever reads has seen enough
    if (n < 0) {
      Error error = system_error("write to standard output", errno);
      error.exit = Exit::kOutput;
      return error;
    }
    content.remove_prefix(n);
  }
  return {};
}

Result<void> write_output(const std::string& path, const std::function<void(const TextSink&)>& produce) {
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  bool to_file = !path.empty() && path != "-";
  std::string buffer;
  Result<void> written;
  produce([&](std::string_view part) {
    if (!written) return;
    buffer += part;
    if (to_file || buffer.size() < kPiece) return;
    written = write_output(path, buffer);
    buffer.clear();
  });
  return written ? write_output(path, buffer) : written;
}

Result<ExportFormat> choose_format(const std::string& asked, const std::string& output) {
  std::optional<ExportFormat> format = asked.empty() ? export_format_of_file(output) : export_format_named(asked);
  if (!format) {
    return Error{"export: which format?", "give -f svg, folded, pprof or speedscope, or -o with such an ending",
                 Exit::kUsage};
  }
  bool to_terminal = (output.empty() || output == "-") && ::isatty(STDOUT_FILENO);
  if (*format == ExportFormat::kPprof && to_terminal)
    return Error{"write pprof to the terminal: it is a compressed binary", "name a file: -o profile.pb.gz", Exit::kUsage};
  return *format;
}

}  // namespace dwell
