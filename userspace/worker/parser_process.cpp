// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>

#include "symbolizer/perf_map.h"
#include "userspace/base/clock.h"
#include "userspace/base/confinement.h"
#include "userspace/recording/bytes.h"
#include "userspace/unwind/table_cache.h"
#include "userspace/worker/channel.h"
#include "userspace/worker/processes.h"
#include "userspace/worker/wire.h"

namespace dwell {
namespace {

constexpr std::size_t kLongestQuestion = std::size_t{1} << 30;
constexpr std::size_t kLongestRequest = std::size_t{64} << 10;
constexpr std::array kElf = {'\x7f', 'E', 'L', 'F'};

// ---- the opener ----

Result<RegularFile> open_for_parser(const FileRequest& request) {
  switch (request.kind) {
    case FileFormat::kPerfMap:
      return open_perf_map(request.pid, request.owner);
    case FileFormat::kKernelSymbols:
      return open_kallsyms();
    case FileFormat::kElf:
      break;
  }
  if (!request.path.starts_with('/')) return Error{"open " + request.path + ": not a whole path", ""};
  Result<RegularFile> file = open_regular(request.path, request.root);
  if (!file) return file;
  // Whoever has taken the parser over may ask for anything: files with secrets are not ELF files.
  std::array<char, kElf.size()> start{};
  if (::pread(file->fd.get(), start.data(), start.size(), 0) != static_cast<ssize_t>(start.size()) || start != kElf)
    return Error{request.path + ": not an ELF file", "", Exit::kBadInput};
  return file;
}

std::string answer_of(const Result<RegularFile>& file) {
  std::string out;
  put_uleb(out, static_cast<bool>(file));
  if (!file) return out + encode_error(file.error());
  put_uleb(out, file->size);
  put_uleb(out, file->version);
  return out;
}

// ---- the parser ----

class OpenerAtWork {
 public:
  explicit OpenerAtWork(UniqueFd socket) : channel_(std::move(socket)) {}

  Result<RegularFile> open(const FileRequest& request) {
    std::lock_guard lock(mutex_);
    if (Result<void> asked = channel_.send(encode_file_request(request)); !asked) return asked.error();
    Result<Message> answer = channel_.receive(kLongestRequest);
    if (!answer) return answer.error();
    Cursor in(answer->bytes);
    if (!in.uleb()) return decode_error(in);
    RegularFile file;
    file.size = in.uleb();
    file.version = in.uleb();
    if (!in.ok() || answer->fds.size() != 1) return Error{"open " + request.path + ": no descriptor came", ""};
    file.fd = std::move(answer->fds[0]);
    return file;
  }

 private:
  Channel channel_;
  std::mutex mutex_;
};

class Parser {
 public:
  Result<std::string> answer(Cursor& in) {
    auto question = static_cast<ParserQuestion>(in.u8());
    if (question == ParserQuestion::kDescribe) {
      Result<ModuleFacts> facts = describe_module_here(decode_source(in));
      return facts ? Result<std::string>(encode_facts(*facts)) : facts.error();
    }
    if (question == ParserQuestion::kTable) {
      TableRows rows = in.u8() ? TableRows::kFull : TableRows::kCalls;
      Result<UnwindTable> table = build_module_table_here(decode_source(in), rows);
      return table ? Result<std::string>(encode_table(*table)) : table.error();
    }
    if (question == ParserQuestion::kNames) return names(decode_names_question(in));
    return Error{"not a question", ""};
  }

 private:
  Result<std::string> names(const NamesQuestion& question) {
    std::string options = encode_names_question(question.options, {}, {});
    if (!symbolizer_ || options != options_) symbolizer_ = std::make_unique<Symbolizer>(question.options);
    options_ = options;
    return encode_names(named_frames(symbolizer_->symbolize(question.module, question.queries)));
  }

  std::unique_ptr<Symbolizer> symbolizer_;  // of this process: what it has read is kept for the next question
  std::string options_;
};

void give_everything_up(const ParserLimits& limits) {
  (void)limit_memory(limits.memory_bytes);
  std::set_new_handler([] { ::_exit(kOutOfMemory); });
  pid_t parent = ::getppid();
  drop_identity();
  // Changing the user has undone it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);
  ::prctl(PR_SET_DUMPABLE, 0);
  bool confined = forbid_new_privileges() && keep_capabilities({}) && allow_only_computing();
  if (!confined) ::_exit(1);
}

}  // namespace

std::vector<Capability> opener_capabilities() {
  return {Capability::kDacReadSearch, Capability::kSysPtrace, Capability::kSyslog, Capability::kCheckpointRestore,
          Capability::kBpf, Capability::kPerfmon};
}

void run_opener(UniqueFd parser) {
  ::prctl(PR_SET_NAME, "dwell-opener");
  (void)keep_capabilities(opener_capabilities());
  if (!allow_only_computing(true)) ::_exit(1);
  Channel channel(std::move(parser));
  for (;;) {
    Result<Message> asked = channel.receive(kLongestRequest);
    if (!asked) ::_exit(0);
    std::optional<FileRequest> request = decode_file_request(asked->bytes);
    if (!request) ::_exit(1);
    Result<RegularFile> file = open_for_parser(*request);
    std::vector<int> fds;
    if (file) fds.push_back(file->fd.get());
    if (!channel.send(answer_of(file), fds)) ::_exit(0);
  }
}

void run_parser(UniqueFd questions, UniqueFd opener, ParserLimits limits) {
  ::prctl(PR_SET_NAME, "dwell-parser");
  OpenerAtWork at_work(std::move(opener));
  set_file_opener([&](const FileRequest& request) { return at_work.open(request); });
  Channel channel(std::move(questions));
  Parser parser;
  give_everything_up(limits);
  std::uint64_t cpu_ns = 0;
  for (;;) {
    Result<Message> asked = channel.receive(kLongestQuestion);
    if (!asked) ::_exit(0);
    Cursor in(asked->bytes);
    Result<std::string> answer = parser.answer(in);
    std::string out;
    std::uint64_t now_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    put_uleb(out, now_ns - std::exchange(cpu_ns, now_ns));
    put_uleb(out, static_cast<bool>(answer));
    out += answer ? *answer : encode_error(answer.error());
    if (!channel.send(out)) ::_exit(0);
  }
}

}  // namespace dwell
