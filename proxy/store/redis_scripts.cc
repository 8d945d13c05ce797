// See redis_scripts.h. Only string, math and table functions of Lua are used: cjson, cmsgpack, bit
// and struct have had their overflows (SECURITY K04). Numbers are exact up to 2^53 (auth/family.h).
//
// ARGV[1] of every script is added to Redis' time; it is 0 but for tests that let time go by.
//
// A session (KEYS[1], "...f{sid}"), all numbers big-endian:
//   1 byte   w, the width of the three numbers that follow
//   3 * w    gen, base, floor
//   4 * 6    made_at, proven_at (0: not), idle_expires_at, last_seen_at, in milliseconds
//   5        absolute_expires_at, in seconds
//   6, 4, 8  created_at; idle life of its own in seconds (0: as configured); digest of the agent
//   4        mark of the password (auth/users.h; 0: none)
//   1 + n    address prefix
//   rest     username
// or a tombstone: "x"; "xr" after reuse, with the call that found it (a length and its number) and
// the session that was: whoever lost that answer and repeats the call gets it again.
// A user's list ("...u{digest}"): 6 bytes since when all are over (0: not), then for each session
// its 16 bytes and 5 of its absolute end, oldest first.
#include "proxy/store/redis_scripts.h"

#include <string>
#include <string_view>

#include "auth/bytes.h"

namespace proxy::store {
namespace {

constexpr std::string_view clock_lua = R"lua(
local floor, byte, char, sub = math.floor, string.byte, string.char, string.sub
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + floor(tonumber(t[2]) / 1000) + tonumber(ARGV[1])
)lua";

constexpr std::string_view numbers_lua = R"lua(
local function from(v, at, n)
  local x = 0
  for i = at, at + n - 1 do x = x * 256 + byte(v, i) end
  return x
end
local function six(v, at)
  local a, b, c, d, e, f = byte(v, at, at + 5)
  return ((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f
end
local function to_six(x)
  return char(floor(x / 1099511627776) % 256, floor(x / 4294967296) % 256,
              floor(x / 16777216) % 256, floor(x / 65536) % 256, floor(x / 256) % 256, x % 256)
end
local function to_five(x)
  return char(floor(x / 4294967296) % 256, floor(x / 16777216) % 256, floor(x / 65536) % 256,
              floor(x / 256) % 256, x % 256)
end
local function to(x, n)
  local out = ''
  for i = 1, n do
    out = char(x % 256) .. out
    x = floor(x / 256)
  end
  return out
end
)lua";

// Reads a session into locals and writes it back.
constexpr std::string_view session_lua = R"lua(
local gen, base, floor_gen, made, proven, idle, seen, absolute, created, own_life, tail
local function read(v)
  if not v or #v < 2 or byte(v, 1) > 7 then return false end
  local w = byte(v, 1)
  gen, base, floor_gen = from(v, 2, w), from(v, 2 + w, w), from(v, 2 + 2 * w, w)
  local at = 2 + 3 * w
  made, proven, idle, seen = six(v, at), six(v, at + 6), six(v, at + 12), six(v, at + 18)
  absolute, created, own_life = from(v, at + 24, 5) * 1000, six(v, at + 29), from(v, at + 35, 4)
  tail = sub(v, at + 24)
  return true
end
local function username()
  return sub(tail, 28 + byte(tail, 28) + 1)
end
local function write()
  local w, top = 1, 256
  while gen >= top do
    w = w + 1
    top = top * 256
  end
  return char(w) .. to(gen, w) .. to(base, w) .. to(floor_gen, w) .. to_six(made) ..
         to_six(proven) .. to_six(idle) .. to_six(seen) .. tail
end
local function is_open(not_before)
  return now < idle and now < absolute and created > not_before
end
)lua";

// Entries on the stream of revocations; older ones than ARGV's horizon are cut off.
constexpr std::string_view stream_lua = R"lua(
local function tell(key, horizon, sid, user, at, forget, reason)
  local clock = redis.call('TIME')
  redis.call('XADD', key, 'MINID', '~', tonumber(clock[1]) * 1000 - horizon, '*', 'sid', sid,
             'user', user, 'at', string.format('%.0f', at), 'until',
             string.format('%.0f', forget), 'reason', reason)
end
)lua";

