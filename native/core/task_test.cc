#include "core/task.h"

#include <gtest/gtest.h>

namespace sconce {
namespace {

Row RowOf(DType dtype, Shape shape) {
  Row row;
  row.inputs.push_back({.dtype = dtype, .shape = shape, .data = nullptr, .bytes = 0, .present = true});
  return row;
}

Task TaskOf(std::vector<Row> rows) {
  Task task;
  task.rows = std::move(rows);
  return task;
}

TEST(Task, SharesABatchOnlyWithEqualShapesAndDtypes) {
  const Task a = TaskOf({RowOf(DType::kFloat32, {4})});
  const Task same = TaskOf({RowOf(DType::kFloat32, {4}), RowOf(DType::kFloat32, {4})});
  const Task longer = TaskOf({RowOf(DType::kFloat32, {5})});
  const Task integer = TaskOf({RowOf(DType::kInt64, {4})});
  EXPECT_TRUE(CanShareBatch(a, same));
  EXPECT_EQ(ShapeKey(a), ShapeKey(same));
  EXPECT_FALSE(CanShareBatch(a, longer));
  EXPECT_FALSE(CanShareBatch(a, integer));
  EXPECT_NE(ShapeKey(a), ShapeKey(longer));
  EXPECT_NE(ShapeKey(a), ShapeKey(integer));
  EXPECT_EQ(RowCount(same), 2u);
}

TEST(Task, ATaskOfMixedRowsStaysAlone) {
  const Task a = TaskOf({RowOf(DType::kFloat32, {4})});
  const Task mixed = TaskOf({RowOf(DType::kFloat32, {4}), RowOf(DType::kFloat32, {5})});
  EXPECT_FALSE(UniformRows(mixed));
  EXPECT_FALSE(CanShareBatch(a, mixed));
  EXPECT_FALSE(CanShareBatch(mixed, a));
}

TEST(Task, OptionalInputsAndNamesCount) {
  Task with = TaskOf({RowOf(DType::kFloat32, {4})});
  Task without = TaskOf({RowOf(DType::kFloat32, {4})});
  without.rows[0].inputs[0].present = false;
  EXPECT_FALSE(CanShareBatch(with, without));
  EXPECT_NE(ShapeKey(with), ShapeKey(without));
  Task named = TaskOf({RowOf(DType::kFloat32, {4})});
  named.names = {"x"};
  EXPECT_FALSE(CanShareBatch(with, named));
}

TEST(Task, ImagesOfAnySizeShareABatch) {
  Task small;
  small.is_image = true;
  small.image = {10, 10, 3};
  Task large;
  large.is_image = true;
  large.image = {1000, 700, 3};
  EXPECT_TRUE(CanShareBatch(small, large));
  EXPECT_EQ(ShapeKey(small), ShapeKey(large));
  EXPECT_EQ(RowCount(small), 1u);
  EXPECT_FALSE(CanShareBatch(small, TaskOf({RowOf(DType::kFloat32, {4})})));
}

}  // namespace
}  // namespace sconce
