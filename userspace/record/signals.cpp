// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

namespace dwell {
namespace {

void restore_both(int) { StopSignals::restore_defaults(); }

}  // namespace

void StopSignals::restore_defaults() {
  for (int number : {SIGINT, SIGTERM}) ::signal(number, SIG_DFL);
}

void StopSignals::ignore_marks() { ::signal(SIGUSR1, SIG_IGN); }

Result<StopSignals> StopSignals::install_handlers() {
  sigset_t wanted, before;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGINT);
  sigaddset(&wanted, SIGTERM);
  sigaddset(&wanted, SIGUSR1);
  sigprocmask(SIG_BLOCK, &wanted, &before);
  restore_defaults();
  UniqueFd fd(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return system_error("wait for signals", errno);
  return StopSignals(std::move(fd), before);
}

bool StopSignals::arrived() {
  signalfd_siginfo info;
  bool any = false;
  while (fd_.valid() && ::read(fd_.get(), &info, sizeof info) == sizeof info)
    (info.ssi_signo == SIGUSR1 ? mark_ : any) = true;
  came_ = came_ || any;
  return any;
}

void StopSignals::end_at_second() {
  (void)arrived();
  if (!came_) {
    struct sigaction first {};
    first.sa_handler = restore_both;
    first.sa_flags = SA_RESTART;
    for (int number : {SIGINT, SIGTERM}) ::sigaction(number, &first, nullptr);
  }
  unblock();
}

void StopSignals::unblock() {
  if (!fd_.valid()) return;
  fd_.reset();
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace dwell
