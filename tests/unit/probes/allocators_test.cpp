// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/allocators.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <random>
#include <set>

#include "userspace/base/files.h"
#include "userspace/base/unique_fd.h"

namespace dwell {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(AllocName, TellsTheReplaceableOperatorsFromOthers) {
  EXPECT_EQ(alloc_name("_Znwm").shape, DWELL_SHAPE_SIZE_ARG0);
  EXPECT_EQ(alloc_name("_ZnamSt11align_val_tRKSt9nothrow_t").shape, DWELL_SHAPE_SIZE_ARG0);
  EXPECT_EQ(alloc_name("_Znwm12__hot_cold_t").shape, DWELL_SHAPE_SIZE_ARG0);
  EXPECT_EQ(alloc_name("_ZdlPvmSt11align_val_t").shape, DWELL_SHAPE_FREE_ARG0);
  EXPECT_EQ(alloc_name("_ZdaPvRKSt9nothrow_t").shape, DWELL_SHAPE_FREE_ARG0);
  EXPECT_EQ(alloc_name("_ZnwmPv").shape, DWELL_SHAPE_NONE);       // placement
  EXPECT_EQ(alloc_name("_ZnwmR5Arena").shape, DWELL_SHAPE_NONE);  // somebody's own
  EXPECT_EQ(alloc_name("_ZdlPvS_").shape, DWELL_SHAPE_NONE);
  EXPECT_EQ(alloc_name("_Znwmfoo").shape, DWELL_SHAPE_NONE);
  EXPECT_EQ(alloc_name("xmalloc").shape, DWELL_SHAPE_NONE);
  EXPECT_EQ(alloc_name("").shape, DWELL_SHAPE_NONE);
}

TEST(AllocName, TellsWhatMayThrow) {
  for (const char* name : {"_Znwm", "_Znam", "_ZnwmSt11align_val_t", "tc_new", "tc_newarray_aligned", "mi_new_n"})
    EXPECT_TRUE(may_throw(name)) << name;
  for (const char* name : {"malloc", "_ZnwmRKSt9nothrow_t", "tc_new_nothrow", "mi_new_aligned_nothrow", "_ZdlPv"})
    EXPECT_FALSE(may_throw(name)) << name;
}

TEST(AllocName, KnowsWhereTheSizeIs) {
  EXPECT_EQ(alloc_name("aligned_alloc").shape, DWELL_SHAPE_SIZE_ARG1);
  EXPECT_EQ(alloc_name("free_sized").shape, DWELL_SHAPE_FREE_ARG0);
  EXPECT_EQ(alloc_name("free_aligned_sized").shape, DWELL_SHAPE_FREE_ARG0);
  EXPECT_EQ(alloc_name("mi_malloc_aligned").shape, DWELL_SHAPE_SIZE_ARG0);
  EXPECT_EQ(alloc_name("mi_heap_malloc").shape, DWELL_SHAPE_SIZE_ARG1);
  EXPECT_EQ(alloc_name("mi_heap_calloc").shape, DWELL_SHAPE_PRODUCT_ARG1_ARG2);
  EXPECT_EQ(alloc_name("tc_posix_memalign").shape, DWELL_SHAPE_MEMALIGN_OUT);
  EXPECT_EQ(jemalloc_shape("xallocx"), DWELL_SHAPE_XALLOCX);
  EXPECT_EQ(jemalloc_shape("realloc"), DWELL_SHAPE_REALLOC_ARG0_ARG1);
  EXPECT_EQ(jemalloc_shape("mi_malloc"), DWELL_SHAPE_NONE);
}

std::set<std::string> names_of(const AllocModule& module) {
  std::set<std::string> names;
  for (const AllocFunction& function : module.functions) names.insert(function.name);
  return names;
}

AllocModule module_of(const std::string& path) {
  Result<ElfFile> elf = ElfFile::open(path);
  EXPECT_TRUE(elf) << elf.error().what;
  return elf ? allocators_of(*elf) : AllocModule{};
}

TEST(AllocatorsOf, WhoCallsAnotherAllocatorIsTold) {
  Result<ElfFile> elf = ElfFile::open(OWN_LIBRARY);
  ASSERT_TRUE(elf);
  for (const AllocFunction& function : allocators_of(*elf).functions)
    EXPECT_EQ(function.nests, function.name == "_Znwm") << function.name;
}

TEST(AllocatorsOf, APrefixedJemallocIsKnownByItsFamily) {
  AllocModule module = module_of(PREFIXED_LIBRARY);
  EXPECT_EQ(module.allocator, "jemalloc");
  EXPECT_THAT(names_of(module), testing::UnorderedElementsAre("my_malloc", "my_free", "my_mallocx", "my_sdallocx", "my_realloc"));
}

TEST(AllocatorsOf, WrappersUnderSimilarNamesAreNone) {
  AllocModule module = module_of(WRAPPER_LIBRARY);
  EXPECT_THAT(names_of(module), IsEmpty());
  // It defines operator new as well, which only hands on to malloc of another module.
  ASSERT_EQ(module.skipped.size(), 2u);
  for (const SkippedFunction& skipped : module.skipped)
    EXPECT_THAT(skipped.forwards_to, testing::AnyOf("malloc", "free")) << skipped.name;
}

TEST(AllocatorsOf, AliasesAreProbedOnce) {
  AllocModule module = module_of(OWN_LIBRARY);
  auto malloc = std::find_if(module.functions.begin(), module.functions.end(),
                             [](const AllocFunction& function) { return function.name == "malloc"; });
  ASSERT_NE(malloc, module.functions.end());
  EXPECT_THAT(malloc->aliases, testing::UnorderedElementsAre("__libc_malloc", "tc_malloc"));
  std::set<std::uint64_t> addresses;
  for (const AllocFunction& function : module.functions)
    EXPECT_TRUE(addresses.insert(function.vaddr).second) << function.name;
}

TEST(AllocatorsOf, WhatAllocatesByItselfIsNoForwarder) {
  AllocModule module = module_of(OWN_LIBRARY);
  std::set<std::string> names = names_of(module);
  EXPECT_TRUE(names.count("_Znwm"));    // allocates small sizes by itself, and only large ones by malloc
  EXPECT_FALSE(names.count("_ZdlPv"));  // a jump to free
  EXPECT_FALSE(names.count("valloc"));  // a call of memalign on each way
}

TEST(AllocatorsOf, MappingsBelongToWhoDefinesBoth) {
  EXPECT_FALSE(names_of(module_of(OWN_LIBRARY)).count("mmap"));  // mmap without munmap
}

TEST(AllocatorsOf, ADamagedFileIsSurvived) {
  std::string pristine = *read_file(OWN_LIBRARY);
  std::mt19937 random(7);
  for (int round = 0; round < 400; ++round) {
    std::string damaged = pristine;
    // Damage where it tells: the headers and tables at both ends, not the zeros between them.
    for (int i = 0; i < 24; ++i) {
      std::size_t at = random() % 2 ? random() % 2048 : random() % damaged.size();
      damaged[at] = static_cast<char>(random());
    }
    if (round % 4 == 0) damaged.resize(random() % damaged.size());
    Result<ElfFile> elf = ElfFile::from_bytes(std::move(damaged), "damaged");
    if (!elf) continue;
    AllocModule module = allocators_of(*elf);
    EXPECT_LE(module.functions.size(), 512u);
  }
}

// A program that runs until it is killed.
class Running {
 public:
  explicit Running(const char* program) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], 1);
      execl(program, program, nullptr);
      _exit(127);
    }
    close(ends[1]);
    // It has begun when it says so, or has closed its output.
    char byte;
    [[maybe_unused]] ssize_t got = read(ends[0], &byte, 1);
    close(ends[0]);
  }
  ~Running() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

