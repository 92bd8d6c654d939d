// SPDX-License-Identifier: Apache-2.0
// A condition after parsing: macros and lists are expanded, names are fields, types are checked.
#ifndef KENTRY_RULES_MODEL_EXPR_H_
#define KENTRY_RULES_MODEL_EXPR_H_

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/numeric/int128.h"
#include "rules/model/source.h"
#include "sensor/event/field_table.h"

namespace kentry {

// An address block; addresses stand in network byte order, IPv4 in the first four bytes.
struct IpPrefix {
  std::array<uint8_t, 16> address{};
  uint8_t bits = 0;
  bool v4 = true;
  friend bool operator==(const IpPrefix&, const IpPrefix&) = default;
};

// A constant. Numbers: integers, durations in nanoseconds, sizes in bytes, capability masks, errno
// and signal names, all wide enough for int64 and uint64.
using Literal = std::variant<bool, absl::int128, std::string, IpPrefix>;

enum class ValueType : uint8_t { kBool, kNumber, kString, kStringList, kIp };

enum class ExprOp : uint8_t {
  // Values.
  kLiteral,  // values[0]
  kField,    // `field` of the event; with `ancestor`: of the ancestor that kAnyAncestor is at
  kElement,  // the string that kAnyElement is at
  kIndex,    // args[0] (a string list) [index]; absent when the list is shorter
  kSize,     // number of strings of args[0] (a string list) or bytes (a string)
  // Conditions. kAnd and kOr have two args or more, kNot one.
  kAnd,
  kOr,
  kNot,
  // args[0] against `values`; when `values` is empty, against args[1] (two fields).
  kEqual,  // kNotEqual doesn't exist: kNot over kEqual
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,          // args[0] equals one of `values`
  kHasElement,  // args[0] (a string list) has an element that is one of `values`
  // args[0] (a string) against any of `values`.
  kStartsWith,
  kEndsWith,
  kContains,
  kMatches,      // RE2, unanchored
  kHas,          // args[0] (a field) is there: neither absent, nor empty, nor 0
  kHasAll,       // args[0] (a number) has all bits of values[0]
  kHasAny,       // args[0] (a number) has any bit of values[0]
  kInPrefix,     // args[0] (an address) lies in one of `values`
  kMarked,       // the process carries one of the marks `values` (names)
  kAnyElement,   // args[0] (a string list) has an element for which args[1] holds (kElement)
  kAnyAncestor,  // an ancestor, nearest first, for which args[0] holds (fields with `ancestor`)
  kTrue,         // a condition that is a bare bool field is kField; constants are these two
  kFalse,
};

struct Expr {
  ExprOp op = ExprOp::kTrue;
  ValueType type = ValueType::kBool;
  bool ancestor = false;  // kField inside kAnyAncestor: the ancestor's, not the event's
  FieldId field = FieldId::kInvalid;
  uint32_t index = 0;  // kIndex
  SourcePos at;        // where it stands; inside a macro: in the macro's own text
  std::vector<Literal> values;
  std::vector<Expr> args;
};

}  // namespace kentry

#endif  // KENTRY_RULES_MODEL_EXPR_H_
