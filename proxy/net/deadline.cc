// The wheel; see deadline.h.
#include "proxy/net/deadline.h"

#include <algorithm>

namespace proxy::net {

Wheel::Wheel() : started_(std::chrono::steady_clock::now()) {
  for (Link& slot : slots_) slot.previous = slot.next = &slot;
}

void Wheel::insert(Deadline& deadline) {
  // At least one tick ahead: the current slot has been looked at.
  const std::int64_t latest = now_tick_ + static_cast<std::int64_t>(slots) - 1;
  deadline.slot_tick_ = std::clamp(deadline.due_tick_, now_tick_ + 1, latest);
  Link& slot = slots_[static_cast<std::size_t>(deadline.slot_tick_) % slots];
  Link& link = deadline;
  link.next = &slot;
  link.previous = slot.previous;
  slot.previous->next = &link;
  slot.previous = &link;
}

void Wheel::advance(std::chrono::steady_clock::time_point now) {
  const std::int64_t target = (now - started_) / tick_length;
  while (now_tick_ < target) {
    ++now_tick_;
    Link& slot = slots_[static_cast<std::size_t>(now_tick_) % slots];
    // Callbacks may destroy neighbours, so the slot's list is taken over and emptied from its
    // front.
    Link due{&due, &due};
    if (slot.next != &slot) {
      due.next = slot.next;
      due.previous = slot.previous;
      due.next->previous = &due;
      due.previous->next = &due;
      slot.previous = slot.next = &slot;
    }
    while (due.next != &due) {
      auto& deadline = static_cast<Deadline&>(*due.next);
      deadline.unlink();
      if (deadline.due_tick_ == Deadline::never) continue;
      if (deadline.due_tick_ > now_tick_) {
        insert(deadline);
        continue;
      }
      deadline.due_tick_ = Deadline::never;
      deadline.on_expired();
    }
  }
}

void Deadline::expires_after(std::chrono::milliseconds timeout) {
  // Rounded up, plus one: the current tick has partly passed.
  const std::int64_t ticks =
      (timeout + Wheel::tick_length - std::chrono::milliseconds{1}) / Wheel::tick_length;
  due_tick_ = wheel_.now_tick_ + std::max<std::int64_t>(ticks, 0) + 1;
  if (slot_tick_ != never && slot_tick_ <= due_tick_) return;  // it will be looked at in time
  unlink();
  wheel_.insert(*this);
}

void Deadline::unlink() {
  if (slot_tick_ == never) return;
  previous->next = next;
  next->previous = previous;
  slot_tick_ = never;
}

}  // namespace proxy::net
