// SPDX-License-Identifier: Apache-2.0
#include "userspace/kernel/bpf_log.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

// As libbpf 1.1 tells of a program that Linux 6.1 refuses.
constexpr const char* kRefused[] = {
    "libbpf: prog 'on_waking': BPF program load failed: Permission denied\n",
    "libbpf: prog 'on_waking': -- BEGIN PROG LOAD LOG --\n"
    "258: (bc) w1 = w3                     ; R1_w=scalar(umax=4294967295) R3=scalar(umax=4294967295)\n"
    "263: (85) call bpf_ringbuf_output#130\n"
    "R3 unbounded memory access, use 'var &= const' or 'if (var < const)'\n"
    "processed 212 insns (limit 1000000) max_states_per_insn 0 total_states 10 peak_states 10 mark_read 4\n"
    "-- END PROG LOAD LOG --\n",
    "libbpf: prog 'on_waking': failed to load: -13\n",
    "libbpf: failed to load object 'blocked'\n",
    "libbpf: failed to load BPF skeleton 'blocked': -13\n",
};

TEST(BpfLog, NamesTheProgramAndTheLineThatSaysWhy) {
  BpfComplaint said;
  for (const char* message : kRefused) add_to_complaint(said, message);
  EXPECT_EQ(said.program, "on_waking");
  EXPECT_EQ(said.verifier, "R3 unbounded memory access, use 'var &= const' or 'if (var < const)'");
  EXPECT_EQ(said.first, "prog 'on_waking': BPF program load failed: Permission denied");
  EXPECT_EQ(said.field, "");
}

TEST(BpfLog, TheVerdictIsNoneOfTheStatisticsBehindIt) {
  EXPECT_EQ(verdict_of("12: (85) call 0x1#4\ncombined stack size of 3 calls is 608. Too large\n"
                       "verification time 5 usec\nstack depth 240+112\nprocessed 9 insns\n"),
            "combined stack size of 3 calls is 608. Too large");
  EXPECT_EQ(verdict_of("BPF program is too large. Processed 1000001 insn\nprocessed 1000001 insns (limit 1000000)\n"),
            "BPF program is too large. Processed 1000001 insn");
  EXPECT_EQ(verdict_of(""), "");
}

TEST(BpfLog, AVerifiersLogOfAnyLengthIsReadToItsEnd) {
  std::string log = "libbpf: prog 'look': -- BEGIN PROG LOAD LOG --\n";
  for (int i = 0; i < 100'000; ++i) log += "1: (b7) r0 = 0 ; R0_w=0\n";
  log += "R2 invalid mem access 'scalar'\nprocessed 3 insns\n-- END PROG LOAD LOG --\n";
  BpfComplaint said;
  add_to_complaint(said, log);
  EXPECT_EQ(said.verifier, "R2 invalid mem access 'scalar'");
}

TEST(BpfLog, NamesTheFieldThatTheKernelDoesNotHave) {
  BpfComplaint said;
  add_to_complaint(said,
                   "libbpf: prog 'look': -- BEGIN PROG LOAD LOG --\n90: <invalid CO-RE relocation>\n"
                   "failed to resolve CO-RE relocation <byte_off> [47] struct task_struct.robust_list (0:8 @ offset 120)\n"
                   "processed 91 insns\n-- END PROG LOAD LOG --\n");
  EXPECT_EQ(said.field, "struct task_struct.robust_list");
}

}  // namespace
}  // namespace dwell
