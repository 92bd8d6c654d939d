// SPDX-License-Identifier: Apache-2.0
// Random rule sets and records for the differential test, and simpler ones of a case that fails.
#ifndef KENTRY_TESTS_VM_DIFFERENTIAL_CASE_H_
#define KENTRY_TESTS_VM_DIFFERENTIAL_CASE_H_

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/abi/rules.h"
#include "sensor/event/event.h"

namespace kentry::vm {

inline constexpr size_t kTryNameMax = 255;  // bytes of one part of a path

// A condition before it is text: so that it can be taken apart.
struct TryCondition {
  enum class Kind : uint8_t { kLeaf, kAnd, kOr, kNot };
  Kind kind = Kind::kLeaf;
  // kLeaf: `before`, the strings as constants (in brackets when `list`), `after`.
  std::string before;
  std::vector<std::string> strings;
  bool list = false;
  std::string after;
  std::vector<TryCondition> parts;

  std::string Text() const;
};

struct TryRule {
  EventClass on = EventClass::kFileOpen;
  TryCondition when;
  std::string mark;        // "" = it sets none
  bool mark_ends = false;  // it has a lifetime
};

// A mark and what the kernel may have of it: more or less than the truth, as its use allows.
struct TryMark {
  std::string name;
  bool carried = false;
  bool may = false;   // never less than carried
  bool sure = false;  // never more
  friend bool operator==(const TryMark&, const TryMark&) = default;
};

struct TryContainer {
  std::string id;  // "" = a cgroup of the host
  std::string runtime;
  std::string pod_uid;
  bool told = true;  // to the kernel
};

// What the kernel reads of an event, and what user space knows of it.
struct TryRecord {
  EventClass cls = EventClass::kFileOpen;
  std::string binary;
  std::string parent;  // "" = it has none
  std::string path;    // of the file
  std::string script;
  std::string args;  // a string list
  std::array<uint32_t, KE_NUM_SIGNAL> numbers{};
  std::array<uint64_t, 5> caps{};  // by ke_word
  std::vector<TryMark> marks;
  uint32_t flags = 0;  // KE_F_*
  uint32_t access = 0;
  size_t container = 0;  // in TryCase::containers
  bool stale = false;    // the kernel's ids of the process are of another epoch
  bool cut = false;      // the file's path could not be read whole
  // Other names that the file has: a path, and a directory, with a slash behind it, that the file's
  // own is known as, or the one above that. "" = none. Only what rules name is known.
  std::string alias;
  std::string alias_dir;
  bool alias_above = false;

  // What it is for the evaluator, the file's `aliases` being those (a string list); valid until the
  // builder is used again.
  EventView Event(const TryContainer& where, std::string_view aliases, EventBuilder* builder) const;
  std::string Describe(const TryContainer& where) const;
};

struct TryCase {
  std::vector<TryRule> rules;
  std::vector<TryContainer> containers;
  std::vector<TryRecord> records;

  std::string Yaml() const;
};

// One of the random cases: `rules` at most.
TryCase MakeCase(uint64_t seed, size_t rules, size_t records);

// Whether the kernel could have such a path.
bool IsPath(std::string_view text);

// The smallest case found for which `fails` stays true; it is asked `tries` times at most.
TryCase Shrink(TryCase given, const std::function<bool(const TryCase&)>& fails, int tries);

}  // namespace kentry::vm

#endif  // KENTRY_TESTS_VM_DIFFERENTIAL_CASE_H_
