(module
  (import "refrain:workflow/context@0.1.0" "now" (func $now (param i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
  (func (export "refrain:workflow/definition@0.1.0#describe") (result i32) (i32.const 0x100))
  (func (export "refrain:workflow/definition@0.1.0#run") (param i32 i32 i32 i32 i32 i32) (result i32)
    (call $now (i32.const 0x400)) (i32.const 0x300)))
