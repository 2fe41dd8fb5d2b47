// SPDX-License-Identifier: Apache-2.0
#include "userspace/worker/parser.h"

#include <fmt/core.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "userspace/base/clock.h"
#include "userspace/base/time_units.h"
#include "userspace/process/process.h"
#include "userspace/recording/bytes.h"
#include "userspace/unwind/table_cache.h"
#include "userspace/worker/channel.h"
#include "userspace/worker/processes.h"
#include "userspace/worker/wire.h"

namespace dwell {
namespace {

constexpr std::size_t kLongestAnswer = std::size_t{512} << 20;
constexpr std::uint64_t kMostLost = 32;  // more than these, and somebody is playing with us
// A parser that waits for a file and not for a CPU has met a file system that does not answer.
constexpr std::uint64_t kSilenceNs = 3 * kSecond;
constexpr std::string_view kNamesIn = "names in";
constexpr std::uint64_t kTableNs = 60 * kSecond, kNamesNs = 300 * kSecond;

std::uint64_t cpu_ns_of(pid_t pid) { return pid > 0 ? process_cpu_ns(pid).value_or(0) : 0; }

// Ends the waiting for a parser that takes too long, or does nothing at all.
class Deadline {
 public:
  Deadline(const ParserPids& pids, std::uint64_t limit_ns)
      : pids_(pids), limit_ns_(limit_ns), began_ns_(monotonic_ns()), moved_ns_(began_ns_), cpu_ns_(cpu_now()) {}

  std::string operator()() {
    std::uint64_t now_ns = monotonic_ns();
    if (std::uint64_t cpu_ns = cpu_now(); cpu_ns != cpu_ns_) {
      cpu_ns_ = cpu_ns;
      moved_ns_ = now_ns;
    }
    if (now_ns - began_ns_ > limit_ns_) return fmt::format("it took longer than {} s to read", limit_ns_ / kSecond);
    if (now_ns - moved_ns_ > kSilenceNs) {
      silent_ = true;
      return fmt::format("its file system has not answered for {} s", kSilenceNs / kSecond);
    }
    return "";
  }
  bool silent() const { return silent_; }

 private:
  std::uint64_t cpu_now() const { return cpu_ns_of(pids_.parser) + cpu_ns_of(pids_.opener); }
  ParserPids pids_;
  std::uint64_t limit_ns_, began_ns_, moved_ns_, cpu_ns_;
  bool silent_ = false;
};

std::string how_it_ended(int status, std::uint64_t memory_bytes) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == kOutOfMemory)
    return fmt::format("reading it takes more than {} MiB of memory", memory_bytes >> 20);
  if (WIFSIGNALED(status)) return fmt::format("whoever read it was ended by signal {}", WTERMSIG(status));
  return "whoever read it has ended";
}

class ParserClient {
 public:
  Result<void> start(const ParserOptions& options) {
    limits_.memory_bytes = options.memory_bytes ? options.memory_bytes : default_memory();
    Result<std::pair<UniqueFd, UniqueFd>> ends = Channel::make_pair();
    if (!ends) return ends.error();
    pid_t nursery = ::fork();
    if (nursery < 0) return system_error("start a process that reads the target's files", errno);
    if (nursery == 0) {
      ends->first.reset();
      run_nursery(std::move(ends->second), limits_);
    }
    nursery_ = Channel(std::move(ends->first));
    nursery_pid_ = nursery;
    return {};
  }

  // Where nobody else would wait for what we leave, in a container, it would stay for ever.
  void stop() {
    parser_.close();
    nursery_.close();
    if (nursery_pid_ > 0) ::waitpid(std::exchange(nursery_pid_, -1), nullptr, 0);
  }

  // `subject` for the sentence that tells of a loss.
  Result<std::string> ask(const std::string& question, const std::string& subject, const std::string& path,
                          std::uint64_t limit_ns) {
    std::lock_guard lock(mutex_);
    if (lost_ >= kMostLost) return Error{"it was not read: too many files have ended whoever read them", ""};
    if (!parser_.is_open())
      if (Result<void> fresh = start_pair(); !fresh) return fresh.error();
    Deadline deadline(pids_, limit_ns);
    auto patience = [&] { return deadline(); };
    Result<void> asked = parser_.send(question, {}, patience);
    Result<Message> answer = asked ? parser_.receive(kLongestAnswer, patience) : Result<Message>(asked.error());
    if (!answer) return lose(subject, path, deadline, answer.error());
    Cursor in(answer->bytes);
    add_cpu_of_helper(std::min<std::uint64_t>(in.uleb(), limit_ns));
    bool worked = in.uleb();
    if (!in.ok()) return lose(subject, path, deadline, Error{"", ""});
    if (!worked) return decode_error(in);
    return std::string(in.text(in.remaining()));
  }

  // An answer that could not be meant: that parser is not asked again.
  Error distrust(const std::string& subject) {
    std::lock_guard lock(mutex_);
    (void)end_pair();
    return note(subject, "what was read of it makes no sense");
  }

