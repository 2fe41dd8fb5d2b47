// SPDX-License-Identifier: Apache-2.0
// What --pair says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "userspace/pairs/spec.h"

namespace dwell::pairs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

PairSpec parsed(const std::string& text) {
  Result<PairSpec> spec = parse_pair(text);
  EXPECT_TRUE(spec) << text << ": " << spec.error().what;
  return spec ? *spec : PairSpec();
}

std::string refused(const std::string& text) {
  Result<PairSpec> spec = parse_pair(text);
  EXPECT_FALSE(spec) << text;
  if (spec) return "";
  EXPECT_EQ(spec.error().exit, Exit::kUsage);
  EXPECT_THAT(spec.error().hint, HasSubstr("docs/pairs.md"));
  return spec.error().what;
}

const PairFunction kGet{"", "get", ValueFrom::kResult, 0}, kPut{"", "put", ValueFrom::kArgument, 1};

TEST(PairSpec, ByDefaultIsTheResultAndTheFirstArgument) {
  PairSpec spec = parsed("conn=get:put");
  EXPECT_EQ(spec.name, "conn");
  EXPECT_THAT(spec.takes, ElementsAre(kGet));
  EXPECT_THAT(spec.gives, ElementsAre(kPut));
  EXPECT_EQ(spec.size_argument, 0);
}

TEST(PairSpec, SaysWhichValueAndWhichSize) {
  EXPECT_THAT(parsed("x=ref(arg2):put(arg3):arg4").takes, ElementsAre(PairFunction{"", "ref", ValueFrom::kArgument, 2}));
  EXPECT_THAT(parsed("x=ref(arg2):put(arg3):arg4").gives, ElementsAre(PairFunction{"", "put", ValueFrom::kArgument, 3}));
  EXPECT_EQ(parsed("x=ref(arg2):put(arg3):arg4").size_argument, 4);
  EXPECT_EQ(parsed("x=get:put:2").size_argument, 2);
  EXPECT_THAT(parsed("x=open(*arg2):close").takes, ElementsAre(PairFunction{"", "open", ValueFrom::kStored, 2}));
  EXPECT_THAT(parsed("x=get(return):put").takes, ElementsAre(kGet));
  EXPECT_TRUE(parsed("x=get(return>=0):put").numbers);
  EXPECT_FALSE(parsed("x=get:put").numbers);
}

TEST(PairSpec, KnowsThatLocksAreHeldFromTheReturnOn) {
  PairSpec spec = parsed(
      "m=pthread_mutex_lock,pthread_cond_wait,my_lock(arg2,return=0),mine(arg1, "
      "return):pthread_mutex_unlock,pthread_cond_wait,my_unlock");
  EXPECT_THAT(spec.takes, ElementsAre(PairFunction{"", "pthread_mutex_lock", ValueFrom::kGranted, 1},
                                      PairFunction{"", "pthread_cond_wait", ValueFrom::kRegained, 2},
                                      PairFunction{"", "my_lock", ValueFrom::kGranted, 2},
                                      PairFunction{"", "mine", ValueFrom::kRegained, 1}));
  EXPECT_THAT(spec.gives, ElementsAre(PairFunction{"", "pthread_mutex_unlock", ValueFrom::kArgument, 1},
                                      PairFunction{"", "pthread_cond_wait", ValueFrom::kArgument, 2},
                                      PairFunction{"", "my_unlock", ValueFrom::kArgument, 1}));
  EXPECT_THAT(refused("m=lock:unlock(arg1,return=0)"), HasSubstr("which argument it is"));
}

TEST(PairSpec, HasSeveralFunctionsAndFiles) {
  PairSpec spec = parsed("obj=libobj.so:new,libobj.so.2:ref(arg1),other:./server:unref,/usr/lib/x/libz.so.1.2:drop");
  EXPECT_THAT(spec.takes, ElementsAre(PairFunction{"libobj.so", "new"}, PairFunction{"libobj.so.2", "ref", ValueFrom::kArgument, 1}, PairFunction{"", "other"}));
  EXPECT_THAT(spec.gives, ElementsAre(PairFunction{"./server", "unref", ValueFrom::kArgument, 1}, PairFunction{"/usr/lib/x/libz.so.1.2", "drop", ValueFrom::kArgument, 1}));
}

TEST(PairSpec, KnowsNamesOfCxx) {
  PairSpec spec = parsed("c=a::Pool<int, std::map<long, b::C> >::get(int, char const*)(arg2),::global:a::Pool::put(b::C<x, y>*)");
  EXPECT_EQ(spec.takes[0].name, "a::Pool<int, std::map<long, b::C> >::get(int, char const*)");
  EXPECT_EQ(spec.takes[0].argument, 2);
  EXPECT_EQ(spec.takes[1].name, "::global");
  EXPECT_EQ(spec.gives[0].name, "a::Pool::put(b::C<x, y>*)");
  EXPECT_THAT(parsed("c=S::operator->:S::operator<").gives[0].name, "S::operator<");
  EXPECT_EQ(parsed("c=run():stop()").takes[0].name, "run()");
}

