// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/file_ends.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>

#include "file_ends.skel.h"
#include "userspace/collect/iterator.h"
#include "userspace/kernel/bpf_log.h"
#include "userspace/kernel/load_error.h"
#include "userspace/probes/pid_namespace.h"

namespace dwell {
namespace {

constexpr const char* kLoadEnds = "load the BPF program that looks at pipes and sockets";
constexpr const char* kReadEnds = "look at pipes and sockets";

}  // namespace

struct FileEnds::Impl {
  std::unique_ptr<::file_ends, FreeWith<file_ends__destroy>> object;
  IteratorLink link;
};

FileEnds::FileEnds(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FileEnds::FileEnds(FileEnds&&) noexcept = default;
FileEnds& FileEnds::operator=(FileEnds&&) noexcept = default;
FileEnds::~FileEnds() = default;

Result<FileEnds> FileEnds::open() {
  listen_to_libbpf();
  auto impl = std::make_unique<Impl>();
  impl->object.reset(file_ends__open());
  if (!impl->object) return bpf_error(kLoadEnds, errno);
  if (Result<void> told = tell_pid_namespace(impl->object->obj); !told) return told.error();
  if (int err = file_ends__load(impl->object.get())) return bpf_error(kLoadEnds, -err);
  impl->link.reset(bpf_program__attach_iter(impl->object->progs.file_ends, nullptr));
  if (!impl->link) return bpf_error(kReadEnds, errno);
  return FileEnds(std::move(impl));
}

Result<std::vector<dwell_file_end>> FileEnds::find(const std::set<std::uint64_t>& inodes) {
  std::vector<dwell_file_end> ends;
  int map = bpf_map__fd(impl_->object->maps.wanted);
  std::uint8_t yes = 1;
  for (std::uint64_t inode : inodes)
    if (::bpf_map_update_elem(map, &inode, &yes, BPF_ANY)) return bpf_error(kReadEnds, errno);
  Result<std::string> bytes = run_iterator(impl_->link.get(), kReadEnds);
  if (!bytes) return bytes.error();
  ends.resize(bytes->size() / sizeof(dwell_file_end));
  if (!ends.empty()) std::memcpy(ends.data(), bytes->data(), ends.size() * sizeof(dwell_file_end));
  for (std::uint64_t inode : inodes) ::bpf_map_delete_elem(map, &inode);
  return ends;
}

}  // namespace dwell
