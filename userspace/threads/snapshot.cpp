// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/snapshot.h"

#include "userspace/process/process.h"
#include "userspace/record/look_file.h"
#include "userspace/recording/reader.h"
#include "userspace/threads/observer.h"
#include "userspace/threads/codec.h"

namespace dwell {
Result<Recording> take_snapshot(const SnapshotOptions& options) {
  Result<ProcessFacts> target = read_process(options.pid);
  if (!target) return target.error();
  Result<LookFile> file = LookFile::create("threads", options.command_line, *target);
  if (!file) return file.error();
  RecordingWriter& writer = file->writer();
  Result<ThreadObserver> observer =
      ThreadObserver::open(options.pid, writer, {.thorough = true, .all_kernel_stacks = options.kernel_stacks});
  if (!observer) return observer.error();

  Result<ThreadLook> look = observer->look();
  if (!look) return look.error();
  Result<void> written = write_thread_look(writer, *look);
  for (const std::string& problem : observer->problems())
    if (written) written = writer.write_note({look->time_ns, problem});
  if (written) written = writer.write_symbols(0, observer->names());
  if (written) written = writer.finish({look->time_ns + look->duration_ns, "one look at its threads"});
  if (written && !options.output.empty()) written = file->keep(options.output);
  if (!written) return written.error();
  return read_recording(file->path(), kThreadChunks);
}

}  // namespace dwell