std::optional<Error> why_nothing(const char* program) {
  Running process(program);
  Result<std::vector<Mapping>> mappings = read_maps(process.pid());
  if (!mappings) return mappings.error();
  Result<AllocatorSet> allocators = find_allocators(process.pid(), *mappings);
  if (allocators) return std::nullopt;
  return allocators.error();
}

TEST(FindAllocators, SaysWhyThereIsNone) {
  std::optional<Error> bare = why_nothing(BARE_PROGRAM);
  ASSERT_TRUE(bare);
  EXPECT_THAT(bare->what, HasSubstr("no module of it defines malloc and free"));
  EXPECT_EQ(bare->exit, Exit::kUnsupported);

  std::optional<Error> go = why_nothing(GO_PROGRAM);
  ASSERT_TRUE(go);
  EXPECT_THAT(go->what, HasSubstr("Go program"));
  EXPECT_THAT(go->hint, Not(IsEmpty()));

  std::optional<Error> stripped = why_nothing(STRIPPED_PROGRAM);
  ASSERT_TRUE(stripped);
  EXPECT_THAT(stripped->what, HasSubstr("symbols are stripped"));
  EXPECT_EQ(stripped->exit, Exit::kUnsupported);
}

// Not every kernel does (CONFIG_IA32_EMULATION).
bool kernel_runs_32_bit_programs() {
  std::string path = PROGRAM_32;
  char* const arguments[] = {path.data(), nullptr};
  pid_t child;
  if (int failure = posix_spawn(&child, PROGRAM_32, nullptr, nullptr, arguments, environ)) return failure != ENOEXEC;
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return true;
}

