// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/look_part.h"

#include "ui/export.h"
#include "userspace/clocks/json.h"
#include "userspace/clocks/looker.h"
#include "userspace/clocks/profile.h"
#include "userspace/clocks/text.h"

namespace dwell {
namespace {

class ClocksLookPart : public LookPart {
 public:
  void declare(OptionSet& options) override {
    options.time("-d,--duration", options_.duration_ns, "how long to watch (default: 5s)");
    options.share("--share", options_.share, "the share of the target's CPU time that counting reads may cost; 100: count every read (default: 1%)");
    options.time("--window", options_.window_ns, "how long reads are counted at a time, at least (default: 5ms)");
    options.one_of("-f,--format", format_, {"text", "json", "svg", "folded", "pprof", "speedscope"}, "(default: by the ending of FILE, else text)");
    options.text("--sample-type", sample_type_, "NAME", "what svg and folded show: reads (default), interval or waited");
    options.count("-n,--sites", sites_, "how many call sites to show (default: 20)");
    options.count("--stacks", stacks_, "how many of them with their stack (default: 3)");
  }

  std::string contradiction(const std::string& output, bool several) const override {
    if (several && !is_text(output) && format_ != "json") return "a profile is of one process: name one, or leave out -f";
    return "";
  }

  Result<LookAnswer> look(const LookRequest& request) override {
    ClocksOptions options = options_;
    options.pid = request.pid;
    Result<ClocksReport> report = look_at_clocks(options, request.say);
    if (!report) return report.error();
    LookAnswer answer;
    answer.interrupted = report->interrupted;
    Result<std::string> content = content_of(*report, request);
    if (!content) return content.error();
    answer.content = std::move(*content);
    return answer;
  }

 private:
  bool is_text(const std::string& output) const {
    return format_ == "text" || (format_.empty() && !export_format_of_file(output));
  }

  Result<std::string> content_of(const ClocksReport& report, const LookRequest& request) const {
    if (request.json || format_ == "json") return clocks_json(report);
    if (is_text(request.output)) return clocks_text(report, {.style = request.style, .sites = sites_, .stacks = stacks_});
    Result<ExportFormat> format = choose_format(format_, request.output);
    if (!format) return format.error();
    ExportOptions how;
    how.sample_type = sample_type_;
    return export_profile(clocks_profile(report), *format, how);
  }

  ClocksOptions options_;
  std::string format_, sample_type_;
  std::size_t sites_ = 20, stacks_ = 3;
};

}  // namespace

LookCommand clocks_look_command() {
  LookCommand command;
  command.sentence = "which code reads or sleeps on which clock, and who stepped it; watches for 5 seconds";
  command.examples =
      "dwell clocks 1234                for five seconds\n"
      "dwell clocks 1234 -d 1m --json\n"
      "dwell clocks 1234 -o reads.svg   reads by call site, as a flame graph\n";
  command.json_page = "docs/clocks.md";
  command.output = LookOutput::kContent;
  command.uses_bpf = true;
  command.reads_files = true;
  command.make = []() -> std::unique_ptr<LookPart> { return std::make_unique<ClocksLookPart>(); };
  return command;
}

}  // namespace dwell
