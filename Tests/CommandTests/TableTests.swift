import Foundation
import Testing

/// Tables from the command line.
@Suite struct TableTests {
  private let folder: Folder

  init() throws { folder = try Folder() }

  private func put(_ name: String, _ text: String) throws { try folder.put(name, Array(text.utf8)) }

  /// Two classes that a line tells apart, a useless column, some missing values.
  private func putPeople(_ name: String = "people.csv", header: Bool = true, rows: Int = 120) throws {
    var text = header ? "id,height,weight,town,sport\n" : ""
    for row in 0..<rows {
      let isRunner = row % 3 == 0
      let height = row % 17 == 5 ? "" : "\(170 + row % 11)"
      let weight = isRunner ? 55 + row % 9 : 80 + row % 9
      text +=
        "\(row + 1),\(height),\(weight),\(["Bern", "Basel", "\"Zug, ZG\""][row % 2 * 2]),\(isRunner ? "runs" : "lifts")\n"
    }
    try put(name, text)
  }

  private func train(_ arguments: String...) throws -> Outcome {
    try Cajal.start(["train"] + arguments, in: folder).wait()
  }

  @Test func aTableIsLearnedAndTheTaskIsSaid() throws {
    try putPeople()
    let outcome = try train("people.csv", "--target", "sport")
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
    #expect(outcome.output.contains("sport: 2 classes (lifts, runs): one sigmoid unit"))
    #expect(outcome.output.contains("96 rows to train on, 24 to test with"))
    #expect(outcome.output.contains("id: left out"))
    #expect(outcome.output.contains("test accuracy 100.00%") && outcome.output.contains("test auc 1.0000"))
  }

  @Test func theFinishedLineHasTheTasksMeasures() throws {
    try putPeople()
    let classes = try train("people.csv", "--target", "-1", "--epochs", "2", "--json")
    let last = try #require(classes.events.last ?? nil)
    #expect(last["event"] as? String == "finished" && last["test_accuracy"] is Double && last["test_auc"] is Double)
    let numbers = try train(
      "people.csv", "--target", "weight", "--task", "numbers", "--epochs", "60", "--json")
    let end = try #require(numbers.events.last ?? nil)
    #expect(try #require(end["test_r2"] as? Double) > 0.5, "\(numbers)")
    #expect(end["test_rmse"] is Double && end["test_accuracy"] == nil)
    let forced = try train("people.csv", "--target", "height", "--task", "numbers", "--epochs", "2")
    #expect(forced.output.contains("height: a number: a linear unit") && forced.output.contains("rows without height"))
  }

  @Test func columnsCountFromOneWithAHeaderOrWithout() throws {
    try putPeople("plain.csv", header: false)
    for target in ["5", "-1"] {
      let outcome = try train("plain.csv", "--target", target, "--epochs", "3")
      #expect(outcome.status == 0 && outcome.output.contains("2 classes (lifts, runs)"), "\(outcome)")
    }
  }

  @Test func aModelPredictsRowsFilesAndNothingElse() throws {
    try putPeople()
    #expect(try train("people.csv", "--target", "sport", "--save", "m.safetensors").status == 0)
    try put("new.csv", "weight,town,height\n58,Bern,171\n86,\"Zug, ZG\",\n")
    let table = try Cajal.run("predict", "m.safetensors", "new.csv", in: folder)
    let lines = table.output.split(separator: "\n")
    #expect(table.status == 0 && lines.count == 3, "\(table)")
    #expect(lines.first == "weight,town,height,predicted sport,probability")
    #expect(lines.dropFirst().first?.hasPrefix("58,Bern,171,runs,") == true, "\(lines)")
    #expect(lines.last?.hasPrefix("86,\"Zug, ZG\",,lifts,") == true, "\(lines)")
    let row = try Cajal.run("predict", "m.safetensors", "--set", "weight=56", "--json", in: folder)
    #expect(row.events.first??["prediction"] as? String == "runs", "\(row)")
    let wrong = try Cajal.run("predict", "m.safetensors", "--set", "wait=56", in: folder)
    expectFailure(wrong, "does not look at a column \"wait\"", "height")
    let tested = try Cajal.run("evaluate", "m.safetensors", "people.csv", "--json", in: folder)
    #expect(tested.events.last??["test_accuracy"] as? Double == 1)
    let shown = try Cajal.run("summary", "m.safetensors", in: folder)
    #expect(shown.status == 0 && shown.output.contains("parameters"), "\(shown)")
  }

  @Test func whatHasANameIsTestedAndPredictedByName() throws {
    #expect(try train("iris", "--epochs", "3", "--save", "m.safetensors").status == 0)
    let tested = try Cajal.run("evaluate", "m.safetensors", "iris", in: folder)
    #expect(tested.status == 0 && tested.output.contains("iris: 150 rows to test with"), "\(tested)")
    let said = try Cajal.run("predict", "m.safetensors", "iris", in: folder)
    #expect(said.status == 0 && said.output.split(separator: "\n").count == 151, "\(said)")
    let nothing = try Cajal.run("evaluate", "m.safetensors", in: folder)
    #expect(nothing.status == 64 && nothing.errors.contains("trained on a table. Name one"), "\(nothing)")
    let trained = try train("--dataset", "iris", "--epochs", "1")
    #expect(trained.output.contains("3 classes"), "\(trained)")
  }

  @Test func aRunGoesOnWithTheFlagsAndTheDataThatItBeganWith() throws {
    try putPeople()
    func resume(_ epochs: String, _ more: String...) throws -> Outcome {
      let flags = ["train", "people.csv", "--target", "sport", "--run", "kept", "--resume", "--epochs", epochs]
      return try Cajal.start(flags + more, in: folder).wait()
    }
    #expect(try resume("2").status == 0)
    expectFailure(try resume("3", "--batch-size", "7"), "another shape of batches", "another folder")
    expectFailure(try resume("3", "--learning-rate", "0.1"), "learning-rate was not given and is 0.1")
    let longer = try resume("3")
    #expect(longer.status == 0 && longer.output.contains("goes on after epoch 2"), "\(longer)")
    #expect(longer.errors.contains("the schedule is of 3 epochs from here on"), "\(longer.errors)")
    try putPeople(rows: 90)
    expectFailure(try resume("4"), "another")
  }

  @Test func aRunGoesOnHoweverItsTableIsSpelledAndItsEndIsChosen() throws {
    try putPeople()
    for (epochs, path, patience) in [
      ("2", "people.csv", "5"), ("3", "./people.csv", "6"), ("4", "\(folder.path)/people.csv", "6"),
    ] {
      let outcome = try Cajal.run(
        "train", path, "--target", "sport", "--run", "kept", "--resume", "--epochs", epochs, "--early-stopping",
        patience, in: folder)
      #expect(outcome.status == 0, "\(outcome)")
      #expect(outcome.output.contains("goes on after epoch") == (epochs != "2"), "\(outcome)")
    }
  }

  @Test func foldsTestEveryRow() throws {
    try putPeople()
    let outcome = try train("people.csv", "--target", "sport", "--folds", "4", "--json")
    #expect(outcome.events.count { $0?["event"] as? String == "fold" } == 4, "\(outcome)")
    #expect(try #require(outcome.events.last??["test_accuracy"] as? Double) > 0.95)
    #expect(outcome.events.last??["test_accuracy_deviation"] is Double)
  }

  @Test func compareSetsSimplerMethodsBeside() throws {
    try putPeople()
    let outcome = try Cajal.run("compare", "people.csv", "--target", "sport", "--json", in: folder)
    let models = outcome.events.compactMap { $0?["model"] as? String }
    #expect(models.suffix(3) == ["mlp", "logistic", "5 nearest neighbours"], "\(outcome)")
    let people = try Cajal.run("compare", "people.csv", "--target", "weight", "--task", "numbers", in: folder)
    #expect(people.status == 0 && people.output.contains("linear") && people.output.contains("r2"), "\(people)")
  }

  @Test func aSearchTriesAndTests() throws {
    try putPeople()
    let outcome = try Cajal.run(
      "search", "people.csv", "--target", "sport", "--trials", "4", "--epochs", "6", "--json", in: folder)
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.events.count { $0?["event"] as? String == "trial" } == 5, "four, and the best of them again")
    #expect(outcome.events.last??["test_accuracy"] is Double)
    let grid = try Cajal.run(
      "search", "people.csv", "--target", "sport", "--method", "grid", "--vary", "hidden=4,8", "--epochs", "2",
      in: folder)
    #expect(grid.output.contains("2/2") && grid.output.contains("best: --hidden"), "\(grid)")
  }

  @Test func runsAreListedShownComparedAndPlotted() throws {
    try putPeople()
    for (name, hidden) in [("a", "4"), ("b", "8")] {
      let outcome = try train(
        "people.csv", "--target", "sport", "--epochs", "3", "--hidden", hidden, "--run", "runs/\(name)")
      #expect(outcome.status == 0, "\(outcome)")
    }
    let list = try Cajal.run("runs", in: folder)
    #expect(list.output.contains("runs/a") && list.output.contains("runs/b") && list.output.contains("finished"))
    #expect(try Cajal.run("runs", "show", "runs/a", in: folder).output.contains("5-4-1"))
    let compared = try Cajal.run("runs", "compare", "runs/a", "runs/b", in: folder)
    #expect(compared.output.contains("best loss") && compared.output.contains("5-8-1"), "\(compared)")
    let plotted = try Cajal.run("runs", "plot", "runs/a", "runs/b", "--out", "both.svg", in: folder)
    #expect(plotted.status == 0 && folder.files.contains("both.svg"), "\(plotted)")
    #expect(try Cajal.run("runs", "show", "runs/c", in: folder).status == 1)
  }

  @Test func flagsMayStandInAFile() throws {
    try putPeople()
    try put("flags.json", #"{"epochs": 2, "hidden": "5", "target": "sport", "run": "kept"}"#)
    let outcome = try train("people.csv", "--config", "flags.json", "--epochs", "3")
    #expect(outcome.output.contains("epoch 3/3") && outcome.output.contains("5-5-1"), "\(outcome)")
    try put("wrong.json", #"{"epoch": 2}"#)
    #expect(try train("people.csv", "--target", "sport", "--config", "wrong.json").errors.contains("--epochs"))
    #expect(try train("people.csv", "--config", "none.json").errors.contains("no such file"))
  }

  @Test func twentyWeightsAreNumbersWhereTheCatalogueSaysSo() throws {
    let outcome = try train("linnerud", "--epochs", "2")
    #expect(outcome.status == 0 && outcome.output.contains("Weight: a number"), "\(outcome)")
  }

  // MARK: What is wrong with it

  @Test func aTableToTestWithIsLookedAtBeforeTheTraining() throws {
    try putPeople()
    try put("other.csv", "sport,shoe\nruns,3\nlifts,4\n")
    let outcome = try train("people.csv", "--target", "sport", "--test", "other.csv")
    expectFailure(outcome, "other.csv", "no column \"height\"")
    #expect(!outcome.output.contains("epoch 1/"), "\(outcome.output)")
  }

  @Test func whatIsWrongWithATableIsSaidWithItsPlace() throws {
    try putPeople()
    expectFailure(try train("people.csv", "--target", "sprot"), "did you mean \"sport\"?")
    expectFailure(try train("people.csv", "--target", "9"), "no column 9 among 5")
    expectFailure(try train("none.csv", "--target", "a"), "none.csv")
    try put("ragged.csv", "a,b\n1,x\n2,y,z\n3,x\n")
    expectFailure(try train("ragged.csv", "--target", "b"), "ragged.csv", "line 3", "row")
    try put("one.csv", "a,b\n1,x\n2,x\n3,x\n")
    expectFailure(try train("one.csv", "--target", "b"), "always is \"x\"")
    try put("empty.csv", "")
    expectFailure(try train("empty.csv", "--target", "b"), "empty.csv")
    try put("header.csv", "a,b\n")
    expectFailure(try train("header.csv", "--target", "b"), "header.csv")
    try put("constant.csv", "a,b\n" + (0..<20).map { "7,\($0 % 2 == 0 ? "x" : "y")\n" }.joined())
    expectFailure(try train("constant.csv", "--target", "b"), "no column beside \"b\" tells rows apart")
    try put("words.csv", "a,b\n" + (0..<20).map { "\($0),\($0 == 12 ? "many" : "\($0).5")\n" }.joined())
    expectFailure(try train("words.csv", "--target", "b", "--task", "numbers"), "\"many\"", "row 13")
  }

  @Test func classesOfOneRowAndHugeFlagsBreakNothing() throws {
    let rows = (0..<40).map { "\($0),\($0 % 2 == 0 ? "x" : "y")\n" }.joined()
    try put("rare.csv", "a,b\n" + rows + "50,p\n60,q\n70,r\n80,s\n90,t\n")
    #expect(try train("rare.csv", "--target", "b", "--epochs", "1").status == 0)
    expectFailure(try train("rare.csv", "--target", "b", "--folds", "3"), "one row alone is")
    let large = "9223372036854775807"
    #expect(try train("rare.csv", "--target", "b", "--epochs", "1", "--batch-size", large).status == 0)
    expectFailure(try train("rare.csv", "--target", "-9223372036854775808"), "no column")
    try put("file", "")
    expectFailure(try train("rare.csv", "--target", "b", "--run", "file/run"), "the folder cannot be made")
  }

  @Test func labelsThatTrainingDidNotHaveAreNamed() throws {
    try putPeople()
    try put("test.csv", "id,height,weight,town,sport\n1,170,60,Bern,swims\n")
    expectFailure(try train("people.csv", "--target", "sport", "--test", "test.csv"), "swims", "row 1")
  }

  @Test func wrongArgumentsAreRefusedBeforeAnyWork() throws {
    try putPeople()
    for arguments in [
      ["train", "people.csv"], ["train", "--target", "sport"],
      ["train", "people.csv", "--target", "sport", "--folds", "1"],
      ["train", "people.csv", "--target", "sport", "--hidden", "8,x"],
      ["train", "people.csv", "--target", "sport", "--activation", "rellu"],
      ["train", "people.csv", "--target", "sport", "--resume"],
      ["train", "people.csv", "--target", "sport", "--test-share", "2"], ["predict", "m"],
      ["search", "people.csv", "--target", "sport", "--vary", "depth=3"],
      ["search", "people.csv", "--target", "sport", "--vary", "hidden=1e30"],
      ["train", "people.csv", "--target", "sport", "--folds", "3", "--save", "m"], ["completions", "tcsh"],
    ] {
      let outcome = try Cajal.start(arguments, in: folder).wait()
      #expect(outcome.status == 64 && outcome.errors.contains("error: "), "\(arguments) \(outcome)")
    }
  }

  @Test func oneNeuronSplitsTwoClassesAndNoMore() throws {
    try putPeople()
    #expect(
      try train("people.csv", "--target", "sport", "--model", "neuron").output.contains("network 5-1: 6 parameters"))
    try put("three.csv", "a,b\n" + (0..<30).map { "\($0),\(["x", "y", "z"][$0 / 10])\n" }.joined())
    let outcome = try train("three.csv", "--target", "b", "--model", "neuron")
    #expect(outcome.status == 64 && outcome.errors.contains("logistic"), "\(outcome)")
  }
}
