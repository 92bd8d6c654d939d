// SPDX-License-Identifier: Apache-2.0
// The generator: few strings, taken apart and put together again, so that rules and records meet.
#include <algorithm>
#include <random>

#include "fmt/format.h"
#include "tests/vm/differential_case.h"
#include "tests/vm/differential_fields.h"

namespace kentry::vm {
namespace {

using Kind = TryCondition::Kind;

constexpr uint64_t kMarks = 4;

// A path as the kernel could have it: no empty parts, none too long.
std::string Normal(std::string_view text, std::string_view otherwise) {
  std::string path;
  while (!text.empty()) {
    const size_t end = std::min(text.find('/'), text.size());
    const std::string_view part = text.substr(0, std::min(end, kTryNameMax));
    if (!part.empty() && path.size() + 1 + part.size() <= KE_PATH_MAX) {
      path += '/';
      path += part;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return path.empty() ? std::string(otherwise) : path;
}

class Maker {
 public:
  explicit Maker(uint64_t seed) : random_(seed) {}

  TryCase Make(size_t rules, size_t records);

 private:
  uint64_t Below(uint64_t n) { return random_() % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  template <typename T>
  const T& Pick(const std::vector<T>& from) {
    return from[Below(from.size())];
  }

  void MakePools();
  std::string Name();
  std::string Path();
  std::string Mutated(std::string text);
  std::vector<std::string> Constants(int which);
  std::string Pattern();
  TryCondition Leaf(std::string before, std::string after = "") {
    return {.before = std::move(before), .after = std::move(after)};
  }
  TryCondition PathLeaf(std::string_view field);
  TryCondition NumberLeaf();
  TryCondition ContainerLeaf();
  std::string Mark() { return fmt::format("m{}", Below(kMarks)); }
  TryCondition Residual(EventClass cls);
  TryCondition AnyLeaf(EventClass cls);
  TryCondition Condition(EventClass cls, int depth);
  TryRecord Record();
  void Alias(TryRecord* record);
  void CollectNamed(const TryCondition& condition);

  std::mt19937_64 random_;
  std::vector<std::string> names_;
  std::vector<std::string> paths_;
  std::vector<std::string> args_;
  std::vector<size_t> numbers_;  // ke_number: few enough for one epoch
  std::vector<uint64_t> bounds_;
  std::vector<std::string> masks_;  // conditions
  std::vector<TryContainer> containers_;
  std::vector<std::string> named_;  // what conditions on file.path name
};

std::string Maker::Name() {
  static const std::vector<std::string> kNames = {
      "etc",     "usr",     "bin",          "lib",      "a",         "ab",
      "b",       "abc",     "sh",           "bash",     "passwd",    "shadow",
      "x.conf",  "abcdefg", ".ssh",         "abcdefgh", "zabcdefgh", "abcdefghi",
      "passwd-", "id rsa",  "\xff\xfe\x01", "memfd:x",  "..a",       "a.conf"};
  if (!OneIn(6)) return Pick(kNames);
  static const std::vector<size_t> kLengths = {7,   8,   9,   63,  64,  65, 127,
                                               128, 247, 248, 249, 254, 255};
  return std::string(Pick(kLengths), OneIn(2) ? 'n' : 'a');
}

std::string Maker::Path() {
  std::string path;
  const size_t depth = OneIn(10) ? 40 : 1 + Below(5);
  for (size_t i = 0; i < depth; ++i) path += "/" + Pick(names_);
  if (OneIn(12)) {
    // As long as paths get, where the first word of a hash is only partly there.
    while (path.size() < KE_PATH_MAX) path += "/" + std::string(kTryNameMax, 'p');
    path.resize(KE_PATH_MAX - Below(20));
  } else if (OneIn(8)) {
    path.resize(std::min<size_t>(path.size(), 248 + Below(8)));  // about the longest prefix
  }
  return Normal(path, "/f");
}

void Maker::MakePools() {
  for (int i = 0; i < 8; ++i) names_.push_back(Name());
  for (int i = 0; i < 14; ++i) {
    if (paths_.empty() || OneIn(2)) {
      paths_.push_back(Path());
    } else {
      paths_.push_back(Normal(Pick(paths_) + "/" + Pick(names_), "/f"));
    }
  }
  for (int i = 0; i < 4; ++i) args_.push_back(Pick(names_));
  std::vector<size_t> all(kTryNumbers.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  std::shuffle(all.begin(), all.end(), random_);
  numbers_.assign(all.begin(), all.begin() + 1 + static_cast<ptrdiff_t>(Below(KE_NUMBERS_MAX)));
  static const std::vector<uint64_t> kBounds = {
      0, 1, 2, 999, 1000, 1001, 65534, 65536, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
  for (int i = 0; i < 4; ++i) bounds_.push_back(OneIn(3) ? Below(1ull << 32) : Pick(kBounds));
  for (int i = 0; i < 10; ++i) {
    uint64_t mask = 0;
    for (uint64_t bits = 1 + Below(3); bits > 0; --bits) mask |= 1ull << Below(41);
    masks_.push_back(fmt::format("{}.{}({:#x})", GetField(kTryCaps[Below(kTryCaps.size())]).name,
                                 OneIn(2) ? "hasAll" : "hasAny", mask));
  }
  containers_.push_back({});
  for (int i = 0; i < 5; ++i) {
    containers_.push_back({.id = fmt::format("4f2a{}", Below(4)),
                           .runtime = OneIn(2) ? "containerd" : "crio",
                           .pod_uid = OneIn(3) ? "" : fmt::format("uid-{}", Below(2)),
                           .told = !OneIn(4)});
  }
}

std::string Maker::Mutated(std::string text) {
  switch (Below(9)) {
    case 0:
      text += static_cast<char>('a' + Below(2));
      break;
    case 1:
      if (!text.empty()) text.pop_back();
      break;
    case 2:
      if (!text.empty()) text[Below(text.size())] ^= static_cast<char>(1 + Below(3));
      break;
    case 3:
      text = text.substr(0, text.rfind('/'));
      break;
    case 4:
      text = text.substr(0, text.rfind('/')) + "/" + Pick(names_);
      break;
    case 5:
      text += "/" + Pick(names_);
      break;
    case 6:
      text = "/" + Pick(names_) + text;
      break;
    default:
      break;
  }
  std::erase(text, '\0');
  return text;
}

// Constants for ==, startsWith, endsWith, contains: 0 to 3.
std::vector<std::string> Maker::Constants(int which) {
  std::vector<std::string> constants;
  for (uint64_t left = 1 + (OneIn(3) ? Below(4) : 0); left > 0; --left) {
    std::string text = OneIn(4) ? Mutated(Pick(paths_)) : Pick(paths_);
    const size_t slash = text.rfind('/');
    const size_t cut =
        OneIn(2) || slash == std::string::npos ? Below(text.size() + 1) : slash + Below(2);
    if (which == 1) text = text.substr(0, cut);
    if (which == 2)
      text = text.substr(OneIn(3) ? text.size() - std::min<size_t>(text.size(), 9) : cut);
    if (which == 3) text = text.substr(cut, 1 + Below(9));
    if (OneIn(40)) text = OneIn(2) ? "/" : "";
    if (text.size() > KE_PATH_MAX) text.resize(KE_PATH_MAX);
    constants.push_back(std::move(text));
  }
  return constants;
}

std::string Maker::Pattern() {
  const auto literal = [](std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 40)) {
      if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '/') {
        out += c;
      } else {
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
      }
    }
    return out;
  };
  const std::string path = Pick(paths_);
  const std::string begin = literal(path.substr(0, 1 + Below(12)));
  const std::string end =
      literal(path.substr(path.size() - std::min<size_t>(path.size(), 1 + Below(9))));
  switch (Below(9)) {
    case 0:
      return "^" + begin;
    case 1:
      return end + "$";
    case 2:
      return "^" + begin + ".*" + end + "$";
    case 3:
      return "^" + begin + "?";
    case 4:
      return "^" + begin + "|" + end + "$";
    case 5:
      return "^" + begin + "(" + literal(Pick(names_)) + "|" + literal(Pick(names_)) + ")*";
    case 6:
      return end + "[0-9]*$";
    case 7:
      return "(?i)^" + begin;
    default:
      return begin + "{0,2}" + end + "$";
  }
}

TryCondition Maker::PathLeaf(std::string_view field) {
  TryCondition leaf;
  switch (Below(5)) {
    case 0:
      leaf = Leaf(fmt::format("{} in ", field));
      leaf.strings = Constants(0);
      leaf.list = true;
      return leaf;
    case 1:
      leaf = Leaf(fmt::format("{} {} ", field, OneIn(4) ? "!=" : "=="));
      leaf.strings = {Constants(0)[0]};
      return leaf;
    case 2:
    case 3: {
      const bool prefix = OneIn(2);
      leaf = Leaf(fmt::format("{}.{}(", field, prefix ? "startsWith" : "endsWith"), ")");
      leaf.strings = Constants(prefix ? 1 : 2);
      leaf.list = true;
      return leaf;
    }
    default:
      leaf = Leaf(fmt::format("{}.{}(", field, OneIn(2) ? "contains" : "matches"), ")");
      leaf.list = true;
      leaf.strings = leaf.before.find("contains") != std::string::npos
                         ? Constants(3)
                         : std::vector<std::string>{Pattern()};
      return leaf;
  }
}

TryCondition Maker::NumberLeaf() {
  static const std::vector<std::string_view> kOps = {"==", "!=", "<", "<=", ">", ">="};
  const std::string_view name = GetField(kTryNumbers[Pick(numbers_)]).name;
  if (!OneIn(4)) return Leaf(fmt::format("{} {} {}", name, Pick(kOps), Pick(bounds_)));
  return Leaf(fmt::format("{} in [{}, {}]", name, Pick(bounds_), Pick(bounds_)));
}

TryCondition Maker::ContainerLeaf() {
  static const std::vector<std::string> kLeaves = {"process.in_container",
                                                   "container.id == \"4f2a1\"",
                                                   "container.id in [\"4f2a2\", \"4f2a3\"]",
                                                   "container.id.startsWith(\"4f2a\")",
                                                   "container.id.endsWith(\"3\")",
                                                   "container.runtime == \"crio\"",
                                                   "container.runtime.contains(\"tain\")",
                                                   "has(container.pod_uid)",
                                                   "container.pod_uid != \"uid-1\"",
                                                   "process.in_container == false",
                                                   "container.id != \"\"",
                                                   "container.runtime.matches(\"^c.*d$\")"};
  return Leaf(Pick(kLeaves));
}

// What only user space decides.
TryCondition Maker::Residual(EventClass cls) {
  switch (Below(6)) {
    case 0: {
      TryCondition leaf = Leaf("process.args.exists(a, a == ", ")");
      leaf.strings = {Pick(args_)};
      return leaf;
    }
    case 1:
      return Leaf("process.args.exists(a, a.startsWith(\"a\"))");
    case 2:
      return Leaf("process.binary == parent.binary");
    case 3:
      return Leaf("size(process.args) > 2");
    case 4:
      return Leaf("has(parent.binary)");
    default:
      return cls == EventClass::kFileOpen ? Leaf("size(file.path) > 20")
                                          : Leaf("process.script.endsWith(\"sh\")");
  }
}

TryCondition Maker::AnyLeaf(EventClass cls) {
  const bool open = cls == EventClass::kFileOpen;
  switch (Below(18)) {
    case 16:
    case 17:
      return Leaf(fmt::format("\"{}\" in process.marks", Mark()));
    case 0:
    case 1:
    case 2:
      return PathLeaf("process.binary");
    case 3:
    case 4:
      return PathLeaf("parent.binary");
    case 5:
    case 6:
      return NumberLeaf();
    case 7:
      return Leaf(Pick(masks_));
    case 8:
      return Leaf(std::string(Pick(FlagFields(cls))->name));
    case 9:
      return ContainerLeaf();
    case 10:
      return OneIn(3) ? Leaf("process.script != \"\"") : Residual(cls);
    default:
      if (!open) return PathLeaf("process.binary");
      return OneIn(4) ? Leaf(std::string(Pick(AccessFields())->name)) : PathLeaf("file.path");
  }
}

TryCondition Maker::Condition(EventClass cls, int depth) {
  if (depth == 0 || OneIn(3)) return AnyLeaf(cls);
  TryCondition node;
  if (OneIn(4)) {
    node.kind = Kind::kNot;
    node.parts.push_back(Condition(cls, depth - 1));
    return node;
  }
  node.kind = OneIn(2) ? Kind::kAnd : Kind::kOr;
  for (uint64_t left = 2 + Below(2); left > 0; --left) {
    node.parts.push_back(Condition(cls, depth - 1));
  }
  return node;
}

TryRecord Maker::Record() {
  TryRecord record;
  record.cls = OneIn(3) ? EventClass::kProcessExec : EventClass::kFileOpen;
  const auto path = [this](std::string_view otherwise) {
    return Normal(OneIn(2) ? Mutated(Pick(paths_)) : Pick(paths_), otherwise);
  };
  record.binary = OneIn(60) ? "" : path("/b");
  record.parent = OneIn(8) ? "" : OneIn(6) ? record.binary : path("/p");
  record.path = OneIn(40) ? "/" : path("/");
  if (OneIn(3)) record.script = Pick(paths_).substr(0, 200);
  for (uint64_t left = Below(4); left > 0; --left) record.args += Pick(args_) + '\0';
  for (uint32_t& number : record.numbers) {
    number = static_cast<uint32_t>(Pick(bounds_) + Below(3) - 1);
  }
  for (uint64_t& caps : record.caps) {
    caps = OneIn(3) ? 0 : OneIn(2) ? (1ull << 41) - 1 : random_() & random_() & ((1ull << 41) - 1);
  }
  if (!OneIn(3)) record.flags = static_cast<uint32_t>(random_() & random_() & 0xffffff);
  record.flags &= ~KE_F_SCRIPT;
  if (!record.script.empty()) record.flags |= KE_F_SCRIPT;
  record.access = static_cast<uint32_t>(Below(128));
  for (uint64_t i = 0; i < kMarks; ++i) {
    TryMark mark{.name = fmt::format("m{}", i), .carried = OneIn(2)};
    mark.may = mark.carried || OneIn(4);
    mark.sure = mark.carried && OneIn(2);
    record.marks.push_back(std::move(mark));
  }
  record.container = Below(containers_.size());
  record.stale = OneIn(25);
  record.cut = OneIn(25);
  if (record.cls == EventClass::kFileOpen) Alias(&record);
  return record;
}

// Other names, mostly such as rules know; a directory now and then by its own name.
void Maker::Alias(TryRecord* record) {
  if (named_.empty()) return;
  if (OneIn(4)) {
    const std::string& name = Pick(named_);
    if (IsPath(name)) record->alias = name;
  }
  if (!OneIn(4)) return;
  std::string name = OneIn(4) ? record->path : Pick(named_);
  name.resize(name.rfind('/') + 1);
  if (name.size() > 1 && !IsPath(name.substr(0, name.size() - 1))) return;
  record->alias_dir = std::move(name);
  record->alias_above = OneIn(2);
}

void Maker::CollectNamed(const TryCondition& condition) {
  if (condition.before.starts_with("file.path")) {
    for (const std::string& text : condition.strings) {
      if (text.starts_with('/')) named_.push_back(text);
    }
  }
  for (const TryCondition& part : condition.parts) CollectNamed(part);
}

TryCase Maker::Make(size_t rules, size_t records) {
  TryCase made;
  MakePools();
  for (size_t left = 1 + Below(rules); left > 0; --left) {
    const EventClass on = OneIn(3) ? EventClass::kProcessExec : EventClass::kFileOpen;
    TryRule rule{.on = on, .when = Condition(on, static_cast<int>(Below(4)))};
    if (OneIn(5)) rule.mark = Mark();
    rule.mark_ends = OneIn(4);
    made.rules.push_back(std::move(rule));
  }
  for (const TryRule& rule : made.rules) CollectNamed(rule.when);
  made.containers = containers_;
  for (size_t i = 0; i < records; ++i) made.records.push_back(Record());
  return made;
}

}  // namespace

TryCase MakeCase(uint64_t seed, size_t rules, size_t records) {
  return Maker(seed).Make(rules, records);
}

}  // namespace kentry::vm
