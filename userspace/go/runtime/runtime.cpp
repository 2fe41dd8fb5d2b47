// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/runtime/runtime.h"

#include <absl/container/flat_hash_set.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "symbolizer/proc_maps.h"
#include "userspace/process/process.h"

namespace dwell {
namespace {

// The functions of the runtime whose code says where its variables are.
constexpr std::string_view kWanted[] = {
    "runtime.allgadd",
    "runtime.waitReason.String",
    "runtime.goroutineheader",
    "runtime.semacquire1",
    "runtime.procresize",
    "runtime.mProf_FlushLocked",
    "runtime.stkbucket",
    "runtime.profilealloc",
    "runtime.mProf_Malloc",
    "runtime.mProf_Free",
    "runtime.(*mcentral).grow",
    "runtime.gopark",
    "runtime.(*gcControllerState).heapGoalInternal",
    "runtime.gcStart",
    "runtime.mutexevent",
    "runtime.blockevent",
    "runtime.tickspersecond",
    "runtime.ticksPerSecond",
};

constexpr std::size_t kMostLookedAt = 512;
constexpr std::size_t kFewestOfGo = 2;  // the first, and one of the runtime's own

}  // namespace

Result<GoRuntime> GoRuntime::attach(pid_t pid) { return attach(std::make_unique<ProcessMemory>(pid)); }

Result<GoRuntime> GoRuntime::attach(std::unique_ptr<ProcessMemory> memory) {
  pid_t pid = memory->pid();
  std::string doing = fmt::format("look at the goroutines of PID {}", pid);
  if (Result<ProcessFacts> facts = read_process(pid); !facts) return facts.error();
  Result<std::vector<Mapping>> mappings = read_maps(pid);
  if (!mappings) return mappings.error().because_of(doing);
  GoRuntime runtime;
  runtime.memory_ = std::move(memory);
  for (const Mapping& mapping : *mappings) {
    if (!mapping.readable || !mapping.is_file()) continue;
    if (Result<void> allowed = runtime.memory_->check(mapping.start); !allowed) return allowed.error();
    break;
  }
  Result<GoModule> module = find_go_module(*mappings, *runtime.memory_);
  if (!module) return module.error().because_of(doing);
  runtime.module_ = std::make_unique<GoModule>(std::move(*module));
  runtime.find_functions();
  if (Result<void> found = runtime.find_goroutines(); !found) return found.error().because_of(doing);
  runtime.frames_ = std::make_unique<GoFrames>(*runtime.module_, *runtime.memory_,
                                               static_cast<int>(runtime.layout_->minor));
  runtime.find_wait_reasons();
  return runtime;
}

void GoRuntime::find_functions() {
  const GoTable& table = module_->table;
  for (std::size_t i = 0; i < table.size(); ++i) {
    std::optional<GoRecord> record = table.record(i);
    if (!record || record->name.substr(0, 8) != "runtime.") continue;
    if (std::find(std::begin(kWanted), std::end(kWanted), record->name) != std::end(kWanted))
      functions_.emplace(record->name, *record);
  }
}

std::optional<GoRecord> GoRuntime::function(std::string_view name) const {
  auto found = functions_.find(name);
  return found == functions_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<CodeReference> GoRuntime::references(std::string_view name) const {
  std::optional<GoRecord> found = function(name);
  return found ? code_references(module_->code_of(*found), found->entry) : std::vector<CodeReference>();
}

// runtime.allgs is the one slice that allgadd touches: its address, its length and its capacity stand side by
// side.
Result<void> GoRuntime::find_goroutines() {
  std::vector<std::uint64_t> targets;
  for (const CodeReference& reference : references("runtime.allgadd")) targets.push_back(reference.target);
  auto touched = [&](std::uint64_t address) {
    return std::find(targets.begin(), targets.end(), address) != targets.end();
  };
  for (std::uint64_t target : targets) {
    if (module_->bss.contains(target) && touched(target + 8) && touched(target + 16))
      all_goroutines_ = target;
  }
  std::string version = module_->version.empty() ? "of an unknown version" : module_->version;
  if (!all_goroutines_)
    return Error{fmt::format("the runtime ({}) keeps its goroutines where dwell does not find them", version),
                 "", Exit::kUnsupported};

  std::optional<int> minor = go_minor_of(module_->version);
  if (minor && *minor < kOldestGoMinor)
    return Error{fmt::format("{} is older than Go 1.{}, the first that dwell knows", version, kOldestGoMinor),
                 "", Exit::kUnsupported};
  std::string why;
  if (const GoLayout* stated = minor ? go_layout(*minor) : nullptr) {
    why = misfit(*stated);
    if (!why.empty())
      return Error{
          fmt::format("the goroutines of this program do not look like those of {}: {}", version, why), "",
          Exit::kUnsupported};
    layout_ = stated;
    return {};
  }
  // A version that dwell does not know: the newest layout that fits what is there, or none.
  for (int known = kNewestGoMinor; known >= kOldestGoMinor; --known) {
    if (std::string problem = misfit(*go_layout(known)); !problem.empty()) {
      if (why.empty()) why = problem;
      continue;
    }
    layout_ = go_layout(known);
    note_ = fmt::format("{} is not known to dwell; its goroutines are laid out as those of Go 1.{}", version,
                        known);
    return {};
  }
  return Error{
      fmt::format(
          "the runtime is {}, which dwell does not know, and its goroutines do not look like those of "
          "any version that it knows (of Go 1.{}: {})",
          version, kNewestGoMinor, why),
      "use a newer dwell", Exit::kUnsupported};
}

std::optional<GoSlice> GoRuntime::goroutines() const {
  // The list moves when it grows: what two reads agree on was not just being written.
  std::optional<GoSlice> last;
  for (int i = 0; i < 10; ++i) {
    std::optional<GoSlice> slice = memory_->load<GoSlice>(all_goroutines_);
    if (!slice) return std::nullopt;
    if (last && last->address == slice->address && last->length == slice->length) {
      bool sound = slice->length > 0 && slice->length <= slice->capacity && slice->length <= kMaxGoroutines;
      return sound ? slice : std::nullopt;
    }
    last = slice;
  }
  return std::nullopt;
}

std::string GoRuntime::misfit(const GoLayout& layout) const {
  // The table of functions took its present form in 1.20.
  if (module_->table.is_since_120() != (layout.minor >= 20)) return "its table of functions has another form";
  std::optional<GoSlice> all = goroutines();
  if (!all) return "the list of goroutines is not a list";
  std::vector<std::uint64_t> addresses(std::min<std::uint64_t>(all->length, kMostLookedAt));
  if (!memory_->read(all->address, addresses.data(), addresses.size() * 8)) return "the list can't be read";
  GoFrames frames(*module_, *memory_, layout.minor);
  absl::flat_hash_set<std::uint64_t> ids;
  std::size_t alive = 0, made_by_c = 0, started_at_entry = 0, known_creator = 0;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    std::string bytes = memory_->text(addresses[i], layout.g_size, 4096);
    if (bytes.empty()) return "a goroutine can't be read";
    auto word = [&](std::size_t offset) { return field_of<std::uint64_t>(bytes, offset); };
    std::uint32_t status = field_of<std::uint32_t>(bytes, layout.g_status) & 0xfff;
    constexpr std::uint32_t kLastStatus = 11;
    if (status > kLastStatus) return fmt::format("a goroutine's state is {}", status);
    if (i == 0 && word(layout.g_id) != 1) return "the first goroutine is not number 1";
    constexpr std::uint32_t kIdle = 0, kDead = 6, kDeadExtra = 11;
    if (status == kIdle || status == kDead || status == kDeadExtra) continue;
    ++alive;
    std::uint64_t id = word(layout.g_id), low = word(0), high = word(8);
    if (id == 0 || id >> 48 || (!ids.insert(id).second && addresses.size() == all->length))
      return "numbers of goroutines are not distinct";
    if (low >= high || high - low > (std::uint64_t{1} << 40)) return "a stack has no sound bounds";
    // Those of threads that C made were started by no Go code.
    made_by_c += word(layout.g_start) == 0 && word(layout.g_creator) == 0 ? 1 : 0;
    started_at_entry += frames.is_entry(word(layout.g_start)) ? 1 : 0;
    known_creator += id == 1 || module_->text.contains(word(layout.g_creator)) ? 1 : 0;
  }
  if (made_by_c && alive - made_by_c < kFewestOfGo) return "none was started by Go code";
  alive -= made_by_c;
  if (started_at_entry * 10 < alive * 8) return "most do not start with a function";
  if (known_creator * 10 < alive * 8) return "most were created by no code";
  return "";
}

void GoRuntime::find_wait_reasons() {
  constexpr std::size_t kMost = 64, kLongest = 64;
  for (std::string_view user : {"runtime.waitReason.String", "runtime.goroutineheader", "runtime.gopark"}) {
    for (const CodeReference& reference : references(user)) {
      std::array<std::uint64_t, 2 * kMost> strings{};
      std::size_t count = memory_->read_some(reference.target, strings.data(), sizeof strings) / 16;
      if (count < 2 || memory_->text(strings[2], strings[3], kLongest) != "GC assist marking") continue;
      for (std::size_t i = 0; i < count; ++i) {
        std::string text = memory_->text(strings[2 * i], strings[2 * i + 1], kLongest);
        bool sound = std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
        if (i > 0 && (text.empty() || !sound)) break;
        wait_reasons_.push_back(text);
      }
      return;
    }
  }
}

const std::string& GoRuntime::wait_reason(std::uint8_t number) const {
  static const std::string kNone;
  return number < wait_reasons_.size() ? wait_reasons_[number] : kNone;
}

}  // namespace dwell
