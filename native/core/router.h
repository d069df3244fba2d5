// name -> versions -> model, as one immutable snapshot that is swapped atomically. Only the main thread writes.
// Thread: Resolve from any HTTP thread, wait-free but for one shared_ptr copy; writers are serialised by the caller.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/model.h"
#include "core/status.h"

namespace sconce {

class Router {
 public:
  // A small integer that stands for a name for the life of the process; -1 when the name was never registered.
  // JavaScript keeps it so that a request crosses with two integers instead of strings.
  std::int32_t NameId(std::string_view name) const;

  // Adds or replaces; the first version of a name becomes its default. When the default is removed, the version
  // published last takes its place.
  void Publish(std::shared_ptr<Model> model);
  std::shared_ptr<Model> Remove(std::string_view name, std::string_view version);  // null: was not there
  Status SetDefault(std::string_view name, std::string_view version);

  // version empty: the default. kModelNotFound / kVersionNotFound with TorchServe's words.
  Result<std::shared_ptr<Model>> Resolve(std::int32_t name_id, std::string_view version) const;
  std::vector<std::shared_ptr<Model>> All() const;

  Router();
  ~Router();

 private:
  struct Snapshot;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sconce
