// Which names are public? A change of the API is a change of this list.
import { expect, test } from "vitest";

const names = async (door: Promise<object>): Promise<string> =>
  Object.keys(await door)
    .sort()
    .join(" ");

test("the usual path", async () => {
  expect(await names(import("../src/index.ts"))).toMatchInlineSnapshot(
    `"MicrographiaError ablate activationStream claim clamp describeDictionary dictionaryReconstructor edit editStack folderStore generate gradients growModel isError listOrganisms loadDictionary loadModel loadOrganism loadTokenizer lossWith makeModel memoryStore openBundle openCoder openModel ortBackend packRows patch permutedModel pushEdit random readFieldGuide recordActivations referenceBackend replaceWith runWithCache saveDictionary saveModel shuffledBatches site sitesOf spliceFacts steer tensor tokensOf trainDictionary undoEdit verdictOf viewStack"`,
  );
});

test("tensor", async () => {
  expect(await names(import("../src/tensor/index.ts"))).toMatchInlineSnapshot(
    `"allocate blockTypes bytesPerElement f32 narrowBF16 narrowF16 sizeOf tensor toFloat32 widenBF16 widenBlocks widenF16 zeros"`,
  );
});

test("storage", async () => {
  expect(await names(import("../src/storage/index.ts"))).toMatchInlineSnapshot(
    `"findSnapshot folderStore getText hubSettings memoryStore pullModel putJson putText"`,
  );
});

test("formats", async () => {
  expect(await names(import("../src/formats/index.ts"))).toMatchInlineSnapshot(
    `"encodeSafetensors frameSafetensors openGguf openLlama2c openSafetensors openSharded openTensors openTorch parseIndex parseLlama2cTokenizer parseSafetensorsHeader readModel readSafetensor readSafetensors readSafetensorsHeader writeModel writeSafetensors"`,
  );
});

test("graph", async () => {
  expect(await names(import("../src/graph/index.ts"))).toMatchInlineSnapshot(
    `"abs acos acosh add alias and argmax asin asinh atan atanh avgPool bits cast ceil clip concat constant conv conv2d convTranspose cos cosh crossEntropy cumsum div equal erf exp expand floor gather gelu geluTanh grad greater greaterEqual input interpret isNan layerNorm less lessEqual log logSoftmax matmul max maxPool maxPoolPlaces maximum mean min minimum mul neg not oneHot or pad pow print program quotient relu remainder replace reshape rmsNorm round rsqrt scalar scatterAdd scatterAlong scatterInto shortcut sigmoid sign silu sin sinh slice softmax softplus sqrt square squeeze sub sum takeAlong tan tanh topK transpose truncate unsqueeze weight where"`,
  );
});

test("runtime", async () => {
  expect(await names(import("../src/runtime/index.ts"))).toMatchInlineSnapshot(
    `"buildDifferences buildInfo defaultThreads largePages ortBackend outputLimitBytes racing referenceBackend rowsPerRun workShare"`,
  );
});

test("nn", async () => {
  expect(await names(import("../src/nn/index.ts"))).toMatchInlineSnapshot(
    `"adamRates adamUpdate kaimingUniform normal schedule xavierNormal"`,
  );
});

test("text", async () => {
  expect(await names(import("../src/text/index.ts"))).toMatchInlineSnapshot(
    `"carrier chatPrompt chatTemplateOf countWords defaultShares documentsHash endContext endOfText externalDocuments fieldGuideFolder fieldGuideHash fileDocuments findDuplicates generatorContexts generators intlDocuments loadTokenizer machineDocuments mixture mixtureRows packRows pretokenize readFieldGuide rowStream scoreTokenizer splitOf splits startPacking trainBpe"`,
  );
});

