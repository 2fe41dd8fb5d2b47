// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/registers.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "bpf/thread_registers.h"
#include "thread_registers.skel.h"
#include "userspace/base/unique_fd.h"
#include "userspace/collect/free_with.h"
#include "userspace/kernel/bpf_log.h"
#include "userspace/kernel/kernel_version.h"
#include "userspace/kernel/load_error.h"
#include "userspace/probes/pid_namespace.h"
#include "userspace/process/surroundings.h"

namespace dwell::memory::reach {
namespace {

constexpr const char* kLoad = "load the BPF program that reads the registers of threads";
using Link = std::unique_ptr<bpf_link, FreeWith<bpf_link__destroy>>;

// The first kernels that have such iterators can't be told whose threads: there the program passes over the others.
Link attach_to_process(::thread_registers& object, pid_t pid) {
  bpf_iter_link_info info{};
  info.task.pid = static_cast<std::uint32_t>(pid);
  LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof info);
  if (Link link{bpf_program__attach_iter(object.progs.look_at_registers, &options)}) return link;
  if (errno != EINVAL && errno != E2BIG) return nullptr;
  object.bss->target_tgid = static_cast<std::uint32_t>(pid);
  return Link(bpf_program__attach_iter(object.progs.look_at_registers, nullptr));
}

}  // namespace

struct RegisterReader::Impl {
  std::unique_ptr<::thread_registers, FreeWith<thread_registers__destroy>> object;
  Link link;
  pid_t pid = 0;
};

RegisterReader::RegisterReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RegisterReader::RegisterReader(RegisterReader&&) noexcept = default;
RegisterReader::~RegisterReader() = default;

Result<RegisterReader> RegisterReader::open(pid_t pid) {
  if (Result<void> kernel = require_kernel(); !kernel) return kernel.error();
  listen_to_libbpf();
  if (Result<void> usable = expect_bpf_surroundings(kLoad); !usable) return usable.error();
  auto impl = std::make_unique<Impl>();
  impl->pid = pid;
  impl->object.reset(thread_registers__open());
  if (!impl->object) return bpf_error(kLoad, errno);
  if (Result<void> told = tell_pid_namespace(impl->object->obj); !told) return told.error();
  if (int err = thread_registers__load(impl->object.get())) return bpf_error(kLoad, -err);
  impl->link = attach_to_process(*impl->object, pid);
  if (!impl->link) return bpf_error(fmt::format("read the registers of the threads of PID {}", pid), errno);
  return RegisterReader(std::move(impl));
}

Result<std::vector<ThreadRegisters>> RegisterReader::read() {
  std::string doing = fmt::format("read the registers of the threads of PID {}", impl_->pid);
  UniqueFd file(::bpf_iter_create(bpf_link__fd(impl_->link.get())));
  if (!file.valid()) return bpf_error(doing, errno);
  std::string bytes, piece(64 << 10, '\0');
  for (;;) {
    ssize_t n = ::read(file.get(), piece.data(), piece.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return system_error(doing, errno);
    if (n == 0) break;
    bytes.append(piece.data(), static_cast<std::size_t>(n));
  }
  std::vector<ThreadRegisters> threads;
  for (std::size_t at = 0; at + sizeof(dwell_registers_record) <= bytes.size(); at += sizeof(dwell_registers_record)) {
    dwell_registers_record record;
    std::memcpy(&record, bytes.data() + at, sizeof record);
    ThreadRegisters thread{static_cast<pid_t>(record.tid), record.running != 0, record.sp, {}};
    thread.words.assign(record.words, record.words + DWELL_REGISTERS);
    thread.words.push_back(record.thread_pointer);
    threads.push_back(std::move(thread));
  }
  if (threads.empty()) return Error{doing + ": it has ended", "", Exit::kNoTarget};
  return threads;
}

}  // namespace dwell::memory::reach
