module fan-out

go 1.24

require refrain-sdk v0.0.0

replace refrain-sdk => ../../../guest-sdk/go
