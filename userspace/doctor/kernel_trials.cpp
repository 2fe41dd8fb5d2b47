// SPDX-License-Identifier: Apache-2.0
#include "userspace/doctor/kernel_trials.h"

#include <fmt/core.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "userspace/clocks/tracer.h"
#include "userspace/memory/tracer.h"
#include "userspace/collect/mmap_watch.h"
#include "userspace/collect/trace_core.h"
#include "userspace/go/heap/alloc_tracing.h"
#include "userspace/go/contexts/tracer.h"
#include "userspace/go/waits/park_tracer.h"
#include "userspace/kernel/kernel_version.h"
#include "userspace/threads/blocked_time.h"
#include "userspace/files/opened/tracing.h"
#include "userspace/pairs/tracing.h"
#include "userspace/memory/reach/registers.h"
#include "userspace/memory/touched/tracing.h"
#include "userspace/threads/cpu_sampler.h"
#include "userspace/threads/file_ends.h"
#include "userspace/threads/looker.h"
#include "userspace/threads/locks/tracing.h"
#include "userspace/threads/tracing.h"
#include "userspace/unwind/unwind_tables.h"

namespace dwell {
namespace {

// What a command needs, by the names of the objects that are tried.
struct Need {
  const char* command;
  std::initializer_list<const char*> objects;
};
const Need kNeeds[] = {
    {"record", {"kernel", "probes", "mapping events", "lifecycle", "alloc"}},
    {"record --sample-bytes", {"kernel", "probes", "mapping events", "lifecycle", "alloc, sampled"}},
    {"record: memory by where it was touched first", {"kernel", "lifecycle", "faults"}},
    {"record: threads", {"kernel", "probes", "mapping events", "lifecycle", "alloc", "thread_life", "threads"}},
    {"record: descriptors by who opened them", {"kernel", "lifecycle", "descriptors"}},
    {"record --files", {"kernel", "lifecycle", "descriptor_calls"}},
    {"record --pair", {"kernel", "probes", "mapping events", "lifecycle", "pairs"}},
    {"record --blocked", {"kernel", "probes", "mapping events", "lifecycle", "alloc", "thread_life", "blocked"}},
    {"record --locks", {"kernel", "lifecycle", "locks"}},
    {"record --clocks", {"kernel", "probes", "mapping events", "lifecycle", "alloc", "clocks"}},
    {"record: the heap of Go programs, by samples", {"kernel", "probes", "mapping events", "lifecycle", "alloc", "go_allocs"}},
    {"record --go-blocked", {"kernel", "probes", "mapping events", "lifecycle", "alloc", "go_parks"}},
    {"record --contexts", {"kernel", "probes", "mapping events", "lifecycle", "alloc", "go_contexts"}},
    {"threads", {"kernel", "threads"}},
    {"threads: stacks of threads that run", {"kernel", "threads", "cpu_sample"}},
    {"threads: the other end of pipes and sockets", {"kernel", "threads", "file_ends"}},
    {"go", {"memory of processes"}},
    {"memory", {"memory of processes"}},
    {"memory --leaks", {"kernel", "memory of processes", "thread_registers"}},
    {"clocks", {"kernel", "probes", "lifecycle", "clocks"}},
};

template <typename T>
Result<void> outcome(const Result<T>& result) {
  return result ? Result<void>() : result.error();
}

Result<void> try_clocks(const TraceCore& core, AttachMethod method) {
  Result<ClockTracer> tracer = ClockTracer::load(core, {.method = method});
  if (!tracer) return tracer.error();
  Result<void> attached = tracer->attach();
  tracer->detach();
  return attached;
}

Result<void> try_blocked(const TraceCore& core) {
  Result<BlockedTime> blocked = BlockedTime::load(core);
  if (!blocked) return blocked.error();
  Result<void> attached = blocked->attach();
  blocked->detach();
  return attached;
}

Result<void> try_look() {
  Result<ThreadLooker> looker = ThreadLooker::open(::getpid());
  return looker ? outcome(looker->look()) : looker.error();
}

Result<void> try_file_ends() {
  Result<FileEnds> ends = FileEnds::open();
  return ends ? outcome(ends->find({1})) : ends.error();
}

Result<void> try_registers() {
  auto reader = memory::reach::RegisterReader::open(::getpid());
  return reader ? outcome(reader->read()) : reader.error();
}

Result<void> try_sampling() {
  Result<CpuSampler> sampler = CpuSampler::open();
  return outcome(sampler);
}

Result<void> try_reading() {
  char from = 1, to = 0;
  iovec local{&to, 1}, remote{&from, 1};
  if (::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) == 1) return {};
  return system_error("read memory of a process", errno);
}

class Trials {
 public:
  void add(const std::string& object, const std::string& how, const Result<void>& result) {
    objects_.push_back({object, how, result ? std::nullopt : std::optional<Error>(result.error())});
  }
  std::vector<ObjectTrial> take() { return std::move(objects_); }

