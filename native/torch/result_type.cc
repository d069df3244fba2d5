#include "torch/result_type.h"

#include <ATen/core/type_ptr.h>

namespace sconce::torch_engine {
namespace {

using c10::TypeKind;

constexpr const char* kWireForms = "tensors, numbers, text and None, in tuples, lists and dicts, can be answered";

bool IsName(const c10::Type& key) {
  return key.kind() == TypeKind::StringType || key.kind() == TypeKind::IntType || key.kind() == TypeKind::BoolType;
}

void Read(const c10::Type& type, ResultType& result) {
  switch (type.kind()) {
    case TypeKind::TensorType:
    case TypeKind::NoneType:
      return;
    case TypeKind::IntType:
    case TypeKind::FloatType:
    case TypeKind::BoolType:
    case TypeKind::NumberType:
    case TypeKind::StringType:
    case TypeKind::AnyType:  // whatever it turns out to be
      result.whole_batch = true;
      return;
    case TypeKind::DictType:
      if (!IsName(*type.containedType(0))) {
        result.refused = "dicts with keys of type " + type.containedType(0)->annotation_str() +
                         "; only str, int and bool can be names";
        return;
      }
      return Read(*type.containedType(1), result);
    case TypeKind::TupleType:
    case TypeKind::ListType:
    case TypeKind::OptionalType:
    case TypeKind::UnionType:
      for (const c10::TypePtr& part : type.containedTypes()) Read(*part, result);
      return;
    default:
      result.refused = "values of type " + type.annotation_str() + "; only " + kWireForms;
  }
}

bool IsListOfDicts(const c10::Type& type) {
  if (type.kind() != TypeKind::ListType) return false;
  const c10::Type& entry = *type.containedType(0);
  return entry.kind() == TypeKind::DictType && entry.containedType(1)->kind() == TypeKind::TensorType;
}

}  // namespace

ResultType ReadResultType(const c10::Type& type) {
  ResultType result;
  if (type.kind() == TypeKind::NoneType) {
    result.refused = "nothing but None";
    return result;
  }
  Read(type, result);
  result.may_list_samples = IsListOfDicts(type);
  return result;
}

}  // namespace sconce::torch_engine
