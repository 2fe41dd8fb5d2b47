// SPDX-License-Identifier: Apache-2.0
// SourceLines: lines around a place in the sources, from folders that the user named.
//
// A recording may come from anywhere, and so may the paths in it. Nothing is read outside of the folders,
// whatever ".." or a link says; nothing but regular files whose names end like those of sources; and of each
// no more than some lines.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace dwell {

struct SourceExcerpt {
  std::string path;                // as it was read
  std::uint32_t first = 0;         // number of the first line
  std::vector<std::string> lines;  // as they are in the file, each cut to kLineBytes
  std::uint64_t modified_unix_ns = 0;
};

class SourceLines {
 public:
  static constexpr std::uint32_t kLinesAround = 6;  // on either side
  static constexpr std::size_t kLineBytes = 240;
  static constexpr std::uint64_t kFileBytes = 8u << 20;   // a larger file is not read
  static constexpr std::uint64_t kAllBytes = 128u << 20;  // of all files together

  explicit SourceLines(std::vector<std::string> folders) : folders_(std::move(folders)) {}

  // `file` as the debug information has it: looked for as it is below a folder, then without its first
  // folder, and so on, since it was built elsewhere. None: not found, not a source, too large, or not so many
  // lines.
  std::optional<SourceExcerpt> around(const std::string& file, std::uint32_t line);

 private:
  struct File {
    std::string path, text;
    std::vector<std::size_t> begins;  // of its lines, and its end
    std::uint64_t modified_unix_ns = 0;
  };
  const std::optional<File>& file_of(const std::string& name);
  std::optional<File> find(const std::string& name);
  std::optional<File> read(const std::string& folder, const std::string& below);

  std::vector<std::string> folders_;
  std::map<std::string, std::optional<File>> files_;  // by their names in the debug information
  std::uint64_t read_bytes_ = 0;
};

bool is_source_name(std::string_view path);  // by its ending: ".cpp", ".rs", ".go", ...

}  // namespace dwell