// KEYS: list. ARGV: shift, session (16 bytes), age of the login in ms, absolute life in ms,
// everybody's end, the longest time a login may take, most sessions in a list.
// Gives {0}: revoked meanwhile, or {1, created_at, absolute end in s, evicted session or ''}.
constexpr std::string_view enter_lua = R"lua(
local v = redis.call('GET', KEYS[1]) or string.rep('\0', 6)
local revoked, all = six(v, 1), tonumber(ARGV[5])
local began, patience = now - tonumber(ARGV[3]), tonumber(ARGV[6])
if revoked > began and revoked - began < patience then return {0} end
if all > began + 1000 and all - began < patience then return {0} end
if all > revoked then revoked = all end
local created = now
if revoked > 0 then created = math.max(now, floor(revoked / 1000) * 1000 + 1000) end
local absolute = math.ceil((now + tonumber(ARGV[4])) / 1000)
local entries, evicted = sub(v, 7), ''
while #entries >= 21 and from(entries, 17, 5) * 1000 <= now do entries = sub(entries, 22) end
if #entries >= 21 * tonumber(ARGV[7]) then
  evicted = sub(entries, 1, 16)
  entries = sub(entries, 22)
end
local life = math.max(redis.call('PTTL', KEYS[1]), absolute * 1000 - now, 1)
redis.call('SET', KEYS[1], sub(v, 1, 6) .. entries .. ARGV[2] .. to_five(absolute), 'PX', life)
return {1, created, absolute, evicted}
)lua";

// KEYS: session. ARGV: shift, created_at, absolute end in s, idle life, idle life of its own in s,
// agent and password mark, address prefix, username. Gives the record, or 0 when there is one (or a
// tombstone).
constexpr std::string_view create_lua = R"lua(
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
gen, base, floor_gen, proven = 0, 0, 0, 0
made, created, absolute = now - 86400000, tonumber(ARGV[2]), tonumber(ARGV[3]) * 1000
idle, seen = math.min(now + tonumber(ARGV[4]), absolute), created
tail = to_five(tonumber(ARGV[3])) .. to_six(created) .. to(tonumber(ARGV[5]), 4) .. ARGV[6] ..
       char(#ARGV[7]) .. ARGV[7] .. ARGV[8]
local v = write()
redis.call('SET', KEYS[1], v, 'PX', math.max(idle - now, 1))
return v
)lua";

// KEYS: stream. ARGV: shift, horizon, sid, user, at, until, reason.
constexpr std::string_view tell_lua = R"lua(
tell(KEYS[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7])
return 1
)lua";

