module refrain-sdk

go 1.24
