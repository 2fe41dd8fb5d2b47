// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/snapshot.h"

#include <fmt/core.h>
#include <sys/mman.h>

#include <cerrno>

#include "userspace/base/files.h"
#include "userspace/base/unique_fd.h"
#include "userspace/process/process.h"
#include "userspace/record/machine.h"
#include "userspace/recording/reader.h"
#include "userspace/recording/writer.h"
#include "userspace/threads/observer.h"

namespace dwell {
namespace {

Result<void> keep(const std::string& in_memory, const std::string& output) {
  Result<std::string> bytes = read_file(in_memory, std::size_t{1} << 30);
  return bytes ? write_file_atomically(output, *bytes, 0600) : bytes.error();
}

}  // namespace

Result<Recording> take_snapshot(const SnapshotOptions& options) {
  Result<ProcessFacts> target = read_process(options.pid);
  if (!target) return target.error();
  // A look is a recording like any other, in memory at first.
  UniqueFd file(::memfd_create("dwell-threads", MFD_CLOEXEC));
  if (!file.valid()) return system_error("make room for a look at threads", errno);
  std::string path = fmt::format("/proc/self/fd/{}", file.get());
  RecordingInfo info = describe_recording(options.command_line, *target);
  Result<RecordingWriter> writer = RecordingWriter::create(path, info);
  if (!writer) return writer.error();
  writer->set_process(0, {static_cast<std::uint32_t>(target->pid), -1, target->name, target->command_line,
                          info.start_monotonic_ns, 0});
  Result<ThreadObserver> observer =
      ThreadObserver::open(options.pid, *writer, {.all_kernel_stacks = options.kernel_stacks});
  if (!observer) return observer.error();

  Result<ThreadLook> look = observer->look();
  if (!look) return look.error();
  Result<void> written = writer->write_look(*look);
  for (const std::string& problem : observer->problems())
    if (written) written = writer->write_note({look->time_ns, problem});
  if (written) written = writer->write_symbols(0, observer->names());
  if (written) written = writer->finish({look->time_ns + look->duration_ns, "one look at its threads"});
  if (written && !options.output.empty()) written = keep(path, options.output);
  if (!written) return written.error();
  return read_recording(path);
}

}  // namespace dwell
