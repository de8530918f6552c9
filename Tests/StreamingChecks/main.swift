import Cajal
import Foundation

// A table ten times as large as the memory that a program may take streams through a training: memory stays flat, and
// the steps wait for data less than a twentieth of their time. Run by `./check --full`.
//
//     swift run -c release StreamingChecks [MEGABYTES [FOLDER]]

/// The program may take a tenth of the table's bytes, or this much for itself whatever the table.
let megabytes = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 1000
let folder = CommandLine.arguments.dropFirst(2).first ?? FileManager.default.temporaryDirectory.path
let path = folder + "/cajal-streaming-\(ProcessInfo.processInfo.processIdentifier).csv"
let columns = 32

/// Resident bytes.
func resident() -> Int {
  let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
  return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
}

/// Numbers of no meaning, and one that is their sum.
func writeTable() throws -> Int {
  _ = FileManager.default.createFile(atPath: path, contents: nil)
  let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
  var (written, rows, state) = (0, 0, UInt64(1))
  try file.write(contentsOf: Data(((1...columns).map { "x\($0)" } + ["sum"]).joined(separator: ",").utf8 + [10]))
  while written < megabytes << 20 {
    var block = ""
    for _ in 0..<4096 {
      var sum = 0
      for _ in 0..<columns {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let number = Int(state >> 40) % 20000 - 10000
        sum += number
        block += "\(number),"
      }
      block += "\(sum).5\n"
    }
    try file.write(contentsOf: Data(block.utf8))
    written += block.utf8.count
    rows += 4096
  }
  try file.close()
  return rows
}

let rows = try writeTable()
print("\(rows) rows, \(megabytes) MiB")
let preprocessing = try Preprocessing.fit(Table(sampling: path, limit: 10_000), target: "sum")
let batches = preprocessing.batches(csv: path, batchSize: 512, shuffleBuffer: 10_000)
let model = Sequential {
  for _ in 0..<3 { Dense(512, activation: .relu) }
  Dense(1)
}
let trainer = Trainer(model, loss: .meanSquaredError, optimizer: Adam())
var (early, greatest, waited, begun) = (0, 0, 0.0, ContinuousClock.now)
try trainer.fit(
  batches, epochs: 1,
  callbacks: [
    .onEvent { event, run in
      if case .stepFinished(let report) = event {
        if report.step == 200 { early = resident() }
        if report.step % 50 == 0 { greatest = max(greatest, resident()) }
      }
      if case .progress(let report) = event, report.step % 200 < 5 { print(report.line(bar: false)) }
      if case .epochFinished(let report) = event { waited = report.waitSeconds / report.seconds }
    }
  ])
let growth = Double(greatest - early) / Double(1 << 20)
print(
  String(
    format: "memory %.1f MiB after 200 steps, at most %.1f MiB later; %.1f%% of the time without a batch",
    Double(early) / Double(1 << 20), Double(greatest) / Double(1 << 20), waited * 100))
let failures = [
  (early > 0, "the run is too short to say anything"),
  (greatest < (megabytes << 20) / 10, "memory is more than a tenth of the table"),
  (growth < 0.1 * Double(early) / Double(1 << 20), "memory grows"),
  (waited < 0.05, "steps wait for data"),
].filter { !$0.0 }
for (_, text) in failures { print("FAILED: \(text)") }
try FileManager.default.removeItem(atPath: path)
exit(failures.isEmpty ? 0 : 1)
