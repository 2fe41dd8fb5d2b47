// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/registers.h"

#include <bpf/libbpf.h>
#include <fmt/core.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "bpf/thread_registers.h"
#include "thread_registers.skel.h"
#include "userspace/collect/iterator.h"
#include "userspace/kernel/bpf_log.h"
#include "userspace/kernel/kernel_version.h"
#include "userspace/kernel/load_error.h"
#include "userspace/probes/pid_namespace.h"
#include "userspace/process/surroundings.h"

namespace dwell::memory::reach {
namespace {

constexpr const char* kLoad = "load the BPF program that reads the registers of threads";
}  // namespace

struct RegisterReader::Impl {
  std::unique_ptr<::thread_registers, FreeWith<thread_registers__destroy>> object;
  IteratorLink link;
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
  impl->link = attach_iterator(impl->object->progs.look_at_registers, pid, &impl->object->bss->target_tgid);
  if (!impl->link) return bpf_error(fmt::format("read the registers of the threads of PID {}", pid), errno);
  return RegisterReader(std::move(impl));
}

Result<std::vector<ThreadRegisters>> RegisterReader::read() {
  std::string doing = fmt::format("read the registers of the threads of PID {}", impl_->pid);
  Result<std::string> bytes = run_iterator(impl_->link.get(), doing);
  if (!bytes) return bytes.error();
  std::vector<ThreadRegisters> threads;
  for (std::size_t at = 0; at + sizeof(dwell_registers_record) <= bytes->size(); at += sizeof(dwell_registers_record)) {
    dwell_registers_record record;
    std::memcpy(&record, bytes->data() + at, sizeof record);
    ThreadRegisters thread{static_cast<pid_t>(record.tid), record.running != 0, record.sp, {}};
    thread.words.assign(record.words, record.words + DWELL_REGISTERS);
    if (record.signal_stack) thread.words.push_back(record.signal_stack);
    thread.words.push_back(record.thread_pointer);
    threads.push_back(std::move(thread));
  }
  if (threads.empty()) return Error{doing + ": it has ended", "", Exit::kNoTarget};
  return threads;
}

}  // namespace dwell::memory::reach
