// SPDX-License-Identifier: Apache-2.0
// Codec of the tables that ticks refer to, and of what is known about the recording itself.
#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "userspace/recording/bytes.h"
#include "userspace/recording/codec.h"

namespace dwell {

namespace {

constexpr std::size_t kMaxStackLocations = std::size_t{128} << 20;  // of all stacks together

// Fields of INFO: a number, a length, and a value that one who does not know the number passes over.
enum InfoField : std::uint64_t {
  kDwellVersion = 1, kKernel, kHost, kArch, kCommandLine, kContainer, kStartUnix, kStartMonotonic,
  kSamplePeriod, kStartedByDwell, kExtra,
};

void put_field(std::string& out, InfoField field, std::string_view value) {
  put_uleb(out, field);
  put_text(out, value);
}

void put_number_field(std::string& out, InfoField field, std::uint64_t number) {
  std::string value;
  put_uleb(value, number);
  put_field(out, field, value);
}

void set_field(RecordingInfo& info, std::uint64_t field, std::string_view value) {
  Cursor in(value);
  switch (field) {
    case kDwellVersion: info.dwell_version = value; break;
    case kKernel: info.kernel = value; break;
    case kHost: info.host = value; break;
    case kArch: info.arch = value; break;
    case kCommandLine: info.command_line = value; break;
    case kContainer: info.container = value; break;
    case kStartUnix: info.start_unix_ns = in.uleb(); break;
    case kStartMonotonic: info.start_monotonic_ns = in.uleb(); break;
    case kSamplePeriod: info.sample_period_bytes = in.uleb(); break;
    case kStartedByDwell: info.started_by_dwell = in.uleb() != 0; break;
    case kExtra: {
      std::string_view key = get_text(in), text = get_text(in);
      info.extra.emplace_back(key, text);
      break;
    }
    default: break;
  }
}

}  // namespace

std::string encode_info(const RecordingInfo& info) {
  std::string out;
  put_field(out, kDwellVersion, info.dwell_version);
  put_field(out, kKernel, info.kernel);
  put_field(out, kHost, info.host);
  put_field(out, kArch, info.arch);
  put_field(out, kCommandLine, info.command_line);
  put_field(out, kContainer, info.container);
  put_number_field(out, kStartUnix, info.start_unix_ns);
  put_number_field(out, kStartMonotonic, info.start_monotonic_ns);
  put_number_field(out, kSamplePeriod, info.sample_period_bytes);
  put_number_field(out, kStartedByDwell, info.started_by_dwell ? 1 : 0);
  for (const auto& [key, text] : info.extra) {
    std::string value;
    put_text(value, key);
    put_text(value, text);
    put_field(out, kExtra, value);
  }
  return out;
}

std::string decode_info(Cursor& in, Recording& out) {
  RecordingInfo info;
  while (in.ok() && !in.at_end()) {
    std::uint64_t field = in.uleb();
    std::string_view value = get_text(in);
    if (in.ok()) set_field(info, field, value);
  }
  if (!in.ok()) return kTooShort;
  out.info = std::move(info);
  return "";
}

std::string encode_process(ProcessSlot slot, const ProcessInfo& process) {
  std::string out;
  put_uleb(out, slot);
  put_uleb(out, process.pid);
  put_uleb(out, static_cast<std::uint64_t>(process.parent + 1));
  put_uleb(out, process.start_ns);
  put_uleb(out, process.end_ns);
  put_text(out, process.name);
  put_text(out, process.command_line);
  put_text(out, process.program);
  return out;
}

std::string decode_process(Cursor& in, Recording& out) {
  std::uint64_t slot = in.uleb();
  ProcessInfo process;
  process.pid = static_cast<std::uint32_t>(in.uleb());
  std::uint64_t parent = in.uleb();
  process.start_ns = in.uleb();
  process.end_ns = in.uleb();
  process.name = get_text(in);
  process.command_line = get_text(in);
  if (in.ok() && !in.at_end()) process.program = get_text(in);
  if (!in.ok()) return kTooShort;
  if (slot >= kMaxProcesses || parent > kMaxProcesses) return "it names a process that cannot be";
  process.parent = static_cast<std::int32_t>(parent) - 1;
  if (out.processes.size() <= slot) out.processes.resize(slot + 1);
  out.processes[slot] = std::move(process);
  return "";
}

std::string encode_modules(std::size_t first, std::span<const Module> modules) {
  std::string out;
  put_uleb(out, first);
  put_uleb(out, modules.size());
  for (const Module& module : modules) {
    put_text(out, module.path);
    put_text(out, module.build_id);
    put_uleb(out, module.size);
    put_uleb(out, static_cast<std::uint64_t>(module.kind));
  }
  // Behind all that the first readers of this version know.
  for (const Module& module : modules) {
    put_uleb(out, module.code.size());
    for (const CodeSegment& segment : module.code) {
      put_uleb(out, segment.file_offset);
      put_uleb(out, segment.size);
      put_uleb(out, segment.vaddr);
    }
  }
  return out;
}

std::string decode_modules(Cursor& in, Recording& out) {
  std::string wrong = begins_elsewhere(in.uleb(), out.modules.size());
  if (!wrong.empty()) return wrong;
  std::size_t count = get_count<Module>(in);
  out.modules.reserve(std::max(out.modules.size() + count, out.modules.size() * 2));
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    Module module;
    module.path = get_text(in);
    module.build_id = get_text(in);
    module.size = in.uleb();
    std::uint64_t kind = in.uleb();
    if (kind > static_cast<std::uint64_t>(ModuleKind::kKernel)) return "it holds a module of no known kind";
    module.kind = static_cast<ModuleKind>(kind);
    out.modules.push_back(std::move(module));
  }
  if (!in.ok()) return kTooShort;
  std::size_t first = out.modules.size() - count;
  for (std::size_t i = 0; i < count && !in.at_end(); ++i) {
    std::size_t segments = get_count<CodeSegment>(in);
    for (std::size_t s = 0; s < segments && in.ok(); ++s) {
      CodeSegment segment{in.uleb(), in.uleb(), in.uleb()};
      out.modules[first + i].code.push_back(segment);
    }
  }
  return in.ok() ? "" : kTooShort;
}

