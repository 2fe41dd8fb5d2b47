// SPDX-License-Identifier: Apache-2.0
// The whole way, on this very program: it is built with debug information and knows its own lines.
#include "symbolizer/symbolizer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "symbolizer/proc_maps.h"
#include "userspace/base/files.h"

namespace dwell {

// With external linkage: the compiler gives it a linkage name.
struct SymbolizerTestLinked {
  __attribute__((noinline)) static int size(const char* text);
};
int SymbolizerTestLinked::size(const char* text) {
  asm volatile("" : "+r"(text));
  return *text;
}

namespace {

// Where these functions are: the line of the call that a return address stands behind.
constexpr int kCallLine = __LINE__ + 4;
constexpr int kInlinedLine = kCallLine + 4;
struct Here {
  __attribute__((noinline)) static void* return_address() {
    return __builtin_return_address(0);  // a call of this function names the caller's line
  }
  __attribute__((always_inline)) static inline void* inlined() {
    void* address = return_address();  // kInlinedLine
    asm volatile("" : "+r"(address));
    return address;
  }
};
constexpr int kOuterLine = __LINE__ + 2;
extern "C" __attribute__((noinline, used)) void* dwell_symbolizer_test_outer() {
  void* address = Here::inlined();
  asm volatile("" : "+r"(address));
  return address;
}

struct Located {
  ModuleRef module;
  AddressQuery query;
};

// The mapping of our own process that holds the address.
Located locate(void* pointer, bool is_return_address) {
  auto address = reinterpret_cast<std::uint64_t>(pointer);
  Located located;
  Result<std::vector<Mapping>> maps = read_maps(::getpid());
  for (const Mapping& mapping : *maps) {
    if (address < mapping.start || address >= mapping.end) continue;
    located.module.path = mapping.path;
    located.module.pid = ::getpid();
    if (Result<std::string> path = path_to_open(::getpid(), mapping)) located.module.open_path = *path;
    located.query = {address - mapping.start + mapping.file_offset, is_return_address};
  }
  return located;
}

TEST(Symbolizer, NamesACallThatWasInlined) {
  Located located = locate(dwell_symbolizer_test_outer(), true);
  Symbolizer symbolizer;
  SymbolizedModule result = symbolizer.symbolize(located.module, {&located.query, 1});
  std::span<const ResolvedFrame> chain = result.chain(0);
  ASSERT_EQ(chain.size(), 2u) << result.report.problem;
  EXPECT_EQ(chain[0].function, "dwell::(anonymous namespace)::Here::inlined");
  EXPECT_EQ(chain[0].line, static_cast<std::uint32_t>(kInlinedLine - 1));
  EXPECT_TRUE(chain[0].inlined);
  EXPECT_EQ(chain[1].function, "dwell_symbolizer_test_outer");
  EXPECT_EQ(chain[1].line, static_cast<std::uint32_t>(kOuterLine));
  EXPECT_FALSE(chain[1].inlined);
  EXPECT_TRUE(chain[1].file.ends_with("symbolizer_test.cpp"));
  EXPECT_EQ(result.counters.by_source[static_cast<int>(NameSource::kDwarf)], 1u);
  EXPECT_EQ(result.counters.inlined_frames, 1u);
}

TEST(Symbolizer, WidthsOfNames) {
  Located located = locate(reinterpret_cast<void*>(&SymbolizerTestLinked::size), false);
  constexpr const char* kMangled = "_ZN5dwell20SymbolizerTestLinked4sizeEPKc";
  for (auto [width, expected] : {std::pair{DemangleWidth::kFull, "dwell::SymbolizerTestLinked::size(char const*)"},
                                 {DemangleWidth::kShort, "dwell::SymbolizerTestLinked::size"},
                                 {DemangleWidth::kNone, kMangled}}) {
    SymbolizerOptions options;
    options.demangle = width;
    Symbolizer symbolizer(options);
    SymbolizedModule result = symbolizer.symbolize(located.module, {&located.query, 1});
    EXPECT_EQ(result.chain(0)[0].function, expected);
    EXPECT_EQ(result.chain(0)[0].system_name, kMangled);
  }
}

TEST(Symbolizer, WithoutDebugInformationTheSymbolTableNamesIt) {
  SymbolizerOptions options;
  options.use_debug_info = false;
  Symbolizer symbolizer(options);
  Located located = locate(dwell_symbolizer_test_outer(), true);
  SymbolizedModule result = symbolizer.symbolize(located.module, {&located.query, 1});
  ASSERT_EQ(result.chain(0).size(), 1u);
  EXPECT_EQ(result.chain(0)[0].function, "dwell_symbolizer_test_outer");
  EXPECT_EQ(result.chain(0)[0].line, 0u);
  EXPECT_EQ(result.counters.by_source[static_cast<int>(NameSource::kSymbols)], 1u);
  EXPECT_EQ(result.report.symbols_from, ".symtab");
}

TEST(Symbolizer, EveryAddressHasAFrame) {
  Symbolizer symbolizer;
  std::vector<AddressQuery> queries = {{0, true}, {~std::uint64_t{0}, false}, {0x123456789, false}};
  for (CodeKind kind : {CodeKind::kFile, CodeKind::kVdso, CodeKind::kJit, CodeKind::kUnknown}) {
    ModuleRef module;
    module.kind = kind;
    module.path = "/nonexistent/libgone.so";
    SymbolizedModule result = symbolizer.symbolize(module, queries);
    for (std::size_t i = 0; i < queries.size(); ++i) {
      ASSERT_EQ(result.chain(i).size(), 1u);
      EXPECT_FALSE(result.chain(i)[0].named);
      EXPECT_FALSE(result.chain(i)[0].function.empty());
    }
    EXPECT_EQ(result.counters.by_source[static_cast<int>(NameSource::kNone)], 3u);
    if (kind == CodeKind::kFile) {
      EXPECT_EQ(result.chain(2)[0].function, "libgone.so+0x123456789");
      EXPECT_NE(result.report.problem.find("No such file"), std::string::npos);
    }
    if (kind == CodeKind::kJit) {
      EXPECT_EQ(result.chain(0)[0].function, "[jit]");
    }
    if (kind == CodeKind::kUnknown) {
      EXPECT_EQ(result.chain(0)[0].function, "[unknown]");
    }
  }
}

TEST(Symbolizer, AFileOfAnotherBuildIsRefused) {
  Located located = locate(dwell_symbolizer_test_outer(), true);
  located.module.build_id = "0123456789abcdef";
  Symbolizer symbolizer;
  SymbolizedModule result = symbolizer.symbolize(located.module, {&located.query, 1});
  EXPECT_FALSE(result.chain(0)[0].named);
  EXPECT_NE(result.report.problem.find("another build"), std::string::npos) << result.report.problem;
  EXPECT_NE(result.report.hint.find("--sysroot"), std::string::npos);
}

TEST(Symbolizer, AnswersInTheOrderOfTheQuestions) {
  Located located = locate(dwell_symbolizer_test_outer(), true);
  Located other = locate(reinterpret_cast<void*>(&Here::return_address), false);
  std::vector<AddressQuery> queries = {other.query, located.query, other.query, {~std::uint64_t{0}, false}};
  std::sort(queries.begin(), queries.end(), [](auto& a, auto& b) { return a.offset > b.offset; });
  Symbolizer symbolizer;
  SymbolizedModule result = symbolizer.symbolize(located.module, queries);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    std::string_view expected = queries[i].offset == located.query.offset ? "dwell_symbolizer_test_outer"
                                : queries[i].offset == other.query.offset ? "Here::return_address"
                                                                         : "+0xffffffffffffffff";
    EXPECT_NE(result.chain(i).back().function.find(expected), std::string_view::npos) << i;
  }
}

TEST(Symbolizer, ManyThreadsGetTheSameAnswer) {
  Located located = locate(dwell_symbolizer_test_outer(), true);
  Symbolizer symbolizer;
  std::vector<std::thread> threads;
  std::vector<std::string> names(4);
  for (std::string& name : names) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        SymbolizedModule result = symbolizer.symbolize(located.module, {&located.query, 1});
        name = result.chain(0)[1].function;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& name : names) EXPECT_EQ(name, "dwell_symbolizer_test_outer");
}

