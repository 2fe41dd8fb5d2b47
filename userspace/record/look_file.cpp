// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/look_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdint>

#include "userspace/base/files.h"
#include "userspace/base/output_file.h"
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
  UniqueFd for_writer(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
  if (!for_writer.valid()) return system_error("make room for a look at " + what, errno);
  Result<RecordingWriter> writer = RecordingWriter::create(OutputFile::on(std::move(for_writer), "a look at " + what), info);
  if (!writer) return writer.error();
  writer->set_process(0, {static_cast<std::uint32_t>(target.pid), -1, target.name, target.command_line,
                          info.start_monotonic_ns, 0});
  return LookFile(std::move(file), std::move(*writer));
}

std::string LookFile::path() const { return path_of(file_); }

Result<void> LookFile::keep(const std::string& output) const {
  Result<std::string> bytes = read_file(path(), std::size_t{1} << 30);
  if (!bytes) return bytes.error();
  Result<OutputFile> file = OutputFile::replace(output, 0600);
  if (!file) return file.error();
  file->give_to_caller();
  Result<void> written = file->write(*bytes);
  return written ? file->commit() : written;
}

}  // namespace dwell
