// SPDX-License-Identifier: Apache-2.0
// LookFile: the recording of one look. It is made in memory first, so that a file of it is there as a whole or
// not at all.
#pragma once

#include <string>
#include <utility>

#include "userspace/base/unique_fd.h"
#include "userspace/process/process.h"
#include "userspace/recording/writer.h"

namespace dwell {

class LookFile {
 public:
  // `what` is looked at, for messages. The recording has the target as its one process.
  static Result<LookFile> create(const std::string& what, const std::string& command_line,
                                 const ProcessFacts& target);

  RecordingWriter& writer() { return writer_; }
  std::string path() const;  // readable as long as this object is there
  Result<void> keep(const std::string& output) const;

 private:
  LookFile(UniqueFd file, RecordingWriter writer) : file_(std::move(file)), writer_(std::move(writer)) {}

  UniqueFd file_;
  RecordingWriter writer_;
};

}  // namespace dwell
