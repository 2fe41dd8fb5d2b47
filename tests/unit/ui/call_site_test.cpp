// SPDX-License-Identifier: Apache-2.0
#include "ui/call_site.h"

#include <string>

#include <gtest/gtest.h>

#include "ui/wrappers.h"

namespace dwell {
namespace {

std::vector<ReportFrame> stack(std::initializer_list<const char*> functions) {
  std::vector<ReportFrame> frames;
  for (const char* function : functions) frames.push_back({function, "", 0, "", 0, true, false});
  return frames;
}

TEST(CallSite, IsAboveTheAllocatorAndTheContainers) {
  EXPECT_EQ(call_site_line(stack({"malloc", "operator new(unsigned long)",
                                  "std::vector<int>::push_back(int&&)", "Log::append(int)", "main"}),
                           0),
            "Log::append ← main");
  EXPECT_EQ(call_site_line(
                stack({"malloc", "alloc::raw_vec::RawVec<T,A>::grow_one", "app::serve", "app::main"}), 0),
            "app::serve ← app::main");
}

TEST(CallSite, TwoLinesOfOneFunctionAreTwoCallSites) {
  std::vector<ReportFrame> frames = stack({"malloc", "Log::append(int)", "main"});
  frames[1].file = "/src/app/log.cpp";
  frames[1].line = 33;
  EXPECT_EQ(call_site_line(frames, 0), "Log::append (log.cpp:33) ← main");
  frames[1].file = "/src/\x1b[31m.cpp";
  EXPECT_EQ(call_site_line(frames, 0), "Log::append (\\x1b[31m.cpp:33) ← main");
}

TEST(CallSite, RowsThatWouldReadTheSameSayWhatWasCalled) {
  std::vector<ReportFrame> text =
      stack({"malloc", "operator new", "std::__cxx11::basic_string::basic_string", "Cache::insert", "main"});
  std::vector<ReportFrame> node =
      stack({"malloc", "operator new", "std::map::operator[]", "Cache::insert", "main"});
  CallSiteNames alone, both;
  alone.add(node);
  both.add(node);
  both.add(text);
  EXPECT_EQ(alone.line(node, 0), "Cache::insert ← main");
  EXPECT_EQ(both.line(node, 0), "map::operator[] ← Cache::insert ← main");
  EXPECT_EQ(both.line(text, 60), "basic_string::basic_string ← Cache::insert ← main");
  EXPECT_EQ(both.line(text, 30), "Cache::insert ← main");
  std::vector<ReportFrame> wrapped = stack({"malloc", "zmalloc", "main"});
  CallSiteNames wrappers;
  wrappers.add(wrapped);
  wrappers.add(wrapped);
  EXPECT_EQ(wrappers.line(wrapped, 0), "zmalloc ← main");
}

TEST(CallSite, AnAllocatorThatNeedsMemoryIsNotWhoAsked) {
  EXPECT_EQ(call_site_line(stack({"sbrk", "__default_morecore", "sysmalloc", "malloc",
                                  "operator new(unsigned long)", "Log::append", "main"}),
                           0),
            "Log::append ← main");
}

TEST(CallSite, LibraryFunctionsThatAskForAUserAreNamed) {
  EXPECT_EQ(call_site_line(stack({"malloc", "strdup", "Config::load()"}), 0), "strdup ← Config::load");
}

TEST(CallSite, WithoutAnythingElseItIsWhoeverCalledTheAllocator) {
  EXPECT_EQ(
      call_site_line(stack({"malloc", "operator new(unsigned long)", "std::locale::_S_initialize()"}), 0),
      "std::locale::_S_initialize");
  EXPECT_EQ(call_site_line(stack({"malloc"}), 0), "malloc");
  EXPECT_EQ(call_site_line({}, 0), "[unknown]");
}

TEST(CallSite, WhatIsNamedAsAnAllocatorIsAWrapper) {
  for (const char* name : {"xmalloc", "os::malloc", "Perl_safesysrealloc", "zrealloc_usable", "ztrymalloc_usable_internal", "mosquitto__strdup", "CRYPTO_zalloc", "g_malloc_n",
                           "sqlite3_malloc64", "luaM_realloc_", "PyObject_Malloc", "ck_calloc", "av_mallocz", "ngx_calloc", "objspace_xmalloc0", "AllocateHeap", "__pool_alloc",
                           "os::malloc(unsigned long, MEMFLAGS)"})
    EXPECT_TRUE(is_known_wrapper(name)) << name;
  for (const char* name : {"Session::allocate", "reallocate_buffers", "malloc_stats_print", "Cache::insert", "session_alloc", "db_realloc_table", "main", ""})
    EXPECT_FALSE(is_known_wrapper(name)) << name;
  Wrappers wrappers;
  CallSiteNames names(&wrappers);
  for (const char* caller : {"main", "serve"}) names.add(stack({"malloc", "os::malloc", "AllocateHeap", "SparsePRT::expand", caller}));
  EXPECT_EQ(names.line(stack({"malloc", "os::malloc", "AllocateHeap", "SparsePRT::expand", "main"}), 0), "SparsePRT::expand ← main") << "a wrapper tells nothing";
}

TEST(CallSite, WrappersAreToldByTheirShapeAndByName) {
  Wrappers wrappers;
  std::vector<ReportFrame> one;
  for (int i = 0; i < 9; ++i) {
    std::string caller = "request_" + std::to_string(i);
    one = stack({"malloc", "zmalloc", "sdsnewlen", caller.c_str(), "call", "main"});
    wrappers.learn(one);
  }
  EXPECT_EQ(wrappers.site_frame(one), 3u);  // zmalloc by name; sdsnewlen has many callers
  EXPECT_EQ(CallSiteNames(&wrappers).line(one, 0), "request_8 ← call ← main");
  EXPECT_EQ(wrappers.site_frame(stack({"malloc", "Cache::insert", "main"})), 1u);
  std::vector<ReportFrame> copied = stack({"malloc", "strdup", "load", "main"});
  copied[1].module = "/usr/lib/x86_64-linux-gnu/libc.so.6";
  EXPECT_EQ(wrappers.site_frame(copied), 2u);
  EXPECT_EQ(wrappers.site_frame(stack({"malloc", "xmalloc", "__libc_start_main"})), 1u);  // nobody else is there
  EXPECT_EQ(wrappers.site_frame(stack({"malloc", "xmalloc", "main"})), 2u);
}

TEST(CallSite, RowsThatWouldReadTheSameSayWhatWasCalledInALibrary) {
  std::vector<ReportFrame> thrown = stack({"malloc", "__cxa_allocate_exception", "validate", "main"}), text = stack({"malloc", "operator new", "std::string::append", "validate", "main"});
  thrown[1].module = "/usr/lib/x86_64-linux-gnu/libstdc++.so.6";
  Wrappers wrappers;
  CallSiteNames names(&wrappers);
  names.add(thrown);
  names.add(text);
  EXPECT_EQ(names.line(thrown, 0), "__cxa_allocate_exception ← validate ← main");
  EXPECT_EQ(names.line(text, 0), "string::append ← validate ← main");
}

TEST(CallSite, LibraryFramesAreOneLineWhereThatIsAsked) {
  std::vector<ReportFrame> frames = stack({"malloc", "operator new", "std::vector<int>::push_back", "Log::append", "main"});
  std::string folded = stack_lines(frames, "", 64, {}, {3, true});
  EXPECT_EQ(folded, "      +3 library frames\n      Log::append\n      main\n");
  EXPECT_NE(stack_lines(frames, "", 64, {}).find("malloc"), std::string::npos);
}

// Leaf first, as it is in a recording.
std::vector<ReportFrame> go_calls_c(const char* helper) {
  std::vector<ReportFrame> frames = stack({"malloc", helper, "_cgo_0a1b_Cfunc_take", "runtime.asmcgocall.abi0", "runtime.cgocall", "main._Cfunc_take",
                                           "main.load", "main.main", "runtime.main", "runtime.goexit"});
  frames[6].file = "/src/main.go";
  frames[6].line = 31;
  return frames;
}

TEST(CallSite, GosLineIsShownBehindCsFunction) {
  Wrappers wrappers;
  std::vector<ReportFrame> frames = go_calls_c("take");
  EXPECT_EQ(wrappers.site_frame(frames), 1u);
  EXPECT_EQ(CallSiteNames(&wrappers).line(frames, 0), "take ← main.load (main.go:31) ← main.main ← runtime.main");
}

TEST(CallSite, CallbacksOfCallbacksAreToldOnce) {
  std::vector<ReportFrame> frames = go_calls_c("take"), callback = go_calls_c("again");
  std::vector<ReportFrame> back = stack({"_cgoexp_0a1b_back", "runtime.cgocallbackg1", "runtime.cgocallbackg", "runtime.cgocallback", "crosscall2", "back"});
  for (int i = 0; i < 3; ++i) {
    frames.insert(frames.begin() + 7, callback.begin() + 2, callback.begin() + 7);
    frames.insert(frames.begin() + 7, back.begin(), back.end());
  }
  frames[frames.size() - 3].function = "main.serve";
  EXPECT_EQ(call_site_line(frames, 0), "take ← main.load (main.go:31) ← main.serve ← runtime.main");
}

TEST(CallSite, WhereCIsOnlyTheAllocatorItIsGosLine) {
  Wrappers wrappers;
  std::vector<ReportFrame> direct = go_calls_c("take");
  direct.erase(direct.begin() + 1);  // C.malloc
  EXPECT_EQ(CallSiteNames(&wrappers).line(direct, 0), "main.load (main.go:31) ← main.main ← runtime.main ← runtime.goexit");
  std::vector<ReportFrame> copied = go_calls_c("strdup");
  copied[1].module = "/usr/lib/x86_64-linux-gnu/libc.so.6";
  EXPECT_EQ(wrappers.site_frame(copied), 6u);
  std::vector<ReportFrame> stripped = go_calls_c("server+0x1234");
  stripped[1].named = stripped[2].named = false;
  EXPECT_EQ(wrappers.site_frame(stripped), 6u);
}

TEST(CallSite, AFunctionOfCThatManyOfGoCallIsAWrapper) {
  Wrappers wrappers;
  std::vector<ReportFrame> frames = go_calls_c("take");
  for (int i = 0; i < 9; ++i) {
    frames[6].function = "main.load" + std::to_string(i);
    wrappers.learn(frames);
  }
  EXPECT_EQ(wrappers.site_frame(frames), 6u);
}

TEST(CallSite, TheChainGoesAsFarAsThereIsRoom) {
  std::vector<ReportFrame> frames =
      stack({"malloc", "zmalloc", "sdsnewlen", "createObject", "setCommand", "call", "main"});
  EXPECT_EQ(call_site_line(frames, 0), "zmalloc ← sdsnewlen ← createObject ← setCommand");
  EXPECT_EQ(call_site_line(frames, 35), "zmalloc ← sdsnewlen ← createObject");
  EXPECT_EQ(call_site_line(frames, 22), "zmalloc ← sdsnewlen");
  EXPECT_EQ(call_site_line(frames, 5), "zm…oc");
}

}  // namespace
}  // namespace dwell
