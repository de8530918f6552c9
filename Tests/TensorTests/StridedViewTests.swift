import CajalBase
import CajalIR
import CajalOperations
import Testing

/// Where each element stands, row-major.
private func offsets(_ view: StridedView) -> [Int] {
  var found: [Int] = []
  view.forEachOffset { found.append($0) }
  return found
}

/// Whether any strides give these offsets under `shape`: an element's place is linear in its coordinates.
private func strides(_ offsets: [Int], _ shape: Shape) -> [Int]? {
  guard let first = offsets.first else { return shape.strides }
  let steps = (0..<shape.rank).map { shape[$0] > 1 ? offsets[shape.suffix(from: $0 + 1).count] - first : 0 }
  let view = StridedView(shape: shape, offset: first, strides: steps)
  return TensorTests.offsets(view) == offsets ? steps : nil
}

@Suite struct StridedViewTests {
  @Test func reshapingFindsStridesWhereverThereAreSome() {
    for extents in everyList(of: [1, 2, 3, 4], upTo: 3) {
      let shape = Shape(extents)
      for view in views(of: shape) {
        let places = offsets(view)
        for target in everyList(of: [1, 2, 3, 4, 6], upTo: 3) where Shape(target).count == shape.count {
          let found = view.reshaped(to: Shape(target))
          if let found { #expect(offsets(found) == places, "\(view) to \(target)") }
          #expect((found == nil) == (strides(places, Shape(target)) == nil), "\(view) to \(target)")
        }
      }
    }
  }

  /// A few ways to read a buffer in this shape: as it is, transposed, with gaps, backwards, broadcast.
  private func views(of shape: Shape) -> [StridedView] {
    let straight = shape.strides
    let reversed = Array(Shape(shape.array.reversed()).strides.reversed())
    return [
      StridedView(contiguous: shape), StridedView(shape: shape, strides: reversed),
      StridedView(shape: shape, offset: 5, strides: straight.map { $0 * 2 }),
      StridedView(shape: shape, offset: 100, strides: straight.map { -$0 }),
      StridedView(shape: shape, strides: straight.indices.map { $0 == 0 ? 0 : straight[$0] }),
      StridedView(shape: shape, strides: straight.indices.map { $0 == straight.count - 1 ? 0 : straight[$0] }),
      StridedView(shape: shape, strides: straight.indices.map { $0 == 0 ? straight[$0] + 1 : straight[$0] }),
    ]
  }

  @Test func contiguousMeansRowMajorWithoutGaps() {
    for extents in everyList(of: [1, 2, 3], upTo: 3) {
      for view in views(of: Shape(extents)) {
        let places = offsets(view)
        let start = places.first ?? 0
        #expect(view.isContiguous == (places == Array(start..<start + places.count)), "\(view)")
      }
    }
  }

  @Test func emptyShapesReshapeToEmptyShapes() {
    let empty = StridedView(shape: [0, 3], strides: [7, 7])
    #expect(empty.reshaped(to: [5, 0])?.shape == [5, 0])
    #expect(offsets(empty).isEmpty)
  }

  @Test func broadcastStridesRepeatAxesOfOne() {
    let view = StridedView(shape: [3, 1], strides: [1, 1])
    #expect(view.strides(broadcastTo: [2, 3, 4]) == [0, 1, 0])
  }
}
