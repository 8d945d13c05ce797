// The rules that one key cannot break alone: what names what, what excludes what, and what is
// written in a form that would be read two ways. Opens no file and looks nothing up. Main thread.
#pragma once

#include "config/config.h"
#include "config/report.h"

namespace config {

void validate(const Config& config, Report& report);

// Its parts.
void validate_listening(const Config& config, Report& report);   // validate_listening.cc
void validate_upstreams(const Config& config, Report& report);   // validate_upstreams.cc
void validate_answers(const Config& config, Report& report);     // validate_answers.cc
void validate_browser(const Config& config, Report& report);     // validate_browser.cc
void validate_routes(const Config& config, Report& report);      // validate_routes.cc
void validate_route_options(const Config& config, const Route& route, const std::string& key,
                            Report& report);                     // validate_route_options.cc
void validate_tokens(const Config& config, Report& report);      // validate_tokens.cc
void validate_store(const Config& config, Report& report);       // validate_store.cc

}  // namespace config
