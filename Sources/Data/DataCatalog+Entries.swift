extension DataCatalog {
  /// All data sets with a name.
  public static let all: [Entry] =
    [
      Entry(
        name: "mnist", summary: "60,000 + 10,000 handwritten digits, 28×28", licence: "CC BY-SA 3.0",
        content: .pictures(classes: 10), files: [], isShipped: true),
      toy(
        "iris", "150 flowers of 3 species, 4 measures", ["iris.csv"], target: "species",
        ["sepal length", "sepal width", "petal length", "petal width", "species"]),
      toy("wine", "178 wines of 3 cultivars, 13 chemical measures", ["wine_data.csv"], target: "cultivar", wineColumns),
      toy("digits", "1,797 handwritten digits, 8×8", ["digits.csv.gz"], target: "-1", nil),
      toy(
        "breast-cancer", "569 tumours, malignant or benign, 30 measures of cell nuclei", ["breast_cancer.csv"],
        target: "diagnosis", cancerColumns),
      toy(
        "diabetes", "442 patients, 10 measures, the disease's progression after a year",
        ["diabetes_data_raw.csv.gz", "diabetes_target.csv.gz"], target: "progression",
        ["age", "sex", "bmi", "blood pressure", "s1", "s2", "s3", "s4", "s5", "s6", "progression"]),
      toy(
        "linnerud", "20 men, 3 exercises, 3 measures of the body",
        ["linnerud_exercise.csv", "linnerud_physiological.csv"], target: "Weight", nil, task: .regression),
    ] + downloads

  private static func toy(
    _ name: String, _ summary: String, _ files: [String], target: String, _ columns: [String]?,
    task: Preprocessing.Task? = nil
  ) -> Entry {
    Entry(
      name: name, summary: summary, licence: "BSD-3-Clause (scikit-learn)", content: .table(target: target),
      files: files.map { File(name: $0, url: "", checksum: "", byteCount: 0) }, isShipped: true, task: task,
      columns: columns)
  }

  private static let wineColumns = [
    "alcohol", "malic acid", "ash", "alcalinity of ash", "magnesium", "total phenols", "flavanoids",
    "nonflavanoid phenols", "proanthocyanins", "color intensity", "hue", "od280/od315", "proline", "cultivar",
  ]

  private static let cancerColumns =
    ["mean", "error of", "worst"].flatMap { kind in
      [
        "radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points",
        "symmetry", "fractal dimension",
      ].map { "\(kind) \($0)" }
    } + ["diagnosis"]

  private static let downloads = [
    Entry(
      name: "fashion-mnist", summary: "60,000 + 10,000 pieces of clothing, 28×28", licence: "MIT (Zalando)",
      content: .pictures(classes: 10),
      files: [
        fashion("train-images-idx3", 26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        fashion("train-labels-idx1", 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        fashion("t10k-images-idx3", 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        fashion("t10k-labels-idx1", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
      ], isShipped: false),
    Entry(
      name: "cifar10", summary: "50,000 + 10,000 colour pictures of 10 kinds, 32×32",
      licence: "none stated; cite Krizhevsky 2009", content: .pictures(classes: 10),
      files: [
        File(
          name: "cifar-10-binary.tar.gz", url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
          checksum: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", byteCount: 170_052_171)
      ], isShipped: false),
    Entry(
      name: "cifar100", summary: "50,000 + 10,000 colour pictures of 100 kinds, 32×32",
      licence: "none stated; cite Krizhevsky 2009", content: .pictures(classes: 100),
      files: [
        File(
          name: "cifar-100-binary.tar.gz", url: "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
          checksum: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec", byteCount: 168_513_733)
      ], isShipped: false),
    Entry(
      name: "california-housing", summary: "20,640 districts, 9 measures, the median price of a house",
      licence: "public (Pace and Barry 1997)", content: .table(target: "median_house_value"),
      files: [
        File(
          name: "housing.csv",
          url: "https://raw.githubusercontent.com/ageron/handson-ml2/master/datasets/housing/housing.csv",
          checksum: "8a3727f4cf54ac1a327f69b1d5b4db54c5834ea81c6e4efc0d163300022a685e", byteCount: 1_423_529)
      ], isShipped: false),
    Entry(
      name: "titanic", summary: "891 passengers, 10 facts, who survived", licence: "none stated (Kaggle)",
      content: .table(target: "Survived"),
      files: [
        File(
          name: "titanic.csv",
          url: "https://raw.githubusercontent.com/ageron/handson-ml2/master/datasets/titanic/train.csv",
          checksum: "14769fb1850e2d26d8e6db0ee49c213878040432827e39b13caaa15603c6598f", byteCount: 61_904)
      ], isShipped: false),
    Entry(
      name: "adult", summary: "32,561 + 16,281 people of the US census, who earns over 50,000 dollars",
      licence: "CC BY 4.0 (UCI)", content: .table(target: "income"),
      files: [
        File(
          name: "adult.data", url: "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/adult.data",
          checksum: "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d", byteCount: 3_974_305),
        File(
          name: "adult.test", url: "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/adult.test",
          checksum: "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05", byteCount: 2_003_153,
          skippedLines: 1),
      ], isShipped: false,
      columns: [
        "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship",
        "race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income",
      ]),
  ]

  private static func fashion(_ name: String, _ byteCount: Int, _ checksum: String) -> File {
    let host = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion"
    return File(
      name: "\(name)-ubyte.gz", url: "\(host)/\(name)-ubyte.gz", checksum: checksum, byteCount: byteCount)
  }
}
