import ArgumentParser
import Cajal

/// Flags about what stays of a run.
struct KeepingOptions: ParsableArguments {
  @Option(help: "Write the trained model to this file (safetensors): `evaluate` and `predict` need nothing else.")
  var save: String?

  @Option(
    help: """
      Keep the run in this folder: configuration, history, curves, checkpoints, model. See `cajal runs`.
      """, completion: .directory)
  var run: String?

  @Flag(help: "Go on with the run that the folder of --run holds, or begin it if there is none.")
  var resume = false

  @Option(help: "Write a checkpoint every so many steps too, not only after each epoch.")
  var checkpointSteps: Int?

  func validate() throws {
    if let save { try checkWritable(save, option: "--save") }
    if resume, run == nil { throw ValidationError("--resume needs --run, the folder to go on in.") }
    if checkpointSteps != nil, run == nil {
      throw ValidationError("--checkpoint-steps needs --run, the folder to write to.")
    }
    if let checkpointSteps, checkpointSteps < 1 { throw ValidationError("--checkpoint-steps must be at least 1.") }
    if run?.isEmpty == true { throw ValidationError("--run names nothing. Name a folder, such as runs/first.") }
  }

  /// What keeps a run, if something does.
  func callbacks(configuration: [String: String], monitor: Monitor?, metadata: [String: String]) -> [any Callback] {
    guard let run else { return [] }
    return [
      RunFolder(
        run, resumes: resume, configuration: configuration, monitor: monitor, everySteps: checkpointSteps,
        metadata: metadata)
    ]
  }
}
