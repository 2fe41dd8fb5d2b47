// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/looks.h"

#include <fmt/core.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "ui/escape.h"
#include "userspace/base/clock.h"
#include "userspace/base/memory_limit.h"
#include "userspace/base/time_units.h"
#include "userspace/subjects/chunks.h"
#include "userspace/subjects/subjects.h"
#include "userspace/worker/parser.h"

namespace dwell::top {
namespace {

// Over the connection, to the helper and back.
struct Question {
  std::int32_t pid;
  std::uint32_t tab, columns;
};
struct AnswerHead {
  std::uint32_t problem;  // 1: the text says why there is none
  std::uint32_t bytes;
};

constexpr std::uint32_t kMostText = 4 << 20;
constexpr std::uint64_t kSoonestNs = 3 * kSecond;
constexpr std::uint64_t kRestFor = 10;  // times as long as a look took, nothing is asked of the process

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void answer(int fd, bool problem, std::string_view text) {
  text = text.substr(0, kMostText);
  AnswerHead head{problem, static_cast<std::uint32_t>(text.size())};
  (void)(send_all(fd, {reinterpret_cast<const char*>(&head), sizeof head}) && send_all(fd, text));
}

Result<std::string> look_at(const Question& question, const std::string& command_line) {
  for (const Subject& subject : subjects()) {
    if (subject.name != name_of(static_cast<Tab>(question.tab))) continue;
    if (subject.look.reads_files)
      if (Result<void> started = start_parser(); !started) return started.error();
    LookRequest request;
    request.pid = question.pid;
    request.style = {question.columns, true, true};
    request.command_line = command_line;
    request.peers = &peers();
    request.say = [](const std::string&) {};
    request.read_recording = [](const std::string& path) { return read_recording(path); };
    Result<LookAnswer> seen = subject.look.make()->look(request);
    if (!seen) return seen.error();
    return std::move(seen->content);
  }
  return Error{"there is no such tab", ""};
}

// Each look in a process of its own: what it takes it gives back, and what ends it ends nothing else.
void look_apart(int fd, const Question& question, const std::string& command_line) {
  pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    try {
      Result<std::string> text = look_at(question, command_line);
      answer(fd, !text, text ? *text : printable(text.error().what) + (text.error().hint.empty() ? "" : "; " + printable(text.error().hint)));
    } catch (const std::bad_alloc&) {
      answer(fd, true, "there was no memory for this look");
    }
    ::_exit(0);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) answer(fd, true, "this look did not come to an end");
}

int serve(int fd, const std::string& command_line) {
  keep_memory_limit();
  Question question;
  while (::recv(fd, &question, sizeof question, MSG_WAITALL) == sizeof question) look_apart(fd, question, command_line);
  return 0;
}

}  // namespace

Result<Looks> Looks::start(const std::string& command_line) {
  Result<Helper> helper = Helper::start([&](int fd) { return serve(fd, command_line); });
  if (!helper) return helper.error();
  return Looks(std::move(*helper));
}

void Looks::ask(pid_t pid, Tab tab, std::size_t columns) {
  if (asked_ || over_) return;
  Question question{pid, static_cast<std::uint32_t>(tab), static_cast<std::uint32_t>(columns)};
  if (!send_all(helper_.connection(), {reinterpret_cast<const char*>(&question), sizeof question})) return;
  asked_ = Subject{pid, tab};
  asked_ns_ = monotonic_ns();
  if (known_ && known_->of == *asked_) known_->page.looking = true;
}

bool Looks::take() {
  char part[65536];
  ssize_t size = ::recv(helper_.connection(), part, sizeof part, MSG_DONTWAIT);
  if (size > 0) received_.append(part, static_cast<std::size_t>(size));
  if (size == 0) over_ = true;
  AnswerHead head;
  if (!asked_ || received_.size() < sizeof head) return false;
  std::memcpy(&head, received_.data(), sizeof head);
  if (received_.size() < sizeof head + head.bytes) return false;
  std::string text = received_.substr(sizeof head, head.bytes);
  received_.erase(0, sizeof head + head.bytes);
  Known known{*asked_, {}, monotonic_ns(), monotonic_ns() - asked_ns_};
  if (head.problem) known.page.problem = text;
  else known.page.lines = lines_of(text);
  known_ = std::move(known);
  asked_.reset();
  return true;
}

const LookPage* Looks::page(pid_t pid, Tab tab, std::uint64_t now_ns) {
  if (!known_ || known_->of != Subject{pid, tab}) return nullptr;
  known_->page.age_ns = now_ns - std::min(now_ns, known_->taken_ns);
  return &known_->page;
}

std::uint64_t Looks::due_ns(pid_t pid, Tab tab) const {
  if (!known_ || known_->of != Subject{pid, tab}) return 0;
  return known_->taken_ns + std::max(kSoonestNs, kRestFor * known_->took_ns);
}

}  // namespace dwell::top
