// Any path: what is canonical holds no trick and reduces to itself; what a legacy path reduces to
// holds none either.
#include "proxy/http/path.h"
#include "tests/fuzz/require.h"

using namespace proxy::http;

namespace {

bool has_dot_segment(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const std::string_view segment = path.substr(0, path.find('/'));
    if (segment == "." || segment == "..") return true;
    path.remove_prefix(segment.size());
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view path = fuzz::text(data, size);
  const PathForm form = form_of(path);
  const std::string reduced = reduce(path);
  if (form == PathForm::refused) return 0;
  fuzz::require(path.starts_with('/') && !has_dot_segment(path));
  fuzz::require(reduced.starts_with('/') && !has_dot_segment(reduced));
  fuzz::require(reduced.find("//") == std::string::npos);
  fuzz::require(reduced.find(';') == std::string::npos);
  fuzz::require(form_of(reduced) != PathForm::refused);
  fuzz::require(reduce(reduced) == reduced);
  if (form == PathForm::canonical) fuzz::require(reduced == path);
  return 0;
}