std::string encode_locations(std::size_t first, std::span<const Location> locations) {
  std::string out;
  put_uleb(out, first);
  put_uleb(out, locations.size());
  for (const Location& location : locations)
    put_uleb(out, static_cast<std::uint64_t>(location.module + 1) << 1 | (location.return_address ? 1 : 0));
  std::uint64_t previous = 0;
  for (const Location& location : locations) {
    put_difference(out, location.offset - previous);
    previous = location.offset;
  }
  return out;
}

std::string decode_locations(Cursor& in, Recording& out) {
  std::string wrong = begins_elsewhere(in.uleb(), out.locations.size());
  if (!wrong.empty()) return wrong;
  std::size_t count = get_count<Location>(in), base = out.locations.size();
  out.locations.resize(base + count);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t packed = in.uleb();
    if (packed >> 1 > out.modules.size()) return "it names a module that was not told before";
    out.locations[base + i].module = static_cast<std::int32_t>(packed >> 1) - 1;
    out.locations[base + i].return_address = packed & 1;
  }
  std::uint64_t previous = 0;
  for (std::size_t i = 0; i < count; ++i) {
    previous += get_difference(in);
    out.locations[base + i].offset = previous;
  }
  return in.ok() ? "" : kTooShort;
}

// Stacks share their roots with the stack before: only what is above the shared part is told, root first.
std::string encode_stacks(std::size_t first, std::span<const StackView> stacks) {
  std::string out;
  put_uleb(out, first);
  put_uleb(out, stacks.size());
  for (const StackView& stack : stacks) put_uleb(out, stack.end);
  for (const StackView& stack : stacks) put_uleb(out, stack.locations.size());
  std::string tops;
  std::span<const std::uint32_t> previous;
  std::uint32_t previous_location = 0;
  for (const StackView& stack : stacks) {
    auto differs = std::mismatch(stack.locations.rbegin(), stack.locations.rend(), previous.rbegin(), previous.rend());
    put_uleb(out, static_cast<std::uint64_t>(differs.first - stack.locations.rbegin()));
    for (auto it = differs.first; it != stack.locations.rend(); ++it) {
      put_difference(tops, std::uint64_t{*it} - previous_location);
      previous_location = *it;
    }
    previous = stack.locations;
  }
  return out + tops;
}

std::string decode_stacks(Cursor& in, Recording& out) {
  std::string wrong = begins_elsewhere(in.uleb(), out.stacks.size());
  if (!wrong.empty()) return wrong;
  std::size_t count = get_count<CallStack>(in), base = out.stacks.size();
  if (base + count > kMaxStacks) return "it holds more stacks than a recording can";
  out.stacks.resize(base + count);
  std::span<CallStack> stacks = std::span(out.stacks).subspan(base);
  for (CallStack& stack : stacks) stack.end = static_cast<std::uint8_t>(in.uleb());
  std::size_t locations = 0;
  for (CallStack& stack : stacks) {
    std::uint64_t depth = in.uleb();
    if (depth > kMaxStackDepth) return "it holds a stack that is too deep";
    locations += depth;
    if (locations > kMaxStackLocations) return "its stacks are too deep";
    if (!DecodeBudget::take(depth, sizeof(std::uint32_t))) return kTooShort;
    stack.locations.resize(depth);
  }
  std::vector<std::uint64_t> shared(count);
  for (std::uint64_t& depth : shared) depth = in.uleb();

  std::vector<std::uint32_t> previous;
  std::uint64_t location = 0;
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    std::vector<std::uint32_t>& stack = stacks[i].locations;
    if (shared[i] > stack.size() || shared[i] > previous.size()) return "a stack shares more than there is";
    std::copy_n(previous.rbegin(), shared[i], stack.rbegin());
    for (auto it = stack.rbegin() + static_cast<std::ptrdiff_t>(shared[i]); it != stack.rend(); ++it) {
      location += get_difference(in);
      if (location >= out.locations.size()) return "a stack names a location that was not told before";
      *it = static_cast<std::uint32_t>(location);
    }
    previous = stack;
  }
  return in.ok() ? "" : kTooShort;
}

