-- Asks Gatehouse what to do with a request; see apache.conf. An error in here is a 500.
local http = require "socket.http"
local ltn12 = require "ltn12"

local gatehouse = "http://127.0.0.1:8080/"
-- The headers that say who it is; `identity` in gatehouse.yaml chooses them.
local identity = {"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups",
                  "X-Forwarded-Preferred-Username"}
-- What Gatehouse decides by.
local asked_with = {"Authorization", "Cookie", "Accept", "Origin", "Sec-Fetch-Site",
                    "Sec-Fetch-Mode", "Sec-Fetch-Dest", "User-Agent", "Sec-WebSocket-Key",
                    "Sec-WebSocket-Version"}

-- Applications behind CGI, WSGI or PHP read X_Forwarded_User as X-Forwarded-User.
local function folded(name)
  return (name:lower():gsub("[^a-z0-9]", ""))
end

local is_identity = {}
for _, name in ipairs(identity) do is_identity[folded(name)] = true end

local function ask(r)
  local headers = {
    ["X-Forwarded-Method"] = r.method,
    ["X-Forwarded-Uri"] = r.unparsed_uri,
    ["X-Forwarded-Host"] = r.headers_in["Host"] or "",
    ["X-Forwarded-Proto"] = r.is_https and "https" or "http",
    ["X-Forwarded-For"] = r.useragent_ip,
    ["Connection"] = "close",
  }
  for _, name in ipairs(asked_with) do headers[name] = r.headers_in[name] end
  if (r.headers_in["Upgrade"] or ""):lower() == "websocket" then
    headers["Connection"] = "close, Upgrade"
    headers["Upgrade"] = "websocket"
  end
  local body = {}
  http.TIMEOUT = 5
  local ok, status, answer = http.request{
    url = gatehouse .. ".gatehouse/auth?redirect=true", headers = headers, redirect = false,
    sink = ltn12.sink.table(body)}
  return ok and status, answer, table.concat(body)
end

function check(r)
  -- What goes to Gatehouse is answered there.
  if r.filename and r.filename:sub(1, #gatehouse + 6) == "proxy:" .. gatehouse then
    return apache2.OK
  end
  local status, answer, body = ask(r)
  if not status then return 503 end
  if status ~= 200 then
    for _, name in ipairs({"WWW-Authenticate", "Location", "Retry-After"}) do
      if answer[name:lower()] then r.err_headers_out[name] = answer[name:lower()] end
    end
    -- More requests than a rule's rate_limit allows: 403 to the proxy.
    return answer["x-gatehouse-status"] == "429" and 429 or status
  end

  for name in pairs(r:headers_in_table()) do
    if is_identity[folded(name)] then r.headers_in[name] = nil end
  end
  -- Tokens and cookies of Gatehouse stay in front of the application.
  for _, name in ipairs({"Authorization", "Cookie"}) do
    r.headers_in[name] = answer[name:lower()]
  end
  for _, name in ipairs(identity) do r.headers_in[name] = answer[name:lower()] end
  for number = 1, 2 do
    r.subprocess_env["GATEHOUSE_SET_COOKIE_" .. number] =
      answer["x-gatehouse-set-cookie-" .. number]
  end
  return apache2.OK
end
