// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/touched/page_faults.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>

#include "bpf/faults.h"
#include "bpf/tracer.h"
#include "faults.skel.h"
#include "userspace/base/time_units.h"
#include "userspace/collect/free_with.h"
#include "userspace/collect/per_cpu.h"

namespace dwell::memory {
namespace {

constexpr const char* kWhat = "page faults";
constexpr double kLeastRate = 16, kLeastAtOnce = 256;  // of them something is still to be learnt

std::uint64_t missed_runs(const bpf_program* program) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof info;
  return bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) == 0 ? info.recursion_misses : 0;
}

}  // namespace

struct PageFaults::Impl {
  std::unique_ptr<::faults, FreeWith<faults__destroy>> object;
  std::vector<std::unique_ptr<bpf_link, FreeWith<bpf_link__destroy>>> links;
};

PageFaults::PageFaults(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PageFaults::PageFaults(PageFaults&&) noexcept = default;
PageFaults& PageFaults::operator=(PageFaults&&) noexcept = default;
PageFaults::~PageFaults() = default;

Result<PageFaults> PageFaults::load(const TraceCore& core) {
  auto impl = std::make_unique<Impl>();
  impl->object.reset(faults__open());
  if (!impl->object) return load_error(kWhat, errno);
  if (Result<void> adopted = core.adopt(impl->object->obj); !adopted) return adopted.error();
  impl->object->rodata->ring_limit_bytes = core.ring_bytes() / 4 * 3;  // as for allocations
  if (int err = faults__load(impl->object.get())) return load_error(kWhat, -err);
  return PageFaults(std::move(impl));
}

Result<void> PageFaults::attach() {
  for (bpf_program* program : {impl_->object->progs.on_user_fault, impl_->object->progs.on_kernel_fault}) {
    impl_->links.emplace_back(bpf_program__attach(program));
    if (!impl_->links.back()) return load_error(kWhat, errno);
  }
  return {};
}

void PageFaults::add_target(pid_t pid) {
  auto id = static_cast<std::uint32_t>(pid);
  impl_->object->bss->target_hints[id / 64 % DWELL_HINT_WORDS] |= std::uint64_t{1} << id % 64;
}

void PageFaults::send_at_most(std::uint32_t shift) {
  dwell_fault_budget& budget = impl_->object->data->budget;
  budget.floor = std::min<std::uint32_t>(shift, DWELL_FAULT_MOST_SHIFT);
  budget.shift = std::max(budget.shift, budget.floor);
}

// The kernel's own faults meet themselves wherever one of our reads fails: nothing is missed there.
std::uint64_t PageFaults::skipped_runs() const { return missed_runs(impl_->object->progs.on_user_fault); }

void PageFaults::limit(double a_second, double at_once) {
  dwell_fault_budget& budget = impl_->object->data->budget;
  double rate = std::clamp(a_second, kLeastRate, double{DWELL_FAULT_RATE});
  budget.price_ns = static_cast<std::uint64_t>(static_cast<double>(kSecond) / rate);
  budget.burst = static_cast<std::uint64_t>(std::clamp(at_once, kLeastAtOnce, double{DWELL_FAULT_BURST}));
}

PageFaults::Spent PageFaults::spent() const {
  Spent sum;
  for (const dwell_run_time& one : per_cpu_values<dwell_run_time>(bpf_map__fd(impl_->object->maps.run_times)))
    sum.sent += one.runs, sum.sent_ns += one.ns;
  for (std::uint64_t one : per_cpu_values<std::uint64_t>(bpf_map__fd(impl_->object->maps.unsent))) sum.unsent += one;
  return sum;
}

void PageFaults::detach() { impl_->links.clear(); }

}  // namespace dwell::memory
