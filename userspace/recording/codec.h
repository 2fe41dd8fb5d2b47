// SPDX-License-Identifier: Apache-2.0
// What the chunks mean: for each type, how it is written and, beside it, how it is read back.
//
// decode_*() take the content of one chunk, add it to a recording, and return what is wrong with it: "" when
// nothing is. They trust nothing: every index is checked against what was read before, so that whoever uses a
// Recording need not. Bytes after the fields known here belong to a later version and are passed over.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "userspace/base/cursor.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/model.h"

namespace dwell {

inline constexpr std::uint32_t kChunkInfo = chunk_type("INFO");
inline constexpr std::uint32_t kChunkProcess = chunk_type("PROC");
inline constexpr std::uint32_t kChunkModules = chunk_type("MODS");
inline constexpr std::uint32_t kChunkLocations = chunk_type("LOCS");
inline constexpr std::uint32_t kChunkStacks = chunk_type("STKS");
inline constexpr std::uint32_t kChunkSeries = chunk_type("SERS");
inline constexpr std::uint32_t kChunkTick = chunk_type("TICK");
inline constexpr std::uint32_t kChunkLive = chunk_type("LIVE");
inline constexpr std::uint32_t kChunkLook = chunk_type("THRD");
inline constexpr std::uint32_t kChunkThreadTick = chunk_type("TCRE");
inline constexpr std::uint32_t kChunkLiveThreads = chunk_type("TLIV");
inline constexpr std::uint32_t kChunkBlocked = chunk_type("TBLK");
inline constexpr std::uint32_t kChunkClocks = chunk_type("CLKS");
inline constexpr std::uint32_t kChunkGoLook = chunk_type("GOLK");
inline constexpr std::uint32_t kChunkGoBuckets = chunk_type("GOBK");
inline constexpr std::uint32_t kChunkGoProfile = chunk_type("GOPR");
inline constexpr std::uint32_t kChunkGoAllocs = chunk_type("GALC");
inline constexpr std::uint32_t kChunkGoParks = chunk_type("GPRK");
inline constexpr std::uint32_t kChunkGoContexts = chunk_type("GCTX");
inline constexpr std::uint32_t kChunkLosses = chunk_type("LOSS");
inline constexpr std::uint32_t kChunkChildren = chunk_type("KIDS");
inline constexpr std::uint32_t kChunkCost = chunk_type("COST");
inline constexpr std::uint32_t kChunkNote = chunk_type("NOTE");
inline constexpr std::uint32_t kChunkSymbols = chunk_type("SYMS");
inline constexpr std::uint32_t kChunkEnd = chunk_type("END ");
// All of them: what a fuzzer tries.
inline constexpr std::array kChunkTypes = {
    kChunkInfo,       kChunkProcess, kChunkModules,   kChunkLocations,  kChunkStacks,      kChunkSeries,
    kChunkTick,       kChunkLive,    kChunkLook,      kChunkThreadTick, kChunkLiveThreads, kChunkBlocked,
    kChunkClocks,     kChunkGoLook,  kChunkGoBuckets, kChunkGoProfile,  kChunkGoAllocs,    kChunkGoParks,
    kChunkGoContexts, kChunkLosses,  kChunkChildren,  kChunkCost,       kChunkNote,        kChunkSymbols,
    kChunkEnd};

inline constexpr std::size_t kMaxStackDepth = 1024;
// CallStack::end of a stack that was cut because there was no room for all of it; beyond every dwell_stack_end.
inline constexpr std::uint8_t kStackShortened = 64;
inline constexpr std::size_t kMaxStacks = std::size_t{1} << 20;
inline constexpr std::size_t kLiveBlocksPerChunk = std::size_t{1} << 16;
inline constexpr std::size_t kSymbolsPerChunk = std::size_t{1} << 14;

std::string encode_info(const RecordingInfo& info);
std::string decode_info(Cursor& in, Recording& out);

std::string encode_process(ProcessSlot slot, const ProcessInfo& process);
std::string decode_process(Cursor& in, Recording& out);

// `first`: the index of the first of these. The same for locations, stacks and series.
std::string encode_modules(std::size_t first, std::span<const Module> modules);
std::string decode_modules(Cursor& in, Recording& out);

std::string encode_locations(std::size_t first, std::span<const Location> locations);
std::string decode_locations(Cursor& in, Recording& out);

struct StackView {
  std::span<const std::uint32_t> locations;
  std::uint8_t end;
};
std::string encode_stacks(std::size_t first, std::span<const StackView> stacks);
std::string decode_stacks(Cursor& in, Recording& out);

std::string encode_series(std::size_t first, std::span<const Series> series);
std::string decode_series(Cursor& in, Recording& out);

std::string encode_tick(const MemoryTick& tick);
std::string decode_tick(Cursor& in, Recording& out);

// The blocks [first, first + blocks.size()) of a set of `total`. A set whose last part is missing is as if it
// had never been written.
std::string encode_live(std::uint64_t time_ns, std::size_t total, std::size_t first,
                        std::span<const LiveBlock> blocks);
std::string decode_live(Cursor& in, LiveSet& unfinished, Recording& out);

std::string encode_go_look(const GoLook& look);
std::string decode_go_look(Cursor& in, Recording& out);

std::string encode_go_buckets(std::size_t first, std::span<const GoBucket> buckets);
std::string decode_go_buckets(Cursor& in, Recording& out);

std::string encode_go_contexts(const GoContexts& contexts);
std::string decode_go_contexts(Cursor& in, Recording& out);
std::string encode_go_profile(const GoProfileLook& look);
std::string decode_go_profile(Cursor& in, Recording& out);

std::string encode_look(const ThreadLook& look);
std::string decode_look(Cursor& in, Recording& out);

std::string encode_thread_tick(const ThreadTick& tick);
std::string decode_thread_tick(Cursor& in, Recording& out);

std::string encode_live_threads(const LiveThreads& live);
std::string decode_live_threads(Cursor& in, Recording& out);

std::string encode_blocked(const BlockedSites& blocked);
std::string decode_blocked(Cursor& in, Recording& out);

// A later one replaces an earlier one.
std::string encode_clocks(const ClockLook& look);
std::string decode_clocks(Cursor& in, Recording& out);

// The same.
std::string encode_go_allocs(const GoAllocs& allocs);
std::string decode_go_allocs(Cursor& in, Recording& out);

// The same.
std::string encode_go_parks(const GoParks& parks);
std::string decode_go_parks(Cursor& in, Recording& out);

std::string encode_losses(std::span<const Loss> losses);
std::string decode_losses(Cursor& in, Recording& out);

std::string encode_children(const ChildCounts& children);
std::string decode_children(Cursor& in, Recording& out);

std::string encode_cost(const CostSample& cost);
std::string decode_cost(Cursor& in, Recording& out);

std::string encode_note(const Note& note);
std::string decode_note(Cursor& in, Recording& out);

std::string encode_symbols(std::size_t first_location, std::span<const LocationSymbol> symbols);
std::string decode_symbols(Cursor& in, std::uint64_t& text_bytes, Recording& out);

std::string encode_end(const RecordingEnd& end);
std::string decode_end(Cursor& in, Recording& out);

}  // namespace dwell
