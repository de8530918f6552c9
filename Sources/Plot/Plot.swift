import CajalFormats
import Foundation

/// A picture of numbers, as SVG: lines, points, ranges, one scale an axis.
///
/// ```swift
/// var plot = Plot("Loss", x: "epoch", y: "loss")
/// plot.line("training", history["loss"])
/// plot.line("validation", history["val_loss"])
/// try plot.save("curves.svg")
/// ```
public struct Plot: Sendable {
  public enum Scale: Sendable {
    case linear
    /// Of base 10; what is not positive is left out.
    case logarithmic
  }

  /// What is drawn of a series.
  enum Mark: Sendable {
    case line
    case points
    case marker
  }

  struct Series: Sendable {
    let name: String
    let mark: Mark
    let x: [Double]
    let y: [Double]
  }

  public let title: String
  public let xLabel: String
  public let yLabel: String
  public var xScale = Scale.linear
  public var yScale = Scale.linear
  var series: [Series] = []

  public init(_ title: String, x: String = "", y: String = "") {
    self.title = title
    xLabel = x
    yLabel = y
  }

  /// A line through points in their order; numbers that are none leave a gap.
  ///
  /// - Parameter x: 1, 2, 3… if `nil`.
  public mutating func line(_ name: String, x: [Double]? = nil, _ y: [Double]) { add(name, .line, x, y) }

  /// Points.
  public mutating func points(_ name: String, x: [Double]? = nil, _ y: [Double]) { add(name, .points, x, y) }

  /// A vertical line.
  public mutating func marker(_ name: String, x: Double) { add(name, .marker, [x], [.nan]) }

  private mutating func add(_ name: String, _ mark: Mark, _ x: [Double]?, _ y: [Double]) {
    let positions = x ?? y.indices.map { Double($0 + 1) }
    let count = min(positions.count, y.count)
    series.append(Series(name: name, mark: mark, x: Array(positions.prefix(count)), y: Array(y.prefix(count))))
  }

  /// Writes it as SVG: whole or not at all.
  public func save(_ path: String) throws {
    try AtomicFile.write(to: path) { try $0.write(Array(svg.utf8)) }
  }
}
