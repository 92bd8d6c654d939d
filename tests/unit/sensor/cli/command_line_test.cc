// SPDX-License-Identifier: Apache-2.0
#include "sensor/cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "sensor/cli/help.h"
#include "sensor/event/env_names.h"

namespace kentry {
namespace {

using ::testing::ElementsAre;
using testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

using Words = std::vector<std::string>;

// The command's options; a failure when the words don't give that command.
template <typename Options>
Options Parse(const Words& words) {
  const auto command = ParseCommandLine(words);
  EXPECT_TRUE(command.ok()) << command.status();
  if (!command.ok() || !std::holds_alternative<Options>(*command)) {
    ADD_FAILURE() << "another command";
    return {};
  }
  return std::get<Options>(*command);
}

std::string Error(const Words& words) {
  const auto command = ParseCommandLine(words);
  EXPECT_TRUE(absl::IsInvalidArgument(command.status())) << command.status();
  return std::string(command.status().message());
}

TEST(CommandLineTest, RunHasSaneDefaults) {
  const auto run = Parse<RunOptions>({"run"});
  EXPECT_EQ(run.format, EventFormat::kText);
  EXPECT_FALSE(run.quiet);
  EXPECT_EQ(run.output_file, "");
  EXPECT_EQ(run.stdout_classes, kDefaultTextClasses);
  EXPECT_EQ(run.file_classes, kAllClasses);
  EXPECT_THAT(run.env, ElementsAreArray(DefaultEnvNames()));
  EXPECT_EQ(run.ring_bytes, 0u);
  EXPECT_EQ(run.priority_ring_bytes, 0u);
  EXPECT_EQ(run.max_processes, 32768u);
  EXPECT_EQ(run.journal_bytes, 8u << 20);
  EXPECT_EQ(run.duration, absl::InfiniteDuration());
  EXPECT_EQ(run.color, ColorMode::kAuto);
  EXPECT_EQ(run.log_level, LogLevel::kInfo);
  EXPECT_EQ(run.socket_path, "/run/kentry/kentry.sock");
}

TEST(CommandLineTest, RunTakesEachOption) {
  const auto run = Parse<RunOptions>({"run",
                                      "-o",
                                      "json",
                                      "-q",
                                      "--output",
                                      "/tmp/x y",
                                      "--env",
                                      "A",
                                      "--env",
                                      "B,C",
                                      "--color",
                                      "never",
                                      "--log-level",
                                      "debug",
                                      "--ring-size=3M",
                                      "--ring-priority-size",
                                      "64K",
                                      "--max-processes",
                                      "1024",
                                      "--journal-size",
                                      "1MiB",
                                      "--duration",
                                      "90s",
                                      "--socket",
                                      "/tmp/s"});
  EXPECT_EQ(run.format, EventFormat::kJson);
  EXPECT_TRUE(run.quiet);
  EXPECT_EQ(run.output_file, "/tmp/x y");
  EXPECT_EQ(run.stdout_classes, kAllClasses);
  EXPECT_THAT(run.env, ElementsAre("A", "B", "C"));
  EXPECT_EQ(run.color, ColorMode::kNever);
  EXPECT_EQ(run.log_level, LogLevel::kDebug);
  EXPECT_EQ(run.ring_bytes, 4u << 20) << "rounded up to a power of two";
  EXPECT_EQ(run.priority_ring_bytes, 64u << 10);
  EXPECT_EQ(run.max_processes, 1024u);
  EXPECT_EQ(run.journal_bytes, 1u << 20);
  EXPECT_EQ(run.duration, absl::Seconds(90));
  EXPECT_EQ(run.socket_path, "/tmp/s");
}

TEST(CommandLineTest, EventsApplyToAllOutputsAndNeverHideTheSensorsOwn) {
  const auto run = Parse<RunOptions>({"run", "--events", "process.fork"});
  EXPECT_EQ(run.stdout_classes, ClassBit(EventClass::kProcessFork) | kSensorClasses);
  EXPECT_EQ(run.file_classes, run.stdout_classes);
}

TEST(CommandLineTest, EnvNoneReportsNone) {
  EXPECT_THAT(Parse<RunOptions>({"run", "--env", "none"}).env, IsEmpty());
}

TEST(CommandLineTest, LastOfARepeatedOptionWins) {
  EXPECT_EQ(Parse<RunOptions>({"run", "-o", "json", "-o", "text"}).format, EventFormat::kText);
}

TEST(CommandLineTest, OtherCommandsTakeTheirOptions) {
  const auto status = Parse<StatusOptions>({"status", "-o", "json", "--socket", "/tmp/s"});
  EXPECT_EQ(status.format, EventFormat::kJson);
  EXPECT_EQ(status.socket_path, "/tmp/s");
  EXPECT_EQ(Parse<StatusOptions>({"status"}).socket_path, kDefaultSocketPath);

  const auto ps = Parse<PsOptions>({"ps", "--all", "-o", "json", "--socket", "/tmp/s"});
  EXPECT_TRUE(ps.with_exited);
  EXPECT_EQ(ps.format, EventFormat::kJson);
  EXPECT_EQ(ps.socket_path, "/tmp/s");
  EXPECT_FALSE(Parse<PsOptions>({"ps"}).with_exited);

  const auto probe = Parse<ProbeOptions>({"probe", "--quiet", "--format", "json"});
  EXPECT_TRUE(probe.quiet);
  EXPECT_EQ(probe.format, EventFormat::kJson);
  EXPECT_FALSE(Parse<ProbeOptions>({"probe"}).quiet);

  EXPECT_EQ(Parse<CleanupOptions>({"cleanup", "--socket", "/tmp/s"}).socket_path, "/tmp/s");

  const auto fields = Parse<FieldsOptions>({"fields", "-o", "markdown", "process.exit"});
  EXPECT_EQ(fields.format, FieldsFormat::kMarkdown);
  EXPECT_EQ(fields.cls, EventClass::kProcessExit);
  EXPECT_EQ(Parse<FieldsOptions>({"fields"}).cls, EventClass::kNone);

  EXPECT_EQ(Parse<VersionOptions>({"version", "-o", "json"}).format, EventFormat::kJson);
  EXPECT_EQ(Parse<VersionOptions>({"--version"}).format, EventFormat::kText);
}

TEST(CommandLineTest, NoWordsGiveAShortHelp) {
  const std::string text = Parse<HelpOptions>({}).text;
  EXPECT_THAT(text, StartsWith("Usage: kentry COMMAND"));
  for (const CommandHelp& command : CommandHelps()) {
    EXPECT_THAT(text, HasSubstr(std::string(command.name)));
  }
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 24);
}

TEST(CommandLineTest, HelpTeachesByExampleAndListsExitCodes) {
  for (const Words& words : {Words{"--help"}, Words{"-h"}, Words{"help"}}) {
    const std::string text = Parse<HelpOptions>(words).text;
    EXPECT_THAT(text, HasSubstr("Examples:\n"));
    EXPECT_THAT(text, HasSubstr("Exit codes:\n"));
    EXPECT_THAT(text, HasSubstr("  4  another daemon is running\n"));
  }
}

// The words after "kentry" of an example's line, without a pipe and the explanation.
Words WordsOfExample(std::string line) {
  for (const char* end : {"  ", " |", " >", " &&"})
    line.resize(std::min(line.find(end), line.size()));
  std::istringstream stream(line);
  Words words;
  for (std::string word; stream >> word;) words.push_back(word);
  words.erase(words.begin());
  return words;
}

TEST(CommandLineTest, EveryExampleParses) {
  int examples = 0;
  for (const CommandHelp& command : CommandHelps()) {
    std::istringstream lines{std::string(command.examples)};
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with("  kentry ")) continue;
      ++examples;
      const auto parsed = ParseCommandLine(WordsOfExample(line.substr(2)));
      EXPECT_TRUE(parsed.ok()) << line << ": " << parsed.status();
    }
  }
  EXPECT_GE(examples, 12);
}

