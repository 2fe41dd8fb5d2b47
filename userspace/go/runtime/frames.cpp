// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/runtime/frames.h"

#include <algorithm>

#include "userspace/go/runtime/layout.h"

namespace dwell {
namespace {

constexpr std::uint32_t kInlineIndex = 2, kInlineTree = 3;
constexpr int kMaxInlined = 256;
constexpr std::size_t kMaxSteps = 1 << 20;
constexpr std::uint64_t kMaxFrame = 1 << 30;

std::uint8_t wrapper_id(int minor) { return minor <= 21 ? 21 : minor <= 24 ? 22 : 23; }

bool is_panic(std::string_view function) {
  return function == "runtime.gopanic" || function == "runtime.sigpanic" || function == "runtime.panicwrap";
}

bool interrupts(std::string_view function) {
  return function == "runtime.asyncPreempt" || function == "runtime.sigpanic" ||
         function == "runtime.debugCallV2";
}

// Type arguments are shapes of the compiler's, not what the program's author wrote.
std::string as_go_prints(std::string_view name) {
  std::size_t open = name.find('['), close = name.rfind(']');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open)
    return std::string(name);
  return std::string(name.substr(0, open)) + "[...]" + std::string(name.substr(close + 1));
}

}  // namespace

bool go_shows(std::string_view function) {
  constexpr std::string_view kRuntime = "runtime.";
  if (function.find('.') == std::string_view::npos) return false;
  if (function.substr(0, kRuntime.size()) != kRuntime) return true;
  // Exported functions of the runtime, and exported methods of exported types.
  std::string_view name = function.substr(kRuntime.size());
  std::size_t dot = name.rfind('.');
  std::string_view receiver = dot == std::string_view::npos ? "" : name.substr(0, dot);
  if (dot != std::string_view::npos) name.remove_prefix(dot + 1);
  if (receiver.size() >= 3 && receiver.substr(0, 2) == "(*" && receiver.back() == ')')
    receiver = receiver.substr(2, receiver.size() - 3);
  auto exported = [](std::string_view text) { return !text.empty() && text[0] >= 'A' && text[0] <= 'Z'; };
  return exported(name) && (receiver.empty() || exported(receiver));
}

GoFrames::GoFrames(const GoModule& module, const ProcessMemory& memory, int minor)
    : module_(module), memory_(memory), wrapper_id_(wrapper_id(minor)) {
  if (const GoLayout* layout = go_layout(minor))
    read_only_ = memory.load<std::uint64_t>(module.moduledata + layout->module_read_only).value_or(0);
}

const GoStep& GoFrames::step(std::uint64_t pc) {
  auto found = steps_.find(pc);
  if (found != steps_.end()) return found->second;
  if (steps_.size() >= kMaxSteps) steps_.clear();  // a target that makes them up
  return steps_.emplace(pc, make_step(pc)).first->second;
}

GoStep GoFrames::make_step(std::uint64_t pc) const {
  GoStep step;
  std::optional<GoRecord> record = table().record_at(pc);
  if (!record) return step;
  step.entry = record->entry;
  step.is_root = record->is_root;
  step.is_injected = interrupts(record->name);
  std::optional<std::int64_t> depth = table().stack_depth(*record, pc);
  step.known = depth && *depth >= 0 && *depth < static_cast<std::int64_t>(kMaxFrame) && *depth % 8 == 0;
  if (step.known) step.depth = static_cast<std::uint32_t>(*depth);
  constexpr std::size_t kCallSize = 5;
  constexpr char kCall = '\xe8';
  if (pc < record->entry + kCallSize) return step;
  Result<std::string> code = module_.elf->bytes_at(pc - module_.bias - kCallSize, kCallSize);
  if (!code || (*code)[0] != kCall) return step;
  std::uint64_t callee = pc + static_cast<std::uint64_t>(std::int64_t{field_of<std::int32_t>(*code, 1)});
  // A wrapper may jump to what it wraps, and leaves no frame.
  std::optional<GoRecord> called = table().record_at(callee);
  if (called && called->entry == callee && called->id != wrapper_id_) step.callee = callee;
  return step;
}