// KEYS: session, profile[, stream]. ARGV: shift, generation, grace, idle life, active (1 or 0),
// everybody's end, access life, horizon, sid, number of the call.
// Gives {outcome, generation, now, record or ''}.
constexpr std::string_view rotate_lua = R"lua(
local v = redis.call('GET', KEYS[1])
local mark = 'xr' .. char(#ARGV[10]) .. ARGV[10]
if v and sub(v, 1, #mark) == mark then return {'reuse', 0, now, sub(v, #mark + 1)} end
if not read(v) then return {'dead', 0, now, ''} end
local shown, grace = tonumber(ARGV[2]), tonumber(ARGV[3])
if not is_open(tonumber(ARGV[6])) or shown > 9007199254740991 then return {'dead', 0, now, v} end
if made > now then made = now end
if proven > now then proven = now end
local outcome = 'reuse'
if shown > gen then
  floor_gen, base, gen, made, proven = base, shown, shown + 1, now, 0
  outcome = 'repaired'
else
  local in_grace = now - made < grace
  if not in_grace then floor_gen = base end
  if shown < floor_gen then
    outcome = 'reuse'
  elseif in_grace then
    outcome = 'replayed'
  elseif shown == gen then
    floor_gen, base, gen, made, proven = base, shown, shown + 1, now, 0
    outcome = 'rotated'
  elseif shown == base and proven == 0 then
    gen, made = gen + 1, now
    outcome = 'reissued'
  elseif shown == base and now - proven < grace then
    outcome = 'replayed'
  end
end
if outcome == 'reuse' then
  redis.call('SET', KEYS[1], mark .. v, 'PX', tonumber(ARGV[7]) + 1000)
  redis.call('DEL', KEYS[2])
  if KEYS[3] then
    tell(KEYS[3], tonumber(ARGV[8]), ARGV[9], username(), now, now + tonumber(ARGV[7]) + 1000,
         'reuse')
  end
  return {outcome, 0, now, v}
end
if ARGV[5] == '1' then
  local life = own_life > 0 and own_life * 1000 or tonumber(ARGV[4])
  idle, seen = math.min(now + life, absolute), math.max(seen, now)
end
v = write()
redis.call('SET', KEYS[1], v, 'PX', math.max(idle - now, 1))
return {outcome, gen, now, v}
)lua";

// KEYS: sessions. ARGV: shift, grace, everybody's end, then a generation for each. Gives now.
constexpr std::string_view prove_lua = R"lua(
for i = 1, #KEYS do
  if read(redis.call('GET', KEYS[i])) and is_open(tonumber(ARGV[3])) then
    if tonumber(ARGV[i + 3]) == gen and proven == 0 then
      if made > now then made = now end
      if now - made >= tonumber(ARGV[2]) then proven = now end
    end
    seen = math.max(seen, now)
    redis.call('SET', KEYS[i], write(), 'KEEPTTL')
  end
end
return now
)lua";

// KEYS: session, profile[, stream]. ARGV: shift, access life, horizon, sid, reason, everybody's
// end, the username that it must have ('': any). Gives {was open, record or '', now}.
constexpr std::string_view revoke_lua = R"lua(
local v = redis.call('GET', KEYS[1])
local was_open = read(v) and is_open(tonumber(ARGV[6]))
local user = tail and username() or ''
if ARGV[7] ~= '' and user ~= '' and user ~= ARGV[7] then return {0, '', now} end
if user == '' then user = ARGV[7] end
redis.call('SET', KEYS[1], 'x', 'PX', tonumber(ARGV[2]) + 1000)
redis.call('DEL', KEYS[2])
if KEYS[3] then
  tell(KEYS[3], tonumber(ARGV[3]), ARGV[4], user, now, now + tonumber(ARGV[2]) + 1000, ARGV[5])
end
return {was_open and 1 or 0, was_open and v or '', now}
)lua";

// KEYS: list. ARGV: shift, how long the mark has to last, since when all are over (0: now). Gives
// {now, list}.
constexpr std::string_view end_user_lua = R"lua(
local v = redis.call('GET', KEYS[1]) or string.rep('\0', 6)
local at = tonumber(ARGV[3])
if at == 0 then at = now end
local life = math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[2]))
redis.call('SET', KEYS[1], to_six(math.max(at, six(v, 1))) .. sub(v, 7), 'PX', life)
return {now, v}
)lua";

// KEYS: list. ARGV: shift, then sessions of 16 bytes.
constexpr std::string_view leave_lua = R"lua(
local v = redis.call('GET', KEYS[1])
if not v then return 0 end
local gone, left = {}, {sub(v, 1, 6)}
for i = 2, #ARGV do gone[ARGV[i]] = true end
for at = 7, #v, 21 do
  if not gone[sub(v, at, at + 15)] then left[#left + 1] = sub(v, at, at + 20) end
end
if #left == 1 and six(v, 1) == 0 then return redis.call('DEL', KEYS[1]) end
return redis.call('SET', KEYS[1], table.concat(left), 'KEEPTTL')
)lua";

