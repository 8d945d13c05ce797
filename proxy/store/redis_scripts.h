// The scripts that Redis runs for us: constant text, no data of users in it (SECURITY K04), and
// each touches one hash slot, so that they serve a cluster too. What they take and give stands
// above each in redis_scripts.cc. Immutable; any thread.
#pragma once

#include "proxy/redis/client.h"

namespace proxy::store {

struct RedisScripts {
  redis::Script enter;     // a login goes into its user's list
  redis::Script create;    // the session itself
  redis::Script rotate;    // the table of the rotation rule (auth/family.h)
  redis::Script prove;     // a client holds the newest generation
  redis::Script revoke;    // a tombstone for a session, and the entry on the stream
  redis::Script end_user;  // all sessions of a user, from now on
  redis::Script tell;      // an entry on the stream, of what lies elsewhere
  redis::Script leave;     // sessions out of a user's list
  redis::Script end_all;   // everybody's sessions, from now on
  redis::Script throttled;
  redis::Script fail;      // a failed login
  redis::Script take;      // from a bucket
};
[[nodiscard]] const RedisScripts& redis_scripts();

}  // namespace proxy::store
