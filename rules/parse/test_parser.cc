// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/test_parser.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "rules/parse/actions.h"
#include "rules/parse/constants.h"
#include "rules/parse/expr_check.h"
#include "rules/parse/lexer.h"
#include "rules/parse/limits.h"
#include "rules/parse/shown.h"

namespace kentry {
namespace {

constexpr std::array<std::string_view, 7> kTestKeys = {"name", "given",  "ancestors", "marks",
                                                       "cut",  "expect", "action"};
constexpr std::array<std::string_view, 3> kExpectations = {"match", "no match", "unknown"};
constexpr size_t kMaxAncestors = 64;
constexpr size_t kMaxMarks = 64;

// A number as a test may write it: 10, 4KiB, SIGKILL, CAP_SYS_ADMIN | CAP_NET_ADMIN.
std::optional<absl::int128> NumberIn(std::string_view text) {
  std::vector<Token> tokens;
  if (text.size() > 512 || SplitTokens(text, &tokens)) return std::nullopt;
  absl::int128 value = 0;
  for (size_t i = 0; i + 1 < tokens.size(); i += 2) {
    if (i > 0 && value < 0) return std::nullopt;
    if (tokens[i].kind == TokenKind::kNumber) {
      value |= tokens[i].number;
    } else if (const auto constant = FindConstant(tokens[i].text);
               tokens[i].kind == TokenKind::kName && constant) {
      value |= absl::int128(*constant);
    } else {
      return std::nullopt;
    }
    if (tokens[i + 1].kind == TokenKind::kEnd) return value;
    if (tokens[i + 1].kind != TokenKind::kPipe) return std::nullopt;
  }
  return std::nullopt;
}

bool FitsField(const FieldDef& field, absl::int128 value) {
  if (field.type == FieldType::kInt) {
    return value >= std::numeric_limits<int64_t>::min() &&
           value <= std::numeric_limits<int64_t>::max();
  }
  return value >= 0 && value <= absl::int128(std::numeric_limits<uint64_t>::max());
}

class TestReader {
 public:
  TestReader(EventClass on, Reporter& reporter) : on_(on), reporter_(reporter) {}

  // Whether the test is right.
  bool Read(const KeyedNode& test, RuleTest* out) {
    out->at = PosOf(sources(), *test.node);
    RefuseUnknownKeys(test, kTestKeys, reporter_);
    if (const KeyedNode name = Member(test, "name"); name.node != nullptr) {
      if (const auto text = ReadText(name, kMaxTextBytes, reporter_)) out->name = *text;
    }
    if (const KeyedNode given = Member(test, "given"); given.node != nullptr) {
      Given(given, &out->given);
    } else {
      Error(*test.node, test.path, "a test without given:", "write given: {process: {…}}");
    }
    if (const KeyedNode list = Member(test, "ancestors"); list.node != nullptr) {
      Ancestors(list, &out->ancestors);
    }
    if (const KeyedNode marks = Member(test, "marks"); marks.node != nullptr) {
      Marks(marks, &out->marks);
    }
    if (const KeyedNode cut = Member(test, "cut"); cut.node != nullptr) Cut(cut, &out->given);
    if (const KeyedNode expect = Member(test, "expect"); expect.node != nullptr) {
      if (const auto choice = ReadChoice(expect, kExpectations, reporter_)) {
        out->expect = static_cast<RuleTest::Expect>(*choice);
      }
    }
    if (const KeyedNode action = Member(test, "action"); action.node != nullptr) {
      out->action = ReadActionName(action, reporter_);
    }
    return reporter_.errors() == errors_before_;
  }

 private:
  const Sources& sources() const { return reporter_.sources(); }

  void Error(const YamlNode& node, const std::string& path, std::string message,
             std::string hint = "") {
    reporter_.Error(PosOf(sources(), node), path, std::move(message), std::move(hint));
  }

