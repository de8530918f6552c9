import Foundation

/// Numbers along a stretch of a picture.
struct Axis {
  let scale: Plot.Scale
  /// As the scale counts: logarithms of a logarithmic one.
  private let low: Double
  private let high: Double
  let ticks: [(value: Double, label: String)]

  /// One that shows all of `values` that can be shown.
  init(_ values: some Sequence<Double>, _ scale: Plot.Scale) {
    self.scale = scale
    let shown = values.compactMap { Axis.position($0, scale) }
    var (low, high) = (shown.min() ?? 0, shown.max() ?? 1)
    // One number alone needs room too.
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300) {
      let room = low == 0 ? 1 : abs(low) * 0.1
      (low, high) = (low - room, high + room)
    }
    if scale == .logarithmic, high - low < 1 { (low, high) = (low.rounded(.down), high.rounded(.up)) }
    let margin = scale == .linear ? (high - low) * 0.04 : 0
    self.low = low - margin
    self.high = high + margin
    ticks = scale == .linear ? Axis.linearTicks(self.low, self.high) : Axis.decades(self.low, self.high)
  }

  /// From 0 to 1; `nil` for what has no place.
  func fraction(_ value: Double) -> Double? {
    Axis.position(value, scale).map { ($0 - low) / (high - low) }
  }

  private static func position(_ value: Double, _ scale: Plot.Scale) -> Double? {
    guard value.isFinite else { return nil }
    switch scale {
    case .linear: return value
    case .logarithmic: return value > 0 ? log10(value) : nil
    }
  }

  /// About six multiples of 1, 2 or 5 times a power of 10.
  private static func linearTicks(_ low: Double, _ high: Double) -> [(Double, String)] {
    let raw = (high - low) / 6
    let power = pow(10, floor(log10(raw)))
    let step = [1, 2, 5, 10].map { $0 * power }.first { $0 >= raw } ?? 10 * power
    let digits = max(0, -Int(floor(log10(step) + 1e-9)))
    let isPlain = max(abs(low), abs(high)) < 1e6 && digits <= 6
    let first = Int((low / step).rounded(.up))
    let last = Int((high / step).rounded(.down))
    guard last >= first, last - first < 100 else { return [] }
    return (first...last).map { index in
      let value = Double(index) * step
      return (value, isPlain ? String(format: "%.\(digits)f", value) : String(format: "%.3g", value))
    }
  }

  private static func decades(_ low: Double, _ high: Double) -> [(Double, String)] {
    let first = Int(low.rounded(.up))
    let last = Int(high.rounded(.down))
    guard last >= first else { return [] }
    let every = max(1, (last - first) / 8 + 1)
    return stride(from: first, through: last, by: every).map { exponent in
      (
        pow(10, Double(exponent)),
        (-3...4).contains(exponent) ? String(format: "%g", pow(10, Double(exponent))) : "1e\(exponent)"
      )
    }
  }
}
