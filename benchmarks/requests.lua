-- For wrk: sends requests made of presigned paths in turn, and reports what came of them as one line of JSON.
-- Arguments after --: METHOD FILE SIZE, where FILE holds one path with its query a line, and SIZE is that of a body in bytes.
local made, last = {}, 0

function init(args)
    local size = tonumber(args[3])
    local body = size > 0 and string.rep("x", size) or nil
    for path in io.lines(args[2]) do
        made[#made + 1] = wrk.format(args[1], path, nil, body)
    end
end

function request()
    last = last % #made + 1
    return made[last]
end

function done(summary, latency, _)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "seconds": %.6f, "failures": %d, "p50": %.6f, "p99": %.6f}\n',
        summary.requests, summary.duration / 1e6, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50) / 1e6, latency:percentile(99) / 1e6
    ))
end
