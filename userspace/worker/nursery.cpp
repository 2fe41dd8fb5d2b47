// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/bpf.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "userspace/base/confinement.h"
#include "userspace/worker/channel.h"
#include "userspace/worker/processes.h"

namespace dwell {
namespace {

constexpr std::size_t kLongestOrder = 16;

// What the process that started this one has open is none of its business.
void keep_only(std::vector<int> fds) {
  std::sort(fds.begin(), fds.end());
  unsigned first = 3;
  for (int fd : fds) {
    auto kept = static_cast<unsigned>(fd);
    if (kept > first) ::syscall(SYS_close_range, first, kept - 1, 0);
    first = std::max(first, kept + 1);
  }
  ::syscall(SYS_close_range, first, ~0U, 0);
}

void hear_and_say_nothing() {
  int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int standard : {0, 1, 2}) ::dup2(null, standard);
}

// Ends with its parent, and by nothing else: Ctrl-C is for dwell.
void live_with_parent(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);
}

// One that hangs in the kernel for a file system that does not answer is left to it.
int wait_a_while_for(pid_t pid) {
  constexpr int kTimes = 100;
  constexpr timespec kMoment{0, 10'000'000};
  int status = 0;
  for (int i = 0; i < kTimes && ::waitpid(pid, &status, WNOHANG) == 0; ++i) ::nanosleep(&kMoment, nullptr);
  return status;
}

class Pair {
 public:
  ParserPids start(UniqueFd questions, const ParserLimits& limits) {
    end();
    Result<std::pair<UniqueFd, UniqueFd>> ends = Channel::make_pair();
    if (!ends) return {};
    pid_t nursery = ::getpid();
    pids_.opener = ::fork();
    if (pids_.opener == 0) {
      live_with_parent(nursery);
      keep_only({ends->first.get()});
      run_opener(std::move(ends->first));
    }
    pids_.parser = ::fork();
    if (pids_.parser == 0) {
      live_with_parent(nursery);
      keep_only({questions.get(), ends->second.get()});
      run_parser(std::move(questions), std::move(ends->second), limits);
    }
    return pids_;
  }

  // The parser's wait status.
  int end() {
    int status = 0;
    for (pid_t* pid : {&pids_.opener, &pids_.parser}) {
      status = 0;
      if (*pid <= 0) continue;
      // One that has ended by itself keeps its own status: it has not been waited for.
      ::kill(*pid, SIGKILL);
      status = wait_a_while_for(*pid);
      *pid = -1;
    }
    return status;
  }

 private:
  ParserPids pids_;
};

UniqueFd count_run_time() {
  bpf_attr request{};
  request.enable_stats.type = BPF_STATS_RUN_TIME;
  return UniqueFd(static_cast<int>(::syscall(SYS_bpf, BPF_ENABLE_STATS, &request, sizeof request)));
}

template <typename T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace

void run_nursery(UniqueFd control, ParserLimits limits) {
  pid_t dwell = ::getppid();
  live_with_parent(dwell);
  ::prctl(PR_SET_NAME, "dwell-nursery");
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ::signal(SIGCHLD, SIG_DFL);
  hear_and_say_nothing();
  keep_only({control.get()});
  rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  (void)forbid_new_privileges();
  // What the opener needs, and what it takes to give all of it up.
  std::vector<Capability> kept = opener_capabilities();
  kept.insert(kept.end(), {Capability::kSetUid, Capability::kSetGid, Capability::kSetPcap, Capability::kKill,
                           Capability::kSysAdmin});
  (void)keep_capabilities(kept);
  Channel channel(std::move(control));
  Pair pair;
  for (;;) {
    Result<Message> asked = channel.receive(kLongestOrder);
    if (!asked || asked->bytes.size() != 1) break;
    if (asked->bytes[0] == static_cast<char>(NurseryQuestion::kEnd)) {
      if (!channel.send(bytes_of(pair.end()))) break;
    } else if (asked->bytes[0] == static_cast<char>(NurseryQuestion::kCountRunTime)) {
      UniqueFd counting = count_run_time();
      int fd = counting.get();
      if (!channel.send("", std::span(&fd, counting.valid() ? 1 : 0))) break;
    } else if (asked->fds.size() == 1) {
      if (!channel.send(bytes_of(pair.start(std::move(asked->fds[0]), limits)))) break;
    }
  }
  pair.end();
  ::_exit(0);
}

}  // namespace dwell
