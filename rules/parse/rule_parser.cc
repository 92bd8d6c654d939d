// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/rule_parser.h"

#include <algorithm>
#include <array>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "rules/parse/actions.h"
#include "rules/parse/limits.h"
#include "rules/parse/message_template.h"
#include "rules/parse/shown.h"
#include "rules/parse/tags.h"
#include "rules/parse/test_parser.h"

namespace kentry {
namespace {

constexpr std::array<std::string_view, 3> kLimitKeys = {"events", "per", "by"};
constexpr std::array<std::string_view, 2> kMarkKeys = {"name", "lifetime"};
constexpr uint64_t kMaxLimitEvents = 1000000;

class RuleReader {
 public:
  RuleReader(const RuleDraft& draft, const Definitions& definitions, ConditionBudget* budget,
             Reporter& reporter)
      : draft_(draft), definitions_(definitions), budget_(budget), reporter_(reporter) {}

  std::optional<Rule> Read() {
    const size_t before = reporter_.errors();
    rule_.name = draft_.name;
    rule_.at = rule_.then_at = draft_.at;
    rule_.enabled = !draft_.disabled;
    // The class first: conditions, messages, limits and tests depend on it.
    const bool has_class = ReadClass();
    ReadWhen(has_class);
    ReadActions();
    ReadTexts();
    for (const RuleDraft::Part& part : draft_.parts) {
      if (part.key == "severity") {
        rule_.severity = ReadSeverity(Keyed(part), reporter_).value_or(rule_.severity);
      } else if (part.key == "tags") {
        ReadTags(Keyed(part));
      } else if (part.key == "mark") {
        ReadMark(Keyed(part));
      } else if (part.key == "enabled") {
        rule_.enabled = ReadBool(Keyed(part), reporter_).value_or(true) && !draft_.disabled;
      } else if (has_class && part.key == "message") {
        rule_.message = ReadMessage(Keyed(part), rule_.on, reporter_).value_or(rule_.message);
      } else if (has_class && part.key == "limit") {
        ReadLimit(Keyed(part));
      } else if (has_class && part.key == "tests") {
        ReadTests(Keyed(part), rule_.on, reporter_, &rule_.tests);
      }
    }
    // A macro or list that is broken was told of where it stands.
    if (silent_error_ || reporter_.errors() > before) return std::nullopt;
    return std::move(rule_);
  }

 private:
  static KeyedNode Keyed(const RuleDraft::Part& part) {
    return {.node = part.node, .path = fmt::format("{}.{}", part.base, part.key)};
  }
  const RuleDraft::Part* Find(std::string_view key) const {
    for (const RuleDraft::Part& part : draft_.parts) {
      if (part.key == key) return &part;
    }
    return nullptr;
  }
  void Error(const KeyedNode& value, std::string message, std::string hint = "") {
    reporter_.Error(PosOf(reporter_.sources(), *value.node), value.path, std::move(message),
                    std::move(hint));
  }
  void Missing(std::string_view key, std::string hint) {
    reporter_.Error(draft_.at, draft_.path,
                    fmt::format("rule {} has no {}:", Shown(draft_.name), key), std::move(hint));
  }

  static std::vector<std::string_view> ClassNames() {
    std::vector<std::string_view> names;
    for (const ClassDef& cls : Classes()) {
      if (IsRuleClass(cls.id)) names.push_back(cls.name);
    }
    return names;
  }

  bool ReadClass() {
    const std::string hint = fmt::format("classes are {}", fmt::join(ClassNames(), ", "));
    const RuleDraft::Part* const part = Find("on");
    if (part == nullptr) {
      Missing("on", hint);
      return false;
    }
    const KeyedNode value = Keyed(*part);
    if (!value.node->IsScalar()) {
      WrongKind(value, "the name of a class of events", reporter_, hint);
      return false;
    }
    const ClassDef* const cls = FindClass(value.node->text);
    if (cls == nullptr) {
      Error(value,
            fmt::format("unknown event class {}{}", Shown(value.node->text),
                        reporter_.Nearest(value.node->text, ClassNames)),
            hint);
      return false;
    }
    if (!IsRuleClass(cls->id)) {
      Error(value, fmt::format("rules can't be on {}", cls->name), hint);
      return false;
    }
    rule_.on = cls->id;
    return true;
  }

