// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/symbolizer.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <compare>
#include <thread>
#include <tuple>

#include "symbolizer/address_namer.h"
#include "symbolizer/decompress.h"
#include "symbolizer/go_file.h"
#include "symbolizer/named_frames.h"

namespace dwell {

namespace {

constexpr std::size_t kMaxDebugData = std::size_t{256} << 20;
// Debug information that was read beyond this is let go after a batch; names stay.
constexpr std::uint64_t kKeepLoaded = std::uint64_t{128} << 20;
// Below this a second thread costs more than it saves.
constexpr std::size_t kAddressesPerThread = 1500;
constexpr unsigned kMaxThreads = 4;
constexpr std::size_t kAddressesPerRun = 200;
// Room for inlined frames. It is not touched, and so costs nothing, until it is used.
constexpr std::size_t kFramesPerAddress = 8;

std::string key_of(const ModuleRef& ref) {
  std::string identity = !ref.build_id.empty() ? ref.build_id : ref.open_path + "|" + ref.path;
  if (ref.kind == CodeKind::kJit) identity = std::to_string(ref.pid);
  if (ref.kind == CodeKind::kKernel || ref.kind == CodeKind::kUnknown) identity.clear();
  return fmt::format("{}|{}", static_cast<int>(ref.kind), identity);
}

// A query with its place in the caller's order.
struct Task {
  std::uint32_t unit, number;
  AddressQuery query;

  auto key() const { return std::make_tuple(unit, query.offset, query.is_return_address); }
};

// What one thread has found.
struct Part {
  std::uint32_t number = 0;
  std::vector<ResolvedFrame> frames;
  SymbolCounters counters;
};

// Names a run of sorted tasks.
void name_tasks(AddressNamer& namer, std::span<const Task> tasks, Part& part,
                std::vector<SymbolizedModule::Chain>& chains) {
  SymbolizedModule::Chain chain{part.number, 0, 0};
  NameSource source = NameSource::kNone;
  const Task* last = nullptr;
  for (const Task& task : tasks) {
    if (!last || task.key() != last->key()) {
      chain.first = static_cast<std::uint32_t>(part.frames.size());
      source = namer.look_up(task.query, part.frames);
      chain.count = static_cast<std::uint32_t>(part.frames.size()) - chain.first;
    }
    last = &task;
    chains[task.number] = chain;
    part.counters.addresses++;
    part.counters.by_source[static_cast<int>(source)]++;
    part.counters.with_line += part.frames[chain.first].line != 0;
    part.counters.inlined_frames += chain.count - 1;
  }
}

// Cuts sorted tasks into runs of about `length`. A unit is not cut: two threads would read it.
std::vector<std::span<const Task>> cut(std::span<const Task> tasks, std::size_t length) {
  std::vector<std::span<const Task>> runs;
  for (std::size_t from = 0, end = 0; from < tasks.size(); from = end) {
    end = std::min(from + length, tasks.size());
    while (end < tasks.size() && tasks[end].unit == tasks[end - 1].unit) ++end;
    runs.push_back(tasks.subspan(from, end - from));
  }
  return runs;
}

void add(SymbolCounters& sum, const SymbolCounters& part) {
  sum.addresses += part.addresses;
  sum.with_line += part.with_line;
  sum.inlined_frames += part.inlined_frames;
  for (int i = 0; i < kNameSources; ++i) sum.by_source[i] += part.by_source[i];
}

}  // namespace

// Everything that is known about one module. Its mutex is held from the first to the last line of a batch.
class Symbolizer::Module {
 public:
  Module(const SymbolizerOptions& options, const ModuleRef& ref) : module_{options, ref, {}, {}, false, {}, {}, {}} {}

  SymbolizedModule symbolize(std::span<const AddressQuery> queries);
  ModuleReport inspect();

