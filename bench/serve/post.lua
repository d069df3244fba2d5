-- wrk's side of a scenario: posts the bodies of a file in turn and prints one line of figures at the end.
-- arguments: BODIES (lines "length\n" each followed by that many bytes), PATH, CONTENT_TYPE
local requests, at = {}, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local headers = { ["content-type"] = args[3] }
  while true do
    local length = file:read("*n")
    if not length then break end
    file:read(1)
    requests[#requests + 1] = wrk.format("POST", args[2], headers, file:read(length))
  end
  file:close()
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\nfigures {"requests":%d,"durationUs":%d,"bytes":%d,"p50Us":%d,"p90Us":%d,"p99Us":%d,"maxUs":%d,"errors":%d,"non2xx":%d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(90),
    latency:percentile(99), latency.max, e.connect + e.read + e.write + e.timeout, e.status))
end
