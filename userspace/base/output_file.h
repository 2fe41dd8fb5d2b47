// SPDX-License-Identifier: Apache-2.0
// OutputFile: a file that dwell writes, as root too, in folders where others may write.
//
// It is created exclusively (O_EXCL, O_NOFOLLOW), so that no link is followed, no pipe waited for and no file of anybody
// opened. Everything goes through a descriptor of the folder, so that the folder cannot be exchanged meanwhile.
// Errors have Exit::kOutput.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

namespace dwell {

class OutputFile {
 public:
  // Under its own name from the start: what was written before a crash is there. Nothing may stand at `path`.
  static Result<OutputFile> create(const std::string& path, unsigned mode);
  // Under another name beside it, until commit() renames it to `path`. A regular file there is replaced then.
  static Result<OutputFile> replace(const std::string& path, unsigned mode);
  // What is open already: a file without a name. `name` is for messages.
  static OutputFile on(UniqueFd fd, std::string name);
  OutputFile(OutputFile&&) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept;
  ~OutputFile();  // takes the file away again if it has another name than its own

  // To the user who called sudo, if one did: what they asked for is theirs.
  void give_to_caller();
  // All of it; after an error the file holds what earlier calls wrote.
  Result<void> write(std::string_view content);
  // Syncs the file, and gives it its name.
  Result<void> commit();

  const std::string& path() const { return path_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  OutputFile() = default;
  OutputFile(std::string path, std::string name, UniqueFd folder)
      : path_(std::move(path)), name_(std::move(name)), folder_(std::move(folder)) {}
  int open_new(const std::string& name, unsigned mode);  // 0, or errno
  void discard();

  std::string path_, name_;  // name_: in the folder
  std::string temporary_;    // "": it has its own name
  UniqueFd folder_, fd_;
  std::uint64_t bytes_ = 0;
};

// Makes room at `path`: a regular file there becomes PATH.old, or PATH.old.2 and so on if those are there.
// The new name, or none if nothing stood there. Refuses links, folders, pipes and devices.
Result<std::optional<std::string>> set_aside(const std::string& path);

// The first of STEM.ENDING, STEM.2.ENDING, STEM.3.ENDING ... at which nothing stands, not even a link.
std::string unused_name(const std::string& stem, const std::string& ending);

// Part of a file's name, made of a name that somebody else chose: no slash, no control character, nothing that a
// shell or a command line would misread. "" becomes `otherwise`.
std::string safe_name(std::string_view name, std::string_view otherwise);

}  // namespace dwell