TEST(FindAllocators, A32BitProcessIsRefused) {
  if (access(PROGRAM_32, X_OK) != 0) GTEST_SKIP() << "no 32-bit program was built";
  if (!kernel_runs_32_bit_programs()) GTEST_SKIP() << "this kernel runs no 32-bit programs";
  std::optional<Error> narrow = why_nothing(PROGRAM_32);
  ASSERT_TRUE(narrow);
  EXPECT_EQ(narrow->exit, Exit::kUnsupported);
  EXPECT_THAT(narrow->hint, HasSubstr("64-bit"));
}

TEST(FindAllocators, LeavesTheLoaderOut) {
  Result<std::vector<Mapping>> mappings = read_maps(getpid());
  ASSERT_TRUE(mappings);
  Result<AllocatorSet> allocators = find_allocators(getpid(), *mappings);
  ASSERT_TRUE(allocators) << allocators.error().what;
  bool libc = false;
  for (const AllocModule& module : allocators->modules) {
    EXPECT_THAT(module.path, Not(HasSubstr("/ld-")));
    libc = libc || names_of(module).count("malloc");
    EXPECT_EQ(access(module.open_path.c_str(), R_OK), 0);
  }
  EXPECT_TRUE(libc);
}

TEST(FindAllocators, ResolvesFunctionsThatAreChosenAtStart) {
  Running process(INDIRECT_PROGRAM);
  Result<std::vector<Mapping>> mappings = read_maps(process.pid());
  ASSERT_TRUE(mappings);
  Result<AllocatorSet> allocators = find_allocators(process.pid(), *mappings);
  ASSERT_TRUE(allocators) << allocators.error().what;
  const AllocFunction* found = nullptr;
  for (const AllocModule& module : allocators->modules)
    for (const AllocFunction& function : module.functions)
      if (function.name == "tc_malloc") found = &function;
  ASSERT_NE(found, nullptr);
  // The chosen one, not the chooser.
  Result<ElfFile> elf = ElfFile::open(INDIRECT_PROGRAM);
  ASSERT_TRUE(elf);
  for (const ElfSymbol& symbol : elf->symbols()) {
    if (symbol.name == "chosen_malloc") {
      EXPECT_EQ(found->vaddr, symbol.vaddr);
    }
  }
}

}  // namespace
}  // namespace dwell
