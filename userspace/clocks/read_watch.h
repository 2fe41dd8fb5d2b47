// SPDX-License-Identifier: Apache-2.0
// ReadWatch: attaches the probes on clock reads when a window is due, and gathers what the windows have
// counted.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "userspace/base/known_time.h"
#include "userspace/base/result.h"
#include "userspace/clocks/tracer.h"
#include "userspace/clocks/read_rates.h"
#include "userspace/probes/probe_windows.h"
#include "userspace/probes/random_start.h"
#include "userspace/probes/attach.h"

namespace dwell {

struct ReadProbe {
  ProbeSite site;
  double price_ns;  // of one hit
};

struct ReadWatchState {
  ReadRates rates{0};
  std::uint64_t elapsed_ns = 0, watched_ns = 0, windows = 0;
  std::uint64_t hits = 0;
  double trap_ns = 0;  // what the probes have cost in all
  KnownTime bpf_ns = 0;
  std::uint64_t toggle_ns = 0;     // that we ourselves spent on attaching and detaching
  std::string failure;             // why nothing is counted any more; "" if it is
};

class ReadWatch {
 public:
  ReadWatch(ClockTracer& tracer, AttachMethod method, const WindowSettings& settings, double trap_ns);
  ~ReadWatch() { stop(); }
  ReadWatch(const ReadWatch&) = delete;

  // `first_index` is in the first probe's cookie, and those of the others follow. Also while it runs.
  Result<void> add(pid_t pid, std::uint16_t first_index, std::vector<ReadProbe> probes);
  void remove(pid_t pid);
  // Attaches for the first time; an Error if nothing can be. From then on a thread of its own opens and
  // closes windows.
  Result<void> start();
  void stop();
  // Of the target's time, from now on.
  void set_share(double share);

  ReadWatchState state() const;

 private:
  struct Process {
    pid_t pid;
    std::uint64_t cpu_at_start_ns;
    std::vector<ProbeSite> sites;
    std::unique_ptr<ProbeLinks> links;
  };
  void run();
  Result<void> open();
  std::uint64_t close();  // when it was
  void take_slice(std::uint64_t now_ns, bool last);
  double cost_ns() const;
  double trap_cost_ns(const std::vector<dwell_hits>& hits) const;
  KnownTime program_cost_ns(const std::vector<dwell_hits>& hits) const;
  double target_ns(std::uint64_t now_ns) const;

  ClockTracer& tracer_;
  AttachMethod method_;
  std::vector<Process> processes_;
  std::vector<double> prices_;  // by probe index
  std::uint64_t start_ns_ = 0, stop_ns_ = 0, slice_ns_ = 0, toggle_ns_ = 0;
  WindowSettings settings_;
  std::unique_ptr<ProbeWindows> windows_;
  RandomStart random_start_;
  std::unordered_map<std::string, std::uint64_t> counted_;  // by key, of what stays in the map

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  ReadRates rates_;
  std::string failure_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace dwell
