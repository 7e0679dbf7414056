module {{name}}

go 1.24

require refrain-sdk v0.0.0

replace refrain-sdk => ./refrain-sdk
