// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/stacks.h"

#include <fmt/core.h>

#include <cstring>

#include "userspace/record/symbols.h"
#include "userspace/threads/lock_kinds.h"
#include "userspace/worker/parser.h"

namespace dwell {
namespace {

// First from what was read with the registers, then from the stack as it is now, a page at a time.
class StackReader {
 public:
  StackReader(const ProcessMemory& memory, std::uint64_t sp, std::string_view window)
      : memory_(memory), window_at_(sp), window_(window) {}

  bool operator()(std::uint64_t address, void* to, std::size_t size) {
    if (copy(window_at_, window_, address, to, size)) return true;
    if (copy(page_at_, {page_, page_size_}, address, to, size)) return true;
    if (size > sizeof page_ / 2) return memory_.read(address, to, size);
    page_at_ = address;
    page_size_ = memory_.read_some(address, page_, sizeof page_);
    return copy(page_at_, {page_, page_size_}, address, to, size);
  }

 private:
  static bool copy(std::uint64_t at, std::string_view bytes, std::uint64_t address, void* to,
                   std::size_t size) {
    if (address < at || address - at > bytes.size() || bytes.size() - (address - at) < size) return false;
    std::memcpy(to, bytes.data() + (address - at), size);
    return true;
  }

  const ProcessMemory& memory_;
  std::uint64_t window_at_;
  std::string_view window_;
  std::uint64_t page_at_ = 0;
  std::size_t page_size_ = 0;
  char page_[4096];
};

}  // namespace

StackCollector::StackCollector(pid_t pid, std::span<const Mapping> mappings, RecordingWriter& writer)
    : memory_(pid), writer_(writer), unwinder_(RemoteUnwinder::create(pid, mappings)), modules_(writer) {
  code_.replace(modules_.code_of(pid, {mappings.begin(), mappings.end()}));
  SymbolizerOptions how;
  how.demangle = DemangleWidth::kShort;
  symbolizer_ = std::make_unique<Symbolizer>(how);
}

RemoteStack StackCollector::walk(const SeenThread& thread, std::string_view window) const {
  const dwell_thread_record& record = thread.record;
  StackReader reader(memory_, record.sp, window);
  // Behind a system call the pc is that of the next instruction, as a return address is.
  ThreadRegisters registers{record.ip, record.sp, record.bp, record.call == DWELL_NO_CALL,
                            record.sp + window.size(), record.thread_pointer};
  return unwinder_.unwind(registers, std::ref(reader));
}

StackId StackCollector::user_stack(const SeenThread& thread, std::string_view window) {
  RemoteStack stack = walk(thread, window);
  return intern(stack.frames, stack.end);
}

std::vector<RemoteFrame> StackCollector::callers_of_lock(const SeenThread& thread, std::string_view window) {
  constexpr std::size_t kNearTheLeaf = 8;
  std::vector<RemoteFrame> frames = walk(thread, window).frames;
  std::size_t callers = 0;
  for (std::size_t i = 0; i < std::min(frames.size(), kNearTheLeaf); ++i) {
    StackId id = intern(std::span(frames).subspan(i, 1), DWELL_STACK_COMPLETE);
    names();
    std::vector<std::string_view> functions = functions_of(id);
    if (!functions.empty() && is_to_write(family_of(std::span(functions).last(1), false))) callers = i + 1;
  }
  if (!callers) return {};
  frames.erase(frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(callers));
  return frames;
}

std::string StackCollector::function_of(std::span<const RemoteFrame> frames) {
  StackId id = intern(frames, DWELL_STACK_COMPLETE);
  names();
  std::vector<std::string_view> functions = functions_of(id);
  auto of_library = [](std::string_view function) {
    if (function.starts_with('<')) function.remove_prefix(1);
    return function.starts_with("std::") || function.starts_with("core::") || function.starts_with("alloc::") || function == "syscall" || function.starts_with("__") || function.starts_with("pthread_");
  };
  auto own = std::ranges::find_if_not(functions, of_library);
  if (own != functions.end()) return std::string(*own);
  return functions.empty() ? "" : std::string(functions.front());
}

std::vector<StackCollector::WordInFrame> StackCollector::words_in_frames(const SeenThread& thread, std::string_view window,
                                                                         std::span<const std::uint64_t> words) {
  constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 20;
  RemoteStack stack = walk(thread, window);
  std::vector<WordInFrame> found;
  if (stack.frames.empty() || stack.frames.back().sp <= thread.record.sp) return found;
  std::uint64_t begin = thread.record.sp & ~std::uint64_t{7};
  std::vector<std::uint64_t> memory(std::min(kMostBytes, stack.frames.back().sp - begin) / sizeof(std::uint64_t));
  if (memory.empty() || !memory_.read(begin, memory.data(), memory.size() * sizeof memory[0])) return found;
  // What lies on this stack itself is a variable of its frames: they have its address because they made it.
  auto is_own = [&](std::uint64_t word) { return word >= begin && word < stack.frames.back().sp; };
  for (std::size_t i = 0; i < memory.size(); ++i) {
    bool wanted = std::ranges::binary_search(words, memory[i]) && !is_own(memory[i]);
    if (!wanted || std::ranges::any_of(found, [&](const WordInFrame& one) { return one.word == memory[i]; })) continue;
    std::uint64_t address = begin + i * sizeof memory[0];
    auto above = std::ranges::find_if(stack.frames, [&](const RemoteFrame& frame) { return frame.sp > address; });
    std::size_t frame = static_cast<std::size_t>(above - stack.frames.begin());
    found.push_back({memory[i], function_of(std::span(stack.frames).subspan(frame ? frame - 1 : 0))});
  }
  return found;
}

StackId StackCollector::intern(std::span<const RemoteFrame> frames, dwell_stack_end end) {
  std::vector<std::uint64_t> key{static_cast<std::uint64_t>(end)};
  for (const RemoteFrame& frame : frames) key.push_back(frame.pc << 1 | frame.exact);
  auto [known, fresh] = known_.try_emplace(std::move(key), StackId::kUnknown);
  if (!fresh) return known->second;
  std::vector<std::uint32_t> locations;
  for (const RemoteFrame& frame : frames)
    locations.push_back(writer_.add_location(code_.locate(frame.pc, !frame.exact)));
  known->second = writer_.add_stack(locations, static_cast<std::uint8_t>(end));
  unnamed_.insert(locations.begin(), locations.end());
  locations_.try_emplace(known->second, std::move(locations));
  return known->second;
}

StackId StackCollector::kernel_stack(std::span<const std::uint64_t> addresses) {
  if (addresses.empty()) return StackId::kUnknown;
  if (kernel_ < 0) {
    Module module;
    module.path = "[kernel]";
    module.kind = ModuleKind::kKernel;
    kernel_ = static_cast<std::int32_t>(writer_.add_module(module));
  }
  std::vector<std::uint32_t> locations;
  for (std::uint64_t address : addresses) locations.push_back(writer_.add_location({kernel_, address, true}));
  unnamed_.insert(locations.begin(), locations.end());
  return writer_.add_stack(locations, DWELL_STACK_COMPLETE);
}

std::vector<std::string> StackCollector::problems() const {
  std::vector<std::string> problems;
  for (const UnwindProblem& problem : unwinder_.problems())
    problems.push_back(fmt::format("stacks through {}: {}", problem.path, problem.reason));
  for (std::string& problem : take_parser_problems()) problems.push_back(std::move(problem));
  if (!kernel_problem_.empty())
    problems.push_back(fmt::format("functions of the kernel have no names: {} (CAP_SYSLOG shows them)", kernel_problem_));
  return problems;
}

// Only those of its own stacks: a recording has many others, which are named when it ends.
const std::vector<LocationSymbol>& StackCollector::names() {
  names_.resize(writer_.locations().size());
  std::erase_if(unnamed_, [&](std::uint32_t location) { return !names_[location].frames.empty(); });
  if (unnamed_.empty()) return names_;
  std::span<const Module> modules = writer_.modules();
  auto opener = [&](const Module& module) {
    return modules_.source_of(static_cast<std::uint32_t>(&module - modules.data()));
  };
  auto all = [](const Module&) { return true; };
  std::vector<Location> asked;
  for (std::uint32_t location : unnamed_) asked.push_back(writer_.locations()[location]);
  ResolvedSymbols found = resolve_symbols(modules, asked, {}, opener, *symbolizer_, all);
  std::size_t next = 0;
  for (std::uint32_t location : unnamed_) names_[location] = std::move(found.symbols[next++]);
  unnamed_.clear();
  for (const auto& each : found.modules)
    if (each.module.kind == ModuleKind::kKernel) kernel_problem_ = each.report.problem;
  return names_;
}

std::vector<std::string_view> StackCollector::functions_of(StackId stack) const {
  std::vector<std::string_view> functions;
  auto locations = locations_.find(stack);
  if (locations == locations_.end()) return functions;
  for (std::uint32_t location : locations->second) {
    if (location >= names_.size()) continue;
    for (const SymbolFrame& frame : names_[location].frames) functions.push_back(frame.function);
  }
  return functions;
}

}  // namespace dwell
