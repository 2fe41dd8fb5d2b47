// SPDX-License-Identifier: Apache-2.0
#include "tests/robustness/residue.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>

#include "symbolizer/proc_maps.h"
#include "userspace/base/unique_fd.h"

namespace dwell::testing {

std::set<unsigned> bpf_program_ids() {
  std::set<unsigned> ids;
  for (unsigned id = 0; bpf_prog_get_next_id(id, &id) == 0;) ids.insert(id);
  return ids;
}

std::set<unsigned> orphaned_bpf_program_ids() {
  std::set<unsigned> ids = bpf_program_ids();
  std::error_code gone;
  for (const auto& process : std::filesystem::directory_iterator("/proc")) {
    if (!std::isdigit(process.path().filename().string()[0])) continue;
    for (std::filesystem::directory_iterator fd(process.path() / "fdinfo", gone), end; !gone && fd != end; fd.increment(gone)) {
      std::error_code closed;
      std::string kind = std::filesystem::read_symlink(process.path() / "fd" / fd->path().filename(), closed);
      if (kind.find("bpf") == std::string::npos) continue;
      std::ifstream info(fd->path());
      for (std::string word; info >> word;)
        if (unsigned id = 0; word == "prog_id:" && info >> id) ids.erase(id);
    }
  }
  return ids;
}

std::vector<std::string> changed_code(pid_t pid) {
  std::vector<std::string> changes;
  Result<std::vector<Mapping>> mappings = read_maps(pid);
  UniqueFd memory(::open(fmt::format("/proc/{}/mem", pid).c_str(), O_RDONLY | O_CLOEXEC));
  if (!mappings || !memory.valid()) return {"the process is gone"};
  for (const Mapping& mapping : *mappings) {
    if (!mapping.executable || !mapping.is_file()) continue;
    Result<std::string> path = path_to_open(pid, mapping);
    UniqueFd file(path ? ::open(path->c_str(), O_RDONLY | O_CLOEXEC) : -1);
    std::string live(mapping.end - mapping.start, '\0'), original = live;
    ssize_t have = ::pread(memory.get(), live.data(), live.size(), static_cast<off_t>(mapping.start));
    ssize_t had = file.valid() ? ::pread(file.get(), original.data(), original.size(),
                                         static_cast<off_t>(mapping.file_offset)) : -1;
    for (ssize_t i = 0; i < std::min(have, had) && changes.size() < 10; ++i)
      if (live[i] != original[i]) changes.push_back(fmt::format("{}+{:#x}", mapping.path, mapping.file_offset + i));
  }
  return changes;
}

}  // namespace dwell::testing
