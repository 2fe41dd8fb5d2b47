// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/look_file.h"

#include <fmt/core.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdint>

#include "userspace/base/files.h"
#include "userspace/record/machine.h"

namespace dwell {

namespace {
std::string path_of(const UniqueFd& file) { return fmt::format("/proc/self/fd/{}", file.get()); }
}  // namespace

Result<LookFile> LookFile::create(const std::string& what, const std::string& command_line,
                                  const ProcessFacts& target) {
  UniqueFd file(::memfd_create("dwell-look", MFD_CLOEXEC));
  if (!file.valid()) return system_error("make room for a look at " + what, errno);
  RecordingInfo info = describe_recording(command_line, target);
  Result<RecordingWriter> writer = RecordingWriter::create(path_of(file), info);
  if (!writer) return writer.error();
  writer->set_process(0, {static_cast<std::uint32_t>(target.pid), -1, target.name, target.command_line,
                          info.start_monotonic_ns, 0});
  return LookFile(std::move(file), std::move(*writer));
}

std::string LookFile::path() const { return path_of(file_); }

Result<void> LookFile::keep(const std::string& output) const {
  Result<std::string> bytes = read_file(path(), std::size_t{1} << 30);
  return bytes ? write_file_atomically(output, *bytes, 0600) : bytes.error();
}

}  // namespace dwell
