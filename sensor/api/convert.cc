// SPDX-License-Identifier: Apache-2.0
#include "sensor/api/convert.h"

#include <string>

#include "sensor/api/kentry.pb.h"

namespace kentry {
namespace {

void TableToMessage(const TableStatus& from, v1::TableStatus* to) {
  to->set_size(from.size);
  to->set_capacity(from.capacity);
  to->set_evicted(from.evicted);
}

TableStatus TableFromMessage(const v1::TableStatus& from) {
  return {.size = from.size(), .capacity = from.capacity(), .evicted = from.evicted()};
}

void ListsToMessage(const SensorStatus& from, v1::Status* to) {
  for (const ClassStatus& cls : from.classes) {
    v1::ClassStatus* out = to->add_classes();
    out->set_name(cls.name);
    out->set_backend(cls.backend);
    out->set_attempted(cls.attempted);
    out->set_missed(cls.missed);
    out->set_filtered(cls.filtered);
    out->set_delivered(cls.delivered);
    out->set_lost(cls.lost);
  }
  for (const CpuLoss& loss : from.cpu_loss) {
    v1::CpuLoss* out = to->add_cpu_loss();
    out->set_cpu(loss.cpu);
    out->set_lost(loss.lost);
  }
  for (const Counter& counter : from.helper_failures) {
    v1::Counter* out = to->add_helper_failures();
    out->set_name(counter.name);
    out->set_count(counter.count);
  }
  for (const OutputStatus& output : from.outputs) {
    v1::OutputStatus* out = to->add_outputs();
    out->set_name(output.name);
    out->set_written(output.written);
    out->set_bytes_written(output.bytes_written);
    out->set_missed(output.missed);
    out->set_errors(output.errors);
    out->set_last_error(output.last_error);
  }
}

void ReaderToMessage(const ReaderStatus& from, v1::ReaderStatus* to) {
  to->set_polls(from.polls);
  to->set_wakeups(from.wakeups);
  to->set_held_back(from.held_back);
  to->set_busy(from.busy);
  to->set_out_of_order(from.out_of_order);
  to->set_late(from.late);
  to->set_malformed(from.malformed);
}

void RulesToMessage(const RulesStatus& from, v1::RulesStatus* to) {
  to->set_epoch(from.epoch);
  to->set_name(from.name);
  to->set_revision(from.revision);
  to->set_mode(from.mode);
  to->set_count(from.count);
  to->set_alerts(from.alerts);
  to->set_logged(from.logged);
  to->set_dropped(from.dropped);
  to->set_suppressed(from.suppressed);
  to->set_judged_away(from.judged_away);
  to->set_marks_refused(from.marks_refused);
  to->set_kernel_errors(from.kernel_errors);
  to->set_outdated(from.outdated);
  to->set_refused_unix_ns(from.refused_unix_ns);
  to->set_refused_error(from.refused_error);
  to->set_rules_left_out(from.rules_left_out);
  to->set_file_roots(from.file_roots);
  to->set_file_roots_skipped(from.file_roots_skipped);
  to->set_files_no_room(from.files_no_room);
  for (const RuleStatus& rule : from.rules) {
    v1::RuleStatus* out = to->add_rules();
    out->set_name(rule.name);
    out->set_hits(rule.hits);
    out->set_uncertain(rule.uncertain);
    out->set_suppressed(rule.suppressed);
  }
}

RulesStatus RulesFromMessage(const v1::RulesStatus& from) {
  RulesStatus to = {.epoch = from.epoch(),
                    .name = from.name(),
                    .revision = from.revision(),
                    .mode = from.mode(),
                    .count = from.count(),
                    .alerts = from.alerts(),
                    .logged = from.logged(),
                    .dropped = from.dropped(),
                    .suppressed = from.suppressed(),
                    .judged_away = from.judged_away(),
                    .marks_refused = from.marks_refused(),
                    .kernel_errors = from.kernel_errors(),
                    .outdated = from.outdated(),
                    .file_roots = from.file_roots(),
                    .file_roots_skipped = from.file_roots_skipped(),
                    .files_no_room = from.files_no_room(),
                    .refused_unix_ns = from.refused_unix_ns(),
                    .refused_error = from.refused_error(),
                    .rules_left_out = from.rules_left_out()};
  for (const v1::RuleStatus& rule : from.rules()) {
    to.rules.push_back({.name = rule.name(),
                        .hits = rule.hits(),
                        .uncertain = rule.uncertain(),
                        .suppressed = rule.suppressed()});
  }
  return to;
}

void KillsToMessage(const KillStatus& from, v1::KillStatus* to) {
  to->set_confirmed(from.confirmed);
  to->set_p50_ns(from.p50_ns);
  to->set_p99_ns(from.p99_ns);
  to->set_max_ns(from.max_ns);
  to->set_waiting(from.waiting);
  to->set_unconfirmed(from.unconfirmed);
  to->set_not_followed(from.not_followed);
}

KillStatus KillsFromMessage(const v1::KillStatus& from) {
  return {.confirmed = from.confirmed(),
          .p50_ns = from.p50_ns(),
          .p99_ns = from.p99_ns(),
          .max_ns = from.max_ns(),
          .waiting = from.waiting(),
          .unconfirmed = from.unconfirmed(),
          .not_followed = from.not_followed()};
}

void ListsFromMessage(const v1::Status& from, SensorStatus* to) {
  for (const v1::ClassStatus& cls : from.classes()) {
    to->classes.push_back({.name = cls.name(),
                           .backend = cls.backend(),
                           .attempted = cls.attempted(),
                           .missed = cls.missed(),
                           .filtered = cls.filtered(),
                           .delivered = cls.delivered(),
                           .lost = cls.lost()});
  }
  for (const v1::CpuLoss& loss : from.cpu_loss()) {
    to->cpu_loss.push_back({.cpu = loss.cpu(), .lost = loss.lost()});
  }
  for (const v1::Counter& counter : from.helper_failures()) {
    to->helper_failures.push_back({.name = counter.name(), .count = counter.count()});
  }
  for (const v1::OutputStatus& output : from.outputs()) {
    to->outputs.push_back({.name = output.name(),
                           .written = output.written(),
                           .bytes_written = output.bytes_written(),
                           .missed = output.missed(),
                           .errors = output.errors(),
                           .last_error = output.last_error()});
  }
}

}  // namespace

void ToMessage(const SensorStatus& from, v1::Status* to) {
  to->set_version(from.version);
  to->set_pid(from.pid);
  to->set_started_unix_ns(from.started_unix_ns);
  to->set_uptime_ns(from.uptime_ns);
  to->set_cpu_ns(from.cpu_ns);
  to->set_kernel_release(from.kernel_release);
  to->set_boot_id(from.boot_id);
  to->set_host(from.host);
  ListsToMessage(from, to);
  ReaderToMessage(from.reader, to->mutable_reader());
  TableToMessage(from.processes, to->mutable_processes());
  TableToMessage(from.cgroups, to->mutable_cgroups());
  v1::JournalStatus* journal = to->mutable_journal();
  journal->set_bytes(from.journal.bytes);
  journal->set_capacity_bytes(from.journal.capacity_bytes);
  journal->set_events(from.journal.events);
  journal->set_dropped(from.journal.dropped);
  v1::MemoryStatus* memory = to->mutable_memory();
  memory->set_rss_bytes(from.memory.rss_bytes);
  memory->set_map_bytes(from.memory.map_bytes);
  memory->set_ring_bytes(from.memory.ring_bytes);
  RulesToMessage(from.rules, to->mutable_rules());
  KillsToMessage(from.kills, to->mutable_kills());
  to->mutable_enforcement()->set_pinned(from.pinned);
  to->mutable_enforcement()->set_paused(from.paused);
  for (const std::string& path : from.trusted) to->mutable_enforcement()->add_trusted(path);
}

void ToMessage(const ProcessRow& from, v1::Process* to) {
  to->set_pid(from.pid);
  to->set_start_ns(from.start_ns);
  to->set_started_unix_ns(from.started_unix_ns);
  to->set_parent_pid(from.parent_pid);
  to->set_parent_start_ns(from.parent_start_ns);
  to->set_name(from.name);
  to->set_binary(from.binary);
  for (const std::string& arg : from.args) to->add_args(arg);
  to->set_args_cut(from.args_cut);
  to->set_uid(from.uid);
  to->set_container_id(from.container_id);
  to->set_container_runtime(from.container_runtime);
  to->set_exited(from.exited);
}

SensorStatus FromMessage(const v1::Status& from) {
  SensorStatus to;
  to.version = from.version();
  to.pid = from.pid();
  to.started_unix_ns = from.started_unix_ns();
  to.uptime_ns = from.uptime_ns();
  to.cpu_ns = from.cpu_ns();
  to.kernel_release = from.kernel_release();
  to.boot_id = from.boot_id();
  to.host = from.host();
  ListsFromMessage(from, &to);
  to.reader = {.polls = from.reader().polls(),
               .wakeups = from.reader().wakeups(),
               .held_back = from.reader().held_back(),
               .busy = from.reader().busy(),
               .out_of_order = from.reader().out_of_order(),
               .late = from.reader().late(),
               .malformed = from.reader().malformed()};
  to.processes = TableFromMessage(from.processes());
  to.cgroups = TableFromMessage(from.cgroups());
  to.journal = {.bytes = from.journal().bytes(),
                .capacity_bytes = from.journal().capacity_bytes(),
                .events = from.journal().events(),
                .dropped = from.journal().dropped()};
  to.memory = {.rss_bytes = from.memory().rss_bytes(),
               .map_bytes = from.memory().map_bytes(),
               .ring_bytes = from.memory().ring_bytes()};
  to.rules = RulesFromMessage(from.rules());
  to.kills = KillsFromMessage(from.kills());
  to.pinned = from.enforcement().pinned();
  to.paused = from.enforcement().paused();
  to.trusted.assign(from.enforcement().trusted().begin(), from.enforcement().trusted().end());
  return to;
}

ProcessRow FromMessage(const v1::Process& from) {
  ProcessRow to;
  to.pid = from.pid();
  to.start_ns = from.start_ns();
  to.started_unix_ns = from.started_unix_ns();
  to.parent_pid = from.parent_pid();
  to.parent_start_ns = from.parent_start_ns();
  to.name = from.name();
  to.binary = from.binary();
  to.args.assign(from.args().begin(), from.args().end());
  to.args_cut = from.args_cut();
  to.uid = from.uid();
  to.container_id = from.container_id();
  to.container_runtime = from.container_runtime();
  to.exited = from.exited();
  return to;
}

}  // namespace kentry
