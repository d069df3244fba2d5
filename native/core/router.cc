#include "core/router.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/mutex.h"

namespace sconce {

namespace {

// All versions of one name. Immutable once it is in a snapshot.
struct Name {
  std::string name;
  std::string default_version;
  std::vector<std::shared_ptr<Model>> versions;  // in the order of publishing

  std::shared_ptr<Model> Find(std::string_view version) const {
    for (const auto& model : versions) {
      if (model->config().version == version) return model;
    }
    return nullptr;
  }
};

Status NoModel(std::string_view name) { return {Code::kModelNotFound, "Model not found: " + std::string(name)}; }

Status NoVersion(std::string_view name, std::string_view version) {
  return {Code::kVersionNotFound,
          "Model version: " + std::string(version) + " does not exist for model: " + std::string(name)};
}

}  // namespace

struct Router::Snapshot {
  std::map<std::string, std::int32_t, std::less<>> ids;  // only grows
  std::vector<std::shared_ptr<const Name>> names;        // by id; without versions when all were removed
};

struct Router::Impl {
  // The lock is held for one pointer copy. std::atomic<std::shared_ptr> would be a lock too, and one that
  // ThreadSanitizer does not understand in GCC 12's library.
  std::shared_ptr<const Snapshot> Load() const {
    MutexLock lock(mutex);
    return current;
  }
  void Store(Snapshot next) {
    auto fresh = std::make_shared<const Snapshot>(std::move(next));
    MutexLock lock(mutex);
    current.swap(fresh);  // the old one is released after the lock: it was declared before it
  }
  // A copy of what is known of the name, for a writer to change; nullptr when it was never registered.
  std::shared_ptr<Name> Edit(const Snapshot& snapshot, std::string_view name) const {
    const auto found = snapshot.ids.find(name);
    if (found == snapshot.ids.end()) return nullptr;
    return std::make_shared<Name>(*snapshot.names[static_cast<std::size_t>(found->second)]);
  }

  mutable Mutex mutex;
  std::shared_ptr<const Snapshot> current GUARDED_BY(mutex) = std::make_shared<const Snapshot>();
};

Router::Router() : impl_(std::make_unique<Impl>()) {}
Router::~Router() = default;

std::int32_t Router::NameId(std::string_view name) const {
  const auto snapshot = impl_->Load();
  const auto found = snapshot->ids.find(name);
  return found == snapshot->ids.end() ? -1 : found->second;
}

void Router::Publish(std::shared_ptr<Model> model) {
  Snapshot next = *impl_->Load();
  const ModelConfig& config = model->config();
  auto entry = impl_->Edit(next, config.name);
  if (entry == nullptr) {
    entry = std::make_shared<Name>(Name{.name = config.name, .default_version = {}, .versions = {}});
    next.ids.emplace(config.name, static_cast<std::int32_t>(next.names.size()));
    next.names.push_back(nullptr);
  }
  if (entry->versions.empty()) entry->default_version = config.version;
  const std::size_t index = static_cast<std::size_t>(next.ids.at(config.name));
  const auto same = [&](const auto& other) { return other->config().version == config.version; };
  const auto replaced = std::ranges::find_if(entry->versions, same);
  if (replaced != entry->versions.end()) {
    *replaced = std::move(model);
  } else {
    entry->versions.push_back(std::move(model));
  }
  next.names[index] = std::move(entry);
  impl_->Store(std::move(next));
}

std::shared_ptr<Model> Router::Remove(std::string_view name, std::string_view version) {
  Snapshot next = *impl_->Load();
  auto entry = impl_->Edit(next, name);
  if (entry == nullptr) return nullptr;
  std::shared_ptr<Model> removed = entry->Find(version);
  if (removed == nullptr) return nullptr;
  std::erase(entry->versions, removed);
  if (entry->default_version == version) {
    entry->default_version = entry->versions.empty() ? "" : entry->versions.back()->config().version;
  }
  next.names[static_cast<std::size_t>(next.ids.find(name)->second)] = std::move(entry);
  impl_->Store(std::move(next));
  return removed;
}

Status Router::SetDefault(std::string_view name, std::string_view version) {
  Snapshot next = *impl_->Load();
  auto entry = impl_->Edit(next, name);
  if (entry == nullptr || entry->versions.empty()) return NoModel(name);
  if (entry->Find(version) == nullptr) return NoVersion(name, version);
  entry->default_version = version;
  next.names[static_cast<std::size_t>(next.ids.find(name)->second)] = std::move(entry);
  impl_->Store(std::move(next));
  return Status::Ok();
}

Result<std::shared_ptr<Model>> Router::Resolve(std::int32_t name_id, std::string_view version) const {
  const auto snapshot = impl_->Load();
  const auto index = static_cast<std::size_t>(name_id);
  if (name_id < 0 || index >= snapshot->names.size()) {
    return Status(Code::kModelNotFound, "Model not found: no name has the number " + std::to_string(name_id));
  }
  const Name& entry = *snapshot->names[index];
  if (entry.versions.empty()) return NoModel(entry.name);
  std::shared_ptr<Model> model = entry.Find(version.empty() ? entry.default_version : version);
  if (model == nullptr) return NoVersion(entry.name, version);
  return model;
}

std::vector<std::shared_ptr<Model>> Router::All() const {
  const auto snapshot = impl_->Load();
  std::vector<std::shared_ptr<Model>> all;
  for (const auto& entry : snapshot->names) all.insert(all.end(), entry->versions.begin(), entry->versions.end());
  return all;
}

}  // namespace sconce
