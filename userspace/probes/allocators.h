// SPDX-License-Identifier: Apache-2.0
// Which functions of a process give out and take back memory.
//
// Modules are known by what they define, not by what their files are called: a module that defines malloc
// and free is an allocator, wherever it came from and whether or not it is linked into the executable.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/probe_shapes.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/proc_maps.h"
#include "userspace/base/result.h"

namespace dwell {

enum class AllocFamily : std::uint8_t {
  kC,         // malloc and its relatives
  kCxx,       // operator new and delete
  kJemalloc,  // mallocx ..., under any prefix
  kTcmalloc,  // tc_*
  kMimalloc,  // mi_*
  kOther,     // dlmalloc, rpmalloc
  kMapping,   // mmap, munmap, mremap, brk, sbrk
};

struct AllocName {
  AllocFamily family;
  dwell_probe_shape shape;
};
// What a symbol of that name does, NONE if it is no allocation function. Not for prefixed jemalloc builds,
// which are told by all of a module's names together.
AllocName alloc_name(std::string_view symbol);
// The same for jemalloc's functions, whose name is given without the build's prefix.
dwell_probe_shape jemalloc_shape(std::string_view name);

// Whether a function of that name may end by throwing std::bad_alloc.
bool may_throw(std::string_view symbol);

bool wants_return(dwell_probe_shape shape);
bool gives_back(dwell_probe_shape shape);
const char* shape_text(dwell_probe_shape shape);  // "size in argument 0"

struct AllocFunction {
  std::string name;                  // the best-known of the names at this address
  std::vector<std::string> aliases;  // the others
  AllocFamily family;
  dwell_probe_shape shape;
  std::uint64_t vaddr, size, file_offset;
  bool throws = false;  // under one of its names
  bool nests = false;   // calls another of these functions, or one that it imports
  bool asks = false;    // hands on what an aligned_alloc gives it for a rounded size
  bool go = false;      // follows Go's convention of calls (bpf/go_probes.h)
};

// A function that was found and needs no probe, and why.
struct SkippedFunction {
  std::string name, reason;
  std::vector<std::string> aliases;
  std::string forwards_to;  // the function whose probe sees its calls, if that is why
};

struct AllocModule {
  std::string path;       // as the target sees it
  std::string open_path;  // opens that very file, as long as the target lives
  std::string build_id;
  std::uint64_t device = 0, inode = 0;
  std::string allocator;  // "glibc", "musl", "jemalloc", "tcmalloc", "mimalloc", "C++ runtime", "allocator"
  std::vector<AllocFunction> functions;
  std::vector<SkippedFunction> skipped;
  std::string hidden;  // an allocator inside a stripped program, whose functions have no names: "jemalloc"
};

struct AllocatorSet {
  std::vector<AllocModule> modules;  // only those with functions
  std::vector<std::string> notes;    // what could not be read, and what that hides
};

// Every allocator in these mappings of the process. An Error if there is nothing that could be probed: no
// allocator, a Go program without one, a 32-bit process.
Result<AllocatorSet> find_allocators(pid_t pid, const std::vector<Mapping>& mappings);

// The same for one more module, mapped later. No functions: it is no allocator.
Result<AllocModule> find_allocator(pid_t pid, const Mapping& mapping);

// Another file for the same code that knows more names: the module's own .gnu_debugdata, or its file in /usr/lib/debug.
std::optional<ElfFile> hidden_symbols(const ElfFile& elf);

// A function that is chosen when the program starts: its symbol is that of the chooser.
struct IndirectFunction {
  std::string name;
  std::uint64_t resolver_vaddr;
};

// Pure: the allocation functions that an ELF file defines, one for each address. `symbols` is another file
// for the same code that knows more names, if there is one.
AllocModule allocators_of(const ElfFile& elf, const ElfFile* symbols = nullptr,
                          std::vector<IndirectFunction>* indirect = nullptr);

}  // namespace dwell
