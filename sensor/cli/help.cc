// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/help.h"

#include <algorithm>
#include <array>

#include "fmt/format.h"

namespace kentry {
namespace {

constexpr size_t kHelpColumns = 96;

constexpr std::array<CommandHelp, 17> kCommands = {{
    {.name = "run",
     .usage = "kentry run [OPTION]...",
     .summary = "watch this machine and show what happens, until Ctrl-C",
     .about = "Watches every process of the machine from inside the kernel, prints its events as "
              "they happen and a summary at the end. Needs root. Answers \"kentry status\" and "
              "\"kentry ps\" while it runs; one at a time per machine.",
     .examples =
         "  kentry run                                programs on the screen as they start and "
         "end\n"
         "  kentry run -o json | jq .process.binary   one JSON object a line\n"
         "  kentry run --quiet --output /var/log/kentry.json\n"
         "                                            everything as JSON into a file, nothing on\n"
         "                                            the screen\n"
         "  kentry run --events process.exec,process.exec_failed\n"
         "                                            only what was executed, or nearly\n"
         "  kentry run --hardening monitor            what the hardening rules would forbid\n"
         "  kentry run --env LD_PRELOAD,PATH --duration 60s\n"
         "                                            a minute, with two variables of each "
         "program\n"},
    {.name = "status",
     .usage = "kentry status [OPTION]...",
     .summary = "what the running sensor saw, lost and uses",
     .about = "Asks the running daemon for its counters. For each class of events attempted + "
              "missed = filtered + delivered + lost; what is on its way is shown as in flight.",
     .examples = "  kentry status\n"
                 "  kentry status -o json | jq '.classes[] | select(.lost > 0)'\n"},
    {.name = "ps",
     .usage = "kentry ps [OPTION]...",
     .summary = "the process tree as the sensor sees it, with containers",
     .about = "Shows the processes that the running daemon knows, each with its container.",
     .examples = "  kentry ps\n"
                 "  kentry ps --all           also those that ended a moment ago\n"
                 "  kentry ps -o json         one JSON object a line\n"},
    {.name = "probe",
     .usage = "kentry probe [OPTION]...",
     .summary = "what this kernel offers, and why not more",
     .about = "Tries what the sensor could use on this kernel and prints the table of event "
              "classes and their backends: which one would be taken, why a better one can't be, "
              "and what that costs. Changes nothing. Exit code 5 when the sensor can't run here.",
     .examples = "  kentry probe\n"
                 "  kentry probe --quiet && echo \"kentry runs here\"\n"},
    {.name = "cleanup",
     .usage = "kentry cleanup [OPTION]...",
     .summary = "remove what a killed daemon left behind",
     .about = "Removes pinned BPF objects and the socket of a daemon that did not end in an "
              "orderly way. Refuses while a daemon runs.",
     .examples = "  kentry cleanup\n"},
    {.name = "fields",
     .usage = "kentry fields [CLASS] [OPTION]...",
     .summary = "the classes of events and their fields",
     .about = "Prints the field table: every event class with the name, type and meaning of each "
              "of its fields. Needs neither root nor a daemon.",
     .examples = "  kentry fields\n"
                 "  kentry fields process.exec\n"
                 "  kentry fields -o markdown > docs/events.md\n"},
    {.name = "rules check",
     .usage = "kentry rules check [PATH]... [OPTION]...",
     .summary = "what is wrong with rule files",
     .about =
         "Reads rule files, or the *.yaml and *.yml of directories, as one rule set and prints "
         "everything that is wrong with them, with the place and what to write instead. "
         "Without a PATH: /etc/kentry/rules if it exists, else the rules that are part of "
         "kentry. Needs neither root nor a daemon. Exit code 1 when there is an error; "
         "warnings are none.",
     .examples = "  kentry rules check\n"
                 "  kentry rules check rules.d my.yaml\n"
                 "  kentry rules check -o json my.yaml | jq '.diagnostics[].message'\n"},
    {.name = "rules test",
     .usage = "kentry rules test [PATH]... [OPTION]...",
     .summary = "run the tests that stand in rule files",
     .about = "Checks rule files like \"kentry rules check\", then gives each rule the events of "
              "its tests and compares. Says which parts of a condition no test makes true or "
              "false. Needs neither root nor a daemon. Exit code 1 when a test fails or the rules "
              "have an error.",
     .examples = "  kentry rules test\n"
                 "  kentry rules test rules.d --rule shell-in-container\n"
                 "  kentry rules test -o json my.yaml\n"},
    {.name = "rules explain",
     .usage = "kentry rules explain [PATH]... [OPTION]...",
     .summary = "where each condition of each rule is decided",
     .about = "Says for every comparison of every rule whether the kernel decides it, once a "
              "process or at each event, or user space; by which hook; and which rules make every "
              "process pay for its opens. Needs neither root nor a daemon.",
     .examples = "  kentry rules explain\n"
                 "  kentry rules explain -o json my.yaml\n"},
    {.name = "rules reload",
     .usage = "kentry rules reload [OPTION]...",
     .summary = "make the running sensor read its rule files again",
     .about = "The sensor reads its rule files and puts them in force in one step. With an error "
              "the rules before stay in force, everything that is wrong is printed, and the exit "
              "code is 1. A change of a file and SIGHUP do the same.",
     .examples = "  kentry rules reload\n"},
    {.name = "enforce status",
     .usage = "kentry enforce status [OPTION]...",
     .summary = "what is enforced, and by whom",
     .about =
         "Says which rule set is in force, whether it acts, which daemon reads its events, and "
         "whether it is pinned: then it stays without a daemon. Asks the daemon, or looks at "
         "the pins. Exit code 3 when there is neither.",
     .examples = "  kentry enforce status\n"
                 "  kentry enforce status -o json | jq .enforcing\n"},
    {.name = "enforce pause",
     .usage = "kentry enforce pause [OPTION]...",
     .summary = "let all rules only say what they would do",
     .about = "Nothing is refused or killed from now on, in the daemon's rules and in pinned ones; "
              "events say would_deny and the like. With pins it holds over ends and starts of the "
              "daemon, until resumed.",
     .examples = "  kentry enforce pause\n"},
    {.name = "enforce resume",
     .usage = "kentry enforce resume [OPTION]...",
     .summary = "end a pause",
     .about = "Rules that enforce act again.",
     .examples = "  kentry enforce resume\n"},
    {.name = "enforce trust",
     .usage = "kentry enforce trust [OPTION]... PATH...",
     .summary = "let a program do what rules forbid",
     .about =
         "Rules judge what the program does, tell it (verdict exempt), and don't act on it, "
         "while it runs as root in the machine's own namespaces and nobody traces it; programs "
         "that it starts are not trusted. The file counts as it is now: when it is written "
         "to, renamed or replaced, it is not trusted any more. At most 64. Pinned with the "
         "rules, else forgotten when the sensor ends. Asks the running sensor.",
     .examples = "  kentry enforce trust /usr/bin/dpkg\n"},
    {.name = "enforce untrust",
     .usage = "kentry enforce untrust [OPTION]... PATH...",
     .summary = "end a program's trust",
     .about = "The path is the one of \"kentry enforce trust\", as \"kentry enforce status\" "
              "shows it.",
     .examples = "  kentry enforce untrust /usr/bin/dpkg\n"},
    {.name = "enforce release",
     .usage = "kentry enforce release",
     .summary = "remove what \"kentry run --pin\" left in force",
     .about = "Removes the pinned hooks, rules and unread events of a daemon that is gone: nothing "
              "is enforced then. Refuses while a daemon runs (exit code 4).",
     .examples = "  kentry enforce release\n"},
    {.name = "version",
     .usage = "kentry version [OPTION]...",
     .summary = "the version of this program",
     .about = "Prints the version. Needs neither root nor a daemon.",
     .examples = "  kentry version\n"
                 "  kentry version -o json\n"},
}};

std::string CommandList() {
  std::string text;
  for (const CommandHelp& command : kCommands) {
    text += fmt::format("  {:<11}  {}\n", command.name, command.summary);
  }
  return text;
}

// `text` in lines of at most `width` columns; lines but the first start with `indent` spaces.
std::string Wrap(std::string_view text, size_t width, size_t indent) {
  std::string out;
  size_t column = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    if (column > 0 && column + 1 + word.size() > width) {
      out += '\n';
      out.append(indent, ' ');
      column = 0;
    }
    if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace

std::span<const CommandHelp> CommandHelps() { return kCommands; }

std::string TopLevelHelp() {
  return fmt::format(
      "kentry: watches what happens on a Linux machine, from inside the kernel\n"
      "\n"
      "Usage: kentry COMMAND [OPTION]...\n"
      "\n"
      "Commands:\n"
      "{}"
      "\n"
      "Examples:\n"
      "  kentry run                   programs on the screen as they start and end (needs root)\n"
      "  kentry run -o json           the same, one JSON object a line\n"
      "  kentry run --help            all that \"run\" can do\n"
      "  kentry status                in another terminal: events seen and lost, memory, CPU\n"
      "  kentry ps                    the process tree, with containers\n"
      "  kentry probe                 whether and how well this kernel is supported\n"
      "  kentry fields process.exec   what an event says\n"
      "  kentry rules check           whether the rules are right\n"
      "\n"
      "Exit codes:\n"
      "  0  done\n"
      "  1  failed; the message says why\n"
      "  2  the command line is wrong\n"
      "  3  no daemon answers\n"
      "  4  another daemon is running\n"
      "  5  this kernel can't do it: no BPF, no type information (BTF), or no permission\n",
      CommandList());
}

std::string ShortHelp() {
  return fmt::format(
      "Usage: kentry COMMAND [OPTION]...\n"
      "\n"
      "{}"
      "\n"
      "Start with \"kentry run\"; \"kentry --help\" has examples and exit codes.\n",
      CommandList());
}

std::string HelpOf(const CommandHelp& command, std::span<const OptionHelp> options) {
  std::string text = fmt::format("Usage: {}\n\n{}\n\nExamples:\n{}\nOptions:\n", command.usage,
                                 Wrap(command.about, kHelpColumns, 0), command.examples);
  size_t width = 0;
  for (const OptionHelp& option : options) width = std::max(width, option.names.size());
  const size_t indent = width + 4;
  for (const OptionHelp& option : options) {
    text += fmt::format("  {:<{}}  {}\n", option.names, width,
                        Wrap(option.text, kHelpColumns - indent, indent));
  }
  return text;
}

}  // namespace kentry