// KEYS: everybody's end. ARGV: shift. A second ahead, for the replicas that are a moment behind;
// gives the end that is in force.
constexpr std::string_view end_all_lua = R"lua(
local at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now + 1000)
redis.call('SET', KEYS[1], string.format('%.0f', at))
return at
)lua";

// KEYS: counters. ARGV: shift. A counter is "failures window banned". Gives the longest wait.
constexpr std::string_view throttled_lua = R"lua(
local wait = 0
for i = 1, #KEYS do
  local v = redis.call('GET', KEYS[i])
  if v then
    local banned = tonumber(string.match(v, '(%d+)$'))
    wait = math.max(wait, banned - now)
  end
end
return wait
)lua";

// KEYS: counters. ARGV: shift, ban, then count and window of each. The rule of auth/throttle.cc.
constexpr std::string_view fail_lua = R"lua(
for i = 1, #KEYS do
  local count, window = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  local failures, started, banned = 0, 0, 0
  local v = redis.call('GET', KEYS[i])
  if v then
    failures, started, banned = string.match(v, '(%d+) (%d+) (%d+)')
    failures, started, banned = tonumber(failures), tonumber(started), tonumber(banned)
  end
  if count > 0 and banned <= now then
    if failures == 0 or started > now or now - started >= window then
      failures, started = 0, now
    end
    failures = failures + 1
    local life = window
    if failures >= count then
      failures, banned = 0, now + tonumber(ARGV[2])
      life = tonumber(ARGV[2])
    end
    redis.call('SET', KEYS[i], string.format('%d %.0f %.0f', failures, started, banned), 'PX',
               math.max(life, 1))
  end
end
return 1
)lua";

// KEYS: bucket. ARGV: shift, microseconds for one, burst. The rule of auth::take. Gives the wait.
constexpr std::string_view take_lua = R"lua(
local now_us, each = now * 1000, tonumber(ARGV[2])
local span = each * tonumber(ARGV[3])
local full = tonumber(redis.call('GET', KEYS[1]) or 0)
full = math.min(math.max(full, now_us), now_us + span)
local wait = full + each - span - now_us
if wait > 0 then return math.ceil(wait / 1000) end
redis.call('SET', KEYS[1], string.format('%.0f', full + each), 'PX', math.ceil(span / 1000) + 1)
return 0
)lua";

redis::Script make_script(std::initializer_list<std::string_view> parts) {
  redis::Script result;
  for (const std::string_view part : parts) result.text += part;
  result.sha = auth::sha1_hex(result.text);
  return result;
}

}  // namespace

const RedisScripts& redis_scripts() {
  static const RedisScripts scripts{
      .enter = make_script({clock_lua, numbers_lua, enter_lua}),
      .create = make_script({clock_lua, numbers_lua, session_lua, create_lua}),
      .rotate = make_script({clock_lua, numbers_lua, session_lua, stream_lua, rotate_lua}),
      .prove = make_script({clock_lua, numbers_lua, session_lua, prove_lua}),
      .revoke = make_script({clock_lua, numbers_lua, session_lua, stream_lua, revoke_lua}),
      .end_user = make_script({clock_lua, numbers_lua, end_user_lua}),
      .tell = make_script({clock_lua, stream_lua, tell_lua}),
      .leave = make_script({clock_lua, numbers_lua, leave_lua}),
      .end_all = make_script({clock_lua, end_all_lua}),
      .throttled = make_script({clock_lua, throttled_lua}),
      .fail = make_script({clock_lua, fail_lua}),
      .take = make_script({clock_lua, take_lua}),
  };
  return scripts;
}

}  // namespace proxy::store
