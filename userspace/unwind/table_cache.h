// SPDX-License-Identifier: Apache-2.0
// TableCache: call-site tables on disk, by build id, so that the next attach does not parse again.
//
// The cache is an optimisation and never trusted further than the files it stands for: it is used only for
// binaries that root or the user owns and nobody else can write, lies in a directory that nobody else can
// write, and every file in it is checked for owner, mode, version, checksum and bounds. What fails any of it
// is as good as absent.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "userspace/unwind/unwind_table.h"

namespace dwell {

class TableCache {
 public:
  // An empty directory name: no cache.
  struct Limits {  // what was used least recently goes first
    std::uint64_t bytes = std::uint64_t{256} << 20;
    std::int64_t unused_s = 90 * 24 * 3600;
  };
  explicit TableCache(std::string directory) : TableCache(std::move(directory), Limits{}) {}
  TableCache(std::string directory, Limits limits) : directory_(std::move(directory)), limits_(limits) {}

  // /var/cache/dwell for root, else $XDG_CACHE_HOME/dwell or ~/.cache/dwell.
  static std::string default_directory();

  std::optional<UnwindTable> load(const std::string& key) const;
  void store(const std::string& key, const UnwindTable& table) const;

  // The name under which a module is kept: another one when the file is changed. "" if it may not be: no build id, or others could have written it.
  static std::string key_for(const std::string& path_to_open, const std::string& build_id);

 private:
  bool directory_is_ours() const;
  std::string path_of(const std::string& key) const { return directory_ + "/" + key + ".unwind"; }

  void prune() const;

  std::string directory_;
  Limits limits_;
};

// The file format, for tests and for fuzzing: nothing in the bytes is believed.
std::string encode_table(const UnwindTable& table);
std::optional<UnwindTable> decode_table(std::string_view bytes);

}  // namespace dwell