TEST(Symbolizer, TheVdsoHasNames) {
  Result<std::vector<Mapping>> maps = read_maps(::getpid());
  ASSERT_TRUE(maps);
  for (const Mapping& mapping : *maps) {
    if (mapping.path != "[vdso]") continue;
    ModuleRef module;
    module.kind = CodeKind::kVdso;
    module.path = "[vdso]";
    Result<std::string> image = read_vdso(::getpid(), mapping);
    ASSERT_TRUE(image);
    module.image = *image;
    Result<ElfFile> elf = ElfFile::from_bytes(*image, "[vdso]");
    ASSERT_TRUE(elf);
    for (const ElfSymbol& symbol : elf->symbols()) {
      if (symbol.name != "__vdso_clock_gettime") continue;
      AddressQuery query{*elf->offset_of_vaddr(symbol.vaddr), false};
      Symbolizer symbolizer;
      SymbolizedModule result = symbolizer.symbolize(module, {&query, 1});
      EXPECT_EQ(result.chain(0)[0].function, "clock_gettime");  // the name that is not reserved
      return;
    }
  }
  GTEST_SKIP() << "this machine has no vDSO";
}

TEST(Symbolizer, JitCodeIsNamedByThePerfMap) {
  std::string path = "/tmp/perf-" + std::to_string(::getpid()) + ".map";
  ASSERT_TRUE(write_file_atomically(path, "7000 10 LazyCompile:*hot app.js:3\n"));
  ModuleRef module;
  module.kind = CodeKind::kJit;
  module.pid = ::getpid();
  std::vector<AddressQuery> queries = {{0x7004, false}, {0x8000, false}};
  Symbolizer symbolizer;
  SymbolizedModule result = symbolizer.symbolize(module, queries);
  std::filesystem::remove(path);
  EXPECT_EQ(result.chain(0)[0].function, "LazyCompile:*hot app.js:3");
  EXPECT_EQ(result.chain(1)[0].function, "[jit]");
  EXPECT_EQ(result.counters.by_source[static_cast<int>(NameSource::kPerfMap)], 1u);
  EXPECT_EQ(result.counters.by_source[static_cast<int>(NameSource::kNone)], 1u);
}

