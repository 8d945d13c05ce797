// What a proxy that asks is told (docs/forward-auth.md): the decision about the request in question
// as an answer that every one of them understands. The thread of the worker.
#pragma once

#include "proxy/decide.h"
#include "proxy/reply.h"
#include "proxy/worker_state.h"

namespace proxy {

// Sets exchange.question where the request asks about another one.
void read_question(WorkerState& worker, Exchange& exchange);
// About the request itself, or about the one that it asks about: then it is to be forwarded, by
// whoever asked, or rejected; or its session is to be renewed first.
[[nodiscard]] Decision decide_about(const Exchange& exchange, const DecisionContext& context);

// 200 with what the application must see instead of the client's own fields.
[[nodiscard]] Reply permit_reply(const Exchange& exchange);
// `refusal` as it would go to the client, for a proxy. nginx knows 200, 401 and 403 and takes the
// rest for a failure of ours: what is refused for another reason is 403. A 401 shows a person the
// way to the login page and back: by X-Gatehouse-Login, or with `?redirect=true` as a redirect.
[[nodiscard]] Reply question_refused(const Exchange& exchange, Reply refusal);

}  // namespace proxy
