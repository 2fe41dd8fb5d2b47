// SPDX-License-Identifier: Apache-2.0
// LookCommand: one look at a running process, as a command of its own: `dwell threads 1234`. A subject says what its look
// takes and tells; the command line does the rest, for one process or several.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ui/text_style.h"
#include "userspace/base/result.h"
#include "userspace/record/findings.h"
#include "userspace/recording/model.h"

namespace dwell {

struct Peers;

// Where the options of a look are declared; the command line implements it. `names` as they are typed: "-n,--rows".
// Values that are not given stay as they are.
class OptionSet {
 public:
  virtual ~OptionSet() = default;
  virtual void flag(const std::string& names, bool& value, const std::string& help) = 0;
  virtual void count(const std::string& names, std::size_t& value, const std::string& help) = 0;
  virtual void time(const std::string& names, std::uint64_t& ns, const std::string& help) = 0;
  virtual void rate(const std::string& names, std::uint64_t& bytes_per_s, const std::string& help) = 0;  // 0: no limit
  virtual void share(const std::string& names, double& share, const std::string& help) = 0;              // 0 to 1
  virtual void text(const std::string& names, std::string& value, const std::string& type, const std::string& help) = 0;
  virtual void one_of(const std::string& names, std::string& value, const std::vector<std::string>& words, const std::string& help) = 0;
};

struct LookRequest {
  pid_t pid = 0;
  bool json = false;
  std::string output;        // -o; "": none
  TextStyle style;           // of what is shown
  std::string command_line;  // of dwell itself, for what is kept
  const Peers* peers = nullptr;
  std::function<void(const std::string&)> say;  // something that the user should know meanwhile
  std::function<Result<Recording>(const std::string& path)> read_recording;
};

struct LookAnswer {
  std::string content;           // text, or JSON; into the file of -o where the look says so
  Exit exit = Exit::kOk;
  std::optional<Error> problem;  // what it could not do, besides
  bool interrupted = false;      // by Ctrl-C: no further process is looked at
};

class LookPart {
 public:
  virtual ~LookPart() = default;
  virtual void declare(OptionSet& options) = 0;
  // Why these options make no sense together, or not for several processes; "" if they do.
  virtual std::string contradiction(const std::string& /*output*/, bool /*several*/) const { return ""; }
  virtual Result<LookAnswer> look(const LookRequest& request) = 0;
};

// What -o names.
enum class LookOutput {
  kNone,       // there is no -o
  kRecording,  // the look itself keeps it there
  kContent,    // what it tells
};

struct LookCommand {
  std::string_view sentence;  // what it shows; "": there is no such command
  std::string_view examples;  // for --help, a line each
  std::string_view json_page; // that documents --json
  LookOutput output = LookOutput::kNone;
  bool uses_bpf = false;
  bool reads_files = false;   // of the target's, which the parser reads
  std::unique_ptr<LookPart> (*make)() = nullptr;

  // What stands beneath the looks of others at a process that has this, too; "" of a process that hasn't.
  std::string (*in_short)(pid_t pid, const TextStyle& style) = nullptr;
  bool with_others_in_short = false;  // beneath this one

  // What is wrong with a process, for `dwell PID`; none: it has nothing of this subject.
  std::optional<Findings> (*findings)(const LookRequest& request) = nullptr;
};

}  // namespace dwell
