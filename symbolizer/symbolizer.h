// SPDX-License-Identifier: Apache-2.0
// Symbolizer: file offset in a module to function, file, line, and the calls that were inlined there.
//
//     Symbolizer symbolizer({.demangle = DemangleWidth::kShort});
//     SymbolizedModule result = symbolizer.symbolize(module, queries);
//     for (const ResolvedFrame& frame : result.chain(i)) ...   // innermost first, never empty
//
// It never fails: an address without a name keeps its place as "module+0xoffset", "[jit]" or "[unknown]", and
// the report says what was missing and how to get it.
//
// Safe to call from several threads. Modules are worked on side by side, one module by one thread at a time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "symbolizer/demangle.h"
#include "symbolizer/elf_file.h"

namespace dwell {

struct NamedFrames;

enum class CodeKind : std::uint8_t {
  kFile,     // a program or a library
  kVdso,     // code that the kernel maps into every process; `image` holds it
  kJit,      // executable memory without a file; offsets are addresses
  kKernel,   // offsets are kernel addresses
  kUnknown,  // not in any mapping; offsets are addresses
};

struct ModuleRef {
  CodeKind kind = CodeKind::kFile;
  std::string path;       // as the target's mount namespace sees it
  std::string build_id;   // if known, a file with another one is refused
  std::string open_path;  // opens the very file (path_to_open()); may be empty
  pid_t pid = 0;          // a live process in whose namespaces to look; 0: none
  bool foreign_root = false;  // its root is not ours: names that it chose are looked up in its own only
  uid_t owner = ~0u;      // of the process, if known: whose perf map is believed
  std::string image;      // the file's bytes where there is no file: read_vdso()
  // The program's segments, recorded where it ran. With them a separate debug file is enough to name addresses.
  std::vector<ElfSegment> segments;
};

struct AddressQuery {
  std::uint64_t offset = 0;        // in the file, or an address for kinds without one
  bool is_return_address = false;  // the call is before it, and may be the last instruction of its function
};

// The frame between a signal's handler and what it interrupted, as debuggers call it.
inline constexpr std::string_view kSignalFrame = "<signal handler called>";

// Texts live as long as the Symbolizer.
struct ResolvedFrame {
  std::string_view function;     // as shown; never empty
  std::string_view system_name;  // as in the file, mangled; "" without a name
  std::string_view file;         // "" if not known
  std::uint32_t line = 0;        // 0: not known
  bool named = false;
  bool inlined = false;          // this code was inlined into the next frame's function
};

enum class NameSource : std::uint8_t { kNone, kDwarf, kSymbols, kPerfMap, kKallsyms };
inline constexpr int kNameSources = 5;

struct ModuleReport {
  std::string file;          // what was opened
  std::string symbols_from;  // ".symtab", ".symtab of FILE", ".dynsym", ".gnu_debugdata", "perf map", "kallsyms"
  std::string debug_from;    // file with the debug information; "" if there is none
  std::string problem;       // why names are missing; "" if nothing is
  std::string hint;          // how to get them
  std::size_t symbol_count = 0;
  std::size_t skipped_lines = 0;  // of a perf map, that could not be understood
  std::uint64_t bytes_read = 0;  // of debug information
};

struct SymbolCounters {
  std::uint64_t addresses = 0;
  std::uint64_t by_source[kNameSources] = {};  // kNone: shown as module+0xoffset, [jit] or [unknown]
  std::uint64_t with_line = 0;
  std::uint64_t inlined_frames = 0;
};

struct SymbolizedModule {
  struct Chain {
    std::uint32_t part, first, count;
  };
  std::vector<std::vector<ResolvedFrame>> frames;  // of each distinct address once
  std::vector<Chain> chains;                       // where those of each query stand
  ModuleReport report;
  SymbolCounters counters;

  std::span<const ResolvedFrame> chain(std::size_t query) const {
    return {frames[chains[query].part].data() + chains[query].first, chains[query].count};
  }
};

struct SymbolizerOptions {
  DemangleWidth demangle = DemangleWidth::kFull;
  bool use_debug_info = true;           // false: function names only
  std::vector<std::string> debug_dirs;  // --debug-dir: searched before the system's
  std::string sysroot;                  // --sysroot: where the traced machine's file system is
  bool debuginfod = false;              // --debuginfod, or its variable
};

class Symbolizer {
 public:
  explicit Symbolizer(SymbolizerOptions options = {});
  ~Symbolizer();
  Symbolizer(const Symbolizer&) = delete;
  Symbolizer& operator=(const Symbolizer&) = delete;

  // Any order, repeated or not: each distinct address is looked up once.
  SymbolizedModule symbolize(const ModuleRef& module, std::span<const AddressQuery> queries);

  // Sources that would be used for this module, without looking anything up.
  ModuleReport inspect(const ModuleRef& module);

 private:
  class Module;
  Module& module_of(const ModuleRef& ref);

  SymbolizerOptions options_;
  SymbolizedModule symbolize_elsewhere(const ModuleRef& module, std::span<const AddressQuery> queries);

  std::mutex modules_mutex_;
  std::map<std::string, std::unique_ptr<Module>> modules_;
  std::vector<std::unique_ptr<NamedFrames>> from_elsewhere_;  // whose texts were given out
};

}  // namespace dwell
