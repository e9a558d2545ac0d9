-- One pool of token buckets, as sash.limits.limiter.buckets has it, function by function: a test holds both to one meaning.
-- KEYS[1]: the pool. ARGV[1]: what to do. ARGV[2]: its arguments as JSON. ARGV[3]: the time in seconds, "" for this
-- server's own clock (tests alone give one). Limits of -1 are unknown, hence none.
local HOLD, STALE, POLL, KEEP = 660, 2, 0.25, 7200
local NOTHING, SHORTEST = 0.000001, 0.001
local ROUNDED = {1, 1000, 1000}
local KINDS = {"requests", "input_tokens", "output_tokens"}
local asked = cjson.decode(ARGV[2])
local now = tonumber(ARGV[3])
if not now then
  local time = redis.call("TIME")
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local function capacity(limit, burst, k)
  if limit < 0 then return 0 end
  return math.min(limit, math.max(limit * burst, k == 1 and 1 or 0))
end

local function fresh()
  local pool = {limits = asked.limits, firm = asked.firm, concurrency = asked.concurrency, burst = asked.burst,
                levels = {}, at = now, drawn = {0, 0, 0}, closed = 0, holds = {}, line = {}}
  for k = 1, 3 do pool.levels[k] = capacity(pool.limits[k], pool.burst, k) end
  return pool
end

local function refill(pool)
  local passed = math.max(0, now - pool.at)
  for k = 1, 3 do
    local limit = pool.limits[k]
    pool.levels[k] = limit < 0 and 0
      or math.min(capacity(limit, pool.burst, k), pool.levels[k] + passed * limit / 60)
  end
  pool.at = math.max(now, pool.at)
  for name, hold in pairs(pool.holds) do
    if now - hold.at > HOLD then pool.holds[name] = nil end
  end
  for name, waiting in pairs(pool.line) do
    if now - waiting.seen > STALE then pool.line[name] = nil end
  end
end

local function impossible(pool, need)
  if pool.concurrency == 0 then return "concurrency" end
  for k = 1, 3 do
    local limit = pool.limits[k]
    if limit == 0 or (limit > 0 and k < 3 and need[k] > limit) then return KINDS[k] end
  end
  return nil
end

local function wait_for(pool, need, ahead, behind)
  local wait, kind = math.max(0, pool.closed - now), "server"
  for k = 1, 3 do
    local limit = pool.limits[k]
    if limit > 0 then
      local lacking = math.min(need[k], capacity(limit, pool.burst, k)) - pool.levels[k] + ahead[k]
      if lacking > NOTHING and lacking * 60 / limit > wait then
        wait, kind = math.max(SHORTEST, lacking * 60 / limit), KINDS[k]
      end
    end
  end
  local holds = 0
  for _ in pairs(pool.holds) do holds = holds + 1 end
  if pool.concurrency >= 0 and holds >= pool.concurrency and wait < POLL then return POLL, "concurrency" end
  if behind and wait <= 0 then return POLL, "queue" end
  return wait, wait > 0 and kind or ""
end

local function reserve(pool)
  local name, need, order = asked.name, asked.need, now - asked.waited
  local never = impossible(pool, need)
  if never then
    pool.line[name] = nil
    return {-1, never}
  end
  local ahead, behind = {0, 0, 0}, false
  for other, waiting in pairs(pool.line) do
    if other ~= name and (waiting.order < order or (waiting.order == order and other < name)) then
      behind = true
      for k = 1, 3 do ahead[k] = ahead[k] + waiting.need[k] end
    end
  end
  local wait, kind = wait_for(pool, need, ahead, behind)
  if wait > 0 then
    pool.line[name] = {order = order, need = need, seen = now}
    return {wait, kind}
  end
  for k = 1, 3 do
    pool.levels[k] = pool.levels[k] - need[k]
    pool.drawn[k] = pool.drawn[k] + need[k]
  end
  pool.holds[name] = {need = need, at = now, drawn = {pool.drawn[1], pool.drawn[2], pool.drawn[3]}}
  pool.line[name] = nil
  return {0, ""}
end

local function settle(pool)
  local hold = pool.holds[asked.name]
  if not hold then return {0, ""} end
  for k = 1, 3 do
    local spent = asked.used and asked.used[k] or hold.need[k]
    pool.levels[k] = math.min(capacity(pool.limits[k], pool.burst, k), pool.levels[k] + hold.need[k] - spent)
    pool.drawn[k] = pool.drawn[k] + spent - hold.need[k]
  end
  pool.holds[asked.name] = nil
  return {0, ""}
end

local function relimit(pool)
  for k = 1, 3 do
    local old, new = pool.limits[k], asked.limits[k]
    if new >= 0 then
      local limit = (pool.firm[k] and old >= 0) and math.min(old, new) or new
      if limit ~= old then
        local most = capacity(limit, pool.burst, k)
        local level = old >= 0 and pool.levels[k] or (asked.remaining[k] < 0 and most or asked.remaining[k])
        pool.limits[k], pool.levels[k] = limit, math.min(most, level)
      end
    end
  end
end

local function hear(pool)
  relimit(pool)
  local hold = pool.holds[asked.name]
  for k = 1, 3 do
    local limit, left = pool.limits[k], asked.remaining[k]
    if hold and limit >= 0 and left >= 0 then
      local since = (now - hold.at) * limit / 60 - (pool.drawn[k] - hold.drawn[k])
      local real = math.min(left + ROUNDED[k] / 2, limit) + since
      if real < pool.levels[k] - math.max(ROUNDED[k], limit * 0.02) then pool.levels[k] = real end
    end
  end
  if asked.wait > 0 then
    for k = 1, 3 do
      local limit = pool.limits[k]
      if limit >= 0 then pool.levels[k] = math.min(pool.levels[k], -asked.wait * limit / 60) end
    end
    pool.closed = math.max(pool.closed, now + asked.wait)
  end
  return {0, ""}
end

local kept = redis.call("GET", KEYS[1])
if not kept and ARGV[1] ~= "reserve" then return cjson.encode({0, ""}) end
local pool = kept and cjson.decode(kept) or fresh()
refill(pool)
local answer
if ARGV[1] == "reserve" then answer = reserve(pool)
elseif ARGV[1] == "settle" then answer = settle(pool)
elseif ARGV[1] == "hear" then answer = hear(pool)
else
  pool.line[asked.name] = nil
  answer = {0, ""}
end
redis.call("SET", KEYS[1], cjson.encode(pool), "EX", KEEP)
return cjson.encode(answer)