TEST(PairSpec, KnowsNamesOfGo) {
  PairSpec spec = parsed("c=main.(*Pool).Get,example.com/x/pool.(*Pool).Take(arg2),db/sql.Open(return2):main.(*Pool).Put(arg2),bin/server:put,gopkg.in/y*Drop");
  EXPECT_THAT(spec.takes, ElementsAre(PairFunction{"", "main.(*Pool).Get"}, PairFunction{"", "example.com/x/pool.(*Pool).Take", ValueFrom::kArgument, 2},
                                      PairFunction{"", "db/sql.Open", ValueFrom::kResult, 2}));
  EXPECT_THAT(spec.gives, ElementsAre(PairFunction{"", "main.(*Pool).Put", ValueFrom::kArgument, 2}, PairFunction{"bin/server", "put", ValueFrom::kArgument, 1},
                                      PairFunction{"", "gopkg.in/y*Drop", ValueFrom::kArgument, 1}));
  EXPECT_EQ(parsed("c=./bin/server.v2:main.(*Pool).Get:main.Put").takes[0].file, "./bin/server.v2");
  EXPECT_EQ(parsed("c=main.Get(return1):main.Put").takes[0], (PairFunction{"", "main.Get"}));
}

TEST(PairSpec, OfGoNeedsNothingOfACallsBeginningAndItsEnd) {
  auto why_not = [](const std::string& text, bool gives, bool is_go) {
    PairSpec spec = parsed(text);
    return refusal_of(spec, gives ? spec.gives[0] : spec.takes[0], gives, is_go);
  };
  for (const char* fine : {"c=get:put", "c=get(return>=0):put", "c=get(return2):put(arg3)", "c=get(arg2):put", "c=get(arg2):put:arg3"}) {
    EXPECT_EQ(why_not(fine, false, true), "") << fine;
    EXPECT_EQ(why_not(fine, true, true), "") << fine;
  }
  for (const char* text : {"c=get(*arg1):put", "c=get(arg1,return=0):put", "c=get(arg1,return):put", "c=get:put:arg1"}) {
    EXPECT_THAT(why_not(text, false, true), HasSubstr("another thread")) << text;
    EXPECT_EQ(why_not(text, false, false), "") << text;
    EXPECT_EQ(why_not(text, true, true), "") << text;
  }
  EXPECT_THAT(why_not("c=get(return2):put", false, false), HasSubstr("(return2) is for functions of Go"));
}

TEST(PairSpec, ThatMakesNoSenseIsRefused) {
  EXPECT_THAT(refused("get:put"), HasSubstr("a name of your own"));
  EXPECT_THAT(refused("a b=get:put"), HasSubstr("a name of your own"));
  EXPECT_THAT(refused("x=get"), HasSubstr("gives back is missing"));
  EXPECT_THAT(refused("x=get:lib.so:"), HasSubstr("a function is missing"));
  EXPECT_THAT(refused("x=get:,put"), HasSubstr("a function is missing"));
  EXPECT_THAT(refused("x=get:put:arg7"), HasSubstr("no argument for the size"));
  EXPECT_THAT(refused("x=get:put:arg1:arg2"), HasSubstr("no argument for the size"));
  EXPECT_THAT(refused("x=get(arg9):put"), HasSubstr("(arg1) to (arg6)"));
  EXPECT_THAT(refused("x=get:put(return)"), HasSubstr("which argument"));
  EXPECT_THAT(refused("x=get:put(*arg1)"), HasSubstr("which argument"));
  EXPECT_THAT(refused("x=get,take(return>=0):put"), HasSubstr("ints"));
}

TEST(PairSpec, NamesFilesAsTheUserWould) {
  EXPECT_TRUE(is_meant("", "/usr/lib/liba.so"));
  EXPECT_TRUE(is_meant("liba.so", "/usr/lib/liba.so.1.2"));
  EXPECT_FALSE(is_meant("liba.so", "/usr/lib/libab.so.1"));
  EXPECT_FALSE(is_meant("liba.so", "/usr/lib/myliba.so"));
  EXPECT_TRUE(is_meant("./server", "/srv/bin/server"));
  EXPECT_TRUE(is_meant("bin/server", "/srv/bin/server"));
  EXPECT_FALSE(is_meant("bin/server", "/srv/sbin/server"));
  EXPECT_FALSE(is_meant("/bin/server", "/srv/bin/server"));
  EXPECT_FALSE(is_meant("bin/server", "server"));
}

}  // namespace
}  // namespace dwell::pairs