  void ReadWhen(bool has_class) {
    std::vector<Expr> conditions;
    bool any = false;
    for (const RuleDraft::Part& part : draft_.parts) {
      if (part.key != "when") continue;
      const KeyedNode value = Keyed(part);
      if (!any) rule_.when_at = PosOf(reporter_.sources(), *value.node);
      any = true;
      const auto ast = ParseConditionNode(*value.node, value.path, reporter_);
      if (!ast || !has_class) continue;
      auto expr = CheckCondition(*ast, {.on = rule_.on,
                                        .definitions = definitions_,
                                        .reporter = reporter_,
                                        .budget = budget_,
                                        .path = value.path});
      silent_error_ = silent_error_ || !expr;
      if (expr) conditions.push_back(std::move(*expr));
    }
    if (!any) Missing("when", "write when: CONDITION, or when: true for every event");
    if (conditions.empty()) return;
    if (conditions.size() == 1) {
      rule_.when = std::move(conditions[0]);
      return;
    }
    rule_.when = {.op = ExprOp::kOr, .at = rule_.when_at};
    for (Expr& condition : conditions) {
      if (condition.op != ExprOp::kOr) {
        rule_.when.args.push_back(std::move(condition));
        continue;
      }
      for (Expr& arg : condition.args) rule_.when.args.push_back(std::move(arg));
    }
  }

  void ReadActions() {
    if (const RuleDraft::Part* const part = Find("then"); part != nullptr) {
      if (const auto action = ReadAction(Keyed(*part), reporter_)) {
        rule_.action = action->action;
        rule_.signal = action->signal;
        rule_.then_at = PosOf(reporter_.sources(), *part->node);
      } else {
        return;  // whether a fallback fits can't be said
      }
    }
    if (const RuleDraft::Part* const part = Find("fallback"); part != nullptr) {
      rule_.fallback = ReadFallback(Keyed(*part), rule_.action, reporter_);
    }
    if (const RuleDraft::Part* const part = Find("guard"); part != nullptr) {
      rule_.guard = ReadGuard(Keyed(*part), rule_.action, reporter_).value_or(rule_.guard);
    }
    if (const RuleDraft::Part* const part = Find("record"); part != nullptr) {
      rule_.strict = ReadRecord(Keyed(*part), rule_.action, reporter_);
    }
  }

  void ReadTexts() {
    if (const RuleDraft::Part* const part = Find("description"); part != nullptr) {
      rule_.description = ReadText(Keyed(*part), kMaxTextBytes, reporter_).value_or("");
    }
    if (const RuleDraft::Part* const part = Find("false_positives"); part != nullptr) {
      rule_.false_positives = ReadText(Keyed(*part), kMaxTextBytes, reporter_).value_or("");
    }
  }

  void ReadTags(const KeyedNode& map) {
    if (!map.node->IsMap()) {
      return WrongKind(map, "a mapping", reporter_, "write {mitre: [T1059.004]}");
    }
    for (size_t i = 0; i + 1 < map.node->items.size(); i += 2) {
      const KeyedNode key = {.node = &map.node->items[i], .path = map.path};
      const TagScheme* const scheme = FindTagScheme(key.node->text);
      if (scheme == nullptr) {
        UnknownScheme(key);
        continue;
      }
      const YamlNode& value = map.node->items[i + 1];
      const std::string path = fmt::format("{}.{}", map.path, scheme->name);
      if (value.IsScalar()) {
        ReadTag(*scheme, {.node = &value, .path = path});
      } else if (value.IsSequence()) {
        for (const YamlNode& item : value.items) ReadTag(*scheme, {.node = &item, .path = path});
      } else {
        WrongKind({.node = &value, .path = path}, "a list", reporter_);
      }
    }
  }

  void UnknownScheme(const KeyedNode& key) {
    const auto names = [] {
      std::vector<std::string_view> known;
      for (const TagScheme& scheme : TagSchemes()) known.push_back(scheme.name);
      return known;
    };
    Error(key,
          fmt::format("unknown kind of tags {}{}", Shown(key.node->text),
                      reporter_.Nearest(key.node->text, names)),
          fmt::format("tags are {}", fmt::join(names(), ", ")));
  }

