// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/look_part.h"

#include "userspace/record/subject.h"
#include "userspace/threads/findings.h"
#include "userspace/threads/lock_blocks.h"
#include "userspace/threads/snapshot.h"
#include "userspace/threads/text.h"

namespace dwell {
namespace {

class ThreadsLookPart : public LookPart {
 public:
  void declare(OptionSet& options) override {
    options.count("-n,--groups", groups_, "how many groups of threads to show with their stack (default: 20)");
    options.time("--stuck-after", verdicts_.stuck_after_ns, "flag waits without a timeout that last longer than this (default: 1m)");
    options.flag("-k,--kernel-stacks", kernel_stacks_, "also show where in the kernel each thread waits");
    options.text("--with", with_, "FILE", "a recording of the same process's memory, to show where its locks were allocated");
  }

  std::string contradiction(const std::string&, bool several) const override {
    return several && !with_.empty() ? "--with takes a recording of one process" : "";
  }

  Result<LookAnswer> look(const LookRequest& request) override {
    SnapshotOptions options{request.pid, request.output, kernel_stacks_, request.command_line};
    Result<Recording> recording = take_snapshot(options);
    if (!recording) return recording.error();
    Result<ThreadReport> report = thread_report(*recording, verdicts_);
    if (!report) return report.error();
    if (!with_.empty())
      if (Result<void> found = add_lock_blocks(request, *report); !found) return found.error();
    LookAnswer answer;
    answer.content = request.json ? threads_json(*report) : threads_text(*report, {.style = request.style, .groups = groups_});
    if (report->stuck_for_good()) answer.exit = Exit::kFound;
    return answer;
  }

 private:
  Result<void> add_lock_blocks(const LookRequest& request, ThreadReport& report) const {
    Result<Recording> memory = request.read_recording(with_);
    if (!memory) return memory.error();
    const BlockSites& sites = *request.peers->block_sites;
    if (Result<void> can = can_tell_lock_blocks(*memory, sites, report); !can) return can;
    find_lock_blocks(*memory, sites, report);
    return {};
  }

  VerdictOptions verdicts_;
  std::size_t groups_ = 20;
  std::string with_;
  bool kernel_stacks_ = false;
};

}  // namespace

LookCommand threads_look_command() {
  LookCommand command;
  command.sentence = "what every thread is waiting for, and for how long, without stopping any";
  command.examples =
      "dwell threads 1234                    groups of threads, what they wait for, what is wrong\n"
      "dwell threads 1234 1235 1236          the same of three processes\n"
      "dwell threads nginx --stuck-after 10s\n"
      "dwell threads 1234 -o hang.dwell      keep it, for dwell report and dwell export\n";
  command.json_page = "docs/report-json.md";
  command.output = LookOutput::kRecording;
  command.uses_bpf = true;
  command.reads_files = true;
  command.with_others_in_short = true;
  command.findings = threads_findings;
  command.make = []() -> std::unique_ptr<LookPart> { return std::make_unique<ThreadsLookPart>(); };
  return command;
}

}  // namespace dwell
