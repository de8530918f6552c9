import Foundation

extension Plot {
  /// The colours of Okabe and Ito 2008, which people with any colour vision tell apart.
  static let colors = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]

  /// The picture.
  public var svg: String {
    let frame = Frame(self)
    var parts = [
      """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Frame.width) \(Frame.height)" \
      width="\(Frame.width)" height="\(Frame.height)" font-family="sans-serif" font-size="13">
      <rect width="100%" height="100%" fill="#ffffff"/>
      """
    ]
    parts.append(text(title, x: Frame.left, y: 26, size: 17, anchor: "start"))
    parts += frame.grid()
    parts.append(text(xLabel, x: (Frame.left + Frame.right) / 2, y: Frame.height - 12))
    parts.append(
      """
      <text transform="translate(18 \((Frame.top + Frame.bottom) / 2)) rotate(-90)" text-anchor="middle" \
      fill="#333333">\(escaped(yLabel))</text>
      """)
    for (index, series) in series.enumerated() {
      let color = Plot.colors[index % Plot.colors.count]
      parts += frame.draw(series, color)
      parts += legend(series, index, color)
    }
    return parts.joined(separator: "\n") + "\n</svg>\n"
  }

  private func legend(_ series: Series, _ index: Int, _ color: String) -> [String] {
    let y = Frame.top + 10 + 20 * index
    let sign =
      series.mark == .points
      ? "<circle cx=\"\(Frame.right + 25)\" cy=\"\(y - 4)\" r=\"4\" fill=\"\(color)\"/>"
      : "<line x1=\"\(Frame.right + 15)\" x2=\"\(Frame.right + 35)\" y1=\"\(y - 4)\" y2=\"\(y - 4)\" "
        + "stroke=\"\(color)\" stroke-width=\"2\"\(series.mark == .marker ? " stroke-dasharray=\"4 3\"" : "")/>"
    return [sign, text(series.name, x: Frame.right + 42, y: y, anchor: "start")]
  }
}

/// Where things stand in the picture.
private struct Frame {
  static let width = 800
  static let height = 450
  static let left = 72
  static let right = 620
  static let top = 44
  static let bottom = 396

  let x: Axis
  let y: Axis

  init(_ plot: Plot) {
    x = Axis(plot.series.lazy.flatMap(\.x), plot.xScale)
    y = Axis(plot.series.lazy.flatMap(\.y), plot.yScale)
  }

  func grid() -> [String] {
    var parts: [String] = []
    for tick in x.ticks {
      guard let place = horizontal(tick.value) else { continue }
      parts.append(line(place, Double(Frame.top), place, Double(Frame.bottom), "#e4e4e4"))
      parts.append(text(tick.label, x: Int(place), y: Frame.bottom + 20))
    }
    for tick in y.ticks {
      guard let place = vertical(tick.value) else { continue }
      parts.append(line(Double(Frame.left), place, Double(Frame.right), place, "#e4e4e4"))
      parts.append(text(tick.label, x: Frame.left - 8, y: Int(place) + 5, anchor: "end"))
    }
    parts.append(
      """
      <rect x="\(Frame.left)" y="\(Frame.top)" width="\(Frame.right - Frame.left)" \
      height="\(Frame.bottom - Frame.top)" fill="none" stroke="#888888"/>
      """)
    return parts
  }

  func draw(_ series: Plot.Series, _ color: String) -> [String] {
    let places = zip(series.x, series.y).map { (horizontal($0), vertical($1)) }
    switch series.mark {
    case .points:
      return places.compactMap { x, y in
        guard let x, let y else { return nil }
        return "<circle cx=\"\(number(x))\" cy=\"\(number(y))\" r=\"3\" fill=\"\(color)\" fill-opacity=\"0.6\"/>"
      }
    case .marker:
      return places.compactMap(\.0).map {
        "<line x1=\"\(number($0))\" x2=\"\(number($0))\" y1=\"\(Frame.top)\" y2=\"\(Frame.bottom)\" "
          + "stroke=\"\(color)\" stroke-width=\"1.5\" stroke-dasharray=\"4 3\"/>"
      }
    case .line: return polylines(places, color)
    }
  }

  private func polylines(_ places: [(Double?, Double?)], _ color: String) -> [String] {
    var runs: [[String]] = [[]]
    for (x, y) in places {
      if let x, let y { runs[runs.count - 1].append("\(number(x)),\(number(y))") } else { runs.append([]) }
    }
    return runs.filter { !$0.isEmpty }.map { run in
      // A point alone would not be seen.
      let points = run.count == 1 ? [run[0], run[0]] : run
      return """
        <polyline points="\(points.joined(separator: " "))" fill="none" stroke="\(color)" stroke-width="2" \
        stroke-linejoin="round" stroke-linecap="round"/>
        """
    }
  }

  private func horizontal(_ value: Double) -> Double? {
    x.fraction(value).map { Double(Frame.left) + $0 * Double(Frame.right - Frame.left) }
  }

  private func vertical(_ value: Double) -> Double? {
    y.fraction(value).map { Double(Frame.bottom) - $0 * Double(Frame.bottom - Frame.top) }
  }

  private func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ color: String) -> String {
    "<line x1=\"\(number(x1))\" y1=\"\(number(y1))\" x2=\"\(number(x2))\" y2=\"\(number(y2))\" stroke=\"\(color)\"/>"
  }
}

private func text(_ text: String, x: Int, y: Int, size: Int = 13, anchor: String = "middle") -> String {
  "<text x=\"\(x)\" y=\"\(y)\" font-size=\"\(size)\" text-anchor=\"\(anchor)\" fill=\"#333333\">\(escaped(text))</text>"
}

/// A tenth of a pixel is enough.
private func number(_ value: Double) -> String { String(format: "%.1f", value) }

private func escaped(_ text: String) -> String {
  text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
    .replacingOccurrences(of: ">", with: "&gt;").replacingOccurrences(of: "\"", with: "&quot;")
}