TEST(Symbolizer, WhatAJitCompilesLaterIsNamedToo) {
  std::string path = "/tmp/perf-" + std::to_string(::getpid()) + ".map";
  ModuleRef module;
  module.kind = CodeKind::kJit;
  module.pid = ::getpid();
  std::vector<AddressQuery> queries = {{0x7004, false}, {0x9000, false}};
  Symbolizer symbolizer;
  SymbolizedModule none = symbolizer.symbolize(module, queries);
  EXPECT_EQ(none.chain(0)[0].function, "[jit]");
  EXPECT_FALSE(none.report.problem.empty());
  ASSERT_TRUE(write_file_atomically(path, "7000 10 early\n"));
  SymbolizedModule first = symbolizer.symbolize(module, queries);
  ASSERT_TRUE(write_file_atomically(path, "7000 10 early\n9000 10 late\n"));
  SymbolizedModule second = symbolizer.symbolize(module, queries);
  std::filesystem::remove(path);
  SymbolizedModule third = symbolizer.symbolize(module, queries);
  EXPECT_EQ(first.chain(0)[0].function, "early");
  EXPECT_EQ(first.chain(1)[0].function, "[jit]");
  EXPECT_TRUE(first.report.problem.empty());
  EXPECT_EQ(second.chain(1)[0].function, "late");
  EXPECT_EQ(third.chain(1)[0].function, "late");
}

TEST(Symbolizer, TheKernelHasNames) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to see the kernel's addresses";
  Result<std::string> text = read_file("/proc/kallsyms");
  ASSERT_TRUE(text);
  std::size_t at = text->find(" T schedule\n");
  if (at == std::string::npos) GTEST_SKIP() << "this kernel shows no symbols";
  std::uint64_t address = std::stoull(text->substr(at - 16, 16), nullptr, 16);
  ModuleRef module;
  module.kind = CodeKind::kKernel;
  AddressQuery query{address + 1, false};
  Symbolizer symbolizer;
  SymbolizedModule result = symbolizer.symbolize(module, {&query, 1});
  EXPECT_EQ(result.chain(0)[0].function, "schedule");
}

}  // namespace
}  // namespace dwell