  int count_run_time() {
    std::lock_guard lock(mutex_);
    char count = static_cast<char>(NurseryQuestion::kCountRunTime);
    Result<void> asked = nursery_.send({&count, 1});
    Result<Message> answer = asked ? nursery_.receive(1) : Result<Message>(asked.error());
    if (answer && answer->fds.size() == 1) return answer->fds[0].release();
    errno = EPERM;
    return -1;
  }

  std::vector<std::string> take_problems() {
    std::lock_guard lock(mutex_);
    return std::exchange(problems_, {});
  }
  std::uint64_t lost() {
    std::lock_guard lock(mutex_);
    return lost_;
  }

 private:
  static std::uint64_t default_memory() {
    auto machine = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                   static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return std::max<std::uint64_t>(machine / 4, std::uint64_t{2} << 30);
  }

  Result<void> start_pair() {
    Result<std::pair<UniqueFd, UniqueFd>> ends = Channel::make_pair();
    if (!ends) return ends.error();
    int theirs = ends->second.get();
    char start = static_cast<char>(NurseryQuestion::kStart);
    Result<void> asked = nursery_.send({&start, 1}, {&theirs, 1});
    Result<Message> pids = asked ? nursery_.receive(sizeof pids_) : Result<Message>(asked.error());
    if (!pids || pids->bytes.size() != sizeof pids_)
      return Error{"start a process that reads the target's files: it could not be started", ""};
    std::memcpy(&pids_, pids->bytes.data(), sizeof pids_);
    parser_ = Channel(std::move(ends->first));
    return {};
  }

  int end_pair() {
    parser_.close();
    pids_ = {};
    char end = static_cast<char>(NurseryQuestion::kEnd);
    int status = 0;
    Result<void> asked = nursery_.send({&end, 1});
    Result<Message> answer = asked ? nursery_.receive(sizeof status) : Result<Message>(asked.error());
    if (answer && answer->bytes.size() == sizeof status) std::memcpy(&status, answer->bytes.data(), sizeof status);
    return status;
  }

  Error lose(const std::string& subject, const std::string& path, const Deadline& deadline, const Error& why) {
    bool ended = why.what == kOtherHasEnded;
    int status = end_pair();
    if (deadline.silent() && !path.empty()) refuse_to_open(path);
    return note(subject, ended || why.what.empty() ? how_it_ended(status, limits_.memory_bytes) : why.what);
  }

  // Tables are told of by whoever wanted them.
  Error note(const std::string& subject, const std::string& why) {
    ++lost_;
    if (subject.starts_with(kNamesIn)) problems_.push_back(fmt::format("no {}: {}", subject, why));
    return Error{why, "", Exit::kFailed};
  }

  std::mutex mutex_;
  ParserLimits limits_{};
  Channel nursery_, parser_;
  ParserPids pids_;
  pid_t nursery_pid_ = -1;
  std::uint64_t lost_ = 0;
  std::vector<std::string> problems_;
};

ParserClient& client() {
  static ParserClient* client = new ParserClient;
  return *client;
}

std::string name_of(const ModuleSource& source) { return source.path.empty() ? "[vdso]" : source.path; }

std::string question(ParserQuestion kind, std::string_view rest) {
  return std::string(1, static_cast<char>(kind)) + std::string(rest);
}

Result<ModuleFacts> describe(const ModuleSource& source) {
  std::string subject = "what is known of " + name_of(source);
  Result<std::string> answer =
      client().ask(question(ParserQuestion::kDescribe, encode_source(source)), subject, source.path, kTableNs);
  if (!answer) return answer.error();
  std::optional<ModuleFacts> facts = decode_facts(*answer);
  return facts ? Result<ModuleFacts>(std::move(*facts)) : client().distrust(subject);
}

Result<UnwindTable> build_table(const ModuleSource& source, TableRows rows) {
  std::string subject = "unwind tables of " + name_of(source);
  std::string rest = std::string(1, static_cast<char>(rows == TableRows::kFull)) + encode_source(source);
  Result<std::string> answer = client().ask(question(ParserQuestion::kTable, rest), subject, source.path, kTableNs);
  if (!answer) return answer.error();
  std::optional<UnwindTable> table = decode_table(*answer);
  return table ? Result<UnwindTable>(std::move(*table)) : client().distrust(subject);
}

Result<NamedFrames> names(const SymbolizerOptions& options, const ModuleRef& module,
                          std::span<const AddressQuery> queries) {
  std::string subject = fmt::format("{} {}", kNamesIn, module.path.empty() ? "code without a file" : module.path);
  Result<std::string> answer =
      client().ask(question(ParserQuestion::kNames, encode_names_question(options, module, queries)), subject,
                   module.open_path, kNamesNs);
  if (!answer) return answer.error();
  std::optional<NamedFrames> found = decode_names(*answer, queries.size());
  return found ? Result<NamedFrames>(std::move(*found)) : client().distrust(subject);
}

}  // namespace

Result<void> start_parser(const ParserOptions& options) {
  if (Result<void> started = client().start(options); !started) return started;
  std::atexit([] { client().stop(); });
  set_modules_elsewhere({describe, build_table});
  set_names_elsewhere(names);
  return {};
}

int count_run_time_elsewhere() { return client().count_run_time(); }
std::vector<std::string> take_parser_problems() { return client().take_problems(); }
std::uint64_t parsers_lost() { return client().lost(); }

}  // namespace dwell
