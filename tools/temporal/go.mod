module holdfast.invalid/tools/temporal

go 1.26.0

require go.temporal.io/server v1.29.1
