// The names that the examples in docstrings use without saying what they are: Documentation/check puts this before them.

import Cajal
import CajalBase
import CajalFormats

let data = try MNIST.load()
let (digits, train, validation, test) = (data.train, data.train, data.test, data.test)
let (x, y) = (data.train.inputs, data.train.targets)
let batches = data.train.batches(of: 128)
let clean = Dataset([x])
let generator = Generator(seed: 0)
let classes: [Int] = []
let bytes: [UInt8] = []
let (rate, validationLoss, total) = (1e-3, 1.0, 100)

func makeModel(units: Int = 10) -> Sequential { Sequential { Dense(units) } }
let model = makeModel()
let (optimizer, sgd) = (Adam(), SGD())
var (loss, gradients) = valueAndGradient(of: model) { softmaxCrossEntropy(model(x), y) }
let trainer = Trainer(model, loss: .softmaxCrossEntropy, optimizer: optimizer)
let history = trainer.history
let (trunk, head) = (makeModel(), makeModel())
let examples = try data.train.images()
let picture = try Image.read("cat.png")