  void Given(const KeyedNode& groups, std::vector<GivenField>* out) {
    if (!groups.node->IsMap()) {
      return WrongKind(groups, "a mapping", reporter_, "write {process: {binary: /bin/sh}}");
    }
    for (size_t i = 0; i + 1 < groups.node->items.size(); i += 2) {
      const YamlNode& key = groups.node->items[i];
      const KeyedNode group = {.node = &groups.node->items[i + 1],
                               .path = fmt::format("{}.{}", groups.path, TerminalText(key.text))};
      if (!IsGroup(key, group)) continue;
      if (!group.node->IsMap()) {
        WrongKind(group, "a mapping of fields", reporter_);
        continue;
      }
      GroupFields(key.text, group, false, out);
    }
    std::sort(out->begin(), out->end(),
              [](const GivenField& a, const GivenField& b) { return a.field < b.field; });
  }

  // Whether events of the class have fields of this group; says so if not.
  bool IsGroup(const YamlNode& key, const KeyedNode& group) {
    std::vector<std::string_view> groups;
    for (const FieldDef* const field : FieldsOf(on_)) {
      if (groups.empty() || groups.back() != field->group) groups.push_back(field->group);
    }
    if (std::find(groups.begin(), groups.end(), key.text) != groups.end()) return true;
    const bool known = std::any_of(Fields().begin(), Fields().end(), [&key](const FieldDef& field) {
      return field.group == key.text;
    });
    Error(key, group.path,
          known ? fmt::format("{} has no fields {}.*", GetClass(on_).name, TerminalText(key.text))
                : fmt::format("unknown group of fields {}{}", Shown(key.text),
                              reporter_.Nearest(key.text, [&groups] { return groups; })),
          fmt::format("groups of {} are {}", GetClass(on_).name, fmt::join(groups, ", ")));
    return false;
  }

  void GroupFields(std::string_view group, const KeyedNode& map, bool ancestor,
                   std::vector<GivenField>* out) {
    for (size_t i = 0; i + 1 < map.node->items.size(); i += 2) {
      const YamlNode& key = map.node->items[i];
      const FieldDef* const field = KnownField(group, key, map.path, ancestor);
      if (field == nullptr) continue;
      const KeyedNode value = {.node = &map.node->items[i + 1],
                               .path = fmt::format("{}.{}", map.path, field->key)};
      GivenField given;
      given.field = field->id;
      if (Value(*field, value, &given.values)) out->push_back(std::move(given));
    }
  }

  const FieldDef* KnownField(std::string_view group, const YamlNode& key, const std::string& path,
                             bool ancestor) {
    const FieldDef* const field = FindField(fmt::format("{}.{}", group, key.text));
    const auto fits = [this, ancestor](const FieldDef& each) {
      return ancestor ? IsAncestorField(each) : HasField(on_, each);
    };
    if (field != nullptr && field->id == FieldId::kProcessMarks) {
      Error(key, path, "process.marks is not given so", "write marks: [NAME] beside given:");
      return nullptr;
    }
    if (field != nullptr && fits(*field)) return field;
    const auto keys = [group, &fits] {
      std::vector<std::string_view> known;
      for (const FieldDef& each : Fields()) {
        if (each.group == group && fits(each)) known.push_back(each.key);
      }
      return known;
    };
    const std::string_view who = ancestor ? "an ancestor" : GetClass(on_).name;
    Error(key, path,
          fmt::format("{} has no field {}{}", who, Shown(fmt::format("{}.{}", group, key.text)),
                      reporter_.Nearest(key.text, keys)),
          field == nullptr || ClassesOf(*field).empty()
              ? ""
              : fmt::format("classes that have it: {}", ClassesOf(*field)));
    return nullptr;
  }

  bool Value(const FieldDef& field, const KeyedNode& value, std::vector<Literal>* out) {
    if (field.type == FieldType::kStringList) {
      if (value.node->IsScalar()) return String(value, out);
      if (value.node->IsSequence()) {
        bool right = true;
        for (const YamlNode& item : value.node->items) {
          right = String({.node = &item, .path = value.path}, out) && right;
        }
        return right;
      }
      WrongKind(value, "a list of strings", reporter_);
      return false;
    }
    if (field.type == FieldType::kString) return String(value, out);
    if (field.type == FieldType::kBool) {
      const auto truth = ReadBool(value, reporter_);
      if (truth) out->emplace_back(*truth);
      return truth.has_value();
    }
    return Number(field, value, out);
  }

