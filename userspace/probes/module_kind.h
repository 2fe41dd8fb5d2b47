// SPDX-License-Identifier: Apache-2.0
// What a module is, where that is not told by the functions that it defines: a loader, a Go program, a stripped program with
// an allocator inside.
#pragma once

#include <sys/types.h>

#include <string>

#include "symbolizer/elf_file.h"
#include "symbolizer/proc_maps.h"

namespace dwell {

// The loader has an allocator for its own start, which nobody else calls. Under musl it is the C library as well. What a
// module defines does not tell a loader: sanitizers' runtimes have __tls_get_addr too, beside a whole allocator.
bool is_bare_loader(pid_t pid, const Mapping& text, const ElfFile& elf);

// The name of an allocator that was linked into a program whose symbols are stripped; "": there is none, or its functions
// have names.
std::string hidden_allocator(const ElfFile& elf);

// What is known about the executable, for the message if nothing can be traced.
struct ProgramKind {
  bool is_static = false, stripped = false, go = false;
};
ProgramKind kind_of(const ElfFile& elf);

// A Go program, which manages its memory itself.
bool is_go_program(pid_t pid);

}  // namespace dwell