TEST(CommandLineTest, EveryCommandHasHelpWithExamples) {
  for (const CommandHelp& command : CommandHelps()) {
    const std::string name(command.name);
    const std::string text = Parse<HelpOptions>({name, "--help"}).text;
    EXPECT_THAT(text, StartsWith("Usage: " + std::string(command.usage)));
    EXPECT_THAT(text, HasSubstr("Examples:\n  kentry " + name));
    EXPECT_THAT(text, HasSubstr("-h, --help"));
    EXPECT_EQ(text, Parse<HelpOptions>({"help", name}).text);
    EXPECT_EQ(text, Parse<HelpOptions>({name, "-h"}).text);
    for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
      EXPECT_LE(text.find('\n', at) - at, 100u) << text.substr(at, 120);
    }
  }
}

TEST(CommandLineTest, RunHelpListsEveryOptionWithItsBounds) {
  const std::string text = Parse<HelpOptions>({"run", "--help"}).text;
  for (const char* option :
       {"-o, --format FORMAT", "-q, --quiet", "--output FILE", "--events LIST", "--env NAME,...",
        "--color WHEN", "--duration TIME", "--ring-size SIZE", "--ring-priority-size SIZE",
        "--max-processes N", "--journal-size SIZE", "--socket PATH", "--log-level LEVEL"}) {
    EXPECT_THAT(text, HasSubstr(option));
  }
  EXPECT_THAT(text, HasSubstr("64 KiB to 64 MiB"));
  EXPECT_THAT(text, HasSubstr("1024 to 4194304 (default 32768)"));
}

