import ArgumentParser
import Cajal

/// Flags about tables.
struct TableOptions: ParsableArguments {
  enum Task: String, CaseIterable, ExpressibleByArgument {
    case classes, numbers
  }

  // A value may begin with a minus.
  @Option(
    parsing: .unconditional, help: "The column to predict: its name, or its number from 1; -1 is the last.")
  var target: String?

  @Option(help: "A table to test with, instead of a fifth of the rows.", completion: .file())
  var test: String?

  @Option(help: "The share of the rows that is held out as a test.")
  var testShare: Double?

  @Option(help: "Trains and tests this many times, each on another part of the rows (cross-validation).")
  var folds: Int?

  @Option(help: "Predict classes or numbers, where the column alone does not tell.")
  var task: Task?

  @Option(parsing: .unconditional, help: "Columns not to look at, with commas.")
  var ignore: String?

  @Flag(inversion: .prefixedNo, help: "Whether the first row names the columns; seen from the rows otherwise.")
  var header: Bool?

  func validate() throws {
    if let folds, folds < 2 { throw ValidationError("--folds must be at least 2.") }
    if folds != nil, test != nil { throw ValidationError("--folds tests with parts of the table: leave out --test.") }
    if let testShare, !(testShare > 0 && testShare < 1) {
      throw ValidationError("--test-share must be between 0 and 1.")
    }
    if target?.isEmpty == true { throw ValidationError("--target names nothing. Name a column, or count from 1.") }
  }

  /// The first of these flags that was given.
  var given: String? {
    let flags: [(String, Bool)] = [
      ("--target", target != nil), ("--test", test != nil), ("--test-share", testShare != nil),
      ("--folds", folds != nil), ("--task", task != nil), ("--ignore", ignore != nil), ("--header", header != nil),
    ]
    return flags.first { $0.1 }?.0
  }

  var preprocessingTask: Preprocessing.Task? { task.map { $0 == .classes ? .classification : .regression } }
}