  void ReadTag(const TagScheme& scheme, const KeyedNode& value) {
    if (!value.node->IsScalar()) return WrongKind(value, "text", reporter_);
    if (!IsTag(scheme, value.node->text)) {
      return Error(value, fmt::format("{} is no id of {}", Shown(value.node->text), scheme.name),
                   fmt::format("they look like {}", scheme.example));
    }
    const auto same = [&](const RuleTag& tag) {
      return tag.scheme == scheme.name && tag.id == value.node->text;
    };
    // An extension may name one that is there already.
    if (std::any_of(rule_.tags.begin(), rule_.tags.end(), same)) return;
    rule_.tags.push_back({.scheme = std::string(scheme.name), .id = value.node->text});
  }

  void ReadLimit(const KeyedNode& map) {
    constexpr char kHint[] = "write {events: 10, per: 1m, by: container.id}";
    if (!map.node->IsMap()) return WrongKind(map, "a mapping", reporter_, kHint);
    RefuseUnknownKeys(map, kLimitKeys, reporter_);
    RuleLimit limit;
    const KeyedNode events = Member(map, "events");
    const KeyedNode per = Member(map, "per");
    if (events.node == nullptr || per.node == nullptr) {
      return Error(map, "a limit needs events: and per:", kHint);
    }
    limit.events =
        static_cast<uint32_t>(ReadCount(events, 1, kMaxLimitEvents, reporter_).value_or(1));
    limit.per_ns = ReadDuration(per, reporter_).value_or(1);
    if (const KeyedNode by = Member(map, "by"); by.node != nullptr) limit.by = ReadBy(by);
    rule_.limit = limit;
  }

  FieldId ReadBy(const KeyedNode& by) {
    if (!by.node->IsScalar()) {
      WrongKind(by, "a field", reporter_);
      return FieldId::kInvalid;
    }
    const FieldDef* const field = FindField(by.node->text);
    if (field != nullptr && HasField(rule_.on, *field) && field->type != FieldType::kStringList) {
      return field->id;
    }
    const std::string cls(GetClass(rule_.on).name);
    const auto names = [this] {
      std::vector<std::string_view> known;
      for (const FieldDef* const each : FieldsOf(rule_.on)) known.push_back(each->name);
      return known;
    };
    if (field == nullptr) {
      Error(by, fmt::format("unknown field {}{}", Shown(by.node->text),
                            reporter_.Nearest(by.node->text, names)));
    } else if (field->type == FieldType::kStringList) {
      Error(by, fmt::format("{} is a list; events can't be counted by it", Shown(field->name)),
            "name a field that is a string or a number");
    } else {
      Error(by, fmt::format("{} has no field {}", cls, Shown(field->name)),
            fmt::format("classes that have it: {}", ClassesOf(*field)));
    }
    return FieldId::kInvalid;
  }

  void ReadMark(const KeyedNode& value) {
    RuleMark mark;
    mark.at = PosOf(reporter_.sources(), *value.node);
    KeyedNode name = value;
    if (value.node->IsMap()) {
      RefuseUnknownKeys(value, kMarkKeys, reporter_);
      name = Member(value, "name");
      if (name.node == nullptr) {
        return Error(value, "the mark has no name", "write {name: NAME, lifetime: 10m}");
      }
      if (const KeyedNode lifetime = Member(value, "lifetime"); lifetime.node != nullptr) {
        mark.lifetime_ns = ReadDuration(lifetime, reporter_).value_or(0);
      }
    }
    auto text = ReadSlug(name, reporter_);
    if (!text) return;
    mark.name = std::move(*text);
    rule_.mark = std::move(mark);
  }

  const RuleDraft& draft_;
  const Definitions& definitions_;
  ConditionBudget* const budget_;
  Reporter& reporter_;
  Rule rule_;
  bool silent_error_ = false;
};

}  // namespace

std::optional<Rule> ReadRule(const RuleDraft& draft, const Definitions& definitions,
                             ConditionBudget* budget, Reporter& reporter) {
  return RuleReader(draft, definitions, budget, reporter).Read();
}

}  // namespace kentry
