// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/decoder.h"

#include "userspace/memory/decoder.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace dwell {
namespace {

constexpr std::uint64_t kIdentity = 0xabcdef;

class DecoderTest : public testing::Test {
 protected:
  DecoderTest() {
    space_.replace({{0x4000, 0x5000, 0x0, module_}});
    stacks_.set_probe(3, {static_cast<std::int32_t>(module_), 0x700, false});
  }
  ~DecoderTest() override { std::filesystem::remove(path_); }

  void decode(const void* data, std::size_t size) {
    decoder_.decode(data, size);
  }
  template <typename Record>
  void decode(const Record& record) {
    decode(&record, sizeof record);
  }
  void send_stack(std::vector<std::uint64_t> pcs, std::uint64_t exact = 0, std::uint64_t time_ns = 0,
                  dwell_stack_end end = DWELL_STACK_COMPLETE) {
    dwell_stack_record record{};
    record.h.type = DWELL_STACK;
    record.stack = kIdentity;
    record.count = static_cast<std::uint32_t>(pcs.size());
    record.exact[0] = exact;
    record.time_ns = time_ns;
    record.end = end;
    std::vector<std::byte> bytes(sizeof record + pcs.size() * 8);
    std::memcpy(bytes.data(), &record, sizeof record);
    std::ranges::copy(std::as_bytes(std::span(pcs)), bytes.begin() + sizeof record);
    decode(bytes.data(), bytes.size());
  }
  static dwell_alloc_record alloc(std::uint64_t stack) {
    dwell_alloc_record record{};
    record.h = {DWELL_ALLOC, 0, 3, 42};
    record.address = 0x1000;
    record.size = 64;
    record.stack = stack;
    return record;
  }

  std::string path_ = testing::TempDir() + "decoder-" + testing::UnitTest::GetInstance()->current_test_info()->name();
  RecordingWriter writer_ = (std::filesystem::remove(path_), std::move(*RecordingWriter::create(path_, {})));
  std::uint32_t module_ = writer_.add_module({"/bin/app", "", 0, ModuleKind::kFile});
  StackTable stacks_{writer_};
  AddressSpace space_;
  std::vector<ProcessNews> news_;
  std::vector<Event> events_;
  std::optional<ProcessSlot> owner_;  // of every slot
  Decoder decoder_{stacks_, writer_,
                   {[this](const ProcessNews& news) { news_.push_back(news); }, [](ProcessSlot, dwell_stack_end, std::uint64_t) {},
                    [this](ProcessSlot) -> const AddressSpace& { return space_; },
                    [this](const dwell_header& header, ProcessSlot process, std::span<const std::byte> record) {
                      return decode_memory(header, process, record, stacks_,
                                           [this](const auto& event) { events_.push_back(event); });
                    },
                    [this](TargetSlot slot) { return owner_.value_or(ProcessSlot{slot}); },
                    [](TargetSlot, const StackRest& rest, WalkedStack& stack) {
                      if (rest.pc != stack.pcs.back() || rest.sp != 0x7000 || rest.bytes.size() != 16) return;
                      stack.pcs.push_back(0x4040);
                      stack.exact.push_back(false);
                      stack.end = DWELL_STACK_COMPLETE;
                    }}};
};

TEST_F(DecoderTest, TheProbedFunctionStandsOnTopOfItsCallersStack) {
  send_stack({0x4010, 0x4020});
  decode(alloc(kIdentity));
  ASSERT_EQ(events_.size(), 1u);
  const auto& event = std::get<Alloc>(events_[0]);
  EXPECT_EQ(event.address, 0x1000u);
  EXPECT_EQ(event.tid, 42u);
  EXPECT_NE(event.stack, StackId::kUnknown);
  std::vector<Location> expected{{0, 0x700, false}, {0, 0x10, true}, {0, 0x20, true}};
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), writer_.locations().begin()));
}

TEST_F(DecoderTest, APcWhereASignalStruckIsNoReturnAddress) {
  send_stack({0x4010, 0x4020, 0x4030}, 0b010);
  decode(alloc(kIdentity));
  EXPECT_FALSE(writer_.locations()[2].return_address);
  EXPECT_TRUE(writer_.locations()[3].return_address);
}

TEST_F(DecoderTest, AnAllocationWhoseStackWasLostStillCounts) {
  decode(alloc(kIdentity));
  decode(alloc(0));
  ASSERT_EQ(events_.size(), 2u);
  EXPECT_EQ(std::get<Alloc>(events_[0]).stack, StackId::kUnknown);
  EXPECT_EQ(stacks_.unresolved(), 1u) << "a stack that was sent and never arrived; one that was not sent is "
                                         "counted where it was not";
}

TEST_F(DecoderTest, TheKindOfAMappingFollowsFromItsFlags) {
  dwell_map_record record{};
  record.h.type = DWELL_MAP;
  record.protection = PROT_READ | PROT_WRITE;
  record.flags = MAP_PRIVATE | MAP_ANONYMOUS;
  decode(record);
  record.protection = PROT_NONE;
  decode(record);
  record.flags = MAP_PRIVATE;
  decode(record);
  EXPECT_EQ(std::get<Map>(events_[0]).kind, MemoryKind::kMapping);
  EXPECT_EQ(std::get<Map>(events_[1]).kind, MemoryKind::kReserved);
  EXPECT_EQ(std::get<Map>(events_[2]).kind, MemoryKind::kFile);
}

