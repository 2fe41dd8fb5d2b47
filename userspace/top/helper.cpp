// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/helper.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace dwell::top {
namespace {

constexpr std::size_t kMostSaid = 64 << 10;

// In the child.
void stand_apart(pid_t parent, int errors) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) ::signal(number, SIG_DFL);
  UniqueFd nowhere(::open("/dev/null", O_RDWR | O_CLOEXEC));
  ::dup2(nowhere.get(), STDIN_FILENO);
  ::dup2(nowhere.get(), STDOUT_FILENO);
  ::dup2(errors, STDERR_FILENO);
}

int exit_code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

}  // namespace

Result<Helper> Helper::start(const std::function<int(int connection)>& work) {
  int ends[2], errors[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) return system_error("start a process beside the screen", errno);
  UniqueFd ours(ends[0]), theirs(ends[1]);
  if (::pipe2(errors, O_CLOEXEC | O_NONBLOCK)) return system_error("start a process beside the screen", errno);
  UniqueFd read_errors(errors[0]), write_errors(errors[1]);
  ::fflush(nullptr);
  pid_t parent = ::getpid(), child = ::fork();
  if (child < 0) return system_error("start a process beside the screen", errno);
  if (child == 0) {
    stand_apart(parent, write_errors.get());
    ours.reset();
    int code = work(theirs.get());
    ::fflush(nullptr);
    ::_exit(code);
  }
  ::setpgid(child, child);
  return Helper(child, std::move(ours), std::move(read_errors));
}

Helper::Helper(Helper&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), connection_(std::move(other.connection_)), errors_(std::move(other.errors_)),
      exit_(other.exit_), said_(std::move(other.said_)) {}

Helper::~Helper() {
  if (pid_ < 0 || ended()) return;
  signal(SIGTERM);
  (void)wait();
}

void Helper::signal(int number) const {
  if (pid_ > 0 && !exit_) ::kill(pid_, number);
}

std::optional<int> Helper::ended() {
  int status = 0;
  if (pid_ > 0 && !exit_ && ::waitpid(pid_, &status, WNOHANG) == pid_) exit_ = exit_code_of(status);
  return exit_;
}

int Helper::wait() {
  int status = 0;
  while (!exit_) {
    (void)said();  // it may wait for room to write
    pid_t done = ::waitpid(pid_, &status, 0);
    if (done == pid_) exit_ = exit_code_of(status);
    else if (errno != EINTR) exit_ = 0;
  }
  return *exit_;
}

const std::string& Helper::said() {
  char part[4096];
  for (ssize_t size; (size = ::read(errors_.get(), part, sizeof part)) > 0;)
    if (said_.size() < kMostSaid) said_.append(part, static_cast<std::size_t>(size));
  return said_;
}

}  // namespace dwell::top
