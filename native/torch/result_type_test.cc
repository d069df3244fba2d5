#include "torch/result_type.h"

#include <gtest/gtest.h>
#include <torch/csrc/jit/frontend/script_type_parser.h>

namespace sconce::torch_engine {
namespace {

ResultType Of(const std::string& type) { return ReadResultType(*torch::jit::ScriptTypeParser().parseType(type)); }

TEST(ResultType, TensorsAndNoneBelongToTheSamples) {
  for (const char* type : {"Tensor", "Optional[Tensor]", "Tuple[Tensor, Optional[Tensor]]", "Dict[str, List[Tensor]]",
                           "Dict[int, Tensor]"}) {
    EXPECT_FALSE(Of(type).whole_batch) << type;
    EXPECT_FALSE(Of(type).may_list_samples) << type;
    EXPECT_EQ(Of(type).refused, "") << type;
  }
}

TEST(ResultType, NumbersAndTextBelongToTheBatch) {
  for (const char* type : {"int", "float", "bool", "str", "number", "Any", "Tuple[Tensor, int]",
                           "List[Optional[float]]", "Dict[str, Tuple[Tensor, str]]", "Union[int, Tensor]"}) {
    EXPECT_TRUE(Of(type).whole_batch) << type;
    EXPECT_EQ(Of(type).refused, "") << type;
  }
}

TEST(ResultType, AListOfDictsMayHaveAnEntryPerSample) {
  EXPECT_TRUE(Of("List[Dict[str, Tensor]]").may_list_samples);
  EXPECT_FALSE(Of("List[Tuple[Tensor, Tensor]]").may_list_samples);
}

TEST(ResultType, WhatHasNoWireFormIsRefusedByItsType) {
  EXPECT_NE(Of("Tuple[Tensor, complex]").refused.find("values of type complex"), std::string::npos);
  EXPECT_NE(Of("Device").refused.find("Device"), std::string::npos) << Of("Device").refused;
  EXPECT_NE(Of("Dict[float, Tensor]").refused.find("keys of type float"), std::string::npos);
  EXPECT_EQ(Of("None").refused, "nothing but None");
}

}  // namespace
}  // namespace sconce::torch_engine
