// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/opened/probes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "bpf/descriptors.h"
#include "descriptor_calls.skel.h"
#include "descriptors.skel.h"
#include "userspace/collect/free_with.h"
#include "userspace/collect/own_run_time.h"
#include "userspace/files/opened/kinds.h"
#include "userspace/kernel/kernel_types.h"
#include "userspace/kernel/trampolines.h"

namespace dwell::files {
namespace {

constexpr const char* kWhatOpens = "descriptors";
constexpr std::uint64_t kOfRingForOpenings = 4;  // all but one part of so many, as for allocations

}  // namespace

Result<void> require_trampolines() {
  if (kernel_has_trampolines()) return {};
  return Error{"follow who opens descriptors: this kernel has no BPF trampolines", "dwell record --files", Exit::kUnsupported};
}

struct DescriptorProbes::Impl {
  DescriptorsBy by;
  std::unique_ptr<::descriptors, FreeWith<descriptors__destroy>> tables;
  std::unique_ptr<::descriptor_calls, FreeWith<descriptor_calls__destroy>> calls;
  std::uint64_t* target_hints = nullptr;
  std::vector<bpf_program*> programs;  // in the order of attaching: what closes comes first, so that nothing only seems to stay open
  std::vector<std::unique_ptr<bpf_link, FreeWith<bpf_link__destroy>>> links;

  Result<void> load_tables(const TraceCore& core);
  Result<void> load_calls(const TraceCore& core);
  bpf_object* object() const { return tables ? tables->obj : calls->obj; }
};

Result<void> DescriptorProbes::Impl::load_tables(const TraceCore& core) {
  if (Result<void> can = require_trampolines(); !can) return can;
  tables.reset(descriptors__open());
  if (!tables) return load_error(kWhatOpens, errno);
  if (Result<void> adopted = core.adopt(tables->obj); !adopted) return adopted;
  auto& progs = tables->progs;
  programs = {progs.on_exec};
  // Which of them close calls depends on the kernel; io_uring and seccomp may be left out of it.
  struct {
    bpf_program* program;
    const char* function;
  } some[] = {{progs.on_file_close, "file_close_fd"}, {progs.on_ring_close, "io_close"}, {progs.on_receive_replace, "receive_fd_replace"}};
  for (const auto& [program, function] : some) {
    if (kernel_has_function(function))
      programs.push_back(program);
    else
      bpf_program__set_autoload(program, false);
  }
  for (bpf_program* program : {progs.on_close, progs.on_close_range, progs.on_dup2, progs.on_dup3, progs.on_install}) programs.push_back(program);
  tables->rodata->ring_limit_bytes = core.ring_bytes() - core.ring_bytes() / kOfRingForOpenings;
  if (int err = descriptors__load(tables.get())) return load_error(kWhatOpens, -err);
  target_hints = reinterpret_cast<std::uint64_t*>(tables->bss->target_hints);
  return {};
}

Result<void> DescriptorProbes::Impl::load_calls(const TraceCore& core) {
  calls.reset(descriptor_calls__open());
  if (!calls) return load_error(kWhatOpens, errno);
  if (Result<void> adopted = core.adopt(calls->obj); !adopted) return adopted;
  programs = {calls->progs.on_exec, calls->progs.on_call, calls->progs.on_call_end};
  std::ranges::copy(descriptor_calls(), calls->rodata->calls);
  calls->rodata->ring_limit_bytes = core.ring_bytes() - core.ring_bytes() / kOfRingForOpenings;
  if (int err = descriptor_calls__load(calls.get())) return load_error(kWhatOpens, -err);
  target_hints = reinterpret_cast<std::uint64_t*>(calls->bss->target_hints);
  return {};
}

DescriptorProbes::DescriptorProbes(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DescriptorProbes::DescriptorProbes(DescriptorProbes&&) noexcept = default;
DescriptorProbes& DescriptorProbes::operator=(DescriptorProbes&&) noexcept = default;
DescriptorProbes::~DescriptorProbes() = default;

Result<DescriptorProbes> DescriptorProbes::load(const TraceCore& core, DescriptorsBy by) {
  auto impl = std::make_unique<Impl>();
  impl->by = by;
  Result<void> loaded = by == DescriptorsBy::kTables ? impl->load_tables(core) : impl->load_calls(core);
  if (!loaded) return loaded.error();
  return DescriptorProbes(std::move(impl));
}

Result<void> DescriptorProbes::attach() {
  for (bpf_program* program : impl_->programs) {
    impl_->links.emplace_back(bpf_program__attach(program));
    if (impl_->links.back()) continue;
    Error error = load_error(kWhatOpens, errno);
    detach();
    return error;
  }
  return {};
}

void DescriptorProbes::add_target(pid_t pid) {
  auto id = static_cast<std::uint32_t>(pid);
  impl_->target_hints[id / 64 % DWELL_HINT_WORDS] |= std::uint64_t{1} << id % 64;
}

DescriptorsBy DescriptorProbes::by() const { return impl_->by; }
std::uint64_t DescriptorProbes::skipped_runs() const { return skipped_runs_of(impl_->object()); }

std::uint64_t DescriptorProbes::run_time_ns() const {
  return own_run_time_ns(bpf_map__fd(impl_->tables ? impl_->tables->maps.run_times : impl_->calls->maps.run_times));
}

void DescriptorProbes::detach() { impl_->links.clear(); }

}  // namespace dwell::files
