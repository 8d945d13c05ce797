// What an access line looks like: the fields of JSON and text, or the Common and Combined Log
// Format of web servers. Pure; the thread of the log.
#pragma once

#include "proxy/http/buffer.h"
#include "proxy/log_line.h"
#include "proxy/telemetry.h"

namespace proxy {

void add_access_fields(LogLine& line, const AccessRecord& record);

// host - user [date] "request" status bytes ["referer" "user agent"] request_id trace_id
// The last two are ours: readers of the format stop before them. A query is never written.
void append_common_line(const AccessRecord& record, bool combined, http::Buffer& out);

}  // namespace proxy