 private:
  void open();
  void open_file();
  void open_symbols();
  void open_debug_info();
  void open_names();
  void refresh_names();
  std::shared_ptr<const ElfFile> separate_debug_file();
  std::shared_ptr<const ElfFile> packed_symbols();
  void note_problem(std::string problem, std::string hint = {});
  AddressNamer& namer(std::size_t number);
  std::vector<Task> sorted_tasks(std::span<const AddressQuery> queries);
  std::size_t thread_count(std::size_t queries);
  void finish(SymbolizedModule& result);

  std::mutex mutex_;
  bool opened_ = false;
  OpenedModule module_;
  std::shared_ptr<const ElfFile> separate_;
  bool separate_tried_ = false;
  ModuleReport report_;
  std::uint64_t names_version_ = 0;
  std::vector<std::unique_ptr<AddressNamer>> namers_;
};

Symbolizer::Symbolizer(SymbolizerOptions options) : options_(std::move(options)) {}
Symbolizer::~Symbolizer() = default;

Symbolizer::Module& Symbolizer::module_of(const ModuleRef& ref) {
  std::lock_guard lock(modules_mutex_);
  std::unique_ptr<Module>& module = modules_[key_of(ref)];
  if (!module) module = std::make_unique<Module>(options_, ref);
  return *module;
}

SymbolizedModule Symbolizer::symbolize_elsewhere(const ModuleRef& module, std::span<const AddressQuery> queries) {
  Result<NamedFrames> found = names_elsewhere()(options_, module, queries);
  if (!found) found = unnamed_frames(module, queries, found.error());
  std::lock_guard lock(modules_mutex_);
  from_elsewhere_.push_back(std::make_unique<NamedFrames>(std::move(*found)));
  return symbolized(*from_elsewhere_.back());
}

SymbolizedModule Symbolizer::symbolize(const ModuleRef& module, std::span<const AddressQuery> queries) {
  if (names_elsewhere() && module.kind != CodeKind::kUnknown) return symbolize_elsewhere(module, queries);
  return module_of(module).symbolize(queries);
}

ModuleReport Symbolizer::inspect(const ModuleRef& module) { return module_of(module).inspect(); }

ModuleReport Symbolizer::Module::inspect() {
  std::lock_guard lock(mutex_);
  open();
  return report_;
}

AddressNamer& Symbolizer::Module::namer(std::size_t number) {
  while (namers_.size() <= number) namers_.push_back(std::make_unique<AddressNamer>(module_));
  return *namers_[number];
}

// Each unit of debug information serves its addresses in a row, and each address stands beside its equals.
std::vector<Task> Symbolizer::Module::sorted_tasks(std::span<const AddressQuery> queries) {
  std::vector<Task> tasks(queries.size());
  for (std::uint32_t i = 0; i < queries.size(); ++i)
    tasks[i] = {namer(0).unit_number(lookup_offset(queries[i])), i, queries[i]};
  std::sort(tasks.begin(), tasks.end(), [](const Task& a, const Task& b) { return a.key() < b.key(); });
  return tasks;
}

std::size_t Symbolizer::Module::thread_count(std::size_t queries) {
  if (!namer(0).has_debug_info()) return 1;
  std::size_t cores = std::clamp(std::thread::hardware_concurrency(), 1u, kMaxThreads);
  return std::clamp<std::size_t>(queries / kAddressesPerThread, 1, cores);
}

SymbolizedModule Symbolizer::Module::symbolize(std::span<const AddressQuery> queries) {
  std::lock_guard lock(mutex_);
  open();
  if (module_.ref.kind == CodeKind::kJit) refresh_names();
  for (const std::unique_ptr<AddressNamer>& each : namers_) each->start_batch();
  std::vector<Task> tasks = sorted_tasks(queries);
  std::size_t count = thread_count(queries.size());
  // Units differ a hundredfold in what they cost: each thread takes the next run when it is done with one.
  std::vector<std::span<const Task>> runs = cut(tasks, count == 1 ? tasks.size() : kAddressesPerRun);

  SymbolizedModule result;
  result.chains.resize(queries.size());
  std::vector<Part> parts(count);
  std::atomic<std::size_t> next_run = 0;
  auto work = [&](std::size_t number) {
    parts[number].number = static_cast<std::uint32_t>(number);
    parts[number].frames.reserve(tasks.size() * kFramesPerAddress / count);
    for (std::size_t run; (run = next_run++) < runs.size();)
      name_tasks(*namers_[number], runs[run], parts[number], result.chains);
  };
  namer(count - 1);
  std::vector<std::thread> threads;
  for (std::size_t number = 1; number < count; ++number) threads.emplace_back(work, number);
  work(0);
  for (std::thread& thread : threads) thread.join();
  for (Part& part : parts) {
    result.frames.push_back(std::move(part.frames));
    add(result.counters, part.counters);
  }
  finish(result);
  return result;
}

void Symbolizer::Module::finish(SymbolizedModule& result) {
  result.report = report_;
  for (const std::unique_ptr<AddressNamer>& namer : namers_) {
    result.report.bytes_read += namer->loaded();
    std::optional<Error> problem = namer->problem();
    if (problem && result.report.problem.empty()) {
      result.report.problem = problem->what;
      result.report.hint = problem->hint;
    }
  }
  if (result.report.bytes_read <= kKeepLoaded) return;
  for (const std::unique_ptr<AddressNamer>& namer : namers_) namer->release_debug_info();
}

void Symbolizer::Module::note_problem(std::string problem, std::string hint) {
  if (report_.problem.empty()) {
    report_.problem = std::move(problem);
    report_.hint = std::move(hint);
  }
}

void Symbolizer::Module::open() {
  if (opened_) return;
  opened_ = true;
  switch (module_.ref.kind) {
    case CodeKind::kFile:
    case CodeKind::kVdso:
      open_file();
      open_symbols();
      open_debug_info();
      break;
    case CodeKind::kJit:
    case CodeKind::kKernel:
      open_names();
      break;
    case CodeKind::kUnknown:
      break;
  }
}

// What a runtime has compiled since the last batch. When the process has ended, the names that are known stay.
void Symbolizer::Module::refresh_names() {
  std::uint64_t version = module_.ref.pid != 0 ? perf_map_version(module_.ref.pid, module_.ref.owner) : 0;
  if (version == 0 || version == names_version_) return;
  report_.problem = report_.hint = "";
  open_names();
}

void Symbolizer::Module::open_names() {
  bool jit = module_.ref.kind == CodeKind::kJit;
  if (jit && module_.ref.pid == 0) return;
  if (jit) names_version_ = perf_map_version(module_.ref.pid, module_.ref.owner);
  report_.skipped_lines = 0;
  Result<AddressMap> names = jit ? read_perf_map(module_.ref.pid, module_.ref.owner, &report_.skipped_lines) : read_kallsyms();
  if (!names) {
    note_problem(names.error().what, jit ? "let the runtime write a perf map (node --perf-basic-prof, "
                                           "java -XX:+DumpPerfMapAtExit, python -X perf)"
                                         : names.error().hint);
    return;
  }
  module_.names = std::move(*names);
  report_.symbols_from = jit ? "perf map" : "kallsyms";
  report_.symbol_count = module_.names.size();
}

void Symbolizer::Module::open_file() {
  auto accept = [this](Result<ElfFile> elf) {
    if (!elf) {
      note_problem(elf.error().what, elf.error().hint);
    } else if (!module_.ref.build_id.empty() && elf->build_id() != module_.ref.build_id) {
      note_problem(fmt::format("{}: belongs to another build (build id {}, not {})", elf->path(), elf->build_id(),
                               module_.ref.build_id),
                   "give the folder with the traced machine's files with --sysroot, or its debug files with "
                   "--debug-dir");
    } else {
      module_.elf = std::make_shared<const ElfFile>(std::move(*elf));
      report_.problem.clear();
      report_.hint.clear();
    }
    return module_.elf != nullptr;
  };
  if (!module_.ref.image.empty()) {
    accept(ElfFile::from_bytes(module_.ref.image, module_.ref.path));
  } else if (module_.ref.open_path.empty() || !accept(ElfFile::open(module_.ref.open_path))) {
    for (const std::string& root : module_.search().roots) {
      if (module_.ref.foreign_root && root.empty()) continue;
      if (module_.ref.path.starts_with('/') && accept(ElfFile::open(root + module_.ref.path, root))) break;
    }
  }
  if (!module_.elf) return;
  report_.file = module_.elf->path();
  module_.is_go = is_go_file(*module_.elf);
}

std::shared_ptr<const ElfFile> Symbolizer::Module::separate_debug_file() {
  if (separate_tried_) return separate_;
  separate_tried_ = true;
  std::string build_id = module_.elf ? module_.elf->build_id() : module_.ref.build_id;
  DebugFile found = find_debug_file(module_.elf.get(), build_id, module_.ref.path, module_.search());
  separate_ = found.elf;
  if (!found.elf && !found.problem.empty()) note_problem(found.problem);
  return separate_;
}

// Symbols that distributions pack into stripped programs.
std::shared_ptr<const ElfFile> Symbolizer::Module::packed_symbols() {
  const ElfFile& elf = *module_.elf;
  if (!elf.section(".gnu_debugdata")) return nullptr;
  Result<std::string> packed = elf.section_bytes(".gnu_debugdata", kMaxDebugData);
  Result<std::string> image = packed ? inflate_xz(*packed, kMaxDebugData) : packed;
  Result<ElfFile> symbols = image ? ElfFile::from_bytes(std::move(*image), elf.path() + ":.gnu_debugdata")
                                  : Result<ElfFile>(image.error());
  if (symbols) return std::make_shared<const ElfFile>(std::move(*symbols));
  note_problem(symbols.error().what);
  return nullptr;
}

void Symbolizer::Module::open_symbols() {
  std::vector<std::shared_ptr<const ElfFile>> files;
  if (module_.elf) {
    files.push_back(module_.elf);
    report_.symbols_from = module_.elf->section(".symtab") ? ".symtab" : ".dynsym";
  }
  if (report_.symbols_from != ".symtab" && module_.ref.kind == CodeKind::kFile) {
    std::shared_ptr<const ElfFile> debug = separate_debug_file();
    if (debug && debug->section(".symtab")) {
      files.push_back(debug);
      report_.symbols_from = ".symtab of " + debug->path();
    }
  }
  if (report_.symbols_from == ".dynsym") {
    if (std::shared_ptr<const ElfFile> packed = packed_symbols()) {
      files.push_back(packed);
      report_.symbols_from = ".gnu_debugdata";
    }
  }
  if (files.empty()) return;
  module_.symbols = SymbolTable::build(files, code_ranges(*files.front()));
  report_.symbol_count = module_.symbols.size();
  if (!module_.is_go || report_.symbols_from != ".dynsym") return;
  module_.go = GoTable::read(*module_.elf);
  if (module_.go.size() == 0) return;
  module_.inlining = GoInlining::find(module_.elf, module_.go);
  report_.symbols_from = ".gopclntab";
  report_.symbol_count = module_.go.size();
}

void Symbolizer::Module::open_debug_info() {
  if (!module_.options.use_debug_info || module_.ref.kind != CodeKind::kFile) return;
  bool own = module_.elf && module_.elf->section(".debug_info");
  std::shared_ptr<const ElfFile> source = own ? module_.elf : separate_debug_file();
  if (source && source->section(".debug_info")) {
    module_.debug = source;
    report_.debug_from = source->path();
    // With the segments recorded, the program itself is not missed.
    if (!module_.elf && !module_.ref.segments.empty()) report_.problem = report_.hint = "";
  } else if (module_.elf) {
    const std::string& id = module_.elf->build_id();
    note_problem(fmt::format("{}: no debug information (build id {}): {}no inlined calls", module_.ref.path,
                             id.empty() ? "none" : id, module_.go.size() ? "" : "no lines and "),
                 "install its debug package, give the folder with --debug-dir, or ask servers with --debuginfod");
  }
}

}  // namespace dwell
