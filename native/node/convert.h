// JavaScript values <-> plain structs for everything that is not on the request path.
// Thread: the environment's own. Functions that read throw Napi::Error on values that src/types.ts does not allow.
#pragma once

#include <napi.h>

#include "node/engine.h"

namespace sconce::node {

EngineOptions ToOptions(const Napi::Object& options);
LoadRequest ToLoadRequest(const Napi::Object& spec);                  // ModelSpec of src/types.ts
Napi::Object FromOutcome(Napi::Env env, const LoadOutcome& outcome);  // LoadReport of src/types.ts
// A Float64Array: how many were left out, then of each batch its tag, the second since 1970, its run and the time
// beside it in ms, how many requests were answered, and the wait of each in ms.
Napi::Value FromBatches(Napi::Env env, const TakenBatches& taken);
Napi::Object FromModel(Napi::Env env, const ModelRow& row);  // ModelStats of src/engine/engine.ts
Napi::Object FromDevice(Napi::Env env, const torch_engine::OpenDevice& device);
Napi::Object FromPicture(Napi::Env env, const torch_engine::Devices& devices);
Napi::Object FromInfo(Napi::Env env, const torch_engine::BuildInfo& info);  // EngineInfo

// An Error with the property `nativeCode`; src/engine/native.ts makes a ServerError of it.
Napi::Error ToError(Napi::Env env, const Status& status);

}  // namespace sconce::node