void GoFrames::add_calls(std::uint64_t pc, std::vector<GoCall>& calls, bool& calls_panic,
                         std::vector<std::uint64_t>* outer) const {
  std::optional<GoRecord> record = table().record_at(pc);
  if (!record) {
    calls.push_back({"", "", 0, false, false});
    return;
  }
  auto add = [&](std::string_view name, std::uint8_t id, bool inlined) {
    GoFunction place = table().place(*record, pc);
    bool hidden = !go_shows(name) || (id == wrapper_id_ && !calls_panic);
    if (name == "runtime.gopanic" && !calls.empty()) hidden = false;
    calls.push_back({as_go_prints(name), std::string(place.file), place.line, inlined, hidden});
    calls_panic = is_panic(name);
  };
  std::optional<std::uint32_t> tree = table().data_offset(*record, kInlineTree);
  bool since_120 = table().is_since_120();
  std::size_t size = since_120 ? 16 : 20;
  for (int i = 0; tree && i < kMaxInlined; ++i) {
    std::int64_t index = table().address_value(*record, kInlineIndex, pc);
    if (index < 0 || index > (1 << 20)) break;
    char bytes[20] = {};
    if (!memory_.read(read_only_ + *tree + static_cast<std::uint64_t>(index) * size, bytes, size)) break;
    std::string_view call(bytes, size);
    std::string_view name = table().name_at(field_of<std::uint32_t>(call, since_120 ? 4 : 12));
    if (name.empty()) break;
    add(name, field_of<std::uint8_t>(call, since_120 ? 0 : 2), true);
    pc = record->entry + field_of<std::uint32_t>(call, since_120 ? 8 : 16);
    if (outer) outer->push_back(pc + 1);
  }
  add(record->name, record->id, false);
}

std::vector<GoCall> GoFrames::calls(const std::vector<std::uint64_t>& pcs) {
  std::vector<GoCall> result;
  // A parked goroutine's own address is that behind its call of the scheduler.
  bool exact = false, calls_panic = false;
  for (std::uint64_t pc : pcs) {
    const GoStep current = step(pc);
    add_calls(exact || pc == current.entry ? pc : pc - 1, result, calls_panic);
    exact = current.is_injected;
  }
  return result;
}

std::vector<GoCall> GoFrames::calls_at(std::uint64_t pc, bool return_address) const {
  std::vector<GoCall> calls;
  bool calls_panic = false;
  add_calls(return_address ? pc - 1 : pc, calls, calls_panic);
  return calls;
}

std::vector<std::uint64_t> GoFrames::return_addresses(std::span<const std::uint64_t> pcs) const {
  std::vector<std::uint64_t> result;
  for (std::size_t i = 0; i < pcs.size();) {
    std::vector<GoCall> calls;
    std::vector<std::uint64_t> outer;
    bool calls_panic = false;
    add_calls(pcs[i] - 1, calls, calls_panic, &outer);
    result.push_back(pcs[i++]);
    for (std::size_t k = 0; k < outer.size() && i < pcs.size() && pcs[i] == outer[k]; ++k) ++i;
  }
  return result;
}

GoCall GoFrames::call_before(std::uint64_t pc) const {
  std::optional<GoRecord> record = table().record_at(pc);
  return calls_at(pc, record && pc > record->entry).front();
}

bool of_standard_library(std::string_view function) {
  // Go 1.27's, and what the linker and the compiler make.
  static constexpr std::string_view kFirstParts[] = {
      "archive", "arena",  "bufio",    "bytes",   "cmp",     "compress", "container", "context", "crypto",  "database", "debug",
      "embed",   "encoding", "errors", "expvar",  "flag",    "fmt",      "go",        "hash",    "html",    "image",    "index",
      "internal", "io",    "iter",     "log",     "maps",    "math",     "mime",      "net",     "os",      "path",     "plugin",
      "reflect", "regexp", "runtime",  "simd",    "slices",  "sort",     "strconv",   "strings", "structs", "sync",     "syscall",
      "testing", "text",   "time",     "type",    "unicode", "unique",   "unsafe",    "vendor",  "weak",    "_cgo"};
  std::string_view first = function.substr(0, function.find_first_of("/.:"));
  return std::ranges::find(kFirstParts, first) != std::end(kFirstParts) || first.starts_with("_cgo") || first.starts_with("x_cgo");
}

const GoCall* own_call(std::span<const GoCall> calls) {
  const GoCall* shown = nullptr;
  for (const GoCall& call : calls) {
    if (call.hidden) continue;
    if (!of_standard_library(call.function)) return &call;
    if (!shown) shown = &call;
  }
  return shown ? shown : calls.empty() ? nullptr : &calls.front();
}

std::string GoFrames::function_at(std::uint64_t pc) const {
  std::optional<GoRecord> record = table().record_at(pc);
  return record ? std::string(record->name) : "";
}

bool GoFrames::is_entry(std::uint64_t pc) const {
  std::optional<GoRecord> record = table().record_at(pc);
  return record && record->entry == pc;
}

}  // namespace dwell
