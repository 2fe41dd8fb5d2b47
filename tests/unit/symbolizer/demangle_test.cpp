// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/demangle.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

std::string full(std::string_view name) { return demangle(name, DemangleWidth::kFull); }
std::string brief(std::string_view name) { return demangle(name, DemangleWidth::kShort); }

TEST(Demangle, Cpp) {
  constexpr const char* kPush = "_ZNSt6vectorIiSaIiEE9push_backERKi";
  EXPECT_EQ(full(kPush), "std::vector<int, std::allocator<int> >::push_back(int const&)");
  EXPECT_EQ(brief(kPush), "std::vector::push_back");
  EXPECT_EQ(demangle(kPush, DemangleWidth::kNone), kPush);
}

TEST(Demangle, ShortDropsWhatAFunctionReturns) {
  EXPECT_EQ(full("_Z3maxIiET_S0_S0_"), "int max<int>(int, int)");
  EXPECT_EQ(brief("_Z3maxIiET_S0_S0_"), "max");
}

TEST(Demangle, ShortKeepsOperators) {
  EXPECT_EQ(brief("_ZN1AltERKS_"), "A::operator<");
  EXPECT_EQ(brief("_ZlsRSoRK1A"), "operator<<");
  EXPECT_EQ(brief("_ZN1APTEv"), "_ZN1APTEv");  // no such operator: stays as it is
  EXPECT_EQ(brief("_ZN1AptEv"), "A::operator->");
  EXPECT_EQ(brief("_ZN1AclIiEEvT_"), "A::operator()");
  EXPECT_EQ(brief("_ZlsIcERSoS0_T_"), "operator<<");
}

TEST(Demangle, ShortKeepsAnonymousNamespacesAndLambdas) {
  EXPECT_EQ(brief("_ZN12_GLOBAL__N_13fooEi"), "(anonymous namespace)::foo");
  EXPECT_EQ(brief("_ZZ4mainENKUliE_clEi"), "main::{lambda(int)#1}::operator()");
}

TEST(Demangle, RustLegacyLosesItsHash) {
  EXPECT_EQ(full("_ZN4core3ptr13drop_in_place17h0123456789abcdefE"), "core::ptr::drop_in_place");
  EXPECT_EQ(full("_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar17h930b740aa94f1d3aE"),
            "<Test + 'static as foo::Bar<Test>>::bar");
  EXPECT_EQ(brief("_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar17h930b740aa94f1d3aE"),
            "<Test + 'static as foo::Bar>::bar");
}

TEST(Demangle, RustV0) {
  EXPECT_EQ(full("_RNvCs15kBYyAo9fc_7mycrate7example"), "mycrate::example");
  EXPECT_EQ(full("_RINvNtC3std3mem8align_ofdE"), "std::mem::align_of::<f64>");
  EXPECT_EQ(brief("_RINvNtC3std3mem8align_ofdE"), "std::mem::align_of");
}

TEST(Demangle, CAndGoNamesStayAsTheyAre) {
  EXPECT_EQ(full("malloc"), "malloc");
  EXPECT_EQ(full(""), "");
  EXPECT_EQ(demangle("main.(*Pool).cold", DemangleWidth::kShort, false), "main.(*Pool).cold");
  EXPECT_EQ(full("_Z"), "_Z");
  EXPECT_EQ(full("_RNv"), "_RNv");
}

TEST(Demangle, TellsWhatTheCompilerSplitOffOrCloned) {
  EXPECT_EQ(full("parse.cold"), "parse [clone .cold]");
  EXPECT_EQ(full("parse.part.0.cold"), "parse [clone .part.0.cold]");
  EXPECT_EQ(full("_Z5parsePKc.constprop.0"), "parse(char const*) [clone .constprop.0]");
  EXPECT_EQ(brief("_Z5parsePKc.isra.0"), "parse [clone .isra.0]");
  EXPECT_EQ(full("parse.colder"), "parse.colder");
  EXPECT_EQ(full(".cold"), ".cold");
}

// Each substitution doubles the text: a kilobyte of name would be more text than there is memory.
TEST(Demangle, ANameThatGrowsWithoutEndStaysMangled) {
  std::string name = "_Z1fSt4pairIiiE";
  for (int i = 0; i < 200; ++i) {
    std::string code = i == 0 ? "" : std::string(1, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(i - 1) % 36]);
    name += "St4pairIS" + code + "_S" + code + "_E";
  }
  EXPECT_LE(full(name).size(), std::size_t{64} << 10);
}

TEST(Demangle, DeepNamesComeBack) {
  for (std::size_t depth : {900u, 5000u, 30000u, 100000u}) {
    std::string pointers = "_Z1f" + std::string(depth, 'P') + "i";
    EXPECT_FALSE(full(pointers).empty());
    std::string nested = "_Z1f";
    for (std::size_t i = 0; i < depth; ++i) nested += "1aI";
    EXPECT_FALSE(full(nested).empty());
    std::string expressions = "_Z1fIX" + std::string(depth, 'n') + "E";
    EXPECT_FALSE(full(expressions).empty());
    EXPECT_FALSE(full("_RNv" + std::string(depth, 'T') + "C1a1b").empty());
  }
}

// libiberty refuses names above a kilobyte unless it is told not to; templates reach that every day.
TEST(Demangle, LongTemplateNamesAreNotLeftMangled) {
  std::string name = "_Z1f";
  std::string expected = "f(";
  for (int i = 0; i < 300; ++i) {
    name += "PK1a";
    expected += i ? ", a const*" : "a const*";
    if (i == 0) continue;
  }
  std::string shown = full(name);
  EXPECT_GT(name.size(), 1024u);
  EXPECT_EQ(shown.substr(0, 20), (expected + ")").substr(0, 20));
}

TEST(WithoutTemplateArguments, StandsUnbalancedNames) {
  EXPECT_EQ(without_template_arguments("a<b"), "a<b");
  EXPECT_EQ(without_template_arguments("a>b"), "a>b");
  EXPECT_EQ(without_template_arguments("a<b<c>>::d"), "a::d");
  EXPECT_EQ(without_template_arguments("f<(A)1, g(x)>"), "f");
}

}  // namespace
}  // namespace dwell
