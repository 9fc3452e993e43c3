// Since which operator sets each operator is read as it is now: made from ONNX's schemas by
// scripts/golden/onnx_versions.py. Versions that only allow more types are left out.
export const readSince = `
Abs 1 6
Acos 7
Acosh 9
Add 1 6 7
AffineGrid 20
And 1 7
ArgMax 1 12
ArgMin 1 12
Asin 7
Asinh 9
Atan 7
Atanh 9
Attention 23 24 25
AveragePool 1 7 10 19
BatchNormalization 1 6 7 9 14
Bernoulli 15
BitCast 26
BitShift 11
BitwiseAnd 18
BitwiseNot 18
BitwiseOr 18
BitwiseXor 18
BlackmanWindow 17
Cast 1 6 19 24
CastLike 15 19 24
CausalConvWithState 27
Ceil 1 6
Celu 12
CenterCropPad 18
Clip 1 6 11
Col2Im 18
Compress 9
Concat 1
ConcatFromSequence 11
Constant 1 11 12
ConstantOfShape 9
Conv 1
ConvInteger 10
ConvTranspose 1
Cos 7
Cosh 9
CumProd 26
CumSum 11
DFT 17 20
DeformConv 19
DepthToSpace 1 11
DequantizeLinear 10 13 21 23
Det 11
Div 1 6 7
Dropout 1 6 7 12
DynamicQuantizeLinear 11
Einsum 12
Elu 1 6
Equal 1 7
Erf 9
Exp 1 6
Expand 8
EyeLike 9
Flatten 1
Floor 1 6
GRU 1 3 7 14
Gather 1
GatherElements 11
GatherND 11 12
Gelu 20
Gemm 1 7
GlobalAveragePool 1
GlobalLpPool 1 2
GlobalMaxPool 1
Greater 1 7
GreaterOrEqual 12
GridSample 16 20
GroupNormalization 18 21
HammingWindow 17
HannWindow 17
HardSigmoid 1 6
HardSwish 14
Hardmax 1 13
Identity 1
If 1
ImageDecoder 20
InstanceNormalization 1 6
IsInf 10
IsNaN 9
LRN 1
LSTM 1 7 14
LayerNormalization 17
LeakyRelu 1 6
Less 1 7
LessOrEqual 12
LinearAttention 27
Log 1 6
LogSoftmax 1 13
Loop 1
LpNormalization 1
LpPool 1 2 18
MatMul 1
MatMulInteger 10
Max 1 6
MaxPool 1 8 10
MaxRoiPool 1
MaxUnpool 9
Mean 1 6
MeanVarianceNormalization 9
MelWeightMatrix 17
Min 1 6
Mish 18
Mod 10
Mul 1 6 7
Multinomial 7
Neg 1 6
NegativeLogLikelihoodLoss 12
NonMaxSuppression 10
NonZero 9
Not 1
OneHot 9
Optional 15
OptionalGetElement 15
OptionalHasElement 15
Or 1 7
PRelu 1 6
Pad 1 2 11 18
Pow 1 7
QLinearConv 10
QLinearMatMul 10
QuantizeLinear 10 13 19 21 23
RMSNormalization 23
RNN 1 7 14
RandomNormal 1
RandomNormalLike 1
RandomUniform 1
RandomUniformLike 1
Range 11 27
Reciprocal 1 6
ReduceL1 1 18
ReduceL2 1 18
ReduceLogSum 1 18
ReduceLogSumExp 1 18
ReduceMax 1 18
ReduceMean 1 18
ReduceMin 1 18
ReduceProd 1 18
ReduceSum 1 13
ReduceSumSquare 1 18
RegexFullMatch 20
Relu 1 6
Reshape 1 5 14
Resize 10 11 18
ReverseSequence 10
RoiAlign 10 16
RotaryEmbedding 23
Round 11
STFT 17
Scan 8 9
Scatter 9 11
ScatterElements 11 16
ScatterND 11 16
Selu 1 6
SequenceAt 11
SequenceConstruct 11
SequenceEmpty 11
SequenceErase 11
SequenceInsert 11
SequenceLength 11
SequenceMap 17
Shape 1 15
Shrink 9
Sigmoid 1 6
Sign 9
Sin 7
Sinh 9
Size 1
Slice 1 10
Softmax 1 13
SoftmaxCrossEntropyLoss 12
Softplus 1
Softsign 1
SpaceToDepth 1 28
Split 1 2 13 18
SplitToSequence 11
Sqrt 1 6
Squeeze 1 13
StringConcat 20
StringNormalizer 10
StringSplit 20
Sub 1 6 7
Sum 1 6
SwiGLU 28
Swish 24
Tan 7
Tanh 1 6
TensorScatter 24
TfIdfVectorizer 9
ThresholdedRelu 10
Tile 1 6
TopK 1 10 11
Transpose 1
Trilu 14
Unique 11
Unsqueeze 1 13
Upsample 1 7 9 10
Where 9
Xor 1 7
`;
