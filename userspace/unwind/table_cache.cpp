// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/table_cache.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>

#include "userspace/base/cursor.h"
#include "userspace/base/files.h"
#include "userspace/base/unique_fd.h"

namespace dwell {
namespace {

constexpr std::string_view kMagic = "DWELLUNW";
constexpr std::uint32_t kVersion = 7;  // also changes when the tables' meaning does
constexpr std::size_t kMaxFile = std::size_t{256} << 20;

bool only_we_write(const struct stat& status) {
  bool owned = status.st_uid == 0 || status.st_uid == ::geteuid();
  return owned && !(status.st_mode & (S_IWGRP | S_IWOTH));
}

template <typename T>
void append(std::string& out, const T* values, std::size_t count) {
  if (count) out.append(reinterpret_cast<const char*>(values), count * sizeof(T));
}

template <typename T>
bool take_array(Cursor& in, std::uint64_t count, std::vector<T>& out) {
  if (count > in.remaining() / sizeof(T)) return false;
  std::span<const std::byte> bytes = in.take(count * sizeof(T));
  out.resize(count);
  if (count) std::memcpy(out.data(), bytes.data(), bytes.size());
  return in.ok();
}

bool is_sound(const UnwindTable& table) {
  if (table.rules.empty() || !(table.rules[0] == kNoRule)) return false;
  for (const UnwindRule& rule : table.rules)
    if (rule.cfa >= DWELL_CFA_KINDS || rule.bp >= DWELL_BP_KINDS) return false;
  for (const RowTable* each : {&table.calls, &table.full}) {
    const std::vector<dwell_unwind_row>& rows = each->rows;
    for (std::size_t i = 0; i < rows.size(); i++) {
      if (rows[i].rule >= table.rules.size() || rows[i].pc >= table.size) return false;
      if (i > 0 && rows[i].pc <= rows[i - 1].pc) return false;
    }
  }
  return table.size <= 0xffffffff && table.base % 4096 == 0;
}

// Reads only what is ours: no symbolic link, no foreign file.
std::optional<std::string> read_own_file(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat status;
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) return std::nullopt;
  if (!S_ISREG(status.st_mode) || !only_we_write(status)) return std::nullopt;
  if (status.st_size < 0 || static_cast<std::size_t>(status.st_size) > kMaxFile) return std::nullopt;
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    ssize_t got = ::read(fd.get(), bytes.data() + done, bytes.size() - done);
    if (got <= 0) return std::nullopt;
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace

// magic | version | checksum of the rest | base | size | rules | rows | full rows | rule... | row... | full row...
std::string encode_table(const UnwindTable& table) {
  std::string payload;
  std::uint64_t head[5] = {table.base, table.size, table.rules.size(), table.calls.rows.size(),
                           table.full.rows.size()};
  append(payload, head, 5);
  append(payload, table.rules.data(), table.rules.size());
  append(payload, table.calls.rows.data(), table.calls.rows.size());
  append(payload, table.full.rows.data(), table.full.rows.size());

  std::string out(kMagic);
  std::uint64_t checksum = XXH3_64bits(payload.data(), payload.size());
  append(out, &kVersion, 1);
  append(out, &checksum, 1);
  return out + payload;
}

std::optional<UnwindTable> decode_table(std::string_view bytes) {
  Cursor in(bytes);
  if (in.text(kMagic.size()) != kMagic || in.u32() != kVersion) return std::nullopt;
  std::uint64_t checksum = in.u64();
  if (!in.ok() || XXH3_64bits(bytes.data() + in.offset(), in.remaining()) != checksum) return std::nullopt;
  UnwindTable table;
  table.base = in.u64();
  table.size = in.u64();
  std::uint64_t rules = in.u64(), rows = in.u64(), full = in.u64();
  if (!in.ok() || !take_array(in, rules, table.rules) || !take_array(in, rows, table.calls.rows) ||
      !take_array(in, full, table.full.rows))
    return std::nullopt;
  if (!in.at_end() || !is_sound(table)) return std::nullopt;
  return table;
}

std::string TableCache::default_directory() {
  if (::geteuid() == 0) return "/var/cache/dwell";
  const char* cache = ::secure_getenv("XDG_CACHE_HOME");
  if (cache && cache[0] == '/') return std::string(cache) + "/dwell";
  const char* home = ::secure_getenv("HOME");
  return home && home[0] == '/' ? std::string(home) + "/.cache/dwell" : "";
}

std::string TableCache::key_for(const std::string& path_to_open, const std::string& build_id) {
  struct stat status;
  if (build_id.size() < 16 || build_id.size() > 128) return "";
  if (::stat(path_to_open.c_str(), &status) != 0 || !only_we_write(status)) return "";
  // A build id is written into the file and stays when its code is changed; what the kernel keeps of the file does not.
  std::uint64_t parts[] = {static_cast<std::uint64_t>(status.st_size),         static_cast<std::uint64_t>(status.st_mtim.tv_sec),
                           static_cast<std::uint64_t>(status.st_mtim.tv_nsec), static_cast<std::uint64_t>(status.st_ctim.tv_sec),
                           static_cast<std::uint64_t>(status.st_ctim.tv_nsec), static_cast<std::uint64_t>(status.st_ino)};
  return fmt::format("{}-{:016x}", build_id, XXH3_64bits(parts, sizeof parts));
}

bool TableCache::directory_is_ours() const {
  struct stat status;
  if (directory_.empty() || ::lstat(directory_.c_str(), &status) != 0) return false;
  return S_ISDIR(status.st_mode) && only_we_write(status);
}

std::optional<UnwindTable> TableCache::load(const std::string& key) const {
  if (key.empty() || !directory_is_ours()) return std::nullopt;
  std::optional<std::string> bytes = read_own_file(path_of(key));
  std::optional<UnwindTable> table = bytes ? decode_table(*bytes) : std::nullopt;
  // When it was last used is what it is pruned by.
  if (table) ::utimensat(AT_FDCWD, path_of(key).c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
  return table;
}

void TableCache::store(const std::string& key, const UnwindTable& table) const {
  if (key.empty() || directory_.empty()) return;
  std::error_code ignored;  // a cache that cannot be written is no cache, and no error
  std::filesystem::create_directories(std::filesystem::path(directory_).parent_path(), ignored);
  ::mkdir(directory_.c_str(), 0700);
  if (!directory_is_ours()) return;
  (void)write_file_atomically(path_of(key), encode_table(table));
  prune();
}

void TableCache::prune() const {
  struct Kept {
    std::filesystem::path path;
    std::int64_t used_s;
    std::uint64_t size;
  };
  std::vector<Kept> files;
  std::uint64_t sum = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, ignored)) {
    struct stat status;
    if (::lstat(entry.path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    files.push_back({entry.path(), status.st_mtim.tv_sec, static_cast<std::uint64_t>(status.st_size)});
    sum += files.back().size;
  }
  std::sort(files.begin(), files.end(), [](const Kept& a, const Kept& b) { return a.used_s < b.used_s; });
  std::int64_t oldest = std::time(nullptr) - limits_.unused_s;
  for (const Kept& file : files) {
    if (sum <= limits_.bytes && file.used_s >= oldest) break;
    if (::unlink(file.path.c_str()) == 0) sum -= file.size;
  }
}

}  // namespace dwell
