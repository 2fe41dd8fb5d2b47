// SPDX-License-Identifier: Apache-2.0
#include "userspace/worker/wire.h"

#include "userspace/recording/bytes.h"

namespace dwell {
namespace {

constexpr std::size_t kLongestError = 4096;
constexpr std::size_t kMostTexts = std::size_t{1} << 23;

void put_segments(std::string& out, std::span<const ElfSegment> segments) {
  put_uleb(out, segments.size());
  for (const ElfSegment& segment : segments) {
    for (std::uint64_t value : {segment.vaddr, segment.file_offset, segment.file_size, segment.memory_size})
      put_uleb(out, value);
    put_uleb(out, segment.executable);
  }
}

std::vector<ElfSegment> get_segments(Cursor& in) {
  std::vector<ElfSegment> segments;
  for (std::size_t left = get_count<ElfSegment>(in); left > 0 && in.ok(); --left) {
    ElfSegment& segment = segments.emplace_back();
    for (std::uint64_t* value : {&segment.vaddr, &segment.file_offset, &segment.file_size, &segment.memory_size})
      *value = in.uleb();
    segment.executable = in.uleb() != 0;
  }
  return segments;
}

std::string get_string(Cursor& in) { return std::string(get_text(in)); }

bool get_frames(Cursor& in, NamedFrames& names) {
  for (std::size_t left = get_count<NamedFrames::Frame>(in); left > 0 && in.ok(); --left) {
    NamedFrames::Frame& frame = names.frames.emplace_back();
    for (std::uint32_t* value : {&frame.function, &frame.system_name, &frame.file}) {
      std::uint64_t text = in.uleb();
      if (text >= names.texts.size()) return false;
      *value = static_cast<std::uint32_t>(text);
    }
    frame.line = static_cast<std::uint32_t>(in.uleb());
    std::uint64_t flags = in.uleb();
    frame.named = flags & 1;
    frame.inlined = flags >> 1 & 1;
    if (names.texts[frame.function].empty()) return false;
  }
  return in.ok();
}

bool get_chains(Cursor& in, std::size_t expected, NamedFrames& names) {
  std::size_t chains = get_count<NamedFrames::Chain>(in);
  if (chains != expected) return false;
  for (; chains > 0 && in.ok(); --chains) {
    std::uint64_t first = in.uleb(), count = in.uleb();
    if (count == 0 || first > names.frames.size() || count > names.frames.size() - first) return false;
    names.chains.push_back({static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(count)});
  }
  return in.ok();
}

}  // namespace

std::string encode_source(const ModuleSource& source) {
  std::string out;
  put_text(out, source.path);
  put_text(out, source.image);
  return out;
}

ModuleSource decode_source(Cursor& in) {
  ModuleSource source;
  source.path = get_string(in);
  source.image = get_string(in);
  return source;
}

std::string encode_names_question(const SymbolizerOptions& options, const ModuleRef& module,
                                  std::span<const AddressQuery> queries) {
  std::string out;
  put_uleb(out, static_cast<std::uint64_t>(options.demangle));
  put_uleb(out, options.use_debug_info);
  put_texts(out, options.debug_dirs);
  put_text(out, options.sysroot);
  put_uleb(out, static_cast<std::uint64_t>(module.kind));
  for (const std::string* text : {&module.path, &module.build_id, &module.open_path, &module.image})
    put_text(out, *text);
  put_uleb(out, static_cast<std::uint64_t>(module.pid));
  put_uleb(out, module.foreign_root);
  put_uleb(out, module.owner);
  put_segments(out, module.segments);
  put_uleb(out, queries.size());
  for (const AddressQuery& query : queries) {
    put_uleb(out, query.offset);
    put_uleb(out, query.is_return_address);
  }
  return out;
}

NamesQuestion decode_names_question(Cursor& in) {
  NamesQuestion question;
  question.options.demangle = static_cast<DemangleWidth>(in.uleb());
  question.options.use_debug_info = in.uleb() != 0;
  question.options.debug_dirs = get_texts(in);
  question.options.sysroot = get_string(in);
  ModuleRef& module = question.module;
  module.kind = static_cast<CodeKind>(in.uleb());
  for (std::string* text : {&module.path, &module.build_id, &module.open_path, &module.image}) *text = get_string(in);
  module.pid = static_cast<pid_t>(in.uleb());
  module.foreign_root = in.uleb() != 0;
  module.owner = static_cast<uid_t>(in.uleb());
  module.segments = get_segments(in);
  for (std::size_t left = get_count<AddressQuery>(in); left > 0 && in.ok(); --left) {
    std::uint64_t offset = in.uleb();
    question.queries.push_back({offset, in.uleb() != 0});
  }
  return question;
}

std::string encode_file_request(const FileRequest& request) {
  std::string out;
  put_uleb(out, static_cast<std::uint64_t>(request.kind));
  put_text(out, request.path);
  put_text(out, request.root);
  put_uleb(out, static_cast<std::uint64_t>(request.pid));
  put_uleb(out, request.owner);
  return out;
}

std::optional<FileRequest> decode_file_request(std::string_view bytes) {
  Cursor in(bytes);
  FileRequest request{};
  std::uint64_t kind = in.uleb();
  request.path = get_string(in);
  request.root = get_string(in);
  request.pid = static_cast<pid_t>(in.uleb());
  request.owner = static_cast<uid_t>(in.uleb());
  if (!in.ok() || kind > static_cast<std::uint64_t>(FileFormat::kKernelSymbols)) return std::nullopt;
  request.kind = static_cast<FileFormat>(kind);
  return request;
}

std::string encode_error(const Error& error) {
  std::string out;
  put_text(out, std::string_view(error.what).substr(0, kLongestError));
  put_text(out, std::string_view(error.hint).substr(0, kLongestError));
  put_uleb(out, static_cast<std::uint64_t>(error.exit));
  return out;
}

Error decode_error(Cursor& in) {
  Error error;
  error.what = get_string(in).substr(0, kLongestError);
  error.hint = get_string(in).substr(0, kLongestError);
  std::uint64_t exit = in.uleb();
  error.exit = exit && exit <= static_cast<std::uint64_t>(Exit::kFound) ? static_cast<Exit>(exit) : Exit::kFailed;
  if (error.what.empty()) error.what = "it was not said why";
  return error;
}

std::string encode_facts(const ModuleFacts& facts) {
  std::string out;
  put_uleb(out, facts.machine);
  put_text(out, facts.build_id);
  put_segments(out, facts.segments);
  return out;
}

std::optional<ModuleFacts> decode_facts(std::string_view bytes) {
  constexpr std::size_t kLongestBuildId = 128;
  Cursor in(bytes);
  ModuleFacts facts;
  facts.machine = static_cast<std::uint16_t>(in.uleb());
  facts.build_id = get_string(in);
  facts.segments = get_segments(in);
  // It becomes part of a file's name.
  bool hexadecimal = facts.build_id.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!in.ok() || !in.at_end() || !hexadecimal || facts.build_id.size() > kLongestBuildId) return std::nullopt;
  return facts;
}

