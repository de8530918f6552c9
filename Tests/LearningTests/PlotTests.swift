import Cajal
import Foundation
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite struct PlotTests {
  @Test func everySeriesIsDrawnAndNamed() throws {
    var plot = Plot("Loss & more", x: "epoch", y: "loss")
    plot.line("training", [3, 2, 1])
    plot.points("<found>", x: [1, 2], [0.5, 2.5])
    plot.marker("best", x: 2)
    let svg = plot.svg
    for part in ["Loss &amp; more", "&lt;found&gt;", "training", "best", "epoch", "<polyline", "stroke-dasharray"] {
      #expect(svg.contains(part), "\(part)")
    }
    #expect(svg.components(separatedBy: "<circle").count == 1 + 2 + 1, "two points and the legend's")
    #expect(XMLParser(data: Data(svg.utf8)).parse())
  }

  @Test func gapsSplitLinesAndNothingIsStillAPicture() {
    var plot = Plot("Gaps")
    plot.line("a", [1, 2, .nan, 4, .infinity, 6])
    #expect(plot.svg.components(separatedBy: "<polyline").count == 1 + 3)
    #expect(!plot.svg.contains("nan") && !plot.svg.contains("inf"))
    #expect(XMLParser(data: Data(Plot("Nothing").svg.utf8)).parse())
  }

  @Test(arguments: [[0.0, 1], [5, 5], [-3e-9, 4e-9], [1e12, 3e12], [0, 0]])
  func axesHaveAFewDifferentLabels(_ range: [Double]) {
    var plot = Plot("Ticks")
    plot.line("a", x: range, [0, 1])
    // Labels below the picture stand at y = 416.
    let labels = plot.svg.split(separator: "\n").filter { $0.contains("y=\"416\"") }
      .map { $0.split(separator: ">")[1].split(separator: "<")[0] }
    #expect((3...9).contains(labels.count) && Set(labels).count == labels.count, "\(labels)")
  }

  @Test func aLogarithmicAxisLeavesOutWhatHasNoLogarithm() {
    var plot = Plot("Rates")
    plot.xScale = .logarithmic
    plot.line("a", x: [0, 1e-4, 1e-2, 1], [1, 2, 3, 4])
    let svg = plot.svg
    for label in ["0.001", "0.01", "0.1", ">1<"] { #expect(svg.contains(label)) }
    #expect(svg.components(separatedBy: "<polyline")[1].split(separator: "\"")[1].split(separator: " ").count == 3)
  }

  @Test func aPlotIsSavedWholeOrNotAtAll() throws {
    try withTemporaryFolder { folder in
      try Plot("Saved").save("\(folder)/a.svg")
      #expect(files(in: folder) == ["a.svg"])
      expectError("does not exist") { try Plot("Lost").save("\(folder)/none/a.svg") }
    }
  }
}