  bool String(const KeyedNode& value, std::vector<Literal>* out) {
    auto text = ReadText(value, size_t{1} << 16, reporter_);
    if (text) out->emplace_back(std::move(*text));
    return text.has_value();
  }

  bool Number(const FieldDef& field, const KeyedNode& value, std::vector<Literal>* out) {
    if (!value.node->IsScalar()) {
      WrongKind(value, "a number", reporter_);
      return false;
    }
    const auto number = NumberIn(value.node->text);
    if (!number || !FitsField(field, *number)) {
      Error(*value.node, value.path,
            fmt::format("{} is of type {}; {} is none", Shown(field.name), TypeName(field.type),
                        Shown(value.node->text)));
      return false;
    }
    out->emplace_back(*number);
    return true;
  }

  void Ancestors(const KeyedNode& list, std::vector<std::vector<GivenField>>* out) {
    if (!list.node->IsSequence() || list.node->items.size() > kMaxAncestors) {
      return WrongKind(list, fmt::format("a list of at most {} processes", kMaxAncestors),
                       reporter_, "write [{binary: /bin/sh}], the nearest first");
    }
    for (const YamlNode& item : list.node->items) {
      const KeyedNode process = {.node = &item, .path = list.path};
      out->emplace_back();
      if (!item.IsMap()) {
        WrongKind(process, "a list of mappings", reporter_, "write [{binary: /bin/sh}]");
        continue;
      }
      GroupFields("process", process, true, &out->back());
      std::sort(out->back().begin(), out->back().end(),
                [](const GivenField& a, const GivenField& b) { return a.field < b.field; });
    }
  }

  void Marks(const KeyedNode& list, std::vector<std::string>* out) {
    if (!list.node->IsSequence() || list.node->items.size() > kMaxMarks) {
      return WrongKind(list, fmt::format("a list of at most {} names", kMaxMarks), reporter_);
    }
    for (const YamlNode& item : list.node->items) {
      if (auto name = ReadSlug({.node = &item, .path = list.path}, reporter_)) {
        out->push_back(std::move(*name));
      }
    }
  }

  void Cut(const KeyedNode& list, std::vector<GivenField>* given) {
    if (!list.node->IsSequence()) {
      return WrongKind(list, "a list of fields", reporter_, "write [process.args]");
    }
    for (const YamlNode& item : list.node->items) {
      const auto it = std::find_if(given->begin(), given->end(), [&item](const GivenField& field) {
        return item.IsScalar() && GetField(field.field).name == item.text;
      });
      if (it == given->end()) {
        Error(item, list.path, fmt::format("{} is not among the fields given", Shown(item.text)));
        continue;
      }
      const FieldType type = GetField(it->field).type;
      it->cut = type == FieldType::kString || type == FieldType::kStringList;
      if (!it->cut) {
        Error(item, list.path,
              fmt::format("{} is of type {}: only strings and lists are ever cut", Shown(item.text),
                          TypeName(type)));
      }
    }
  }

  const EventClass on_;
  Reporter& reporter_;
  const size_t errors_before_ = reporter_.errors();
};

}  // namespace

bool ReadTests(const KeyedNode& list, EventClass on, Reporter& reporter,
               std::vector<RuleTest>* tests) {
  if (!list.node->IsSequence()) {
    WrongKind(list, "a list of tests", reporter, "write \"- given: {…}\" below it");
    return false;
  }
  bool right = true;
  for (size_t i = 0; i < list.node->items.size(); ++i) {
    const KeyedNode test = {.node = &list.node->items[i],
                            .path = fmt::format("{}[{}]", list.path, i)};
    if (!test.node->IsMap()) {
      WrongKind(test, "a mapping", reporter, "write \"- given: {…}\"");
      right = false;
      continue;
    }
    if (tests->size() >= kMaxTestsPerRule) {
      reporter.Error(PosOf(reporter.sources(), *test.node), test.path,
                     fmt::format("a rule has at most {} tests", kMaxTestsPerRule));
      return false;
    }
    RuleTest read;
    right = TestReader(on, reporter).Read(test, &read) && right;
    tests->push_back(std::move(read));
  }
  return right;
}

}  // namespace kentry
