import CajalBase
import CajalTensor

extension Image {
  /// Which classes were taken for which: a row of cells for each class, a column for what was said of it, darker for a
  /// larger share of the row, with the counts. Classes are numbered at the left and the top.
  ///
  /// **Shapes**: `[C, C]` of counts, as the metric `confusionMatrix` has them.
  public static func confusion(_ counts: Tensor) throws -> Image {
    try checkRank(counts, 2, "counts of classes", "[C, C]")
    guard counts.shape[0] == counts.shape[1] else {
      throw TensorError(
        .shape, operation: "Image", operands: [TensorType(counts.shape, counts.dtype)], "rows and columns differ",
        remedy: "Pass [C, C]: a row and a column for each class")
    }
    let (scalars, classes) = (try counts.scalars(Double.self), counts.shape[0])
    guard scalars.allSatisfy({ 0..<0x1p53 ~= $0 }) else {
      throw TensorError(
        .input, operation: "Image", "counts of classes are negative, beyond 2^53, or no numbers",
        remedy: "Pass what the metric confusionMatrix gives")
    }
    let numbers = scalars.map { Int($0) }
    let widest = (numbers + [classes - 1]).map { Digits.width(of: $0) }.max() ?? 0
    // A number of one scale, and air around it.
    let side = max(widest, Digits.height) + 6
    var sheet = Image((classes + 1) * side, (classes + 1) * side, color: [255])
    for row in 0..<classes {
      for (left, top) in [(0, row + 1), (row + 1, 0)] {
        sheet.write(row, in: (left * side, top * side, side), ink: 96)
      }
      let total = max(1, scalars[row * classes..<(row + 1) * classes].reduce(0, +))
      for column in 0..<classes {
        let count = numbers[row * classes + column]
        let shade = UInt8(255 - Int(min(200, 200 * Double(count) / total)))
        let (left, top) = ((column + 1) * side, (row + 1) * side)
        sheet = sheet.covered(left: left, top: top, width: side - 1, height: side - 1, with: shade)
        if count != 0 { sheet.write(count, in: (left, top, side - 1), ink: shade < 128 ? 255 : 0) }
      }
    }
    return sheet.enlarged(2)
  }

  /// Pictures that were taken for another class, each with its class and the one that was said, as `3 7` below it.
  ///
  /// - Parameters:
  ///   - predicted: the class said of each example, right ones too: they are left out.
  ///   - limit: shows no more than so many, the first ones.
  public static func misclassified(
    _ examples: [LabeledImage], predicted: [Int], limit: Int = 64, columns: Int? = nil
  ) -> Image {
    let wrong = zip(examples, predicted).filter { $0.label != $1 }.prefix(max(0, limit))
    let cells = wrong.map { example, said in
      let width = Digits.width(of: example.label) + Digits.width(of: said) + 4
      // Tiny pictures as large as their numbers at least.
      let factor = max(1, (max(24, width) + example.image.width - 1) / example.image.width)
      let image = example.image.rgb.enlarged(factor)
      var cell = image.padded(left: 0, top: 0, right: 0, bottom: Digits.height + 3, with: .constant(255))
      cell.write(example.label, left: 1, top: image.height + 2, ink: [0, 128, 0])
      cell.write(said, left: Digits.width(of: example.label) + 5, top: image.height + 2, ink: [208, 0, 0])
      return cell
    }
    return grid(cells, columns: columns, gap: 4)
  }

  private mutating func write(_ number: Int, in cell: (left: Int, top: Int, side: Int), ink: UInt8) {
    let left = cell.left + (cell.side - Digits.width(of: number)) / 2
    write(number, left: left, top: cell.top + (cell.side - Digits.height) / 2, ink: [ink])
  }

  private mutating func write(_ number: Int, left: Int, top: Int, ink: [UInt8]) {
    for (x, y) in Digits.pixels(of: number) where left + x < width && top + y < height {
      let start = ((top + y) * width + left + x) * channels
      for channel in 0..<channels { bytes[start + channel] = ink[channel] }
    }
  }
}

/// Digits of 3 × 5 pixels.
private enum Digits {
  static let height = 5

  /// Fifteen bits each, row by row.
  private static let shapes = [
    "111101101101111", "010110010010111", "111001111100111", "111001111001111", "101101111001001", "111100111001111",
    "111100111101111", "111001001001001", "111101111101111", "111101111001111",
  ].map { $0.map { $0 == "1" } }

  static func width(of number: Int) -> Int { 4 * String(number.magnitude).count - 1 }

  static func pixels(of number: Int) -> [(x: Int, y: Int)] {
    String(number.magnitude).enumerated().flatMap { place, digit in
      shapes[digit.wholeNumberValue ?? 0].enumerated().filter(\.element)
        .map { (x: 4 * place + $0.offset % 3, y: $0.offset / 3) }
    }
  }
}
