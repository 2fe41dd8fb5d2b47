// SPDX-License-Identifier: Apache-2.0
// Takes a traced program through its dynamic loader, so that each file's code is known before it runs.
//
// Nothing is written into the program: no breakpoint, no debug register, no register. All stops are those of its
// system calls, so when its tracer dies, at whatever moment, the kernel lets it go and it runs on.
#pragma once

#include <sys/types.h>

#include <functional>

#include "userspace/base/result.h"

namespace dwell {

// True: it has stopped or ended, as waitpid() says in `status`. The end of a child of ours is only looked at, so
// that its owner still finds it; another's is taken, or its parent never hears of it.
bool wait_for_stop(pid_t pid, int flags, int* status);
bool is_exec_stop(int status);

enum class LoaderEnd {
  kLoaded,  // stopped; all that it is linked with is mapped, and its own code has made no system call yet
  kEnded,   // it is gone
};

// The program is stopped, traced with PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD, and has just called execve().
// `on_module` is called at once, and each time that the loader has mapped another executable file. A loader that
// maps nothing more for five seconds is not waited for. A further execve() begins anew.
Result<LoaderEnd> run_loader(pid_t pid, const std::function<Result<void>()>& on_module);

// Whether a stopped program still runs its loader.
bool is_loading(pid_t pid);

}  // namespace dwell
