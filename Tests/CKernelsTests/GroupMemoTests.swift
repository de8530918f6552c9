import CajalCKernels
import Testing

/// A group that remembers how it was planned runs as one that plans anew, wherever its operands lie.
@Suite struct GroupMemoTests {
  /// z = a · b + c and a - b, of rows that `c` is broadcast over, and the sums of a · b along the rows.
  private struct Group {
    static let (rows, columns) = (40, 48)
    let loads = [
      access(0, CJ_FLOAT32, 0, strides: [columns, 1]), access(1, CJ_FLOAT32, 1, strides: [columns, 1]),
      access(2, CJ_FLOAT32, 2, strides: [0, 1]),
    ]
    let stores = [
      access(3, CJ_FLOAT32, 4, strides: [columns, 1]), access(4, CJ_FLOAT32, 5, strides: [columns, 1]),
      access(5, CJ_FLOAT32, 6, strides: [1, 0], extent: CJ_ROW),
    ]
    let instructions = [
      instruction(CJ_MULTIPLY, CJ_F32, 3, 0, 1), instruction(CJ_ADD, CJ_F32, 4, 3, 2),
      instruction(CJ_SUBTRACT, CJ_F32, 5, 0, 1),
      instruction(CJ_REDUCE, CJ_F32, aux: Int(CJ_SUM.rawValue), 6, 3, extent: CJ_ROW),
    ]

    func run(_ slots: [UnsafeMutableRawPointer?], _ memo: OpaquePointer?) {
      loads.withUnsafeBufferPointer { loads in
        stores.withUnsafeBufferPointer { stores in
          withUnsafePointer(to: cj_fold()) { noFold in
            instructions.withUnsafeBufferPointer { list in
              var group = cj_group(
                rank: 2, extents: (Int64(Group.rows), Int64(Group.columns), 0, 0, 0, 0, 0, 0),
                load_count: Int32(loads.count), store_count: Int32(stores.count), instruction_count: Int32(list.count),
                register_count: 7, loads: loads.baseAddress!, stores: stores.baseAddress!,
                instructions: list.baseAddress!, fold_count: 0, folds: noFold)
              slots.withUnsafeBufferPointer { cj_group_run(&group, $0.baseAddress!, nil, memo) }
            }
          }
        }
      }
    }
  }

  /// Where the six slots begin in one block of floats: apart, in place, on one another's elements, moved.
  private static let layouts: [[Int]] = [
    [0, 2000, 4000, 4096, 6096, 8096], [0, 2000, 4000, 0, 6096, 8096], [0, 2000, 4000, 0, 2000, 8096],
    [0, 0, 4000, 4096, 6096, 8096], [16, 2016, 4016, 4112, 6112, 8112], [1, 2003, 4001, 4099, 6099, 8099],
    [0, 2000, 4000, 2000, 0, 8096], [0, 2000, 4000, 4096, 6096, 8096],
  ]

  @Test func aRememberedPlanGivesTheSame() {
    let group = Group()
    let memo = cj_group_memo_make()
    defer { cj_group_memo_free(memo) }
    // Twice: the second time, plans are those that were kept.
    for layout in GroupMemoTests.layouts + GroupMemoTests.layouts {
      func run(_ memo: OpaquePointer?) -> [Float] {
        let floats = UnsafeMutableBufferPointer<Float>.allocate(capacity: 8300)
        defer { floats.deallocate() }
        for index in floats.indices { floats[index] = Float((index * 37) % 101) / 7 - 5 }
        group.run(layout.map { UnsafeMutableRawPointer(floats.baseAddress! + $0) }, memo)
        return Array(floats)
      }
      #expect(run(memo) == run(nil))
    }
  }
}