TEST_F(DecoderTest, AnExecIsToldAsNewsOfItsProcess) {
  dwell_process_record record{};
  record.h.type = DWELL_EXEC;
  decode(record);
  EXPECT_EQ(news_.at(0).kind, ProcessNews::Kind::kExecuted);
}

TEST_F(DecoderTest, ASlotStandsForWhoeverHasItNow) {
  owner_ = 700;
  decode(alloc(0));
  EXPECT_EQ(std::get<Alloc>(events_.at(0)).process, 700);
}

TEST_F(DecoderTest, WhatComesOfAChildThatWasNotFollowedIsNobodys) {
  owner_ = kNoProcess;
  decode(alloc(0));
  EXPECT_TRUE(events_.empty());
  EXPECT_EQ(decoder_.undecodable(), 0u);
  // But what it started is counted, and its end gives the slot back.
  for (auto type : {DWELL_FORK, DWELL_EXIT}) {
    dwell_process_record record{};
    record.h.type = static_cast<__u8>(type);
    record.h.process = 9;
    decode(record);
    EXPECT_EQ(news_.back().process, kNoProcess);
    EXPECT_EQ(news_.back().target, 9);
  }
}

TEST_F(DecoderTest, ChildrenAreToldByHowTheyCame) {
  using Kind = ProcessNews::Kind;
  for (auto [type, kind] : {std::pair{DWELL_FORK, Kind::kForked}, {DWELL_FORK_BELOW, Kind::kForkedBelow},
                            {DWELL_SPAWN, Kind::kSpawned}}) {
    dwell_process_record record{};
    record.h.type = static_cast<__u8>(type);
    record.other_id = 4242;
    decode(record);
    EXPECT_EQ(news_.back().kind, kind);
    EXPECT_EQ(news_.back().other_id, 4242u);
  }
}

TEST_F(DecoderTest, WhatIsTooShortOrUnknownIsCountedAndSkipped) {
  dwell_alloc_record whole = alloc(0);
  decode(&whole, sizeof whole - 8);
  decode(&whole, 4);
  dwell_header unknown{200, 0, 0, 0};
  decode(unknown);
  send_stack({});  // no frames is short, and right
  dwell_stack_record lying{};
  lying.h.type = DWELL_STACK;
  lying.count = 100;
  decode(lying);
  dwell_stack_record endless{};
  endless.h.type = DWELL_STACK;
  endless.end = 1080033279;
  decode(endless);
  EXPECT_TRUE(events_.empty());
  EXPECT_EQ(decoder_.undecodable(), 5u);
}

// Each event counts for the plugin that lay there when it happened, though all have the same identity.
TEST_F(DecoderTest, TheSameAddressesMeanOtherCodeAtAnotherTime) {
  std::uint32_t alpha = writer_.add_module({"/lib/alpha.so", "", 0, ModuleKind::kFile});
  std::uint32_t beta = writer_.add_module({"/lib/beta.so", "", 0, ModuleKind::kFile});
  space_.map({0x9000, 0xa000, 0x0, alpha}, 100);
  send_stack({0x9010, 0x4020}, 0, 110);
  auto module_at = [&](std::uint64_t time_ns) {
    dwell_alloc_record record = alloc(kIdentity);
    record.time_ns = time_ns;
    decode(record);
    StackId stack = std::get<Alloc>(events_.back()).stack;
    return writer_.locations()[writer_.locations_of(stack)[1]].module;
  };
  EXPECT_EQ(module_at(120), static_cast<std::int32_t>(alpha));
  space_.map({0x9000, 0xa000, 0x0, beta}, 200);
  EXPECT_EQ(module_at(210), static_cast<std::int32_t>(beta));
  EXPECT_EQ(module_at(150), static_cast<std::int32_t>(alpha)) << "an event that was read late";
  space_.map({0x9000, 0xa000, 0x0, alpha}, 300);
  EXPECT_EQ(module_at(310), static_cast<std::int32_t>(alpha)) << "it came back";
}

// A walk that ended for want of a table comes with the rest of its stack, and is completed.
TEST_F(DecoderTest, AWalkIsGoneOnWithOverTheRestOfItsStack) {
  dwell_stack_rest rest{};
  rest.h.type = DWELL_STACK_REST;
  rest.stack = kIdentity;
  rest.pc = 0x9010;
  rest.sp = 0x7000;
  rest.size = 16;
  std::vector<std::byte> bytes(sizeof rest + rest.size);
  std::memcpy(bytes.data(), &rest, sizeof rest);
  decode(bytes.data(), bytes.size());
  send_stack({0x4010, 0x9010}, 0, 110, DWELL_STACK_NO_MAPPING);
  decode(alloc(kIdentity));
  std::span<const std::uint32_t> found = writer_.locations_of(std::get<Alloc>(events_.back()).stack);
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(writer_.locations()[found[3]], (Location{0, 0x40, true}));
  rest.size = 17;
  std::memcpy(bytes.data(), &rest, sizeof rest);
  decode(bytes.data(), bytes.size());
  EXPECT_EQ(decoder_.undecodable(), 1u) << "it says that it is longer than it is";
}

}  // namespace
}  // namespace dwell
