// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/look_part.h"

#include "userspace/files/findings.h"
#include "userspace/files/looker.h"
#include "userspace/files/text.h"

namespace dwell::files {
namespace {

class FilesLookPart : public LookPart {
 public:
  void declare(OptionSet& options) override {
    options.count("-n,--rows", rows_, "rows of the table (default: 20)");
    options.flag("-a,--all", all_, "every descriptor in a row of its own, by number");
  }

  Result<LookAnswer> look(const LookRequest& request) override {
    Result<FilesLook> look = look_at_files({request.pid});
    if (!look) return look.error();
    LookAnswer answer;
    answer.content = request.json ? json_text(files_json(*look)) : files_text(*look, {request.style, rows_, all_});
    return answer;
  }

 private:
  std::size_t rows_ = 20;
  bool all_ = false;
};

}  // namespace

LookCommand files_look_command() {
  LookCommand command;
  command.sentence = "what a process has open: files, sockets with their peers and queues, pipes, and who holds the other end";
  command.examples =
      "dwell files 1234                 descriptors that are alike in one row, the most first\n"
      "dwell files nginx --all          each descriptor in a row of its own\n"
      "dwell files 1234 --json | jq '.descriptors[] | select(.socket.state == \"CLOSE_WAIT\")'\n";
  command.json_page = "docs/files.md";
  command.findings = files_findings;
  command.make = []() -> std::unique_ptr<LookPart> { return std::make_unique<FilesLookPart>(); };
  return command;
}

}  // namespace dwell::files
