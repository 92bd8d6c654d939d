// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/command_line.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "sensor/cli/command_spec.h"
#include "sensor/cli/help.h"
#include "sensor/cli/printable.h"
#include "sensor/util/status.h"
#include "sensor/util/suggest.h"

namespace kentry {
namespace {

CommandSpec SpecOf(std::string_view name) {
  if (name == "run") return RunSpec();
  if (name == "status") return StatusSpec();
  if (name == "ps") return PsSpec();
  if (name == "probe") return ProbeSpec();
  if (name == "cleanup") return CleanupSpec();
  if (name == "fields") return FieldsSpec();
  if (name == "rules check") return RulesCheckSpec();
  if (name == "rules test") return RulesTestSpec();
  if (name == "rules explain") return RulesExplainSpec();
  if (name == "rules reload") return RulesReloadSpec();
  if (name == "enforce status") return EnforceStatusSpec();
  if (name == "enforce pause") return EnforcePauseSpec();
  if (name == "enforce resume") return EnforceResumeSpec();
  if (name == "enforce trust") return EnforceTrustSpec();
  if (name == "enforce untrust") return EnforceUntrustSpec();
  if (name == "enforce release") return EnforceReleaseSpec();
  return VersionSpec();
}

std::vector<std::string_view> CommandNames() {
  std::vector<std::string_view> names;
  for (const CommandHelp& command : CommandHelps()) names.push_back(command.name);
  return names;
}

absl::Status Wrong(std::string_view command, std::string_view message) {
  return absl::InvalidArgumentError(
      fmt::format("kentry{}{}: {}", command.empty() ? "" : " ", command, message));
}

const CommandHelp* FindCommand(std::string_view name) {
  for (const CommandHelp& command : CommandHelps()) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

absl::Status UnknownCommand(std::string_view name) {
  const std::vector<std::string_view> names = CommandNames();
  const std::string nearest = DidYouMean(name, names);
  return Wrong(
      "", fmt::format("unknown command \"{}\"{}", Printable(name),
                      nearest.empty() ? fmt::format("; commands are {}", fmt::join(names, ", "))
                                      : nearest));
}

// "rules" or "enforce" and its second word are one command's name. Joins them; a second word that
// is none of its is an error.
absl::Status JoinGroup(std::vector<std::string>* words) {
  if (words->empty() || (words->front() != "rules" && words->front() != "enforce")) {
    return absl::OkStatus();
  }
  const std::string group = words->front();
  std::vector<std::string_view> names;
  for (const CommandHelp& command : CommandHelps()) {
    if (command.name.starts_with(group + " ")) {
      names.push_back(command.name.substr(group.size() + 1));
    }
  }
  const std::string second = words->size() > 1 ? (*words)[1] : "";
  if (std::find(names.begin(), names.end(), second) != names.end()) {
    words->front() += " " + second;
    words->erase(words->begin() + 1);
    return absl::OkStatus();
  }
  const std::string known =
      fmt::format("commands are {} {}", group, fmt::join(names, fmt::format(", {} ", group)));
  if (second.empty() || second.starts_with('-')) {
    return Wrong(group, fmt::format("which command? {}", known));
  }
  const std::string nearest = DidYouMean(second, names);
  return Wrong(group, fmt::format("unknown command \"{}\"{}", Printable(second),
                                  nearest.empty() ? "; " + known : nearest));
}

// One command's CLI11 parser and where its texts go. Each command has a parser of its own, so
// that a word is never taken for something of another command.
class Parser {
 public:
  explicit Parser(const CommandHelp& help) : help_(help), spec_(SpecOf(help.name)) {
    app_.set_help_flag("-h,--help", "this text");
    // What is not known is kept for UnknownWord, which says more than CLI11.
    app_.allow_extras();
    app_.option_defaults()->take_last();
    spec_.declare(app_, raw_);
  }

  absl::StatusOr<Command> Parse(std::vector<std::string> words) {
    RETURN_IF_ERROR(RefuseSingleDash(words));
    // CLI11 takes the words from the back.
    std::reverse(words.begin(), words.end());
    try {
      app_.parse(std::move(words));
    } catch (const CLI::CallForHelp&) {
      return Command(HelpOptions{.text = HelpOf(help_, Options())});
    } catch (const CLI::ArgumentMismatch& error) {
      return MissingValue(error.what());
    } catch (const CLI::ConversionError&) {
      return Wrong(help_.name, "--quiet, --all, --pin and --help take no value");
    } catch (const CLI::Error& error) {
      return Wrong(help_.name, Printable(error.what()));
    }
    const std::vector<std::string> unknown = app_.remaining();
    if (!unknown.empty()) return UnknownWord(unknown.front());
    RETURN_IF_ERROR(RefuseEmptyValues());
    absl::StatusOr<Command> command = spec_.convert(raw_);
    if (command.ok()) return command;
    const absl::string_view message = command.status().message();
    return Wrong(help_.name, std::string_view(message.data(), message.size()));
  }

 private:
  static std::string Names(const CLI::Option& option) {
    std::string text;
    for (const std::string& name : option.get_snames()) text += fmt::format("-{}, ", name);
    for (const std::string& name : option.get_lnames()) text += fmt::format("--{}, ", name);
    if (text.empty()) return option.get_name();
    text.resize(text.size() - 2);
    if (option.get_items_expected_max() > 0) text += " " + option.get_type_name();
    return text;
  }

  std::vector<OptionHelp> Options() const {
    std::vector<OptionHelp> options;
    for (const CLI::Option* option : app_.get_options()) {
      options.push_back({.names = Names(*option), .text = option->get_description()});
    }
    // CLI11's own --help comes first otherwise.
    std::rotate(options.begin(), options.begin() + 1, options.end());
    return options;
  }

  // "-output" would be read as "-o utput".
  absl::Status RefuseSingleDash(std::span<const std::string> words) const {
    for (const std::string& word : words) {
      if (word == "--") break;
      if (word.size() < 3 || word[0] != '-' || word[1] == '-') continue;
      const std::string name = "-" + word.substr(0, word.find('='));
      if (app_.get_option_no_throw(name) == nullptr) continue;
      return Wrong(help_.name, fmt::format("unknown option \"{}\"; did you mean \"{}\"?",
                                           name.substr(1), name));
    }
    return absl::OkStatus();
  }

  // CLI11 says "--output: 1 required FILE missing".
  absl::Status MissingValue(const std::string& what) const {
    const std::string name = what.substr(0, what.find(':'));
    const CLI::Option* const option = app_.get_option_no_throw(name);
    if (option == nullptr) return Wrong(help_.name, Printable(what));
    return Wrong(help_.name,
                 fmt::format("{} needs a value: {} {}", name, name, option->get_type_name()));
  }

  absl::Status UnknownWord(std::string_view word) const {
    if (!word.starts_with('-') || word == "-") {
      return Wrong(help_.name, fmt::format("unexpected argument \"{}\"; usage: {}", Printable(word),
                                           help_.usage));
    }
    const std::string_view name = word.substr(0, word.find('='));
    std::vector<std::string> own;
    for (const CLI::Option* option : app_.get_options()) {
      for (const std::string& known : option->get_lnames()) own.push_back("--" + known);
    }
    const std::vector<std::string_view> names(own.begin(), own.end());
    const std::string nearest = DidYouMean(name, names);
    return Wrong(help_.name, fmt::format("unknown option \"{}\"{}", Printable(name),
                                         nearest.empty() ? fmt::format("; options are {}",
                                                                       fmt::join(names, ", "))
                                                         : nearest));
  }

  // "" stands for "not given" in RawOptions.
  absl::Status RefuseEmptyValues() const {
    for (const CLI::Option* option : app_.get_options()) {
      for (const std::string& value : option->results()) {
        if (value.empty()) {
          return Wrong(help_.name,
                       fmt::format("{} needs a value that is not empty", option->get_name()));
        }
      }
    }
    return absl::OkStatus();
  }

  const CommandHelp& help_;
  const CommandSpec spec_;
  CLI::App app_;
  RawOptions raw_;
};

bool IsHelp(std::string_view word) { return word == "-h" || word == "--help"; }

}  // namespace

absl::StatusOr<Command> ParseCommandLine(std::span<const std::string> given) {
  if (given.empty()) return Command(HelpOptions{.text = ShortHelp()});
  std::vector<std::string> words(given.begin(), given.end());
  if (words[0] == "help" && words.size() > 1) {
    words.erase(words.begin());
    RETURN_IF_ERROR(JoinGroup(&words));
    words.resize(1);
    words.emplace_back("--help");
  }
  RETURN_IF_ERROR(JoinGroup(&words));
  std::string_view name = words[0];
  std::vector<std::string> rest(words.begin() + 1, words.end());
  if (IsHelp(name) || name == "help") {
    return Command(HelpOptions{.text = TopLevelHelp()});
  }
  if (name == "--version") name = "version";
  if (name.starts_with('-')) {
    return Wrong("", fmt::format("unknown option \"{}\"; options come after a command, like "
                                 "\"kentry run -o json\"",
                                 Printable(name.substr(0, name.find('=')))));
  }
  const CommandHelp* const help = FindCommand(name);
  if (help == nullptr) return UnknownCommand(name);
  return Parser(*help).Parse(std::move(rest));
}

}  // namespace kentry
