// What kubeconform checks ScaledObjects against: KEDA's own definition of them.
module holdfast.invalid/tools/keda

go 1.26.0

require github.com/kedacore/keda/v2 v2.17.2