std::string encode_losses(std::span<const Loss> losses) {
  std::string out;
  put_uleb(out, losses.size());
  for (const Loss& loss : losses) {
    put_uleb(out, loss.time_ns);
    put_uleb(out, static_cast<std::uint64_t>(loss.kind));
    put_uleb(out, loss.count);
  }
  // Behind all that the first readers of this version know.
  for (const Loss& loss : losses) put_uleb(out, loss.span_ns);
  return out;
}

std::string decode_losses(Cursor& in, Recording& out) {
  std::size_t count = get_count<Loss>(in);
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    Loss loss;
    loss.time_ns = in.uleb();
    std::uint64_t kind = in.uleb();
    loss.count = in.uleb();
    if (kind > 255) return "it holds a loss of an impossible kind";
    loss.kind = static_cast<LossKind>(kind);
    out.losses.push_back(loss);
  }
  if (!in.ok()) return kTooShort;
  for (std::size_t i = out.losses.size() - count; in.remaining() && i < out.losses.size(); ++i)
    out.losses[i].span_ns = std::min(in.uleb(), out.losses[i].time_ns);
  return in.ok() ? "" : kTooShort;
}

std::string encode_children(const ChildCounts& children) {
  std::string out;
  put_uleb(out, children.time_ns);
  put_uleb(out, children.asked);
  for (std::uint64_t count : {children.forked, children.spawned, children.followed, children.ended_too_early,
                              children.failed, children.without_room})
    put_uleb(out, count);
  return out;
}

std::string decode_children(Cursor& in, Recording& out) {
  ChildCounts children;
  children.time_ns = in.uleb();
  children.asked = in.uleb() != 0;
  for (std::uint64_t* count : {&children.forked, &children.spawned, &children.followed, &children.ended_too_early,
                               &children.failed, &children.without_room})
    *count = in.uleb();
  if (!in.ok()) return kTooShort;
  out.children = children;
  return "";
}

std::string encode_cost(const CostSample& cost) {
  std::string out;
  for (std::uint64_t value :
       {cost.time_ns, cost.probe_hits, cost.trap_ns, cost.bpf_ns, cost.target_cpu_ns, cost.dwell_cpu_ns})
    put_uleb(out, value);
  return out;
}

std::string decode_cost(Cursor& in, Recording& out) {
  CostSample cost;
  for (std::uint64_t* value :
       {&cost.time_ns, &cost.probe_hits, &cost.trap_ns, &cost.bpf_ns, &cost.target_cpu_ns, &cost.dwell_cpu_ns})
    *value = in.uleb();
  if (!in.ok()) return kTooShort;
  out.costs.push_back(cost);
  return "";
}

std::string encode_cost_parts(std::span<const CostPart> parts) {
  std::string out;
  put_uleb(out, parts.size());
  for (const CostPart& part : parts) {
    put_text(out, part.name);
    put_uleb(out, part.ns);
  }
  return out;
}

std::string decode_cost_parts(Cursor& in, Recording& out) {
  std::vector<CostPart> parts;
  for (std::size_t left = get_count<CostPart>(in); left > 0 && in.ok(); --left) {
    std::string name(get_text(in));
    parts.push_back({std::move(name), in.uleb()});
  }
  if (!in.ok()) return kTooShort;
  out.cost_parts = std::move(parts);
  return "";
}

std::string encode_note(const Note& note) {
  std::string out;
  put_uleb(out, note.time_ns);
  put_text(out, note.text);
  return out;
}

std::string decode_note(Cursor& in, Recording& out) {
  Note note;
  note.time_ns = in.uleb();
  note.text = get_text(in);
  if (!in.ok()) return kTooShort;
  out.notes.push_back(std::move(note));
  return "";
}

std::string encode_mark(const Mark& mark) {
  std::string out;
  put_uleb(out, mark.time_ns);
  return out;
}

std::string decode_mark(Cursor& in, Recording& out) {
  Mark mark{in.uleb()};
  if (!in.ok()) return kTooShort;
  out.marks.push_back(mark);
  return "";
}

std::string encode_unseen(const Unseen& unseen) {
  std::string out;
  put_uleb(out, unseen.time_ns);
  put_text(out, unseen.subject);
  put_text(out, unseen.what);
  put_text(out, unseen.why);
  return out;
}

std::string decode_unseen(Cursor& in, Recording& out) {
  Unseen unseen;
  unseen.time_ns = in.uleb();
  unseen.subject = get_text(in);
  unseen.what = get_text(in);
  unseen.why = get_text(in);
  if (!in.ok()) return kTooShort;
  out.unseen.push_back(std::move(unseen));
  return "";
}

std::string encode_end(const RecordingEnd& end) {
  std::string out;
  put_uleb(out, end.time_ns);
  put_text(out, end.reason);
  return out;
}

std::string decode_end(Cursor& in, Recording& out) {
  RecordingEnd end;
  end.time_ns = in.uleb();
  end.reason = get_text(in);
  if (!in.ok()) return kTooShort;
  out.end = std::move(end);
  out.ended = true;
  return "";
}

}  // namespace dwell
