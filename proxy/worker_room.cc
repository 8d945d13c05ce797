// Which clients a worker keeps: who makes room for others when there are too many, who is told to
// come back, and who may go when the process or a listener ends. On the worker's thread.
#include <algorithm>
#include <vector>

#include "proxy/worker.h"

namespace proxy {
namespace {

// A connection that was used within the last second is not taken from its client.
constexpr std::int64_t ticks_to_give_way = 10;
// Connections that are ended at once to make room for others: an eighth of those that may be, up to
// this.
constexpr std::size_t ended_at_once = 32;
// How long to look for somebody idle, here and on other workers, before clients are told that there
// is no room: whoever has just become idle counts by then.
constexpr std::int64_t ticks_to_make_room = ticks_to_give_way + 2;
// Clients that are being told so at the same time; further ones wait in the kernel's queue. Their
// descriptors are part of those that machine.cc reserves.
constexpr int surplus_max = 24;

}  // namespace

// Of those that have waited for a second, an eighth; the longest first. True when there were any.
template <class Waited, class End>
bool Worker::end_longest(Waited waited, End end) {
  std::vector<Connection*> found;
  for (Connection& connection : connections_) {
    const bool may_go = connection.role() == Role::main && !connection.is_surplus() &&
                        waited(connection) >= ticks_to_give_way;
    if (may_go) found.push_back(&connection);
  }
  const auto count =
      static_cast<std::ptrdiff_t>(std::min((found.size() + 7) / 8, ended_at_once));
  std::partial_sort(
      found.begin(), found.begin() + count, found.end(),
      [&](const Connection* a, const Connection* b) { return waited(*a) > waited(*b); });
  for (std::ptrdiff_t i = 0; i < count; ++i) end(*found[static_cast<std::size_t>(i)]);
  return count != 0;
}

bool Worker::end_longest_idle() {
  return end_longest([](const Connection& connection) { return connection.idle_ticks(); },
                     [](Connection& connection) { connection.stop_if_idle(); });
}

// Whoever sends half of something or takes nothing holds what others need.
bool Worker::end_longest_stalled() {
  return end_longest([](const Connection& connection) { return connection.stalled_ticks(); },
                     [](Connection& connection) { connection.cut(); });
}

// Room for one more client. When there is none, those that have been idle longest make some, here
// or on another worker, unless all of them were busy a moment ago.
Worker::Room Worker::look_for_room() {
  ProcessState& process = state_.process;
  const std::uint32_t limit = state_.local->runtime->config.limits.connections;
  if (process.connections.load(std::memory_order_relaxed) < limit &&
      process.memory.load(std::memory_order_relaxed) == MemoryState::enough) {
    full_since_ = -1;
    return Room::enough;
  }
  const std::int64_t now = state_.wheel.now_tick();
  if (full_since_ < 0) full_since_ = now;
  if (end_longest_idle()) {
    full_since_ = now;
    return Room::soon;
  }
  if (now - full_since_ < ticks_to_make_room) {
    process.room_asked.fetch_add(1, std::memory_order_relaxed);
    return Room::soon;
  }
  return state_.surplus < surplus_max ? Room::none : Room::soon;
}

void Worker::make_room_if_asked() {
  const auto memory = state_.process.memory.load(std::memory_order_relaxed);
  const bool is_short = memory != MemoryState::enough;
  http::Buffer::allow_bulk(!is_short);
  const std::uint32_t asked = state_.process.room_asked.load(std::memory_order_relaxed);
  if (asked == room_seen_) return;
  room_seen_ = asked;
  end_longest_idle();
  if (!is_short) return;
  end_longest_stalled();
  state_.trim();
}

// At the end: clients that were served a moment ago may be about to send the next request. That one
// is answered, and told that it was the last; only what has been quiet for longer is closed.
void Worker::close_what_is_idle() {
  for (Connection& connection : connections_) {
    if (connection.role() == Role::main && connection.idle_ticks() >= ticks_to_give_way) {
      connection.stop_if_idle();
    }
  }
}

// The same for the connections of listeners that are gone. One that waited in the queue of its
// listener gets an answer, however long its request takes to come.
void Worker::close_what_is_retired() {
  retiring_ = false;
  for (Connection& connection : connections_) {
    if (!connection.is_retired()) continue;
    retiring_ = true;
    const bool may_go = connection.had_request();
    if (may_go && connection.idle_ticks() >= ticks_to_give_way) connection.stop_if_idle();
  }
}

}  // namespace proxy
