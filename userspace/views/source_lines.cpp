// SPDX-License-Identifier: Apache-2.0
#include "userspace/views/source_lines.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "userspace/base/open_regular.h"

namespace dwell {
namespace {

// The parts of a path without "." and without what ".." takes back; one that leads further up than it begins
// is dropped.
std::vector<std::string> components_of(std::string_view path) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < path.size();) {
    std::size_t end = std::min(path.find('/', at), path.size());
    std::string part(path.substr(at, end - at));
    if (part == ".." && !parts.empty()) parts.pop_back();
    if (!part.empty() && part != "." && part != "..") parts.push_back(std::move(part));
    at = end + 1;
  }
  return parts;
}

std::string path_from(const std::vector<std::string>& parts, std::size_t from) {
  std::string path;
  for (std::size_t i = from; i < parts.size(); ++i) path += "/" + parts[i];
  return path;
}

bool read_all(int fd, std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    ssize_t got = ::read(fd, text.data() + done, text.size() - done);
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  text.resize(done);
  return !text.empty() && text.find('\0') == text.npos;
}

// Not in the middle of a UTF-8 character.
std::string cut_line(std::string_view line, std::size_t most) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.size() <= most) return std::string(line);
  while (most > 0 && (static_cast<unsigned char>(line[most]) & 0xc0) == 0x80) --most;
  return std::string(line.substr(0, most)) + "…";
}

}  // namespace

bool is_source_name(std::string_view path) {
  constexpr std::array<std::string_view, 32> kEndings = {
      "c",   "h",     "cc", "hh",  "cpp", "hpp", "cxx", "hxx", "c++", "h++",  "inl",
      "ipp", "tcc",   "m",  "mm",  "rs",  "go",  "py",  "js",  "mjs", "ts",   "java",
      "kt",  "scala", "rb", "zig", "d",   "s",   "S",   "asm", "f90", "swift"};
  std::size_t slash = path.rfind('/');
  std::string_view name = slash == path.npos ? path : path.substr(slash + 1);
  std::size_t dot = name.rfind('.');
  return dot != name.npos && dot > 0 && std::ranges::find(kEndings, name.substr(dot + 1)) != kEndings.end();
}

std::optional<SourceLines::File> SourceLines::read(const std::string& folder, const std::string& below) {
  Result<RegularFile> file = open_regular(folder + below, folder);
  struct stat status {};
  if (!file || file->size > kFileBytes || read_bytes_ + file->size > kAllBytes ||
      ::fstat(file->fd.get(), &status) != 0)
    return std::nullopt;
  File result{folder + below, std::string(file->size, '\0'), {0}, 0};
  if (!read_all(file->fd.get(), result.text)) return std::nullopt;
  read_bytes_ += result.text.size();
  for (std::size_t i = 0; i < result.text.size(); ++i)
    if (result.text[i] == '\n') result.begins.push_back(i + 1);
  if (result.begins.back() != result.text.size()) result.begins.push_back(result.text.size());
  result.modified_unix_ns = static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
                            static_cast<std::uint64_t>(status.st_mtim.tv_nsec);
  return result;
}

std::optional<SourceLines::File> SourceLines::find(const std::string& name) {
  constexpr std::size_t kMostParts = 40;
  if (!is_source_name(name)) return std::nullopt;
  const std::vector<std::string> parts = components_of(name);
  if (parts.size() > kMostParts) return std::nullopt;
  for (const std::string& folder : folders_) {
    const std::vector<std::string> own = components_of(folder);  // a path may begin with the folder itself
    if (name.starts_with('/') && folder.starts_with('/') && own.size() < parts.size() &&
        std::equal(own.begin(), own.end(), parts.begin()))
      if (std::optional<File> file = read(folder, path_from(parts, own.size()))) return file;
    for (std::size_t from = 0; from < parts.size(); ++from)
      if (std::optional<File> file = read(folder, path_from(parts, from))) return file;
  }
  return std::nullopt;
}

const std::optional<SourceLines::File>& SourceLines::file_of(const std::string& name) {
  auto known = files_.find(name);
  if (known == files_.end()) known = files_.emplace(name, find(name)).first;
  return known->second;
}

std::optional<SourceExcerpt> SourceLines::around(const std::string& name, std::uint32_t line) {
  if (line == 0) return std::nullopt;
  const std::optional<File>& file = file_of(name);
  if (!file || line >= file->begins.size()) return std::nullopt;
  SourceExcerpt excerpt{
      file->path, line > kLinesAround ? line - kLinesAround : 1, {}, file->modified_unix_ns};
  const std::size_t last = std::min<std::size_t>(line + kLinesAround, file->begins.size() - 1);
  for (std::size_t i = excerpt.first; i <= last; ++i) {
    std::string_view text =
        std::string_view(file->text).substr(file->begins[i - 1], file->begins[i] - file->begins[i - 1]);
    if (text.ends_with('\n')) text.remove_suffix(1);
    excerpt.lines.push_back(cut_line(text, kLineBytes));
  }
  return excerpt;
}

}  // namespace dwell