std::string encode_names(const NamedFrames& names) {
  std::string out;
  put_texts(out, names.texts);
  put_uleb(out, names.frames.size());
  for (const NamedFrames::Frame& frame : names.frames) {
    for (std::uint32_t value : {frame.function, frame.system_name, frame.file, frame.line}) put_uleb(out, value);
    put_uleb(out, static_cast<unsigned>(frame.named) | static_cast<unsigned>(frame.inlined) << 1);
  }
  put_uleb(out, names.chains.size());
  for (const NamedFrames::Chain& chain : names.chains) {
    put_uleb(out, chain.first);
    put_uleb(out, chain.count);
  }
  const ModuleReport& report = names.report;
  for (const std::string* text :
       {&report.file, &report.symbols_from, &report.debug_from, &report.problem, &report.hint})
    put_text(out, *text);
  put_uleb(out, report.symbol_count);
  put_uleb(out, report.skipped_lines);
  put_uleb(out, report.bytes_read);
  put_uleb(out, names.counters.addresses);
  for (std::uint64_t count : names.counters.by_source) put_uleb(out, count);
  put_uleb(out, names.counters.with_line);
  put_uleb(out, names.counters.inlined_frames);
  return out;
}

std::optional<NamedFrames> decode_names(std::string_view bytes, std::size_t queries) {
  Cursor in(bytes);
  NamedFrames names;
  names.texts = get_texts(in);
  if (names.texts.size() > kMostTexts || !get_frames(in, names) || !get_chains(in, queries, names))
    return std::nullopt;
  ModuleReport& report = names.report;
  for (std::string* text : {&report.file, &report.symbols_from, &report.debug_from, &report.problem, &report.hint})
    *text = get_string(in);
  report.symbol_count = in.uleb();
  report.skipped_lines = in.uleb();
  report.bytes_read = in.uleb();
  names.counters.addresses = in.uleb();
  for (std::uint64_t& count : names.counters.by_source) count = in.uleb();
  names.counters.with_line = in.uleb();
  names.counters.inlined_frames = in.uleb();
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return names;
}

}  // namespace dwell