TEST(CommandLineTest, UnknownCommandNamesTheNearestOrAll) {
  EXPECT_EQ(Error({"stauts"}), "kentry: unknown command \"stauts\"; did you mean \"status\"?");
  EXPECT_EQ(Error({"frobnicate"}),
            "kentry: unknown command \"frobnicate\"; commands are run, status, ps, probe, "
            "cleanup, fields, rules check, rules test, rules explain, rules reload, "
            "enforce status, enforce pause, enforce resume, enforce trust, enforce untrust, "
            "enforce release, version");
  EXPECT_EQ(Error({"help", "rum"}), "kentry: unknown command \"rum\"; did you mean \"run\"?");
  EXPECT_THAT(Error({""}), HasSubstr("unknown command \"\""));
}

TEST(CommandLineTest, OptionBeforeTheCommandSaysWhereItBelongs) {
  EXPECT_EQ(Error({"-o", "json", "run"}),
            "kentry: unknown option \"-o\"; options come after a command, like \"kentry run -o "
            "json\"");
}

TEST(CommandLineTest, UnknownOptionNamesTheNearestOrAll) {
  EXPECT_EQ(Error({"run", "--ouput", "x"}),
            "kentry run: unknown option \"--ouput\"; did you mean \"--output\"?");
  EXPECT_EQ(Error({"run", "--ouput=x"}),
            "kentry run: unknown option \"--ouput\"; did you mean \"--output\"?");
  EXPECT_EQ(Error({"run", "-output", "x"}),
            "kentry run: unknown option \"-output\"; did you mean \"--output\"?");
  EXPECT_EQ(Error({"ps", "--tree"}),
            "kentry ps: unknown option \"--tree\"; options are --help, --format, --all, "
            "--socket");
  EXPECT_THAT(Error({"status", "-x"}), StartsWith("kentry status: unknown option \"-x\""));
  EXPECT_THAT(Error({"run", "--x\x1b[31m"}), HasSubstr("unknown option \"--x\\x1b[31m\""));
}

TEST(CommandLineTest, UnexpectedArgumentShowsTheUsage) {
  EXPECT_EQ(Error({"run", "status"}),
            "kentry run: unexpected argument \"status\"; usage: kentry run [OPTION]...");
  EXPECT_EQ(Error({"fields", "process.exec", "x\n"}),
            "kentry fields: unexpected argument \"x\\x0a\"; usage: kentry fields [CLASS] "
            "[OPTION]...");
}

