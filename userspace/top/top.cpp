// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/top.h"

#include <fmt/core.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "userspace/base/memory_limit.h"
#include "userspace/top/session.h"
#include "userspace/worker/parser.h"

namespace dwell::top {
namespace {

// What ends the screen, and what changes its size, as something to wait for.
Result<UniqueFd> take_signals(sigset_t& before) {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH}) sigaddset(&wanted, number);
  ::sigprocmask(SIG_BLOCK, &wanted, &before);
  ::signal(SIGPIPE, SIG_IGN);
  UniqueFd fd(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return system_error("wait for signals", errno);
  return fd;
}

}  // namespace

Result<Exit> watch(const TopRequest& request) {
  // Processes first, then the parser, and threads last.
  Result<RecorderProcess> recorder = RecorderProcess::start(request.pids[0], request.output, request.record);
  if (!recorder) return recorder.error();
  Result<Looks> looks = Looks::start(request.command_line);
  if (!looks) return looks.error();
  if (Result<void> started = start_parser(); !started) return started.error();
  keep_memory_limit();
  sigset_t before;
  Result<UniqueFd> signals = take_signals(before);
  if (!signals) return signals.error();
  Result<std::unique_ptr<Follower>> follower = Follower::start(recorder->path());
  if (!follower) return follower.error();

  Session session(request, *recorder, **follower, *looks, std::move(*signals));
  bool terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  Result<void> shown = terminal ? session.on_terminal() : session.in_lines();
  // The terminal is as it was. Another signal ends us at once, and with us those that record.
  ::signal(SIGHUP, SIG_IGN);  // a shell sends it once more when the terminal is gone
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  follower->reset();
  recorder->finish();
  if (!shown) return shown.error();
  if (std::string said = recorder->said(); !said.empty()) fmt::print(stderr, "{}", said);
  if (session.failed()) return static_cast<Exit>(*session.failed());
  if (!request.output.empty()) fmt::print(stderr, "Saved {}.\n", request.output);
  return Exit::kOk;
}

}  // namespace dwell::top
