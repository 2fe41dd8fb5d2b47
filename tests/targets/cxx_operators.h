// SPDX-License-Identifier: Apache-2.0
// What the functions of cxx_operators.cpp keep: KEEPS(function, blocks, bytes as asked for).
#pragma once

constexpr int kCxxAlignment = 64;

#define CXX_OPERATORS(KEEPS)                            \
  KEEPS(keep_new, 3, 3 * 100)                           \
  KEEPS(keep_new_array, 3, 3 * 110)                     \
  KEEPS(keep_new_nothrow, 3, 3 * 120)                   \
  KEEPS(keep_new_array_nothrow, 3, 3 * 130)             \
  KEEPS(keep_new_aligned, 3, 3 * 140)                   \
  KEEPS(keep_new_array_aligned, 3, 3 * 150)             \
  KEEPS(keep_new_aligned_nothrow, 3, 3 * 160)           \
  KEEPS(keep_new_array_aligned_nothrow, 3, 3 * 170)     \
  KEEPS(deleted_by_every_form, 0, 0)                    \
  KEEPS(new_throws, 0, 0)                               \
  KEEPS(large_new_may_throw, 0, 0)                      \
  KEEPS(new_aligned_throws, 0, 0)                       \
  KEEPS(new_nothrow_fails, 0, 0)                        \
  KEEPS(keep_deep_after_the_throw, 2, 90 + 91)          \
  KEEPS(keep_shallow_after_the_throw, 2, 92 + 93)       \
  KEEPS(constructor_throws, 0, 0)                       \
  KEEPS(keep_string, 1, 1001)                           \
  KEEPS(keep_vector, 1, 4000)