TEST(CommandLineTest, MissingValueNamesWhatIsMissing) {
  EXPECT_EQ(Error({"run", "--output"}), "kentry run: --output needs a value: --output FILE");
  EXPECT_EQ(Error({"run", "--env"}), "kentry run: --env needs a value: --env NAME,...");
  EXPECT_EQ(
      Error({"run", "--output", "-q"}),
      "kentry run: --output: \"-q\" looks like an option; write \"./-q\" if the file is called so");
  EXPECT_EQ(Error({"run", "--output", ""}), "kentry run: --output needs a value that is not empty");
  EXPECT_EQ(Error({"fields", ""}), "kentry fields: CLASS needs a value that is not empty");
}

TEST(CommandLineTest, FlagWithAValueIsRefused) {
  EXPECT_EQ(Error({"run", "--quiet=maybe"}),
            "kentry run: --quiet, --all, --pin and --help take no value");
}

TEST(CommandLineTest, WrongValueNamesItsOptionAndWhatIsAllowed) {
  EXPECT_EQ(Error({"run", "-o", "jsn"}),
            "kentry run: --format: \"jsn\" is not one of text, json; did you mean \"json\"?");
  EXPECT_EQ(Error({"run", "--color", "allways"}),
            "kentry run: --color: \"allways\" is not one of auto, always, never; did you mean "
            "\"always\"?");
  EXPECT_EQ(Error({"run", "--log-level", "loud"}),
            "kentry run: --log-level: \"loud\" is not one of error, warn, info, debug");
  EXPECT_EQ(Error({"run", "--ring-size", "1K"}),
            "kentry run: --ring-size: \"1K\" is not between 64 KiB and 64 MiB");
  EXPECT_EQ(Error({"run", "--ring-priority-size", "1G"}),
            "kentry run: --ring-priority-size: \"1G\" is not between 64 KiB and 16 MiB");
  EXPECT_EQ(Error({"run", "--journal-size", "1"}),
            "kentry run: --journal-size: \"1\" is not between 1 MiB and 4 GiB");
  EXPECT_EQ(Error({"run", "--max-processes", "many"}),
            "kentry run: --max-processes: \"many\" is not a number between 1024 and 4194304");
  EXPECT_THAT(Error({"run", "--duration", "soon"}),
              StartsWith("kentry run: --duration: \"soon\" is not a duration"));
  EXPECT_THAT(Error({"run", "--env", "A=B"}), StartsWith("kentry run: --env: \"A=B\" is not"));
  EXPECT_EQ(Error({"run", "--events", "process.exce"}),
            "kentry run: --events: unknown event class \"process.exce\"; did you mean "
            "\"process.exec\"?");
  EXPECT_EQ(Error({"run", "--output", "-"}),
            "kentry run: --output: \"-\" is no file; \"-o json\" prints JSON on standard output");
  EXPECT_THAT(Error({"status", "--socket", std::string(200, 'x')}),
              StartsWith("kentry status: --socket: "));
  EXPECT_THAT(Error({"ps", "-o", "xml"}), StartsWith("kentry ps: --format: \"xml\""));
  EXPECT_THAT(Error({"probe", "-o", "markdown"}), StartsWith("kentry probe: --format: "));
  EXPECT_THAT(Error({"version", "-o", "x"}), StartsWith("kentry version: --format: "));
  EXPECT_THAT(Error({"cleanup", "--socket", std::string(200, 'x')}),
              StartsWith("kentry cleanup: --socket: "));
  EXPECT_EQ(Error({"fields", "-o", "html"}),
            "kentry fields: --format: \"html\" is not one of text, json, markdown");
  EXPECT_EQ(Error({"fields", "process.exeq"}),
            "kentry fields: unknown event class \"process.exeq\"; did you mean "
            "\"process.exec\"?");
  EXPECT_THAT(Error({"fields", "nothing"}), HasSubstr("; classes are process.exec, "));
}

}  // namespace
}  // namespace kentry
