module holdfast.invalid/tools/temporal-cli

go 1.26.0

require github.com/temporalio/cli v1.5.1