 private:
  std::vector<ObjectTrial> objects_;
};

void try_probes(Trials& trials, const TraceCore& core, AttachMethod method) {
  std::string how = attach_method_name(method);
  trials.add("alloc", how, outcome(MemoryTracer::load(core, {.method = method})));
  trials.add("alloc, sampled", how, outcome(MemoryTracer::load(core, {.sample_bytes = 1 << 20, .method = method})));
  trials.add("pairs", how, pairs::PairTracing::try_program(core, method));
  trials.add("thread_life", how, ThreadTracing::try_program(core, method));
  // What has no return probes needs no session.
  AttachMethod entries = method == AttachMethod::kSession ? AttachMethod::kMulti : method;
  how = attach_method_name(entries);
  trials.add("clocks", how, try_clocks(core, entries));
  trials.add("go_allocs", how, AllocTracing::try_program(core, entries));
  trials.add("go_parks", how, outcome(ParkTracer::load(core, entries)));
  trials.add("go_contexts", how, outcome(ContextTracer::load(core, entries)));
}

}  // namespace

KernelTrials try_kernel(const Calibration& calibration, const std::vector<AttachMethod>& methods) {
  Trials trials;
  Result<void> kernel = require_kernel();
  trials.add("kernel", "", kernel);
  trials.add("memory of processes", "", try_reading());
  if (kernel) {
    trials.add("threads", "", try_look());
    trials.add("file_ends", "", try_file_ends());
    trials.add("thread_registers", "", try_registers());
    trials.add("cpu_sample", "", try_sampling());
    trials.add("mapping events", "", outcome(MmapWatch::open()));
    const std::optional<AttachMethod>& best = calibration.abilities.best;
    trials.add("probes", "", best ? Result<void>() : calibration.why_no_probes());
    Result<TraceCore> core = TraceCore::load({.unwind_sizes = UnwindTables().sizes_to_load()});
    trials.add("lifecycle", "", outcome(core));
    if (core) trials.add("blocked", "", try_blocked(*core));
    if (core) trials.add("locks", "", LockTracing::try_program(*core));
    if (core) trials.add("faults", "", memory::TouchedTracing::try_program(*core));
    if (core) trials.add("descriptors", "", files::DescriptorTracing::try_program(*core, files::DescriptorsBy::kTables));
    if (core) trials.add("descriptor_calls", "", files::DescriptorTracing::try_program(*core, files::DescriptorsBy::kCalls));
    for (AttachMethod method : methods)
      if (core) try_probes(trials, *core, method);
  }
  KernelTrials answer{trials.take(), {}};
  answer.commands = answers_for(answer.objects);
  return answer;
}

std::vector<CommandAnswer> answers_for(const std::vector<ObjectTrial>& objects) {
  std::vector<CommandAnswer> answers;
  for (const Need& need : kNeeds) {
    CommandAnswer answer{need.command, std::nullopt};
    for (const char* name : need.objects) {
      // The first of a name is of the method that the commands use.
      auto tried = std::ranges::find(objects, name, &ObjectTrial::object);
      if (tried == objects.end() || answer.failure) continue;
      answer.failure = tried->failure;
    }
    answers.push_back(std::move(answer));
  }
  return answers;
}

}  // namespace dwell
