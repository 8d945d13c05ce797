-- Asks Gatehouse what to do with a request; see haproxy.cfg.
local question = "http://127.0.0.1:8080/.gatehouse/auth?redirect=true"

-- The headers that say who it is; `identity` in gatehouse.yaml chooses them.
local identity = {"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups",
                  "X-Forwarded-Preferred-Username"}
-- What Gatehouse decides by.
local asked_with = {"authorization", "cookie", "accept", "origin", "sec-fetch-site",
                    "sec-fetch-mode", "sec-fetch-dest", "user-agent", "x-request-id",
                    "sec-websocket-key", "sec-websocket-version"}

-- Applications behind CGI, WSGI or PHP read X_Forwarded_User as X-Forwarded-User.
local function folded(name)
  return (name:lower():gsub("[^a-z0-9]", ""))
end

local is_identity = {}
for _, name in ipairs(identity) do is_identity[folded(name)] = true end

local function first(headers, name)
  local values = headers and headers[name:lower()]
  return values and values[0]
end

local function refuse(txn, status, headers, body)
  local reply = txn:reply{status = status, body = body}
  for _, name in ipairs({"www-authenticate", "location", "content-type", "retry-after"}) do
    local value = first(headers, name)
    if value then reply:add_header(name, value) end
  end
  reply:add_header("cache-control", "no-store")
  txn:done(reply)
end

core.register_action("gatehouse", {"http-req"}, function(txn)
  local sent = txn.http:req_get_headers()
  local headers = {
    ["x-forwarded-method"] = {txn.sf:method()},
    ["x-forwarded-uri"] = {txn.sf:pathq()},
    ["x-forwarded-host"] = {first(sent, "host") or ""},
    ["x-forwarded-proto"] = {first(sent, "x-forwarded-proto") or ""},
    ["x-forwarded-for"] = {txn.sf:src()},
  }
  for _, name in ipairs(asked_with) do
    local values = {}
    for _, value in pairs(sent[name] or {}) do values[#values + 1] = value end
    if #values > 0 then headers[name] = values end
  end
  if (first(sent, "upgrade") or ""):lower() == "websocket" then
    headers["connection"] = {"Upgrade"}
    headers["upgrade"] = {"websocket"}
  end

  local answer = core.httpclient():get{url = question, headers = headers, timeout = 5000}
  if not answer or not answer.status or answer.status == 0 then return refuse(txn, 503) end
  if answer.status ~= 200 then
    -- More requests than a rule's rate_limit allows: 403 to the proxy.
    local is_limited = first(answer.headers, "x-gatehouse-status") == "429"
    return refuse(txn, is_limited and 429 or answer.status, answer.headers, answer.body)
  end

  for name in pairs(sent) do
    if is_identity[folded(name)] then txn.http:req_del_header(name) end
  end
  -- Tokens and cookies of Gatehouse stay in front of the application.
  for _, name in ipairs({"Authorization", "Cookie", table.unpack(identity)}) do
    local value = first(answer.headers, name)
    txn.http:req_del_header(name)
    if value then txn.http:req_set_header(name, value) end
  end
  for number = 1, 2 do
    local cookie = first(answer.headers, "x-gatehouse-set-cookie-" .. number)
    if cookie then txn:set_var("txn.gatehouse_set_cookie_" .. number, cookie) end
  end
  txn:set_var("txn.gatehouse", "permitted")
end)
