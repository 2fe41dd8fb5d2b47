// SPDX-License-Identifier: Apache-2.0
// Names addresses of one file, in the form of `llvm-symbolizer`: function and file:line for each frame,
// innermost first, an empty line behind each address.
//
//     symbolize-addresses FILE < addresses                  virtual addresses, one a line, in hexadecimal
//       --demangle full|short|none   default: none
//       --no-lines                   symbol tables only
//       --debug-dir DIR              where to look for debug files first
//       --debuginfod                 ask the servers of DEBUGINFOD_URLS
//       --quiet                      print nothing but the figures
//       --stats                      figures to standard error: time, memory, sources
#include <fmt/format.h>
#include <sys/resource.h>

#include <charconv>
#include <cstdio>
#include <ctime>

#include "symbolizer/symbolizer.h"
#include "userspace/base/files.h"
#include "userspace/base/short_life.h"
#include "userspace/base/text.h"

namespace {

struct Options {
  std::string file;
  dwell::SymbolizerOptions symbolizer;
  bool quiet = false, stats = false;
};

bool parse_options(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    bool more = i + 1 < argc;
    if (argument == "--no-lines") {
      options.symbolizer.use_debug_info = false;
    } else if (argument == "--debuginfod") {
      options.symbolizer.debuginfod = true;
    } else if (argument == "--quiet") {
      options.quiet = true;
    } else if (argument == "--stats") {
      options.stats = true;
    } else if (argument == "--debug-dir" && more) {
      options.symbolizer.debug_dirs.push_back(argv[++i]);
    } else if (argument == "--demangle" && more) {
      std::string width = argv[++i];
      options.symbolizer.demangle = width == "full"    ? dwell::DemangleWidth::kFull
                                    : width == "short" ? dwell::DemangleWidth::kShort
                                                       : dwell::DemangleWidth::kNone;
    } else if (options.file.empty() && !argument.starts_with("--")) {
      options.file = argument;
    } else {
      return false;
    }
  }
  return !options.file.empty();
}

std::vector<dwell::AddressQuery> read_addresses(const dwell::ElfFile& elf) {
  dwell::Result<std::string> text = dwell::read_file("/dev/stdin", std::size_t{1} << 30);
  std::vector<dwell::AddressQuery> queries;
  if (!text) return queries;
  for (std::string_view line : dwell::split(*text, '\n')) {
    if (line.starts_with("0x")) line.remove_prefix(2);
    std::uint64_t address = 0;
    if (line.empty()) continue;
    std::from_chars(line.data(), line.data() + line.size(), address, 16);
    queries.push_back({elf.offset_of_vaddr(address).value_or(~std::uint64_t{0}), false});
  }
  return queries;
}

// In pieces that stay in the processor's cache: the text of a million addresses is more than a gigabyte.
void print_frames(const dwell::SymbolizedModule& result, std::size_t queries) {
  constexpr std::size_t kPiece = 64 << 10;
  fmt::memory_buffer out;
  for (std::size_t i = 0; i < queries; ++i) {
    for (const dwell::ResolvedFrame& frame : result.chain(i)) {
      out.append(frame.function);
      out.push_back('\n');
      out.append(frame.file.empty() ? std::string_view("??") : frame.file);
      out.push_back(':');
      out.append(std::string_view(fmt::format_int(frame.line).c_str()));
      out.push_back('\n');
    }
    out.push_back('\n');
    if (out.size() < kPiece && i + 1 < queries) continue;
    std::fwrite(out.data(), 1, out.size(), stdout);
    out.clear();
  }
}

double seconds(clockid_t clock) {
  struct timespec now {};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

int main(int argc, char** argv) {
  dwell::prepare_for_short_life();
  Options options;
  options.symbolizer.demangle = dwell::DemangleWidth::kNone;
  if (!parse_options(argc, argv, options)) {
    std::fputs(
        "usage: symbolize-addresses [--demangle full|short|none] [--no-lines] [--debug-dir DIR] "
        "[--debuginfod] [--quiet] "
        "[--stats] FILE < addresses\n",
        stderr);
    return 2;
  }
  dwell::Result<dwell::ElfFile> elf = dwell::ElfFile::open(options.file);
  if (!elf) {
    fmt::print(stderr, "symbolize-addresses: {}\n", elf.error().what);
    return 1;
  }
  std::vector<dwell::AddressQuery> queries = read_addresses(*elf);
  // Never destroyed: the process ends, and the kernel takes its memory faster than it could be given back.
  dwell::Symbolizer& symbolizer = *new dwell::Symbolizer(options.symbolizer);
  dwell::ModuleRef module;
  module.path = options.file;
  module.open_path = options.file;
  module.build_id = elf->build_id();
  double start = seconds(CLOCK_MONOTONIC), cpu_start = seconds(CLOCK_PROCESS_CPUTIME_ID);
  dwell::SymbolizedModule result = symbolizer.symbolize(module, queries);
  double wall = seconds(CLOCK_MONOTONIC) - start, cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
  if (!options.quiet) print_frames(result, queries.size());
  if (options.stats) {
    struct rusage usage {};
    ::getrusage(RUSAGE_SELF, &usage);
    fmt::print(stderr,
               "addresses {} frames {} seconds {:.6f} cpu {:.6f} peak_kb {} symbols {} from '{}' debug '{}' read {} "
               "problem '{}'\n",
               queries.size(), result.counters.addresses + result.counters.inlined_frames, wall, cpu, usage.ru_maxrss, result.report.symbol_count,
               result.report.symbols_from, result.report.debug_from, result.report.bytes_read,
               result.report.problem);
  }
  return 0;
}
