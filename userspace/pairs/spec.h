// SPDX-License-Identifier: Apache-2.0
// PairSpec: what --pair says: which functions take a resource, which give it back, and which value stands for it. Pure.
//
//   conn=pool_get:pool_put                 what pool_get returns is taken; the first argument of pool_put is
//   given back obj=obj_new,obj_ref(arg1):obj_unref    several functions; an argument of one
//   buf=buf_alloc(*arg2):buf_free:arg1     stored where argument 2 points; argument 1 of the taking function
//   is the size m=my_lock(arg1,return=0):my_unlock     argument 1 is taken when the function has returned 0
//   slot=libpool.so:take(return>=0):drop   of one file; an int, where 0 is a resource and a negative one a
//   failure
//   conn=main.(*Pool).Get(return2):main.(*Pool).Put(arg2)    of Go: the second word that is returned
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"

namespace dwell::pairs {

// Where the value is that stands for the resource.
enum class ValueFrom : std::uint8_t {
  kResult,    // what the function returns; 0 and -1 are failures. Of Go, `argument`: which word of it
  kNumber,    // the same as an int; negative ones are failures
  kArgument,
  kStored,    // where an argument points to, when the function has returned 0
  kGranted,   // an argument, when the function has returned 0: a lock
  kRegained,  // an argument, when the function has returned, whatever that is: the mutex of a condition
              // variable
};

struct PairFunction {
  std::string file;  // of the module; "": any
  std::string name;  // as it was given: a C name, or a C++ or Rust name with or without arguments, with * and ?
  ValueFrom from = ValueFrom::kResult;
  int argument = 0;  // from 1; of kArgument and kStored; of kResult from 2, 0: the first word
  bool operator==(const PairFunction&) const = default;
};

struct PairSpec {
  std::string name;
  std::vector<PairFunction> takes, gives;
  int size_argument = 0;  // of the functions that take; 0: they are counted
  bool numbers = false;   // the values are ints
  bool operator==(const PairSpec&) const = default;
};

// Exit::kUsage, with what is wrong and an example.
Result<PairSpec> parse_pair(const std::string& text);

// Why a function can't be followed in this form, because it is one of Go, or because it is none. "": it can.
std::string refusal_of(const PairSpec& spec, const PairFunction& function, bool gives, bool is_go);

// Whether a module's path is meant: "libpool.so" is /usr/lib/libpool.so.1, "./server" and "bin/server" are /srv/bin/server.
bool is_meant(std::string_view file, std::string_view path);

}  // namespace dwell::pairs