test("models", async () => {
  expect(await names(import("../src/models/index.ts"))).toMatchInlineSnapshot(
    `"bindWeights blockErrors captureOnnx centreUnembed centreWritingWeights changeOnnx chatTemplateAt checkConfig checkWeights claims clipLogits contextLosses editModel editStack encode encoderOutputs encoderProgram findOnnxOp findSite foldNorms foldValueBiases forward fromStored gradOnnx growModel hashModel hashTensor initWeights keyValueHeads largestRowBytes listOnnx listOrganisms loadModel loadOrganism longestRow makeModel modelFingerprint nextTokenLosses onnxOps onnxPorts onnxValue openModel organismFolder organismsFolder parseConfig parseEdit parseStack permutedModel processingKinds pushEdit readOnnx readPreprocess readWeight readWidened redoEdit residual resolveModel runEncoder saveModel site siteShape siteWidth sites sitesOf tokensOf trainingProgram undoEdit unembed viewStack weightDtype weightInputs weightShapes widenPlan widenedCopy writeOnnx"`,
  );
});

test("hooks", async () => {
  expect(await names(import("../src/hooks/index.ts"))).toMatchInlineSnapshot(
    `"InterventionSchema ablate attributionPatching attributionScores captureProgram checkTokens clamp compareLogits edit estimateGradients exact exactPatching feedSites feedsOf freeze generate gradientProgram gradients integratedGradients interventionHash logProbabilities lossProgram lossWith matchSites meanActivations openInterventions parseInterventions patch patchingAgreement planInterventions rankCorrelation relp replaceWith resampleActivations rowsOf runWithCache scale serialInterventions splice steer tapOf withRandomDirections"`,
  );
});

test("activations", async () => {
  expect(await names(import("../src/activations/index.ts"))).toMatchInlineSnapshot(
    `"activationStream recordActivations replayActivations shuffledBatches sumMoments"`,
  );
});

test("dictionaries", async () => {
  expect(await names(import("../src/dictionaries/index.ts"))).toMatchInlineSnapshot(
    `"L0 bestCosines concatRows constantReconstructor countFirings dataPoints densityFacts dictionaryReconstructor finished fitPca foldScale fvuMeter loadDictionary loadTrainingState makeDictionary matchingPursuit meanLoss openCoder pcaReconstructor plantedWorld saveDictionary saveTrainingState spliceFacts toColumns topNeurons trainDictionary"`,
  );
});

test("evidence", async () => {
  expect(await names(import("../src/evidence/index.ts"))).toMatchInlineSnapshot(
    `"ClaimSchema EstimateSchema ReadingSchema activationsAt auroc aurocInterval bestThreshold bootstrapInterval chooseThresholds chooseUnits claim columnMoments columnOf columnsAt contextClaims contextFigures correlations denseMoments densityMatched discrimination equalBands fieldNouns fitProbe fitTokens judgeChosen judgeUnit labelSums layGround lossClaims meanDifference measureContexts occurrences pairKeys peakOf plainProduct poolControls probeRows probeScores quantile quantileBands raisesNouns randomDirections randomUnits recovered resampleDocuments theToken tokenMeans tokenTableCorrelation verdictOf wilson"`,
  );
});

test("analysis", async () => {
  expect(await names(import("../src/analysis/index.ts"))).toMatchInlineSnapshot(
    `"BandSchema ContextReadingSchema DictionarySummarySchema FeatureListSchema FeaturePageSchema FeatureRowSchema HistogramSchema IntervalSchema LogitSchema NeighbourSchema PieceSchema StripSchema TokenShareSchema applyControl backendProduct bosPolicy bundleFiles bundleWriter checkProvenance columnBuilder currentRevision describeColumns describeDictionary describeNeurons groundOf logitPath logitWeights measureDictionary measureNeurons nameOf nearestRows neuronMatcher neuronShares neuronThreshold openBundle participationRatio probeCeiling provenanceInputs provenanceOf recordNeurons recordSplit rowOf statementOf stripMaker summarizeLogits withControl"`,
  );
});
