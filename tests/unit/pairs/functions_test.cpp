// SPDX-License-Identifier: Apache-2.0
// Functions by their names as a user writes them.
#include <gtest/gtest.h>

#include "userspace/pairs/functions.h"

namespace dwell::pairs {
namespace {

constexpr const char* kGet = "_ZN7service4PoolINS_10ConnectionEE3getEi";  // service::Pool<service::Connection>::get(int)
constexpr const char* kByName = "_ZN7service4PoolINS_10ConnectionEE3getERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE";

TEST(PairNames, OfCAreWhole) {
  EXPECT_TRUE(name_matches("pool_get", "pool_get"));
  EXPECT_FALSE(name_matches("pool_get", "pool_get_all"));
  EXPECT_FALSE(name_matches("pool_get", "pool_get.part.0"));
  EXPECT_TRUE(name_matches("pool_*", "pool_get"));
  EXPECT_TRUE(name_matches("pool_ge?", "pool_get"));
}

TEST(PairNames, OfCxxDoWithoutArgumentsAndTemplates) {
  for (const char* name : {"service::Pool::get", "service::Pool<service::Connection>::get(int)", "service::Pool< service::Connection >::get( int )",
                           "service::Pool<*>::get(int)", "*::get"})
    EXPECT_TRUE(name_matches(name, kGet)) << name;
  EXPECT_TRUE(name_matches("service::Pool::get", kByName));
  EXPECT_FALSE(name_matches("service::Pool<service::Connection>::get(int)", kByName));
  for (const char* name : {"Pool::get", "get", "service::Pool::ge", "service::Pool::get(long)", "service::Pool::put"}) EXPECT_FALSE(name_matches(name, kGet)) << name;
}

TEST(PairNames, PartsOfAFunctionAreNotTheFunction) {
  EXPECT_FALSE(name_matches("service::Pool::get", std::string(kGet) + ".cold"));
  EXPECT_FALSE(name_matches("service::Pool::get", std::string(kGet) + ".constprop.0"));
}

TEST(PairNames, OfOperatorsAndRust) {
  EXPECT_TRUE(name_matches("S::operator[]", "_ZN1SixEi"));
  EXPECT_TRUE(name_matches("S::operator()", "_ZN1SclEi"));
  EXPECT_TRUE(name_matches("pool::Pool::get", "_ZN4pool4Pool3get17h0123456789abcdefE"));
}

TEST(PairNames, OfGoHaveAStarThatIsNoPattern) {
  EXPECT_TRUE(go_name_matches("main.(*Pool).Get", "main.(*Pool).Get"));
  EXPECT_FALSE(go_name_matches("main.(*Pool).Get", "main.(*SparePool).Get"));
  EXPECT_TRUE(go_name_matches("main.(**Pool).Get", "main.(*SparePool).Get"));
  EXPECT_TRUE(go_name_matches("main.*.Get", "main.(*Pool).Get"));
  EXPECT_TRUE(go_name_matches("main.(*Pool).Ge?", "main.(*Pool).Get"));
  EXPECT_FALSE(go_name_matches("main.(*Pool).Ge?", "main.(*XPool).Get"));
  EXPECT_TRUE(go_name_matches("main.Take[...]", "main.Take[...]"));
  EXPECT_TRUE(go_name_matches("main.Take*", "main.Take[go.shape.struct { X int }]"));
  EXPECT_TRUE(go_name_matches("main.Take[go.shape.struct{X int}]", "main.Take[go.shape.struct { X int }]"));
  EXPECT_FALSE(go_name_matches("main.Get", "main.Get.func1"));
}

}  // namespace
}  // namespace dwell::pairs
