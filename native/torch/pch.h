// What every file of this folder would otherwise parse anew; precompiled once.
#pragma once

#include <ATen/Functions.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/api/module.h>

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>
